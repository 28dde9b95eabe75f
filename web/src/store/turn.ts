/** One turn, and what it needs from the chat around it. */
import type { ReadonlySignal, Signal } from '@preact/signals';
import type { ThreadStreamEvent } from '../core/protocol';
import type { Follow } from './follow';
import type { ChatPorts, Message, Phase } from './ports';
import type { TranscriptSignals } from './signals';

export interface TurnHost {
  readonly ports: ChatPorts;
  readonly transcript: TranscriptSignals;
  readonly threadId: ReadonlySignal<string | null>;
  readonly phase: Signal<Phase>;
  /** What an event means outside the transcript. */
  readonly announce: (event: ThreadStreamEvent) => void;
  readonly fail: (error: Error) => void;
  /** Says something beside the conversation. */
  readonly say: (words: string) => void;
  /** Loads the open thread again, and follows what runs in it. */
  readonly reload: () => Promise<void>;
  /** Remembers how what failed is tried again. */
  readonly retryWith: (again: () => Promise<void>) => void;
}

/** One turn. Its identity tells late results from current ones. */
export interface Turn {
  readonly controller: AbortController;
  /** The place of its message on the screen, and the message; `null` where it was not sent from here. */
  readonly key: string | null;
  readonly message: Message | null;
  /** Its message waits for the answer before it. */
  isWaiting: boolean;
  follow: Follow | null;
  /** `chatkit.response.start` was sent. */
  isAnswered: boolean;
  /** Whether anything new came of it. */
  isNews: boolean;
  isStopped: boolean;
  /** How far the server was told to stop. */
  cancel: 'none' | 'asked' | 'done';
}

export function newTurn(own: { readonly key: string; readonly message: Message | null } | null, isWaiting: boolean): Turn {
  return {
    controller: new AbortController(),
    key: own?.key ?? null,
    message: own?.message ?? null,
    isWaiting,
    follow: null,
    isAnswered: false,
    isNews: false,
    isStopped: false,
    cancel: 'none',
  };
}
