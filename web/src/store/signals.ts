/**
 * The transcript as signals, one per entry, so that one more word in one message re-renders nothing
 * but that message.
 */
import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import type { ThreadMetadata } from '../core/protocol';
import { EMPTY, type CutAnswer, type Entry, type Notice, type PastFailure, type Transcript, type TurnError } from './transcript';

/** A user's message and all that answers it; the first turn may have no user message. */
export interface Turn {
  readonly key: string;
  readonly entries: readonly Entry[];
}

export class TranscriptSignals {
  readonly thread = signal<ThreadMetadata | null>(null);
  /** Changes only when entries come, go or change their kind. */
  readonly turns = signal<readonly Turn[]>([]);
  readonly progress = signal<Transcript['progress']>(null);
  readonly notices = signal<readonly Notice[]>([]);
  readonly error = signal<TurnError | null>(null);
  readonly cut = signal<CutAnswer | null>(null);
  readonly past = signal<readonly PastFailure[]>([]);
  readonly queued = signal<readonly Entry[]>([]);
  readonly allowCancel = signal(true);
  #state: Transcript = EMPTY;
  #entries = new Map<string, Signal<Entry>>();

  get state(): Transcript {
    return this.#state;
  }

  /** The signal of an entry that is in `turns`. */
  entry(entry: Entry): ReadonlySignal<Entry> {
    return this.#signalOf(entry);
  }

  set(next: Transcript): void {
    const previous = this.#state;
    if (next === previous) return;
    this.#state = next;
    batch(() => {
      this.thread.value = next.thread;
      this.progress.value = next.progress;
      this.notices.value = next.notices;
      this.error.value = next.error;
      this.cut.value = next.cut;
      this.past.value = next.past;
      this.queued.value = next.queued;
      this.allowCancel.value = next.allowCancel;
      if (next.entries !== previous.entries) this.#setEntries(previous.entries, next.entries);
    });
  }

  #setEntries(previous: readonly Entry[], next: readonly Entry[]): void {
    let sameStructure = previous.length === next.length;
    next.forEach((entry, index) => {
      const before = previous[index];
      if (before === entry) return;
      this.#signalOf(entry).value = entry;
      if (before?.key !== entry.key || before.item.type !== entry.item.type) sameStructure = false;
    });
    if (sameStructure) return;
    const keys = new Set(next.map(({ key }) => key));
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
    this.turns.value = turnsOf(next);
  }

  #signalOf(entry: Entry): Signal<Entry> {
    let known = this.#entries.get(entry.key);
    if (known === undefined) {
      known = signal(entry);
      this.#entries.set(entry.key, known);
    }
    return known;
  }
}

function turnsOf(entries: readonly Entry[]): Turn[] {
  const turns: { key: string; entries: Entry[] }[] = [];
  for (const entry of entries) {
    const current = turns.at(-1);
    if (current === undefined || entry.item.type === 'user_message') turns.push({ key: entry.key, entries: [entry] });
    else current.entries.push(entry);
  }
  return turns;
}
