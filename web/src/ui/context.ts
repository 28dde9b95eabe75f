/** What every part of the interface can reach, handed down by Preact context. */
import type { ReadonlySignal, Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { RefusalDetails } from '../core/errors';
import type { Emit } from '../element/events';
import type { LazyParts } from '../element/lazy-parts';
import type { Options } from '../element/options';
import type { Language } from '../i18n/language';
import type { Translate } from '../i18n/translate';
import type { Chat } from '../store/chat';
import type { CardRequest } from './cards';
import type { DraftAttachments } from '../store/draft-attachments';

/** Why the chat cannot be used on this page, in the server's words. */
export interface Blocked {
  readonly message: string;
  /** For the page's developer. */
  readonly details: RefusalDetails | null;
}

export interface Ui {
  readonly chat: Chat;
  /** The files of the message that is being written. */
  readonly attachments: DraftAttachments;
  readonly options: Signal<Options | null>;
  readonly blocked: Signal<Blocked | null>;
  /** The card that is open beside a reference or a tag. */
  readonly card: Signal<CardRequest | null>;
  /** Counts requests to focus the composer. */
  readonly focusRequests: Signal<number>;
  readonly selection: {
    readonly tool: Signal<string | null>;
    readonly model: Signal<string | null>;
    readonly selectTool: (id: string | null) => void;
  };
  /** The texts of the language of the moment: reading it while drawing draws again when that changes. */
  readonly t: Translate;
  readonly language: ReadonlySignal<Language>;
  readonly emit: Emit;
  readonly log: (name: string, data?: Record<string, unknown>) => void;
  readonly parts: LazyParts;
  /** Prefix of the ids inside this element. */
  readonly id: string;
}

export const UiContext = createContext<Ui | null>(null);

export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error('The interface is used outside its element.');
  return ui;
}

/** The options; the interface is only mounted once there are some. */
export function useOptions(): Options {
  const options = useUi().options.value;
  if (options === null) throw new Error('The interface is used before setOptions().');
  return options;
}

/** The language in which numbers and dates are written. */
export function useLocale(): string {
  return useUi().language.value.format;
}
