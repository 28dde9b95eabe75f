/** The one table of what each method does while the chat loads a thread or answers. */
import { BusyError } from '../core/errors';
import type { Phase } from '../store/ports';

export type Method =
  | 'focusComposer'
  | 'setThreadId'
  | 'sendCustomAction'
  | 'sendUserMessage'
  | 'setComposerValue'
  | 'showHistory'
  | 'hideHistory'
  | 'fetchUpdates';

/** What would disturb the running turn is refused; what only changes the view is not. */
const ALLOWED_WHILE_BUSY: Readonly<Record<Method, boolean>> = {
  focusComposer: true,
  setComposerValue: true,
  showHistory: true,
  hideHistory: true,
  setThreadId: false,
  sendCustomAction: false,
  sendUserMessage: false,
  fetchUpdates: false,
};

export function refuseIfBusy(method: Method, phase: Phase): void {
  if (phase === 'idle' || ALLOWED_WHILE_BUSY[method]) return;
  throw new BusyError(`${method}() is not possible while the chat is ${phase === 'loading' ? 'loading a thread' : 'answering'}.`);
}
