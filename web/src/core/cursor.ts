/**
 * Where a reader is in a run. A frame's id is `<run>:<position after this event>`; every event takes one
 * position and a text delta as many as it has UTF-8 bytes, so deltas that a server folded into one can
 * still be matched with what was read before, to the byte.
 */
import type { ThreadStreamEvent } from './protocol';

export interface Cursor {
  readonly run: string;
  readonly position: number;
}

/** One event of a stream with its place in the run; `null` where the server gave none, or the event is unknown. */
export interface Frame {
  readonly id: Cursor | null;
  readonly event: ThreadStreamEvent | null;
}

/** Other servers may use ids of their own; those mean nothing here. */
export function parseCursor(id: string | null): Cursor | null {
  const match = id === null ? null : /^(run_[A-Za-z0-9]{1,64}):(\d{1,15})$/.exec(id);
  return match?.[1] === undefined ? null : { run: match[1], position: Number(match[2]) };
}

export const cursorText = ({ run, position }: Cursor): string => `${run}:${position}`;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What was read of each run, so that two streams of one run, or a replay, change nothing twice. */
export class Positions {
  readonly #seen = new Map<string, number>();

  /** The part of the frame that is new: all of it, the rest of a delta, or `null`. */
  take({ id, event }: Frame): ThreadStreamEvent | null {
    if (id === null) return event;
    const seen = this.#seen.get(id.run) ?? 0;
    if (id.position <= seen) return null;
    this.#seen.set(id.run, id.position);
    if (event?.type !== 'thread.item.updated' || event.update.type !== 'assistant_message.content_part.text_delta') return event;
    const bytes = encoder.encode(event.update.delta);
    const known = seen - (id.position - bytes.length);
    if (known <= 0) return event;
    return { ...event, update: { ...event.update, delta: decoder.decode(bytes.subarray(known)) } };
  }

  /** What is on the screen was replaced by what the server has stored, or the run is read from its first event: it counts anew. */
  forget(run?: string): void {
    if (run === undefined) this.#seen.clear();
    else this.#seen.delete(run);
  }
}
