// Runs as a Vestibule keeps them, for the scripted server: a log of events with positions, readers that
// come and go, a queue, Stop by request. The test writes the answers, so nothing here depends on time.

const bytes = (text) => Buffer.byteLength(text);
const DELTA = 'assistant_message.content_part.text_delta';
const QUEUE = 8;

class Run {
  log = [];
  position = 0;
  readers = new Set();
  item = null;
  isOver = false;

  constructor(id, thread, message) {
    Object.assign(this, { id, thread, message });
  }

  append(event) {
    this.position += event.update?.type === DELTA ? bytes(event.update.delta) : 1;
    const frame = { position: this.position, event };
    this.log.push(frame);
    for (const response of this.readers) this.#send(response, frame);
  }

  /** Writes what came after a position, then what comes. Who says nothing of coming back is given no ids, and stops the answer by leaving as the last one. */
  attach(response, after = 0, comesBack = true, stop = () => undefined) {
    response.hasIds = comesBack;
    for (const frame of this.log) if (frame.position > after) this.#send(response, frame);
    if (this.isOver) {
      response.end();
      return;
    }
    this.readers.add(response);
    response.on('close', () => {
      this.readers.delete(response);
      if (!comesBack && !this.isOver && this.readers.size === 0) stop();
    });
  }

  #send(response, { position, event }) {
    response.write(`${response.hasIds ? `id: ${this.id}:${position}\n` : ''}data: ${JSON.stringify(event)}\n\n`);
  }

  end() {
    this.isOver = true;
    for (const response of this.readers) response.end();
  }

  /** The network fails under every reader. */
  cut() {
    for (const response of [...this.readers]) response.socket.destroy();
  }
}

export class Runs {
  #count = 0;
  #all = new Map();
  #keys = new Map();
  /** Thread id → the run that is answered, and those that wait. */
  #live = new Map();
  #queues = new Map();
  /** Answers `threads.cancel` without doing it. */
  isDeaf = false;

  /** The run that is answered in the newest thread that has one. */
  get current() {
    return [...this.#live.values()].at(-1) ?? null;
  }

  reset() {
    for (const run of this.#all.values()) if (!run.isOver) run.end();
    for (const map of [this.#all, this.#keys, this.#live, this.#queues]) map.clear();
  }

  /** Forgets all runs, as a killed process does; what was stored is marked. */
  crash() {
    for (const run of this.#all.values()) {
      run.cut();
      if (run.isOver || this.#live.get(run.thread.id) !== run) continue;
      if (run.item !== null) run.thread.items.push(run.item);
      run.thread.interrupted = run.message.id;
    }
    for (const map of [this.#all, this.#keys, this.#live, this.#queues]) map.clear();
  }

  // --- What the model says ---

  write(text) {
    const run = this.current;
    if (run.item === null) {
      run.item = this.#item(run.thread, 'assistant_message', [{ type: 'output_text', text: '', annotations: [] }]);
      run.append({ type: 'thread.item.added', item: structuredClone(run.item) });
    }
    run.item.content[0].text += text;
    run.append({ type: 'thread.item.updated', item_id: run.item.id, update: { type: DELTA, content_index: 0, delta: text } });
  }

  finish(words = null) {
    const run = this.current;
    if (run.item !== null) {
      run.thread.items.push(run.item);
      run.append({ type: 'thread.item.done', item: run.item });
    }
    if (words !== null) run.append({ type: 'notice', level: 'info', message: words });
    this.#live.delete(run.thread.id);
    run.end();
    const next = this.#queues.get(run.thread.id)?.shift();
    if (next !== undefined) this.#begin(next);
  }

  // --- What clients ask ---

  /** `true`: the call was one of these, and is answered. */
  answer({ type, params }, thread, { request, response, json, fail }) {
    const after = params?.after ?? request.headers['last-event-id'];
    switch (type) {
      case 'threads.get_by_id': {
        const waiting = (this.#queues.get(thread.id) ?? []).map(({ message }) => message);
        const live = this.#live.get(thread.id);
        const { items, interrupted, ...rest } = thread;
        const metadata = {
          ...(live === undefined ? {} : { vestibule_run: live.id }),
          ...(waiting.length === 0 ? {} : { vestibule_queued: waiting }),
          ...(interrupted === undefined ? {} : { vestibule_interrupted: interrupted }),
        };
        json(200, { ...rest, metadata, items: { data: items, has_more: false } });
        return true;
      }
      case 'threads.create':
      case 'threads.add_user_message':
        this.#send(thread, params, request, response, fail);
        return true;
      case 'threads.retry_after_item': {
        const index = thread.items.findIndex(({ id }) => id === params.item_id);
        thread.items.splice(index + 1);
        delete thread.interrupted;
        const run = this.#run(thread, thread.items[index]);
        this.#open(request, response, run);
        this.#begin(run);
        return true;
      }
      case 'threads.resume': {
        const [id, position] = (after ?? '').split(':');
        const run = after === undefined ? this.#live.get(thread.id) : this.#all.get(id);
        if (run === undefined) fail(404, 'There is nothing to resume here: load the conversation.', 'run_not_found');
        else this.#open(request, response, run, { after: Number(position ?? 0), isResumed: true });
        return true;
      }
      case 'threads.cancel':
        this.#cancel(thread, params.item_id, json, fail);
        return true;
      default:
        return false;
    }
  }

  #send(known, { input }, request, response, fail) {
    const key = request.headers['idempotency-key'];
    const before = key === undefined ? undefined : this.#keys.get(key);
    if (before !== undefined) return this.#open(request, response, before);
    const thread = known ?? this.newThread();
    const message = this.#item(thread, 'user_message', input.content, { attachments: [], quoted_text: '', inference_options: {} });
    const run = this.#run(thread, message);
    if (key !== undefined) this.#keys.set(key, run);
    const isBusy = this.#live.has(thread.id);
    const queue = this.#queues.get(thread.id) ?? [];
    if (isBusy && queue.length >= QUEUE) return fail(409, 'Eight messages wait in this conversation already. Wait for an answer.', 'thread_busy');
    const { items, ...metadata } = thread;
    if (known === null) run.append({ type: 'thread.created', thread: metadata });
    run.append({ type: 'thread.item.done', item: message });
    run.append({ type: 'stream_options', stream_options: { allow_cancel: true } });
    if (isBusy) {
      run.append({ type: 'progress_update', text: 'Waiting for the answer before this one' });
      this.#queues.set(thread.id, [...queue, run]);
      return this.#open(request, response, run, { headers: { 'vestibule-queued': message.id } });
    }
    this.#open(request, response, run);
    this.#begin(run);
  }

  #cancel(thread, itemId, json, fail) {
    if (itemId !== undefined) {
      const queue = this.#queues.get(thread.id) ?? [];
      const run = queue.find(({ message }) => message.id === itemId);
      if (run === undefined) return fail(404, 'This message is being answered already.', 'item_not_queued');
      queue.splice(queue.indexOf(run), 1);
      run.append({ type: 'thread.item.removed', item_id: itemId });
      run.append({ type: 'notice', level: 'info', message: 'You took this message back.' });
      run.end();
    }
    json(200, {});
    if (itemId === undefined && this.#live.has(thread.id) && !this.isDeaf) this.finish('You stopped the answer.');
  }

  newThread() {
    const thread = { id: `thr_${(this.#count += 1)}`, title: null, created_at: new Date().toISOString(), status: { type: 'active' }, items: [] };
    this.threads.set(thread.id, thread);
    return thread;
  }

  #run(thread, message) {
    const run = new Run(`run_${String((this.#count += 1)).padStart(26, '0')}`, thread, message);
    this.#all.set(run.id, run);
    return run;
  }

  #begin(run) {
    this.#live.set(run.thread.id, run);
    if (!run.thread.items.includes(run.message)) run.thread.items.push(run.message);
  }

  #item(thread, type, content, more = {}) {
    return { type, id: `msg_${(this.#count += 1)}`, thread_id: thread.id, created_at: new Date().toISOString(), content, ...more };
  }

  #open(request, response, run, { after = 0, headers = {}, isResumed = false } = {}) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'vestibule-run': run.id, ...headers });
    response.flushHeaders();
    response.socket.setNoDelay(true);
    const comesBack = request.headers['vestibule-client'] === 'resume' || isResumed;
    run.attach(response, after, comesBack, () => this.#live.get(run.thread.id) === run && this.finish('You stopped the answer.'));
  }
}
