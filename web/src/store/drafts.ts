/**
 * The files of the message that is being written, as a list of small state machines:
 * `waiting → uploading → done`, or `failed`, from where a person may try again. Pure: a step that does
 * not fit the state changes nothing, so late news about a removed file is harmless.
 */
import type { Attachment } from '../core/protocol';

export type DraftState =
  | { readonly at: 'waiting' }
  /** `null` while the progress is unknown. */
  | { readonly at: 'uploading'; readonly progress: number | null }
  | { readonly at: 'done'; readonly attachment: Attachment }
  /** `signIn`: signing in again may help. */
  | { readonly at: 'failed'; readonly message: string; readonly mayRetry: boolean; readonly signIn: boolean };

export interface Draft {
  readonly key: string;
  readonly name: string;
  readonly mimeType: string;
  /** `null` for what the page had uploaded itself. */
  readonly file: File | null;
  readonly state: DraftState;
}

export type Drafts = readonly Draft[];

export type Step =
  | { readonly type: 'add'; readonly drafts: Drafts }
  | { readonly type: 'begin' | 'pause' | 'retry' | 'remove'; readonly key: string }
  | { readonly type: 'progress'; readonly key: string; readonly fraction: number }
  | { readonly type: 'done'; readonly key: string; readonly attachment: Attachment }
  | { readonly type: 'fail'; readonly key: string; readonly message: string; readonly mayRetry: boolean; readonly signIn: boolean };

/** More at a time would only make each of them slower. */
const AT_ONCE = 3;

export function step(drafts: Drafts, action: Step): Drafts {
  switch (action.type) {
    case 'add':
      return [...drafts, ...action.drafts];
    case 'remove':
      return drafts.filter(({ key }) => key !== action.key);
    case 'begin':
      return move(drafts, action.key, ['waiting'], { at: 'uploading', progress: null });
    case 'pause':
      return move(drafts, action.key, ['uploading'], { at: 'waiting' });
    case 'progress':
      return move(drafts, action.key, ['uploading'], { at: 'uploading', progress: Math.min(1, Math.max(0, action.fraction)) });
    case 'done':
      return move(drafts, action.key, ['uploading'], { at: 'done', attachment: action.attachment });
    case 'fail':
      return move(drafts, action.key, ['uploading'], { at: 'failed', message: action.message, mayRetry: action.mayRetry, signIn: action.signIn });
    case 'retry':
      return move(drafts, action.key, ['failed'], { at: 'waiting' });
  }
}

function move(drafts: Drafts, key: string, from: readonly DraftState['at'][], state: DraftState): Drafts {
  if (!drafts.some((draft) => draft.key === key && from.includes(draft.state.at))) return drafts;
  return drafts.map((draft) => (draft.key === key ? { ...draft, state } : draft));
}

/** Which files may start now, in the order they came. */
export function startable(drafts: Drafts): Drafts {
  const running = drafts.filter(({ state }) => state.at === 'uploading').length;
  return drafts.filter(({ state }) => state.at === 'waiting').slice(0, Math.max(0, AT_ONCE - running));
}

/** What keeps the message from being sent: a file under way, or one that failed. */
export function obstacle(drafts: Drafts): 'uploading' | 'failed' | null {
  if (drafts.some(({ state }) => state.at === 'failed')) return 'failed';
  return drafts.some(({ state }) => state.at !== 'done') ? 'uploading' : null;
}

export function attachmentsOf(drafts: Drafts): Attachment[] {
  return drafts.flatMap(({ state }) => (state.at === 'done' ? [state.attachment] : []));
}
