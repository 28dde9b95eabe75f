/**
 * The turns of the open thread: `sending → streaming → (tool → streaming)* → over`. One of them is
 * answered at a time; others may wait, and a message that waits becomes the next turn. Whatever comes
 * back late for a turn that was left is dropped.
 */
import { batch, computed, signal } from '@preact/signals';
import { Positions, type Frame } from '../core/cursor';
import { RequestError, asError, isAbort } from '../core/errors';
import type { ThreadItem, ThreadStreamEvent } from '../core/protocol';
import { MAX_TOOL_ROUNDS, pendingToolCall, runClientTool } from '../core/tools';
import { Follow, LinkLostError, RunGoneError, type LinkState, type Start } from './follow';
import type { Message } from './ports';
import { isAcknowledged, takeBack, whileWaiting } from './queue';
import { demote, endTurn, hasAnswer, noticeBefore, promote, reduce, withdraw } from './transcript';
import { newTurn, type Turn, type TurnHost } from './turn';

/** How long the end of a stopped answer is waited for, and how often the server is asked. */
const STOP_WAIT_MS = 5000;
const STOP_ATTEMPTS = 3;
const STOP_PAUSE_MS = 400;

export class Turns {
  readonly link = signal<LinkState>('steady');
  readonly isStopping = signal(false);
  /** The id of the run that is answered now, where the server has runs. */
  readonly #run = signal<string | null>(null);
  /** Whether a message may be sent now, as the next one or to wait. */
  readonly maySend = computed(() => {
    const phase = this.#host.phase.value;
    return phase === 'idle' || (phase !== 'loading' && this.#run.value !== null && this.#host.threadId.value !== null);
  });
  readonly #live = new Set<Turn>();
  #current: Turn | null = null;
  readonly #positions = new Positions();
  /** The turn that each run is read by; a second stream of the same run is not listened to. */
  readonly #readers = new Map<string, Turn>();
  readonly #host: TurnHost;

  constructor(host: TurnHost) {
    this.#host = host;
  }

  /** Whether a message that is sent now has to wait. */
  get isAnswering(): boolean {
    return this.#current !== null;
  }

  /** Sends a request and resolves when its turn is over, with whether anything of an answer came. The message, if it has one, is in the transcript at `key`. */
  async begin(start: Start, own: { readonly key: string; readonly message: Message | null } | null = null): Promise<{ readonly isAnswered: boolean }> {
    const turn = newTurn(own, this.isAnswering && own !== null);
    if (!turn.isWaiting) this.#answer(turn);
    await this.#drive(turn, start, 'reload', true);
    return turn;
  }

  /**
   * Follows the thread's live run from its first event, or has its first waiting message answered.
   * Client tools stay with the page that sent the message. `ifGone`: what to do when nothing is there.
   */
  async attach(threadId: string, ifGone: 'reload' | 'rest'): Promise<void> {
    const turn = newTurn(null, false);
    this.#answer(turn);
    await this.#drive(turn, { type: 'threads.resume', params: { thread_id: threadId } }, ifGone, false);
  }

  /** Stops listening to everything. A server that keeps runs goes on; others take it for Stop. */
  leave(): void {
    for (const turn of [...this.#live]) this.#abort(turn, 'rest');
    this.#positions.forget();
    this.#readers.clear();
  }

  /** Stops the answer. What was written stays. */
  stop(): void {
    const turn = this.#current;
    if (turn === null || turn.isStopped) return;
    turn.isStopped = true;
    const { ports, phase, say } = this.#host;
    const { isOpen, run } = turn.follow ?? { isOpen: false, run: null };
    const isHeard = ports.client().resumes && (run !== null || !isOpen) && this.link.value === 'steady' && phase.value !== 'tool';
    this.isStopping.value = isHeard;
    // While a tool of this page runs, nothing runs on the server.
    if (phase.value !== 'tool') void this.#cancel(turn);
    if (!isHeard) {
      this.#abort(turn, 'next');
      return;
    }
    const late = (): void => {
      if (!this.#live.has(turn)) return;
      if (turn.cancel !== 'done') say(ports.translate()('stop.failed'));
      this.#abort(turn, 'next');
    };
    ports.line.delay(STOP_WAIT_MS, turn.controller.signal).then(late, () => undefined);
  }

  async takeBack(key: string): Promise<void> {
    if (!(await takeBack(this.#host, key))) return;
    for (const turn of [...this.#live]) if (turn.key === key && turn.isWaiting) this.#abort(turn, 'rest');
  }

  async #drive(turn: Turn, first: Start, ifGone: 'reload' | 'rest', runsTools: boolean): Promise<void> {
    this.#live.add(turn);
    let afterwards: 'next' | 'rest' = 'rest';
    try {
      let start: Start | null = first;
      for (let round = 0; start !== null; round += 1) {
        for await (const frames of this.#followed(turn, start)) {
          if (!this.#live.has(turn) || !this.#take(turn, frames)) return;
        }
        if (!this.#live.has(turn)) return;
        // Whoever takes a message says so first: something in between has eaten the answer.
        if (turn.message !== null && !turn.isNews && !turn.isWaiting) throw new RequestError('The stream of events ended before the first one.');
        start = runsTools && !turn.isWaiting && !turn.isStopped && round < MAX_TOOL_ROUNDS ? await this.#afterTool(turn) : null;
      }
      afterwards = 'next';
    } catch (error) {
      if (error instanceof RunGoneError && ifGone === 'rest') return;
      if (this.#live.has(turn) && !isAbort(error)) afterwards = this.#failed(turn, asError(error), first);
    } finally {
      // An attempt to attach that brought nothing is made once more, after a look at the thread.
      if (first.type === 'threads.resume' && !turn.isNews && afterwards === 'next') {
        afterwards = 'rest';
        if (ifGone === 'reload' && this.#live.has(turn)) void this.#host.reload();
      }
      this.#end(turn, afterwards);
    }
  }

  #followed(turn: Turn, start: Start): AsyncGenerator<Frame[], void, undefined> {
    const { ports, threadId } = this.#host;
    const { signal: over } = turn.controller;
    const onLink = (state: LinkState): void => {
      if (this.#current === turn) this.link.value = state;
    };
    const follow = new Follow(start, { client: ports.client, line: ports.line, threadId: () => threadId.value, onLink, onOpen: (queued) => this.#opened(turn, queued) }, over);
    turn.follow = follow;
    return follow.frames();
  }

  /** The server has taken the request: at once, or to wait. */
  #opened(turn: Turn, queued: string | null): void {
    if (!this.#live.has(turn)) return;
    const { transcript, phase } = this.#host;
    if (turn.isWaiting && queued === null) this.#answer(turn);
    else if (!turn.isWaiting && queued !== null && turn.key !== null && !turn.isNews) {
      turn.isWaiting = true;
      this.#current = null;
      batch(() => {
        transcript.set(demote(transcript.state, turn.key ?? ''));
        phase.value = 'idle';
      });
    }
    this.#noteRun(turn);
  }

  #noteRun(turn: Turn): void {
    if (this.#current !== turn) return;
    this.#run.value = turn.follow?.run ?? null;
    // Stop was pressed before there was anything to stop.
    if (turn.isStopped) void this.#cancel(turn);
  }

  /** Takes what is new in a batch. `false`: this stream is not needed any more. */
  #take(turn: Turn, frames: readonly Frame[]): boolean {
    const events: ThreadStreamEvent[] = [];
    for (const frame of frames) {
      if (frame.id !== null && !this.#isReader(turn, frame.id.run)) {
        // The message has joined a running answer, which is read already.
        const { transcript } = this.#host;
        if (turn.isWaiting && turn.key !== null) transcript.set(promote(transcript.state, turn.key));
        return false;
      }
      const event = this.#positions.take(frame);
      if (event === null) continue;
      turn.isNews = true;
      if (turn.isWaiting) {
        const means = whileWaiting(this.#host, turn, event);
        if (means === 'removed') return false;
        if (means === 'waits') continue;
        this.#answer(turn);
      }
      events.push(event);
    }
    if (events.length > 0) this.#show(turn, events);
    return !turn.isWaiting || this.#keepsWaiting(turn);
  }

  #isReader(turn: Turn, run: string): boolean {
    const reader = this.#readers.get(run);
    if (reader !== undefined && reader !== turn && this.#live.has(reader)) return false;
    this.#readers.set(run, turn);
    return true;
  }

  /** One stream that waits is enough: browsers open few connections to a server, and the message is safe there. */
  #keepsWaiting(turn: Turn): boolean {
    if (!isAcknowledged(this.#host, turn)) return true;
    if (this.#current !== null) return ![...this.#live].some((other) => other !== turn && other.isWaiting);
    // Another page's answer is running here: it is shown, and this message below it.
    void this.#host.reload();
    return false;
  }

  #show(turn: Turn, events: readonly ThreadStreamEvent[]): void {
    const { transcript, phase, ports, announce } = this.#host;
    if (this.#current === turn) phase.value = 'streaming';
    if (!turn.isAnswered) {
      turn.isAnswered = true;
      ports.emit('chatkit.response.start');
    }
    let { state } = transcript;
    for (const event of events) {
      if (event.type !== 'notice') state = reduce(state, event);
      else if (this.#current !== turn) state = noticeBefore(state, event, this.#current?.key ?? null);
      // Stopped before anything was there: that is said by `cut`, with a way to ask again.
      else if (!turn.isStopped || hasAnswer(state)) state = reduce(state, event);
    }
    transcript.set(state);
    for (const event of events) announce(event);
    this.#noteRun(turn);
  }

  /** Makes a turn the one that is answered now. */
  #answer(turn: Turn): void {
    const { transcript, phase } = this.#host;
    turn.isWaiting = false;
    this.#current = turn;
    batch(() => {
      if (turn.key !== null) transcript.set(promote(transcript.state, turn.key));
      phase.value = 'sending';
      this.link.value = 'steady';
      this.isStopping.value = false;
      this.#run.value = turn.follow?.run ?? null;
    });
  }

  /** Runs the client tool the server is waiting for, if it is, and gives the request that goes on. */
  async #afterTool(turn: Turn): Promise<Start | null> {
    const { ports, transcript, threadId, phase } = this.#host;
    const thread = threadId.value;
    const call = pendingToolCall(transcript.state.entries.map(({ item }) => item));
    if (call === null || thread === null || transcript.state.error !== null) return null;
    if (this.#current === turn) phase.value = 'tool';
    const result = await runClientTool(call, ports.clientTool(), (error) => ports.emit('chatkit.error', { error }));
    if (!this.#live.has(turn)) return null;
    const completed: ThreadItem = { ...call, status: 'completed' };
    transcript.set(reduce(transcript.state, { type: 'thread.item.replaced', item: completed }));
    return { type: 'threads.add_client_tool_output', params: { thread_id: thread, result }, key: ports.newId() };
  }

  /** Tells the server to stop a run that would go on without us. */
  async #cancel(turn: Turn): Promise<void> {
    const { ports, threadId, say } = this.#host;
    const thread = threadId.value;
    if (thread === null || turn.follow?.run == null || turn.cancel !== 'none') return;
    turn.cancel = 'asked';
    for (let attempt = 1; ; attempt += 1) {
      try {
        await ports.client().request('threads.cancel', { thread_id: thread }, new AbortController().signal);
        turn.cancel = 'done';
        return;
      } catch {
        // Asked again only while this answer runs: the next one must not be stopped in its place.
        const isRunning = this.#live.has(turn);
        if (isRunning && attempt < STOP_ATTEMPTS) await ports.line.delay(STOP_PAUSE_MS, turn.controller.signal).catch(() => undefined);
        else {
          // An answer that came to its end meanwhile needs no stopping.
          if (turn.controller.signal.aborted) say(ports.translate()('stop.failed'));
          return;
        }
      }
    }
  }

  #abort(turn: Turn, afterwards: 'next' | 'rest'): void {
    this.#end(turn, afterwards);
    turn.controller.abort();
  }

  /** Says what failed, and what follows. */
  #failed(turn: Turn, error: Error, start: Start): 'next' | 'rest' {
    const { ports, transcript, fail, say, reload, retryWith } = this.#host;
    const { key, message } = turn;
    const isUnsent = [...transcript.state.entries, ...transcript.state.queued].some((entry) => entry.key === key && entry.optimistic === true);
    const isBusy = error instanceof RequestError && error.code === 'thread_busy';
    if (isUnsent && key !== null && message !== null && (isBusy || turn.isWaiting)) {
      // Not taken: back to where it was written, and nothing of what runs is touched.
      transcript.set(withdraw(transcript.state, key));
      ports.giveBack(message, true);
      say(error instanceof RequestError && error.forUser ? error.message : ports.translate()('queue.failed'));
      ports.emit('chatkit.error', { error });
      return 'next';
    }
    // The message is safe; what became of it is seen when it is its turn.
    if (turn.isWaiting) return 'next';
    if (error instanceof RunGoneError) {
      void reload();
      return 'rest';
    }
    const isRead = (turn.follow?.cursor ?? null) !== null || start.type === 'threads.resume';
    if (error instanceof LinkLostError && isRead) retryWith(reload);
    fail(error);
    return error instanceof LinkLostError ? 'rest' : 'next';
  }

  /** The end of a turn. `next`: the message that waits the longest is answered now. */
  #end(turn: Turn, afterwards: 'next' | 'rest'): void {
    if (!this.#live.delete(turn)) return;
    const { transcript, phase, ports, threadId } = this.#host;
    const wasCurrent = this.#current === turn;
    // Its run is read from the first event when its turn comes.
    const run = turn.follow?.cursor?.run;
    if (turn.isWaiting && run !== undefined && this.#readers.get(run) === turn) this.#positions.forget(run);
    if (wasCurrent) {
      this.#current = null;
      batch(() => {
        phase.value = 'idle';
        this.link.value = 'steady';
        this.isStopping.value = false;
        this.#run.value = null;
        transcript.set(endTurn(transcript.state));
        if (turn.isStopped && !hasAnswer(transcript.state)) this.#sayStopped(turn);
      });
    }
    if (turn.isAnswered) ports.emit('chatkit.response.end');
    const [waiting] = transcript.state.queued;
    const thread = threadId.value;
    if (afterwards === 'rest' || !wasCurrent || waiting === undefined || thread === null) return;
    const next = [...this.#live].find(({ key, isWaiting }) => isWaiting && key === waiting.key);
    if (next === undefined) void this.attach(thread, 'reload');
    else this.#answer(next);
  }

  /** An answer that was stopped before it began leaves nothing to see, so it is said. */
  #sayStopped(turn: Turn): void {
    const { transcript } = this.#host;
    const asked = transcript.state.entries.findLast(({ item }) => item.type === 'user_message');
    if (asked === undefined || (asked.optimistic === true && asked.key !== turn.key)) return;
    transcript.set({ ...transcript.state, error: null, cut: { why: 'stoppedEarly', itemId: asked.optimistic === true ? null : asked.item.id } });
  }
}
