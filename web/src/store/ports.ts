/** What the chat needs from outside, and the values it is told. */
import type { ChatClient } from '../core/client';
import { isForDeveloper, mayBeSignedOut, RequestError, wordsOfPage } from '../core/errors';
import type { InferenceOptions, UserContent, WidgetNode } from '../core/protocol';
import type { Line } from '../core/retry';
import type { ClientToolHandler } from '../core/tools';
import type { Emit } from '../element/events';
import type { MessageKey } from '../i18n/en';
import type { Translate } from '../i18n/translate';
import { LinkLostError } from './follow';
import type { TurnError } from './transcript';

export type Phase = 'idle' | 'loading' | 'sending' | 'streaming' | 'tool';

export interface ChatPorts {
  readonly client: () => ChatClient;
  readonly line: Line;
  readonly clientTool: () => ClientToolHandler | null;
  /** `widgets.onAction` of the page. */
  readonly widgetAction: () => WidgetActionHandler | null;
  /** Diagnostics; never content. */
  readonly log: (name: string, data?: Record<string, unknown>) => void;
  readonly emit: Emit;
  readonly translate: () => Translate;
  /** A fresh id for what the server has not named yet. */
  readonly newId: () => string;
  readonly now: () => Date;
  /** `api.onSignIn` of the page; from then on nothing of the login before is used. */
  readonly signIn: () => Promise<void>;
  /** Puts a message that was not sent back where it was written; `whole`: also beside what is written there now. */
  readonly giveBack: (message: Message, whole: boolean) => void;
}

/** An action as the page's and the server's code get it. */
export interface PlainAction {
  readonly type: string;
  readonly payload?: Record<string, unknown>;
}

export type WidgetActionHandler = (action: PlainAction, item: { id: string; widget: WidgetNode }) => unknown;

export interface Message {
  readonly content: readonly UserContent[];
  readonly attachments?: readonly { id: string; type: 'file' | 'image'; name: string; mime_type: string }[];
  readonly quotedText?: string;
  readonly inference?: InferenceOptions;
}

/** What a person reads about a failure, and whether trying again can help. `otherwise`: where nobody wrote words for it. */
export function turnErrorOf(error: Error, t: Translate, otherwise: MessageKey = 'error.generic'): TurnError {
  return { ...saidOf(error, t, otherwise), ...(mayBeSignedOut(error) ? { signIn: true } : {}) };
}

function saidOf(error: Error, t: Translate, otherwise: MessageKey): TurnError {
  if (error instanceof RequestError) {
    const refused = error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 401;
    const words = isForDeveloper(error.code) ? t('error.refused') : t('error.server');
    return { message: error.forUser ? error.message : words, allowRetry: !refused };
  }
  const words = wordsOfPage(error);
  if (words !== null) return { message: words, allowRetry: true };
  if (error instanceof TypeError || error instanceof LinkLostError) return { message: t('error.network'), allowRetry: true };
  return { message: t(otherwise), allowRetry: true };
}
