/** Loads a thread and its older pages. Every load has its own token; what comes back late for an old one is dropped. */
import { signal, type Signal } from '@preact/signals';
import { RequestError, asError, isAbort } from '../core/errors';
import type { Thread, ThreadItem } from '../core/protocol';
import type { ChatPorts, Phase } from './ports';
import type { TranscriptSignals } from './signals';
import { loaded, prependItems } from './transcript';

const PAGE = 30;
/** A long thread opens with as much as fills a screen: the reader waits for this, and for the rest only when scrolling up. */
const FIRST_PAGE = 10;

export class Loader {
  readonly hasOlder = signal(false);
  readonly loadingOlder = signal(false);
  #olderAfter: string | undefined;
  #loading: AbortController | null = null;
  readonly #ports: ChatPorts;
  readonly #transcript: TranscriptSignals;
  readonly #phase: Signal<Phase>;

  constructor(ports: ChatPorts, transcript: TranscriptSignals, phase: Signal<Phase>) {
    this.#ports = ports;
    this.#transcript = transcript;
    this.#phase = phase;
  }

  /** The thread as it was loaded; `null` when another load or thread came in between. Throws what failed. */
  async load(threadId: string): Promise<Thread | null> {
    this.cancel();
    const loading = new AbortController();
    this.#loading = loading;
    this.#phase.value = 'loading';
    const { client, emit } = this.#ports;
    emit('chatkit.thread.load.start', { threadId });
    try {
      const thread = await client().request('threads.get_by_id', { thread_id: threadId }, loading.signal);
      // The thread brings its first items, oldest first; a long one is opened at its end.
      let items: readonly ThreadItem[] = thread.items?.data ?? [];
      let olderAfter: string | undefined;
      if (thread.items?.has_more ?? false) {
        const limit = this.#transcript.state.entries.length === 0 ? FIRST_PAGE : PAGE;
        const page = await client().request('items.list', { thread_id: threadId, limit, order: 'desc' }, loading.signal);
        items = page.data.toReversed();
        olderAfter = page.has_more ? (page.after ?? page.data.at(-1)?.id) : undefined;
      }
      if (this.#loading !== loading) return null;
      this.#transcript.set(loaded(this.#transcript.state, thread, items));
      this.#setOlder(olderAfter);
      return thread;
    } catch (error) {
      if (this.#loading !== loading || isAbort(error)) return null;
      throw error;
    } finally {
      if (this.#loading === loading) {
        this.#loading = null;
        this.#phase.value = 'idle';
      }
      emit('chatkit.thread.load.end', { threadId });
    }
  }

  /** Gives up on what is being loaded. */
  cancel(): void {
    const loading = this.#loading;
    if (loading === null) return;
    this.#loading = null;
    this.#phase.value = 'idle';
    loading.abort();
  }

  /** Puts the page of items before the first one shown. */
  async older(threadId: string | null, report: (error: Error) => void): Promise<void> {
    const after = this.#olderAfter;
    if (threadId === null || after === undefined || this.loadingOlder.value) return;
    this.loadingOlder.value = true;
    try {
      const params = { thread_id: threadId, limit: PAGE, order: 'desc' as const, after };
      const page = await this.#ports.client().request('items.list', params, new AbortController().signal);
      if (this.#olderAfter !== after) return;
      this.#setOlder(page.has_more ? (page.after ?? page.data.at(-1)?.id) : undefined);
      this.#transcript.set(prependItems(this.#transcript.state, page.data.toReversed()));
    } catch (error) {
      this.forgetOlder();
      report(asError(error));
    } finally {
      this.loadingOlder.value = false;
    }
  }

  forgetOlder(): void {
    this.#setOlder(undefined);
  }

  #setOlder(after: string | undefined): void {
    this.#olderAfter = after;
    this.hasOlder.value = after !== undefined;
  }
}

export const isGone = (error: Error): boolean => error instanceof RequestError && error.status === 404;
