/** A chat over a client whose answers the test gives when it wants to; aborting works as on a real connection. */
import { vi } from 'vitest';
import type { ChatClient, EventStream, OpenOptions } from '../../src/core/client';
import { parseCursor, type Frame } from '../../src/core/cursor';
import type { ThreadItem, ThreadStreamEvent } from '../../src/core/protocol';
import type { Line } from '../../src/core/retry';
import { translate } from '../../src/i18n/translate';
import { Chat } from '../../src/store/chat';
import type { Message } from '../../src/store/ports';

export const at = { thread_id: 'thr_1', created_at: '2026-01-01T00:00:00Z' };
export const said = (id: string, text: string): ThreadItem => ({ type: 'assistant_message', id, ...at, content: [{ type: 'output_text', text }] });
export const asked = (id: string, text: string): ThreadItem => ({ type: 'user_message', id, ...at, content: [{ type: 'input_text', text }] });
export const created = (id: string): ThreadStreamEvent => ({ type: 'thread.created', thread: { id, created_at: at.created_at } });
export const delta = (id: string, text: string): ThreadStreamEvent => ({ type: 'thread.item.updated', item_id: id, update: { type: 'assistant_message.content_part.text_delta', content_index: 0, delta: text } });
export const message = (text: string) => ({ content: [{ type: 'input_text' as const, text }] });

interface Call {
  readonly type: string;
  readonly params: Record<string, unknown>;
  readonly key: string | undefined;
  readonly signal: AbortSignal;
  /** Says that the server has taken the request; streams given to without it are open already. */
  readonly open: (headers: { run?: string; queued?: string }) => void;
  /** Streams: gives a batch. JSON: gives the answer. */
  readonly give: (value: unknown) => void;
  /** Gives one event with its id, `run:position`. */
  readonly at: (id: string, event: ThreadStreamEvent) => void;
  readonly end: () => void;
  readonly fail: (error: Error) => void;
  /** Something arrives that is no event. */
  readonly beat: () => void;
}

/** A clock that stands until the test moves it. */
class FakeLine implements Line {
  time = 0;
  online = true;
  readonly #timers = new Set<{ due: number; done: () => void }>();
  readonly #listeners = new Set<() => void>();
  readonly now = (): number => this.time;
  readonly chance = (): number => 1;
  readonly isOnline = (): boolean => this.online;
  readonly onOnline = (back: () => void): (() => void) => {
    this.#listeners.add(back);
    return () => this.#listeners.delete(back);
  };
  readonly delay = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((done, stop) => {
      const timer = { due: this.time + ms, done };
      const abort = (): void => {
        this.#timers.delete(timer);
        stop(new DOMException('stopped', 'AbortError'));
      };
      if (signal.aborted) {
        abort();
        return;
      }
      this.#timers.add(timer);
      signal.addEventListener('abort', abort);
    });

  pass(ms: number): void {
    this.time += ms;
    for (const timer of [...this.#timers]) {
      if (timer.due > this.time) continue;
      this.#timers.delete(timer);
      timer.done();
    }
  }

  comeBack(): void {
    this.online = true;
    for (const back of [...this.#listeners]) back();
  }
}

/** `keepsRuns`: the server is a Vestibule. `hasKeys`: it sees the keys of requests. */
export function setUp({ keepsRuns = false, hasKeys = keepsRuns }: { keepsRuns?: boolean; hasKeys?: boolean } = {}) {
  const calls: Call[] = [];
  const client = {
    resumes: keepsRuns,
    hasKeys,
    request(type: string, params: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
      return new Promise((give, fail) => {
        signal.addEventListener('abort', () => fail(new DOMException('stopped', 'AbortError')));
        const none = (): void => undefined;
        calls.push({ type, params, key: undefined, signal, give, at: none, open: none, end: none, beat: none, fail });
      });
    },
    open(type: string, params: Record<string, unknown>, { signal, key, onBytes }: OpenOptions): Promise<EventStream> {
      const queue: (() => Frame[] | null)[] = [];
      let wake = (): void => undefined;
      const push = (next: () => Frame[] | null): void => {
        queue.push(next);
        wake();
      };
      async function* frames(): AsyncGenerator<Frame[], void, undefined> {
        for (;;) {
          const next = queue.shift();
          if (next === undefined) {
            await new Promise<void>((resolve) => (wake = resolve));
            continue;
          }
          onBytes?.();
          const batch = next();
          if (batch === null) return;
          yield batch;
        }
      }
      return new Promise((resolve, reject) => {
        const open = ({ run, queued }: { run?: string; queued?: string }): void => resolve({ run: run ?? null, queued: queued ?? null, frames: frames() });
        const opened = (next: () => Frame[] | null): void => {
          open({});
          push(next);
        };
        const fail = (error: Error): void => {
          reject(error);
          push(() => { throw error; });
        };
        signal.addEventListener('abort', () => fail(new DOMException('stopped', 'AbortError')));
        calls.push({
          type, params, key, signal, open, fail,
          give: (events) => opened(() => (events as ThreadStreamEvent[]).map((event) => ({ id: null, event }))),
          at: (id, event) => opened(() => [{ id: parseCursor(id), event }]),
          end: () => opened(() => null),
          beat: () => onBytes?.(),
        });
      });
    },
  };
  const emit = vi.fn();
  const clientTool = vi.fn();
  const widgetAction = vi.fn();
  const giveBack = vi.fn<(message: Message, whole: boolean) => void>();
  const line = new FakeLine();
  let ids = 0;
  const chat = new Chat({
    client: () => client as unknown as ChatClient,
    line,
    clientTool: () => clientTool,
    widgetAction: () => widgetAction,
    signIn: () => Promise.resolve(),
    log: () => undefined,
    emit,
    translate: () => translate,
    newId: () => `local_${(ids += 1)}`,
    now: () => new Date(0),
    giveBack,
  });
  const textOf = (item: ThreadItem): string => (item.type === 'assistant_message' || item.type === 'user_message' ? item.content.map(({ text }) => text).join('') : item.type);
  const events = (name: string): unknown[] => emit.mock.calls.filter(([event]) => event === `chatkit.${name}`).map(([, detail]) => detail as unknown);
  const texts = (): string[] => chat.transcript.state.entries.map(({ item }) => textOf(item));
  const waiting = (): string[] => chat.transcript.state.queued.map(({ item }) => textOf(item));
  const asks = (type: string): Call[] => calls.filter((call) => call.type === type);
  /** Lets everything that is ready to run do so. */
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 40; turns += 1) await Promise.resolve();
  };
  return { chat, calls, asks, clientTool, widgetAction, giveBack, events, texts, waiting, settle, line };
}
