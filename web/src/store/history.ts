/** The list of conversations: pages of it, newest first, with rename and delete. */
import { signal, type Signal } from '@preact/signals';
import type { ChatClient } from '../core/client';
import type { ThreadMetadata } from '../core/protocol';

const PAGE = 30;

export class History {
  readonly threads = signal<readonly ThreadMetadata[]>([]);
  /** What a search found, in place of the list; `null` while nobody searches. */
  readonly found = signal<readonly ThreadMetadata[] | null>(null);
  /** Adds the next page of what was found, where there is one. */
  readonly moreFound = signal<(() => void) | null>(null);
  readonly status = signal<'idle' | 'loading' | 'failed'>('idle');
  readonly hasMore = signal(false);
  /** Why the list could not be loaded, in words, and whether signing in again may help. */
  readonly problem = signal({ words: '', signIn: false });
  /** Changes with whom the list belongs to. */
  readonly #partner = signal(0);
  #after: string | undefined;
  #loading: AbortController | null = null;
  readonly #client: () => ChatClient;

  constructor(client: () => ChatClient) {
    this.#client = client;
  }

  get client(): ChatClient {
    return this.#client();
  }

  get partner(): number {
    return this.#partner.value;
  }

  /** Loads the first page anew; what is shown stays until it is there. */
  async refresh(): Promise<void> {
    await this.#load(undefined);
  }

  async more(): Promise<void> {
    if (this.hasMore.value && this.status.value === 'idle') await this.#load(this.#after);
  }

  /** Puts what the stream said about a thread into the list. */
  note(thread: ThreadMetadata): void {
    const known = this.threads.value.some(({ id }) => id === thread.id);
    this.threads.value = known
      ? this.threads.value.map((entry) => (entry.id === thread.id ? { ...entry, ...thread } : entry))
      : [thread, ...this.threads.value];
  }

  async rename(threadId: string, title: string): Promise<void> {
    await this.#change(threadId, (entry) => [{ ...entry, title }], this.#client().request('threads.update', { thread_id: threadId, title }, new AbortController().signal));
  }

  async remove(threadId: string): Promise<void> {
    await this.#change(threadId, () => [], this.#client().request('threads.delete', { thread_id: threadId }, new AbortController().signal));
  }

  /** Changes one conversation where it is listed and where it was found; takes that one back when `job` fails. */
  async #change(threadId: string, by: (entry: ThreadMetadata) => ThreadMetadata[], job: Promise<unknown>): Promise<void> {
    const { partner } = this;
    const undo = [this.threads, this.found].map((list: Signal<readonly ThreadMetadata[] | null>) => {
      const at = list.value?.findIndex(({ id }) => id === threadId) ?? -1;
      const entry = list.value?.[at];
      if (list.value !== null && entry !== undefined) list.value = list.value.flatMap((other) => (other === entry ? by(other) : [other]));
      return (): void => {
        const now = list.value;
        if (now === null || entry === undefined) return;
        const rest = now.filter(({ id }) => id !== threadId);
        const place = rest.length < now.length ? now.findIndex(({ id }) => id === threadId) : at;
        list.value = [...rest.slice(0, place), entry, ...rest.slice(place)];
      };
    });
    try {
      await job;
    } catch (error) {
      // Another person's list has no place for it, and their screen none for the reason.
      if (this.partner !== partner) return;
      for (const back of undo) back();
      throw error;
    }
  }

  /** Forgets everything: another conversation partner, another list. */
  reset(): void {
    this.#loading?.abort();
    this.#loading = null;
    this.threads.value = [];
    this.found.value = null;
    this.moreFound.value = null;
    this.#partner.value += 1;
    this.hasMore.value = false;
    this.status.value = 'idle';
    this.#after = undefined;
  }

  async #load(after: string | undefined): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.status.value = 'loading';
    try {
      const params = { limit: PAGE, order: 'desc' as const, ...(after === undefined ? {} : { after }) };
      const page = await this.#client().request('threads.list', params, loading.signal);
      if (this.#loading !== loading) return;
      const known = new Set(after === undefined ? [] : this.threads.value.map(({ id }) => id));
      const fresh = page.data.filter(({ id }) => !known.has(id));
      this.threads.value = after === undefined ? fresh : [...this.threads.value, ...fresh];
      this.#after = page.after ?? page.data.at(-1)?.id;
      this.hasMore.value = page.has_more && page.data.length > 0;
      this.status.value = 'idle';
    } catch (error) {
      if (this.#loading !== loading) return;
      this.status.value = 'failed';
      throw error;
    }
  }
}
