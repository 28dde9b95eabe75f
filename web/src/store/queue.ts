/** Messages that wait for the answer before them: what their streams say meanwhile, and taking one back. */
import { RequestError } from '../core/errors';
import type { ThreadStreamEvent } from '../core/protocol';
import { acknowledge, dequeue } from './transcript';
import type { Turn, TurnHost } from './turn';

/** Said to whoever waits, and of no interest to the answer that is being written. */
const ABOUT_WAITING: ReadonlySet<string> = new Set(['stream_options', 'progress_update', 'thread.created', 'thread.updated']);

/** What an event means to a message that waits: nothing more than that, that it was taken back, or that its turn has come. */
export function whileWaiting({ transcript, announce }: TurnHost, turn: Turn, event: ThreadStreamEvent): 'waits' | 'removed' | 'begins' {
  if (ABOUT_WAITING.has(event.type)) {
    announce(event);
    return 'waits';
  }
  if (event.type === 'thread.item.done' && event.item.type === 'user_message' && turn.key !== null) {
    transcript.set(acknowledge(transcript.state, turn.key, event.item));
    return 'waits';
  }
  if (event.type === 'thread.item.removed') {
    transcript.set(dequeue(transcript.state, event.item_id));
    return 'removed';
  }
  return 'begins';
}

/** Whether the server has saved the message of a turn that waits. */
export function isAcknowledged({ transcript }: TurnHost, turn: Turn): boolean {
  return transcript.state.queued.some(({ key, optimistic }) => key === turn.key && optimistic === undefined);
}

/** Takes a message back; its text returns to where it was written, if nothing else is written there. `true`: it is gone. */
export async function takeBack({ transcript, ports, threadId, say }: TurnHost, key: string): Promise<boolean> {
  const entry = transcript.state.queued.find((candidate) => candidate.key === key);
  const thread = threadId.value;
  if (entry?.item.type !== 'user_message' || entry.optimistic === true || thread === null) return false;
  const { id, content, attachments, quoted_text: quotedText, inference_options: inference } = entry.item;
  try {
    await ports.client().request('threads.cancel', { thread_id: thread, item_id: id }, new AbortController().signal);
  } catch (error) {
    say(error instanceof RequestError && error.forUser ? error.message : ports.translate()('queue.takeBackFailed'));
    return false;
  }
  if (threadId.value !== thread) return false;
  transcript.set(dequeue(transcript.state, id));
  ports.giveBack({ content, attachments: attachments ?? [], quotedText: quotedText ?? '', inference: inference ?? {} }, false);
  return true;
}
