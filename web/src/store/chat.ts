/**
 * What a person can do in the chat: send, stop, ask again, open, list, judge. The turns themselves are
 * in `turns.ts`, the loading of threads in `loader.ts`; what failed and how to try it again is here.
 */
import { batch, computed, effect, signal } from '@preact/signals';
import { BusyError, IntegrationError, RequestError, asError, isAbort, mayBeSignedOut, wordsOfPage } from '../core/errors';
import type { Recording } from '../core/dictation';
import type { StreamingOperations, StructuredInputItem, StructuredSubmission, ThreadItem, ThreadStreamEvent } from '../core/protocol';
import type { Start } from './follow';
import type { MessageKey } from '../i18n/en';
import { History } from './history';
import { Loader, isGone } from './loader';
import { answeredItem, pendingQuestions } from './questions';
import type { DraftTag } from './tags';
import { turnErrorOf, type ChatPorts, type Message, type Phase, type PlainAction } from './ports';
import { WidgetActions } from './widget-actions';
import { TranscriptSignals } from './signals';
import { EMPTY, addOptimistic, enqueue, liveRunOf, reduce, truncateAfter } from './transcript';
import { Turns } from './turns';

export class Chat {
  readonly transcript = new TranscriptSignals();
  readonly history: History;
  readonly phase = signal<Phase>('idle');
  readonly threadId = signal<string | null>(null);
  readonly historyOpen = signal(false);
  /** The list stands beside the conversation: opening one of it does not close it. */
  readonly isHistoryBeside = signal(false);
  /** The list lies over the conversation. */
  readonly isCovered = computed(() => this.historyOpen.value && !this.isHistoryBeside.value);
  readonly draft = signal('');
  /** What the message that is being written refers to: an answer's words, and the page's entities. */
  readonly quote = signal<string | null>(null);
  readonly tags = signal<readonly DraftTag[]>([]);
  /** Feedback given in this session, by the key of the turn. */
  readonly feedback = signal<Readonly<Record<string, 'positive' | 'negative' | undefined>>>({});
  /** Failures that belong to no place in the thread. */
  readonly toast = signal<string | null>(null);
  readonly isSigningIn = signal(false);
  /** Counts messages sent, so that the view can bring the newest to the top. */
  readonly sent = signal(0);
  readonly isAnswering = computed(() => ['sending', 'streaming', 'tool'].includes(this.phase.value));
  /** The questions that the person is asked now, in place of the text field. */
  readonly questions = computed(() => pendingQuestions(this.transcript));
  readonly turns: Turns;
  readonly loader: Loader;
  readonly actions: WidgetActions;
  /** Sends the last message as it was first sent, for when the server never took it. */
  #resend: (() => Promise<void>) | null = null;
  /** Loads again what could not be loaded or read to its end; `null` when the last failure was a turn's. */
  #reload: (() => Promise<void>) | null = null;
  readonly #ports: ChatPorts;

  constructor(ports: ChatPorts) {
    this.#ports = ports;
    this.history = new History(ports.client);
    this.loader = new Loader(ports, this.transcript, this.phase);
    this.turns = new Turns({
      ports,
      transcript: this.transcript,
      threadId: this.threadId,
      phase: this.phase,
      announce: (event) => this.#announce(event),
      fail: (error) => this.#fail(error),
      say: (words) => (this.toast.value = words),
      reload: async () => {
        if (this.threadId.value !== null) await this.#load(this.threadId.value, 'rest');
      },
      retryWith: (again) => (this.#reload = again),
    });
    this.actions = new WidgetActions({
      ports,
      transcript: this.transcript,
      threadId: this.threadId,
      phase: this.phase,
      send: (action, itemId) => this.sendAction(action, itemId),
      say: (words) => (this.toast.value = words),
    });
  }

  // --- Turns ---

  /**
   * Sends a message, in a new thread if none is open. Resolves when the turn is over. While an answer
   * runs, the message waits for it, where the server can do that.
   */
  async send(message: Message): Promise<void> {
    if (!this.turns.maySend.value) this.#refuseWhileBusy();
    const { newId, now } = this.#ports;
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
    const startIn = (threadId: string | null): Start =>
      threadId === null ? this.#start('threads.create', { input }) : this.#start('threads.add_user_message', { thread_id: threadId, input });
    this.uncover();
    const waits = this.turns.isAnswering;
    if (waits) this.transcript.set(enqueue(this.transcript.state, item));
    else {
      batch(() => {
        this.transcript.set(addOptimistic(this.transcript.state, item));
        this.sent.value += 1;
      });
    }
    const sentTo = this.threadId.value;
    const start = startIn(sentTo);
    const own = { key: item.id, message };
    // The same request again, key included; in another thread than at first it is another request.
    const again = async (): Promise<void> => {
      await this.turns.begin(this.threadId.value === sentTo ? start : startIn(this.threadId.value), own);
    };
    if (!waits) this.#resend = again;
    this.#reload = null;
    await this.turns.begin(start, own);
  }

  /** Tries again what failed: the load, the message if the server never took it, else the turn after it. */
  async retryFailed(): Promise<void> {
    const reload = this.#reload;
    if (reload !== null) {
      this.#reload = null;
      await reload();
      return;
    }
    const unsent = this.transcript.state.entries.some(({ optimistic }) => optimistic);
    if (unsent && this.#resend !== null) {
      this.transcript.set({ ...this.transcript.state, error: null, cut: null });
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
    this.#reload = null;
    await this.turns.begin(this.#start('threads.retry_after_item', { thread_id: threadId, item_id: itemId }));
  }

  /** Asks again where an answer was cut. */
  async askAgain(): Promise<void> {
    const itemId = this.transcript.state.cut?.itemId ?? null;
    await (itemId === null ? this.retryFailed() : this.retryAfter(itemId));
  }

  async sendAction(action: PlainAction, itemId?: string): Promise<void> {
    this.#refuseWhileBusy();
    const threadId = this.threadId.value;
    if (threadId === null) throw new IntegrationError('A custom action needs an open thread: call setThreadId or send a message first.');
    const params = { thread_id: threadId, action, ...(itemId === undefined ? {} : { item_id: itemId }) };
    await this.#ask(threadId, this.#start('threads.custom_action', params));
  }

  /** Answers questions of the server, or passes them over. They stay until the server goes on. */
  async answerQuestions(item: StructuredInputItem, input: StructuredSubmission): Promise<void> {
    this.#refuseWhileBusy();
    const threadId = this.threadId.value;
    if (threadId === null) return;
    const answered = answeredItem(item, input);
    const stop = effect(() => {
      if (this.phase.value !== 'streaming') return;
      // After the events that came with it: one of them may say that it failed, or bring the item itself.
      queueMicrotask(() => {
        const { state } = this.transcript;
        if (state.error === null && this.questions.value?.id === item.id) this.transcript.set(reduce(state, { type: 'thread.item.replaced', item: answered }));
      });
    });
    try {
      await this.#ask(threadId, this.#start('threads.add_structured_input', { thread_id: threadId, item_id: item.id, input }));
    } finally {
      stop();
    }
  }

  /** Sends a request that is no message. Trying it again is the same request, not the message before it. */
  async #ask(threadId: string, start: Start): Promise<void> {
    this.#reload = null;
    this.transcript.set({ ...this.transcript.state, error: null, cut: null });
    const { isAnswered } = await this.turns.begin(start);
    if (this.transcript.state.error === null || this.#canReload() || this.threadId.value !== threadId) return;
    // What the server has begun to answer is another request the second time.
    this.#reload = () => this.#ask(threadId, isAnswered ? { ...start, key: this.#ports.newId() } : start);
  }

  #canReload(): boolean {
    return this.#reload !== null;
  }

  stop(): void {
    this.turns.stop();
  }

  #start<K extends keyof StreamingOperations>(type: K, params: StreamingOperations[K]): Start<K> {
    return { type, params, key: this.#ports.newId() };
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

  #fail(error: Error, otherwise?: 'error.load'): void {
    const said = turnErrorOf(error, this.#ports.translate(), otherwise);
    this.transcript.set({ ...this.transcript.state, error: otherwise === undefined ? said : { ...said, ofLoad: true } });
    this.#report(error);
  }

  /** There is no way to the server yet: said before anybody writes, with a way to try `again`. */
  cannotStart(error: Error, again: () => Promise<void>): void {
    this.#reload = again;
    this.transcript.set({ ...this.transcript.state, error: { ...turnErrorOf(error, this.#ports.translate(), 'error.start'), ofLoad: true } });
  }

  /** The way to the server is there after all. */
  canStart(): void {
    this.#reload = null;
    this.transcript.set({ ...this.transcript.state, error: null });
  }

  #report(error: Error): void {
    this.#ports.emit('chatkit.error', { error });
  }

  /** Lets the page sign the person in again, then goes on with what could not be done. Called in the click itself: the page may open a window. */
  async signIn(): Promise<void> {
    if (this.isSigningIn.value) return;
    this.isSigningIn.value = true;
    const isIn = await this.quietly('action.failed', this.#ports.signIn());
    this.isSigningIn.value = false;
    if (!isIn) return;
    if (this.transcript.error.value !== null && this.phase.value === 'idle') await this.retryFailed();
    await this.refreshHistory();
  }

  // --- Threads ---

  /** Opens a thread, or a new chat with `null`. An answer that runs in the one before goes on, where the server keeps runs. */
  async open(threadId: string | null): Promise<void> {
    this.uncover();
    if (threadId === null) {
      this.#startAnew();
      return;
    }
    this.leave();
    if (this.threadId.value !== threadId) this.#clear();
    this.#setThreadId(threadId);
    await this.#load(threadId, 'reload');
  }

  /**
   * Opens the first thread, unless somebody began something before there was a way to the server; a history that was
   * opened meanwhile stays. `isQuiet`: a thread that is gone is no failure, because the page was only loaded again.
   */
  async openFirst(threadId: string, isQuiet: boolean): Promise<void> {
    if (this.threadId.value !== null || this.phase.value !== 'idle') return;
    this.#setThreadId(threadId);
    await this.#load(threadId, 'reload', isQuiet);
  }

  /** Loads the open thread again; what is on the screen stays until then. */
  async refresh(): Promise<void> {
    if (this.threadId.value !== null) await this.#load(this.threadId.value, 'reload');
    await this.refreshHistory();
  }

  /** Stops listening: the element left the page, or another thread is opened. */
  leave(): void {
    this.turns.leave();
    this.loader.cancel();
  }

  /** Loads, then follows what runs in the thread or waits in it. */
  async #load(threadId: string, ifGone: 'reload' | 'rest', isQuiet = false): Promise<void> {
    this.turns.leave();
    this.#reload = null;
    try {
      const thread = await this.loader.load(threadId);
      if (thread === null) return;
      if (liveRunOf(thread) !== null || this.transcript.state.queued.length > 0) void this.turns.attach(threadId, ifGone);
    } catch (error) {
      this.#loadFailed(threadId, asError(error), isQuiet);
    }
  }

  /** A thread that is gone leads to a new chat, so that a page that remembers it can forget it. */
  #loadFailed(threadId: string, error: Error, isQuiet: boolean): void {
    if (isGone(error)) {
      this.#clear();
      this.#setThreadId(null);
      if (isQuiet) return;
    } else {
      this.#reload = () => this.#load(threadId, 'reload');
    }
    this.#fail(error, 'error.load');
  }

  /** Puts the page of items before the first one shown. */
  async loadOlder(): Promise<void> {
    await this.loader.older(this.threadId.value, (error) => this.#report(error));
  }

  #startAnew(): void {
    this.leave();
    this.#clear();
    this.#setThreadId(null);
  }

  #clear(): void {
    this.#resend = null;
    this.#reload = null;
    this.loader.forgetOlder();
    batch(() => {
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
    await this.refreshHistory();
  }

  /** Loads the list anew, where it is open. */
  async refreshHistory(): Promise<void> {
    if (this.historyOpen.value) await this.quietly('error.history', this.history.refresh(), (words, error) => (this.history.problem.value = { words, signIn: mayBeSignedOut(error) }));
  }

  hideHistory(): void {
    if (!this.historyOpen.value) return;
    this.historyOpen.value = false;
    this.#ports.emit('chatkit.history.close');
  }

  /** Closes the list where it covers the conversation. */
  uncover(): void {
    if (!this.isHistoryBeside.value) this.hideHistory();
  }

  async moreHistory(): Promise<void> {
    await this.quietly('error.history', this.history.more());
  }

  async rename(threadId: string, title: string): Promise<void> {
    await this.quietly('error.rename', this.history.rename(threadId, title).then(() => {
      const { state } = this.transcript;
      if (state.thread?.id === threadId) this.transcript.set({ ...state, thread: { ...state.thread, title } });
    }));
  }

  async remove(threadId: string): Promise<void> {
    await this.quietly('error.delete', this.history.remove(threadId).then(() => {
      if (this.threadId.value === threadId) this.#startAnew();
    }));
  }

  /** Puts what was said behind what is written. */
  async transcribe(recording: Recording): Promise<void> {
    const heard = this.#ports
      .client()
      .request('input.transcribe', { ...recording }, new AbortController().signal)
      .then(({ text }) => {
        const written = this.draft.value;
        const gap = written === '' || /\s$/.test(written) ? '' : ' ';
        this.draft.value = `${written}${gap}${text.trim()}`;
      });
    await this.quietly('dictation.failed', heard);
  }

  // --- Feedback ---

  async giveFeedback(turnKey: string, itemIds: readonly string[], kind: 'positive' | 'negative'): Promise<void> {
    const threadId = this.threadId.value;
    if (threadId === null || itemIds.length === 0) return;
    const before = this.feedback.value[turnKey];
    this.feedback.value = { ...this.feedback.value, [turnKey]: kind };
    const sending = this.#ports
      .client()
      .request('items.feedback', { thread_id: threadId, item_ids: [...itemIds], kind }, new AbortController().signal)
      .catch((error: unknown) => {
        this.feedback.value = { ...this.feedback.value, [turnKey]: before };
        throw error;
      });
    await this.quietly('error.feedback', sending);
  }

  /** Forgets thread, history and draft-independent state: the partner at the other end changed. */
  reset(): void {
    this.history.reset();
    this.quote.value = null;
    this.toast.value = null;
    this.#startAnew();
  }

  /** Awaits a side job and tells whether it was done. A failure is said, as a toast unless `say` has another place, and an event. */
  async quietly(key: MessageKey, job: Promise<unknown>, say: (words: string, error: Error) => void = (words) => (this.toast.value = words)): Promise<boolean> {
    try {
      await job;
      return true;
    } catch (thrown) {
      if (isAbort(thrown)) return false;
      const error = asError(thrown);
      say(error instanceof RequestError && error.forUser ? error.message : (wordsOfPage(error) ?? this.#ports.translate()(key)), error);
      this.#report(error);
      return false;
    }
  }

  #refuseWhileBusy(): void {
    if (this.phase.value !== 'idle') {
      throw new BusyError(`The chat is ${this.phase.value === 'loading' ? 'loading a thread' : 'answering'}; wait until it is done.`);
    }
  }
}
