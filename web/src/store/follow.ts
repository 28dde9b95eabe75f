/**
 * One answer, followed to its end whatever happens to the connection. Where the server keeps runs, a
 * stream that breaks, falls silent or never came is taken up again at the place that was reached. Where
 * that place has no name, the thread is loaded again. A request is repeated only under a key that the
 * server was shown the first time: asking twice would answer twice.
 */
import type { ChatClient } from '../core/client';
import { cursorText, type Cursor, type Frame } from '../core/cursor';
import { RequestError, asError, isAbort } from '../core/errors';
import type { StreamingOperations } from '../core/protocol';
import type { Line } from '../core/retry';

export type LinkState = 'steady' | 'lost' | 'silent';

/** A streaming request; `key` makes it safe to repeat. */
export interface Start<K extends keyof StreamingOperations = keyof StreamingOperations> {
  readonly type: K;
  readonly params: StreamingOperations[K];
  readonly key?: string;
}

export interface FollowPorts {
  readonly client: () => ChatClient;
  readonly line: Line;
  readonly threadId: () => string | null;
  readonly onLink: (state: LinkState) => void;
  /** The server has taken the request. `queued`: as a message that waits, under this id. */
  readonly onOpen: (queued: string | null) => void;
}

/** The run is not there any more: what came of it is in the thread. */
export class RunGoneError extends Error {
  override name = 'RunGoneError';
}

/** The connection did not come back. */
export class LinkLostError extends Error {
  override name = 'LinkLostError';
}

/** Two intervals of the server's keep-alive: after that, nobody is there. */
const SILENCE_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** A message that never got an answer is tried for half a minute, a run for some minutes: it goes on without us. */
const SEND_ATTEMPTS = 6;
const RESUME_ATTEMPTS = 20;
const BETWEEN_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);
const TOO_MANY = 429;

export class Follow {
  /** The run's id, as soon as it is known. */
  run: string | null = null;
  cursor: Cursor | null = null;
  /** Whether the server has taken the request. */
  isOpen = false;
  #isRead = false;
  /** Whether the last attempt showed the server the key. */
  #isKeyed = false;
  #isQueued = false;
  /** Whether an item was announced and is not done yet: a stream that ends here was cut. */
  #openItem: string | null = null;
  readonly #start: Start;
  readonly #ports: FollowPorts;
  readonly #signal: AbortSignal;

  constructor(start: Start, ports: FollowPorts, signal: AbortSignal) {
    this.#start = start;
    this.#ports = ports;
    this.#signal = signal;
  }

  async *frames(): AsyncGenerator<Frame[], void, undefined> {
    const { line, onLink } = this.#ports;
    let next = this.#start;
    for (let attempt = 0; ; attempt += 1) {
      const trial = new Trial(this.#signal, line, (isSilent) => this.#goesOn() || (isSilent && this.#mayReload()));
      let progressed = false;
      let failure: Error | null = null;
      try {
        const client = this.#ports.client();
        this.#isKeyed = next.key !== undefined && client.hasKeys;
        const stream = await client.open(next.type, next.params, { signal: trial.signal, key: next.key, onBytes: () => trial.hear() });
        this.run = stream.run ?? this.run;
        this.isOpen = true;
        this.#isQueued = stream.queued !== null;
        onLink('steady');
        this.#ports.onOpen(stream.queued);
        for await (const batch of stream.frames) {
          progressed = true;
          attempt = 0;
          this.#isRead = true;
          this.#note(batch);
          yield batch;
        }
        // Something in between may close a stream as if it were whole.
        if (this.#openItem === null || !progressed || !(this.#mayResume() || this.#mayReload())) return;
      } catch (error) {
        if (this.#signal.aborted) throw error;
        failure = asError(error);
      } finally {
        trial.end();
      }
      if (failure !== null) {
        if (next.type === 'threads.resume' && failure instanceof RequestError && failure.status === 404) throw new RunGoneError(failure.message);
        if (!trial.wasCut && !this.#isBroken(failure, next)) throw failure;
        if (!this.#goesOn() && !this.#mayReload()) throw failure;
      }
      if (attempt >= (this.#mayResume() ? RESUME_ATTEMPTS : SEND_ATTEMPTS)) throw new LinkLostError();
      onLink(trial.isSilent ? 'silent' : 'lost');
      await this.#pause(attempt, trial.wasCut);
      if (!this.#goesOn()) throw new RunGoneError();
      next = this.#again();
    }
  }

  /** The connection broke, or a proxy speaks for a server that is being restarted. What is only read may wait longer. */
  #isBroken(error: Error, { type }: Start): boolean {
    if (error instanceof RequestError) {
      if (type === 'threads.resume' && error.status === TOO_MANY) return true;
      return BETWEEN_STATUSES.has(error.status) && (type === 'threads.resume' || !error.forUser);
    }
    return error instanceof TypeError || isAbort(error);
  }

  #goesOn(): boolean {
    return this.#mayResume() || this.#mayRepeat();
  }

  #mayResume(): boolean {
    return this.cursor !== null && this.#ports.threadId() !== null;
  }

  /** Nothing of the run was read: the same request with the same key finds it, or begins it. */
  #mayRepeat(): boolean {
    if (this.cursor !== null || (this.isOpen && this.run === null)) return false;
    return this.#start.type === 'threads.resume' || (this.#isKeyed && !this.#isRead);
  }

  /** The server has begun, and takes us for somebody who does not come back: what came of it is in the thread. */
  #mayReload(): boolean {
    return this.run !== null && !this.#isQueued && this.#ports.threadId() !== null;
  }

  #again(): Start {
    const threadId = this.#ports.threadId();
    if (this.cursor === null || threadId === null) return this.#start;
    return { type: 'threads.resume', params: { thread_id: threadId, after: cursorText(this.cursor) } };
  }

  #note(batch: readonly Frame[]): void {
    for (const { id, event } of batch) {
      if (id !== null) {
        this.cursor = id;
        this.run = id.run;
      }
      if (event?.type === 'thread.item.added') this.#openItem = event.item.id;
      else if (event?.type === 'thread.item.done' && event.item.id === this.#openItem) this.#openItem = null;
      else if (event?.type === 'thread.item.removed' && event.item_id === this.#openItem) this.#openItem = null;
      else if (event?.type === 'error' || event?.type === 'notice') this.#openItem = null;
    }
  }

  /** Waits before the next attempt, longer each time; a network that is back ends the wait. */
  async #pause(attempt: number, atOnce: boolean): Promise<void> {
    const { line } = this.#ports;
    if (atOnce && attempt === 0 && line.isOnline()) return;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + line.chance() / 2);
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const forget = line.onOnline(stop);
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      await line.delay(pause, waiting.signal);
      // Without a network an attempt could only fail, and would count.
      while (!line.isOnline()) await line.delay(LONGEST_PAUSE_MS, waiting.signal);
    } catch (error) {
      if (this.#signal.aborted || !isAbort(error)) throw error;
    } finally {
      forget();
      this.#signal.removeEventListener('abort', stop);
    }
  }
}

/**
 * One attempt: ends with its owner, when nothing comes for too long, and when the network is another one.
 * Only where the answer can be had again: a server that was not told that we come back takes it for Stop.
 */
class Trial {
  wasCut = false;
  isSilent = false;
  readonly #controller = new AbortController();
  readonly #over = new AbortController();
  readonly #owner: AbortSignal;
  readonly #line: Line;
  readonly #mayCut: (isSilent: boolean) => boolean;
  readonly #forget: () => void;
  #heardAt: number;

  constructor(owner: AbortSignal, line: Line, mayCut: (isSilent: boolean) => boolean) {
    this.#owner = owner;
    this.#line = line;
    this.#mayCut = mayCut;
    this.#heardAt = line.now();
    if (owner.aborted) this.#controller.abort();
    owner.addEventListener('abort', this.#leave, { once: true });
    this.#forget = line.onOnline(() => this.#cut(false));
    this.#watch().catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  hear(): void {
    this.#heardAt = this.#line.now();
  }

  end(): void {
    this.#forget();
    this.#over.abort();
    this.#owner.removeEventListener('abort', this.#leave);
  }

  readonly #leave = (): void => this.#controller.abort();

  async #watch(): Promise<void> {
    for (;;) {
      const left = this.#heardAt + SILENCE_MS - this.#line.now();
      if (left <= 0) {
        this.#cut(true);
        return;
      }
      await this.#line.delay(left, this.#over.signal);
      // Servers without runs send no sign of life while they think.
      if (!this.#mayCut(true)) this.hear();
    }
  }

  #cut(isSilent: boolean): void {
    if (!this.#mayCut(isSilent)) return;
    this.wasCut = true;
    this.isSilent = isSilent;
    this.#controller.abort();
  }
}
