/**
 * What a person can do in the chat, and the turn that follows: `idle → sending → streaming →
 * (tool → streaming)* → idle`. Every turn and every load has its own token; whatever comes back late
 * for an old one is dropped.
 */
import { batch, computed, signal } from '@preact/signals';
import type { ChatClient } from '../core/client';
import { BusyError, IntegrationError, RequestError, asError, isAbort } from '../core/errors';
import type { InferenceOptions, ThreadItem, ThreadStreamEvent, UserContent } from '../core/protocol';
import { MAX_TOOL_ROUNDS, pendingToolCall, runClientTool, type ClientToolHandler } from '../core/tools';
import type { Emit } from '../element/events';
import type { Translate } from '../i18n/translate';
import { History } from './history';
import { TranscriptSignals } from './signals';
import { EMPTY, addOptimistic, endTurn, loaded, prependItems, reduce, truncateAfter, type TurnError } from './transcript';

export type Phase = 'idle' | 'loading' | 'sending' | 'streaming' | 'tool';

export interface ChatPorts {
  readonly client: () => ChatClient;
  readonly clientTool: () => ClientToolHandler | null;
  readonly emit: Emit;
  readonly translate: () => Translate;
  /** A fresh id for what the server has not named yet. */
  readonly newId: () => string;
  readonly now: () => Date;
}

export interface Message {
  readonly content: readonly UserContent[];
  readonly attachments?: readonly { id: string; type: 'file' | 'image'; name: string; mime_type: string }[];
  readonly quotedText?: string;
  readonly inference?: InferenceOptions;
}

/** One run of a turn. Its identity tells late results from current ones. */
interface Run {
  readonly controller: AbortController;
}

type Stream = AsyncGenerator<ThreadStreamEvent[], void, undefined>;

const PAGE = 30;

export class Chat {
  readonly transcript = new TranscriptSignals();
  readonly history: History;
  readonly phase = signal<Phase>('idle');
  readonly threadId = signal<string | null>(null);
  readonly historyOpen = signal(false);
  readonly draft = signal('');
  readonly hasOlder = signal(false);
  readonly loadingOlder = signal(false);
  /** Feedback given in this session, by the key of the turn. */
  readonly feedback = signal<Readonly<Record<string, 'positive' | 'negative'>>>({});
  /** Failures that belong to no place in the thread. */
  readonly toast = signal<string | null>(null);
  /** Counts messages sent, so that the view can bring the newest to the top. */
  readonly sent = signal(0);
  readonly isAnswering = computed(() => ['sending', 'streaming', 'tool'].includes(this.phase.value));
  #run: Run | null = null;
  #olderAfter: string | undefined;
  /** Sends the last message as it was first sent, for when the server never took it. */
  #resend: (() => Promise<void>) | null = null;
  /** Loads again what could not be loaded; `null` when the last failure was a turn's. */
  #reload: (() => Promise<void>) | null = null;
  readonly #ports: ChatPorts;

  constructor(ports: ChatPorts) {
    this.#ports = ports;
    this.history = new History(ports.client);
  }

  // --- Turns ---

  /** Sends a message, in a new thread if none is open. Resolves when the turn is over. */
  async send(message: Message): Promise<void> {
    this.#refuseWhileBusy();
    const { client, newId, now } = this.#ports;
    const input = {
      content: [...message.content],
      attachments: (message.attachments ?? []).map(({ id }) => id),
      quoted_text: message.quotedText ?? '',
      inference_options: message.inference ?? {},
    };
    const item: ThreadItem = {
      type: 'user_message',
      id: newId(),
      thread_id: this.threadId.value ?? '',
      created_at: now().toISOString(),
      content: input.content,
      attachments: [...(message.attachments ?? [])],
      quoted_text: input.quoted_text,
      inference_options: input.inference_options,
    };
    const start = (signal: AbortSignal): Stream => {
      const threadId = this.threadId.value;
      return threadId === null
        ? client().stream('threads.create', { input }, signal)
        : client().stream('threads.add_user_message', { thread_id: threadId, input }, signal);
    };
    this.hideHistory();
    batch(() => {
      this.transcript.set(addOptimistic(this.transcript.state, item));
      this.sent.value += 1;
    });
    this.#resend = () => this.#turn(start);
    await this.#turn(start);
  }

  /** Tries again what failed: the load, the message if the server never took it, else the turn after it. */
  async retryFailed(): Promise<void> {
    if (this.#reload !== null) {
      await this.#reload();
      return;
    }
    const unsent = this.transcript.state.entries.some(({ optimistic }) => optimistic);
    if (unsent && this.#resend !== null) {
      this.transcript.set({ ...this.transcript.state, error: null });
      await this.#resend();
      return;
    }
    const lastMessage = this.transcript.state.entries.findLast(({ item }) => item.type === 'user_message');
    if (lastMessage !== undefined) await this.retryAfter(lastMessage.item.id);
  }

  /** Answers a user's message again; what came after it is removed. */
  async retryAfter(itemId: string): Promise<void> {
    this.#refuseWhileBusy();
    const threadId = this.threadId.value;
    if (threadId === null) return;
    this.transcript.set(truncateAfter(this.transcript.state, itemId));
    await this.#turn((signal) => this.#ports.client().stream('threads.retry_after_item', { thread_id: threadId, item_id: itemId }, signal));
  }

  async sendAction(action: { type: string; payload?: Record<string, unknown> }, itemId?: string): Promise<void> {
    this.#refuseWhileBusy();
    const threadId = this.threadId.value;
    if (threadId === null) throw new IntegrationError('A custom action needs an open thread: call setThreadId or send a message first.');
    const params = { thread_id: threadId, action, ...(itemId === undefined ? {} : { item_id: itemId }) };
    await this.#turn((signal) => this.#ports.client().stream('threads.custom_action', params, signal));
  }

  /** Stops the answer. What was written stays; closing the connection tells the server. */
  stop(): void {
    const run = this.#run;
    if (run === null) return;
    this.#endRun(run);
    run.controller.abort();
  }

  async #turn(start: (signal: AbortSignal) => Stream): Promise<void> {
    const run: Run = { controller: new AbortController() };
    this.#run = run;
    this.#reload = null;
    this.phase.value = 'sending';
    const { emit } = this.#ports;
    const { signal } = run.controller;
    let answered = false;
    try {
      let stream: Stream | null = start(signal);
      for (let round = 0; stream !== null; round += 1) {
        for await (const events of stream) {
          if (this.#run !== run) return;
          if (!answered) {
            answered = true;
            emit('chatkit.response.start');
          }
          this.phase.value = 'streaming';
          this.#apply(events);
        }
        if (this.#run !== run) return;
        stream = round < MAX_TOOL_ROUNDS ? await this.#continueWithTool(run) : null;
      }
    } catch (error) {
      if (this.#run === run && !isAbort(error)) this.#fail(asError(error));
    } finally {
      this.#endRun(run);
      if (answered) emit('chatkit.response.end');
    }
  }

  /** Runs the client tool the server is waiting for, if it is, and opens the stream that goes on. */
  async #continueWithTool(run: Run): Promise<Stream | null> {
    const { client, clientTool } = this.#ports;
    const threadId = this.threadId.value;
    const call = pendingToolCall(this.transcript.state.entries.map(({ item }) => item));
    if (call === null || threadId === null || this.transcript.state.error !== null) return null;
    this.phase.value = 'tool';
    const result = await runClientTool(call, clientTool(), (error) => this.#report(error));
    if (this.#run !== run) return null;
    const completed: ThreadItem = { ...call, status: 'completed' };
    this.transcript.set(reduce(this.transcript.state, { type: 'thread.item.replaced', item: completed }));
    return client().stream('threads.add_client_tool_output', { thread_id: threadId, result }, run.controller.signal);
  }

  #endRun(run: Run): void {
    if (this.#run !== run) return;
    this.#run = null;
    batch(() => {
      this.phase.value = 'idle';
      this.transcript.set(endTurn(this.transcript.state));
    });
  }

  #apply(events: readonly ThreadStreamEvent[]): void {
    let state = this.transcript.state;
    for (const event of events) state = reduce(state, event);
    this.transcript.set(state);
    for (const event of events) this.#announce(event);
  }

  /** What an event means outside the transcript. */
  #announce(event: ThreadStreamEvent): void {
    const { emit } = this.#ports;
    switch (event.type) {
      case 'thread.created':
      case 'thread.updated':
        this.history.note(event.thread);
        this.#setThreadId(event.thread.id);
        break;
      case 'client_effect':
        emit('chatkit.effect', { name: event.name, data: event.data ?? {} });
        break;
      case 'error':
        emit('chatkit.error', {
          error: new RequestError(event.message ?? 'The server reported an error in the stream.', {
            code: event.code ?? 'custom',
            forUser: true,
          }),
        });
        break;
      default:
    }
  }

  #fail(error: Error): void {
    this.transcript.set({ ...this.transcript.state, error: this.#errorFor(error) });
    this.#report(error);
  }

  #errorFor(error: Error): TurnError {
    const t = this.#ports.translate();
    if (error instanceof RequestError) {
      const refused = error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 401;
      return { message: error.forUser ? error.message : t('error.server'), allowRetry: !refused };
    }
    if (error instanceof TypeError) return { message: t('error.network'), allowRetry: true };
    return { message: t('error.generic'), allowRetry: true };
  }

  #report(error: Error): void {
    this.#ports.emit('chatkit.error', { error });
  }

  // --- Threads ---

  /** Opens a thread, or a new chat with `null`. */
  async open(threadId: string | null): Promise<void> {
    this.hideHistory();
    if (threadId === null) {
      this.#startAnew();
      return;
    }
    this.stop();
    if (this.threadId.value !== threadId) this.#clear();
    this.#setThreadId(threadId);
    await this.#load(threadId);
  }

  /** Loads the open thread again; what is on the screen stays until then. */
  async refresh(): Promise<void> {
    if (this.threadId.value !== null) await this.#load(this.threadId.value);
    if (this.historyOpen.value) await this.history.refresh();
  }

  async #load(threadId: string): Promise<void> {
    const run: Run = { controller: new AbortController() };
    this.#run = run;
    this.#reload = null;
    this.phase.value = 'loading';
    const { client, emit } = this.#ports;
    emit('chatkit.thread.load.start', { threadId });
    try {
      const { signal } = run.controller;
      const thread = await client().request('threads.get_by_id', { thread_id: threadId }, signal);
      // The thread brings its first items, oldest first; a long one is opened at its end.
      let items = thread.items?.data ?? [];
      this.#olderAfter = undefined;
      if (thread.items?.has_more ?? false) {
        const page = await client().request('items.list', { thread_id: threadId, limit: PAGE, order: 'desc' }, signal);
        items = page.data.toReversed();
        this.#olderAfter = page.has_more ? (page.after ?? page.data.at(-1)?.id) : undefined;
      }
      if (this.#run !== run) return;
      this.transcript.set(loaded(this.transcript.state, thread, items));
      this.hasOlder.value = this.#olderAfter !== undefined;
    } catch (error) {
      if (this.#run === run && !isAbort(error)) this.#loadFailed(threadId, asError(error));
    } finally {
      this.#endRun(run);
      emit('chatkit.thread.load.end', { threadId });
    }
  }

  /** A thread that is gone leads to a new chat, so that a page that remembers it can forget it. */
  #loadFailed(threadId: string, error: Error): void {
    if (error instanceof RequestError && error.status === 404) {
      this.#clear();
      this.#setThreadId(null);
    } else {
      this.#reload = () => this.#load(threadId);
    }
    this.#fail(error);
  }

  /** Puts the page of items before the first one shown. */
  async loadOlder(): Promise<void> {
    const threadId = this.threadId.value;
    const after = this.#olderAfter;
    if (threadId === null || after === undefined || this.loadingOlder.value) return;
    this.loadingOlder.value = true;
    try {
      const params = { thread_id: threadId, limit: PAGE, order: 'desc' as const, after };
      const page = await this.#ports.client().request('items.list', params, new AbortController().signal);
      if (this.threadId.value !== threadId || this.#olderAfter !== after) return;
      this.#olderAfter = page.has_more ? (page.after ?? page.data.at(-1)?.id) : undefined;
      this.hasOlder.value = this.#olderAfter !== undefined;
      this.transcript.set(prependItems(this.transcript.state, page.data.toReversed()));
    } catch (error) {
      this.#olderAfter = undefined;
      this.hasOlder.value = false;
      this.#report(asError(error));
    } finally {
      this.loadingOlder.value = false;
    }
  }

  #startAnew(): void {
    this.stop();
    this.#clear();
    this.#setThreadId(null);
  }

  #clear(): void {
    this.#resend = null;
    this.#reload = null;
    this.#olderAfter = undefined;
    batch(() => {
      this.hasOlder.value = false;
      this.feedback.value = {};
      this.transcript.set(EMPTY);
    });
  }

  #setThreadId(threadId: string | null): void {
    if (this.threadId.value === threadId) return;
    this.threadId.value = threadId;
    this.#ports.emit('chatkit.thread.change', { threadId });
  }

  // --- History ---

  async showHistory(): Promise<void> {
    if (!this.historyOpen.value) {
      this.historyOpen.value = true;
      this.#ports.emit('chatkit.history.open');
    }
    await this.#quietly('error.history', this.history.refresh(), true);
  }

  hideHistory(): void {
    if (!this.historyOpen.value) return;
    this.historyOpen.value = false;
    this.#ports.emit('chatkit.history.close');
  }

  async moreHistory(): Promise<void> {
    await this.#quietly('error.history', this.history.more());
  }

  async rename(threadId: string, title: string): Promise<void> {
    const { state } = this.transcript;
    await this.#quietly('error.rename', this.history.rename(threadId, title).then(() => {
      if (this.transcript.state.thread?.id === threadId && state.thread !== null) {
        this.transcript.set({ ...this.transcript.state, thread: { ...state.thread, title } });
      }
    }));
  }

  async remove(threadId: string): Promise<void> {
    await this.#quietly('error.delete', this.history.remove(threadId).then(() => {
      if (this.threadId.value === threadId) this.#startAnew();
    }));
  }

  // --- Feedback ---

  async giveFeedback(turnKey: string, itemIds: readonly string[], kind: 'positive' | 'negative'): Promise<void> {
    const threadId = this.threadId.value;
    if (threadId === null || itemIds.length === 0) return;
    const before = this.feedback.value;
    this.feedback.value = { ...before, [turnKey]: kind };
    const sending = this.#ports
      .client()
      .request('items.feedback', { thread_id: threadId, item_ids: [...itemIds], kind }, new AbortController().signal)
      .catch((error: unknown) => {
        this.feedback.value = before;
        throw error;
      });
    await this.#quietly('error.feedback', sending);
  }

  /** Forgets thread, history and draft-independent state: the partner at the other end changed. */
  reset(): void {
    this.history.reset();
    this.#startAnew();
  }

  /** Awaits a side job; its failure becomes a toast (or is shown where it belongs) and an event. */
  async #quietly(key: 'error.history' | 'error.rename' | 'error.delete' | 'error.feedback', job: Promise<unknown>, inline = false): Promise<void> {
    try {
      await job;
    } catch (error) {
      if (isAbort(error)) return;
      const words = error instanceof RequestError && error.forUser ? error.message : this.#ports.translate()(key);
      if (!inline) this.toast.value = words;
      this.#report(asError(error));
    }
  }

  #refuseWhileBusy(): void {
    if (this.phase.value !== 'idle') {
      throw new BusyError(`The chat is ${this.phase.value === 'loading' ? 'loading a thread' : 'answering'}; wait until it is done.`);
    }
  }
}
