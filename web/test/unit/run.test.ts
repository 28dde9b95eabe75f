/** Runs that go on without a reader: taken up again, stopped, joined and waited for. */
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../src/core/errors';
import type { ThreadItem, ThreadStreamEvent } from '../../src/core/protocol';
import { translate } from '../../src/i18n/translate';
import { asked, at, created, delta, message, said, setUp } from './fake-client';

const done = (item: ThreadItem): ThreadStreamEvent => ({ type: 'thread.item.done', item });
const added = (item: ThreadItem): ThreadStreamEvent => ({ type: 'thread.item.added', item });
const notice = (words: string): ThreadStreamEvent => ({ type: 'notice', level: 'info', message: words });
const thread = (items: ThreadItem[], metadata: Record<string, unknown> = {}) => ({ id: 'thr_1', created_at: at.created_at, items: { data: items, has_more: false }, metadata });
const lost = (): Error => new TypeError('network error');
const gone = (): Error => new RequestError('There is nothing to resume.', { status: 404, code: 'run_not_found', forUser: true });

/** A thread with a message, and the beginning of its answer from `run_a`. */
async function answering(text = 'Hel') {
  const made = setUp({ keepsRuns: true });
  const turn = made.chat.send(message('one'));
  await made.settle();
  const call = made.calls[0]!;
  call.open({ run: 'run_a' });
  call.at('run_a:1', created('thr_1'));
  call.at('run_a:2', done(asked('m1', 'one')));
  call.at('run_a:3', added(said('a1', '')));
  if (text !== '') call.at(`run_a:${3 + text.length}`, delta('a1', text));
  await made.settle();
  return { ...made, turn, call };
}

describe('a connection that breaks', () => {
  test('is taken up where it was, and says so meanwhile', async () => {
    const { chat, call, asks, texts, settle, line, turn, events } = await answering();
    call.fail(lost());
    await settle();
    expect([chat.turns.link.value, chat.phase.value]).toEqual(['lost', 'streaming']);
    line.pass(500);
    await settle();
    const [resume] = asks('threads.resume');
    expect(resume!.params).toEqual({ thread_id: 'thr_1', after: 'run_a:6' });
    resume!.at('run_a:8', delta('a1', 'lo'));
    await settle();
    expect([texts(), chat.turns.link.value]).toEqual([['one', 'Hello'], 'steady']);
    resume!.at('run_a:9', done(said('a1', 'Hello')));
    resume!.end();
    await turn;
    expect([chat.phase.value, chat.transcript.error.value]).toEqual(['idle', null]);
    expect([events('response.start').length, events('response.end').length, events('error').length]).toEqual([1, 1, 0]);
  });

  test('waits longer each time, and a network that is back ends the wait', async () => {
    const { call, asks, settle, line } = await answering();
    call.fail(lost());
    await settle();
    for (const [index, pause] of [500, 1000, 2000].entries()) {
      line.pass(pause - 1);
      await settle();
      expect(asks('threads.resume')).toHaveLength(index);
      line.pass(1);
      await settle();
      expect(asks('threads.resume')).toHaveLength(index + 1);
      asks('threads.resume')[index]!.fail(lost());
      await settle();
    }
    line.comeBack();
    await settle();
    expect(asks('threads.resume')).toHaveLength(4);
  });

  test('that is silent for two keep-alives is said and resumed; a keep-alive is enough', async () => {
    const { chat, call, asks, settle, line } = await answering();
    line.pass(29_000);
    call.beat();
    line.pass(29_000);
    await settle();
    expect(asks('threads.resume')).toHaveLength(0);
    line.pass(1000);
    await settle();
    expect(call.signal.aborted).toBe(true);
    expect(chat.turns.link.value).toBe('silent');
    expect(asks('threads.resume')[0]!.params['after']).toBe('run_a:6');
    asks('threads.resume')[0]!.open({});
    await settle();
    expect(chat.turns.link.value).toBe('steady');
  });

  test('is still broken while the server says that it is busy or restarting', async () => {
    const { chat, call, asks, settle, line } = await answering();
    call.fail(lost());
    await settle();
    for (const [index, status] of [429, 503].entries()) {
      line.pass(15_000);
      await settle();
      asks('threads.resume')[index]!.fail(new RequestError('In a moment.', { status, forUser: true }));
      await settle();
    }
    line.pass(15_000);
    await settle();
    expect([asks('threads.resume').length, chat.phase.value, chat.turns.link.value]).toEqual([3, 'streaming', 'lost']);
  });

  test('is noticed at once when the network is another one', async () => {
    const { call, asks, settle, line } = await answering();
    line.comeBack();
    await settle();
    expect(call.signal.aborted).toBe(true);
    expect(asks('threads.resume')).toHaveLength(1);
  });

  test('and a run that is gone lead to what is stored', async () => {
    const { chat, call, asks, texts, settle, line } = await answering();
    call.fail(lost());
    await settle();
    line.pass(500);
    await settle();
    asks('threads.resume')[0]!.fail(gone());
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one'), said('a1', 'Hello, whole')]));
    await settle();
    expect([texts(), chat.phase.value, chat.transcript.error.value]).toEqual([['one', 'Hello, whole'], 'idle', null]);
    expect(asks('threads.resume')).toHaveLength(1);
  });

  test('closed as if it were whole, in the middle of an item, is taken up too', async () => {
    const { call, asks, settle, turn, line, chat } = await answering();
    call.end();
    await settle();
    line.pass(500);
    await settle();
    // The server says that there is nothing more: that is the end, whatever was open.
    asks('threads.resume')[0]!.end();
    await turn;
    expect(chat.phase.value).toBe('idle');
  });

  test('for good is said, and trying again loads the thread', async () => {
    const { chat, call, asks, settle, line, turn } = await answering();
    call.fail(lost());
    for (let attempt = 0; attempt < 20; attempt += 1) {
      await settle();
      line.pass(15_000);
      await settle();
      asks('threads.resume').at(-1)!.fail(lost());
    }
    await turn;
    expect(chat.transcript.error.value).toEqual({ message: translate('error.network'), allowRetry: true });
    void chat.retryFailed();
    await settle();
    expect(asks('threads.get_by_id')).toHaveLength(1);
  });

  test('to a server without runs is an error, and nothing is sent twice', async () => {
    const { chat, calls, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), done(asked('m1', 'one'))]);
    await settle();
    calls[0]!.fail(lost());
    await turn;
    expect(chat.transcript.error.value?.allowRetry).toBe(true);
    expect(calls).toHaveLength(1);
  });
});

describe('a connection that breaks where the server was shown no key', () => {
  /** The first question of a page whose own `fetch` carries it: the server tells its run, and gives no ids. */
  async function unannounced({ hasKeys = false, keepsRuns = false } = {}) {
    const made = setUp({ keepsRuns, hasKeys });
    const turn = made.chat.send(message('one'));
    await made.settle();
    const call = made.calls[0]!;
    call.open({ run: 'run_a' });
    await made.settle();
    return { ...made, turn, call };
  }
  const half = [created('thr_1'), done(asked('m1', 'one')), added(said('a1', '')), delta('a1', 'Hel')];
  const types = (calls: readonly { readonly type: string }[]) => calls.map(({ type }) => type);

  // The page's `fetch`, or a relay, may as well drop the key that we thought was sent.
  test.each([{ hasKeys: false }, { hasKeys: true }])('loads the thread, and asks nothing twice ($hasKeys)', async ({ hasKeys }) => {
    const { chat, call, calls, asks, texts, settle, line, turn, events } = await unannounced({ hasKeys });
    call.give(half);
    await settle();
    call.fail(lost());
    await settle();
    expect([chat.turns.link.value, types(calls)]).toEqual(['lost', ['threads.create']]);
    line.pass(500);
    await turn;
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one'), said('a1', 'Hello')], { vestibule_run: 'run_a' }));
    await settle();
    expect(types(calls)).toEqual(['threads.create', 'threads.get_by_id', 'threads.resume']);
    asks('threads.resume')[0]!.end();
    await settle();
    expect([texts(), chat.phase.value, chat.transcript.error.value, events('error')]).toEqual([['one', 'Hello'], 'idle', null, []]);
  });

  test('waits for the network before it loads', async () => {
    const { call, asks, settle, line } = await unannounced();
    call.give(half);
    await settle();
    line.online = false;
    call.fail(lost());
    await settle();
    line.pass(15_000);
    await settle();
    expect(asks('threads.get_by_id')).toHaveLength(0);
    line.comeBack();
    await settle();
    expect(asks('threads.get_by_id')).toHaveLength(1);
  });

  test('closed as if it were whole, in the middle of an item, does the same', async () => {
    const { call, calls, settle, line } = await unannounced();
    call.give(half);
    call.end();
    await settle();
    line.pass(500);
    await settle();
    expect(types(calls)).toEqual(['threads.create', 'threads.get_by_id']);
  });

  test('before the thread is known is an error: there is nothing to load', async () => {
    const { chat, call, calls, turn } = await unannounced();
    call.fail(lost());
    await turn;
    expect([types(calls), chat.transcript.error.value?.allowRetry]).toEqual([['threads.create'], true]);
  });

  test('before the server has answered is an error, even where it is known', async () => {
    const { chat, calls, settle } = setUp({ keepsRuns: true, hasKeys: false });
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.fail(lost());
    await turn;
    expect([types(calls), chat.transcript.error.value?.allowRetry]).toEqual([['threads.create'], true]);
  });

  test('is not made to break: to the server that would be Stop', async () => {
    const { call, calls, settle, line } = await unannounced({ keepsRuns: true });
    line.pass(31_000);
    line.comeBack();
    await settle();
    expect(call.signal.aborted).toBe(false);
    call.give(half);
    await settle();
    line.comeBack();
    await settle();
    expect([call.signal.aborted, types(calls)]).toEqual([false, ['threads.create']]);
    // Nobody is there any more, so nothing is stopped.
    for (const pause of [29_000, 1000]) {
      line.pass(pause);
      await settle();
    }
    expect([call.signal.aborted, types(calls)]).toEqual([true, ['threads.create', 'threads.get_by_id']]);
  });

  test('in a thread that is open loads it, though nothing was read', async () => {
    const { chat, asks, calls, settle, line } = setUp();
    const opening = chat.open('thr_1');
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([]));
    await opening;
    void chat.send(message('two'));
    await settle();
    asks('threads.add_user_message')[0]!.open({ run: 'run_b' });
    await settle();
    asks('threads.add_user_message')[0]!.fail(lost());
    await settle();
    line.pass(500);
    await settle();
    expect(types(calls)).toEqual(['threads.get_by_id', 'threads.add_user_message', 'threads.get_by_id']);
  });
});

describe('a message without an answer', () => {
  test('is sent again with the same key, and is there once', async () => {
    const { chat, asks, texts, settle, line } = setUp({ keepsRuns: true });
    void chat.send(message('one'));
    await settle();
    const [first] = asks('threads.create');
    first!.fail(lost());
    await settle();
    expect(chat.turns.link.value).toBe('lost');
    line.pass(500);
    await settle();
    const [, second] = asks('threads.create');
    expect([second!.key, second!.params]).toEqual([first!.key, first!.params]);
    expect(first!.key).toMatch(/^[!-~]{1,255}$/);
    second!.open({ run: 'run_a' });
    second!.at('run_a:1', created('thr_1'));
    second!.at('run_a:2', done(asked('m1', 'one')));
    await settle();
    expect(texts()).toEqual(['one']);
  });

  test('a proxy that speaks for a server under restart is tried again, a refusal in words is not', async () => {
    const { chat, asks, settle, line, events } = setUp({ keepsRuns: true });
    const turn = chat.send(message('one'));
    await settle();
    asks('threads.create')[0]!.fail(new RequestError('status 502', { status: 502 }));
    await settle();
    line.pass(500);
    await settle();
    asks('threads.create')[1]!.fail(new RequestError('The store is busy.', { status: 503, forUser: true }));
    await turn;
    expect(asks('threads.create')).toHaveLength(2);
    expect(events('error')).toHaveLength(1);
  });

  test('after half a minute it is said, and Try again uses the same key', async () => {
    const { chat, asks, settle, line } = setUp({ keepsRuns: true });
    const turn = chat.send(message('one'));
    for (let attempt = 0; attempt <= 6; attempt += 1) {
      await settle();
      asks('threads.create').at(-1)!.fail(lost());
      await settle();
      line.pass(15_000);
    }
    await turn;
    expect(chat.transcript.error.value).toEqual({ message: translate('error.network'), allowRetry: true });
    void chat.retryFailed();
    await settle();
    expect(new Set(asks('threads.create').map(({ key }) => key)).size).toBe(1);
  });
});

describe('opening a thread with a live run', () => {
  test('follows it from its first event, over what was loaded', async () => {
    const { chat, asks, texts, settle, events, clientTool } = setUp({ keepsRuns: true });
    const opening = chat.open('thr_1');
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one'), said('a1', 'Hel')], { vestibule_run: 'run_a' }));
    await opening;
    await settle();
    const [resume] = asks('threads.resume');
    expect(resume!.params).toEqual({ thread_id: 'thr_1' });
    resume!.open({ run: 'run_a' });
    resume!.at('run_a:1', done(asked('m1', 'one')));
    resume!.at('run_a:2', added(said('a1', '')));
    resume!.at('run_a:7', delta('a1', 'Hello'));
    await settle();
    expect([texts(), chat.phase.value]).toEqual([['one', 'Hello'], 'streaming']);
    // A tool belongs to the page that asked.
    resume!.at('run_a:8', done(said('a1', 'Hello')));
    resume!.at('run_a:9', done({ type: 'client_tool_call', id: 'c', ...at, call_id: 'c', name: 'look', arguments: {} }));
    resume!.end();
    await settle();
    expect(chat.phase.value).toBe('idle');
    expect(clientTool).not.toHaveBeenCalled();
    expect([events('response.start').length, events('response.end').length]).toEqual([1, 1]);
  });

  test('that ended meanwhile is loaded once more', async () => {
    const { chat, asks, texts, settle } = setUp({ keepsRuns: true });
    void chat.open('thr_1');
    for (const text of ['Hel', 'Hello']) {
      await settle();
      asks('threads.get_by_id').at(-1)!.give(thread([asked('m1', 'one'), said('a1', text)], { vestibule_run: 'run_a' }));
      await settle();
      asks('threads.resume').at(-1)!.fail(gone());
    }
    await settle();
    expect([asks('threads.get_by_id').length, asks('threads.resume').length]).toEqual([2, 2]);
    expect([texts(), chat.phase.value, chat.transcript.error.value]).toEqual([['one', 'Hello'], 'idle', null]);
  });

  test('leaving it stops nothing on the server', async () => {
    const { chat, call, calls, settle } = await answering();
    await chat.open(null);
    await settle();
    expect(call.signal.aborted).toBe(true);
    expect(calls.map(({ type }) => type)).toEqual(['threads.create']);
    expect(chat.threadId.value).toBeNull();
  });

  test('an interrupted answer is said, and can be asked again', async () => {
    const { chat, asks, texts, settle } = setUp({ keepsRuns: true });
    const opening = chat.open('thr_1');
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one'), said('a1', 'Hel')], { vestibule_interrupted: 'm1' }));
    await opening;
    expect(asks('threads.resume')).toHaveLength(0);
    expect(chat.transcript.cut.value).toEqual({ why: 'interrupted', itemId: 'm1' });
    void chat.askAgain();
    await settle();
    expect(asks('threads.retry_after_item')[0]!.params).toEqual({ thread_id: 'thr_1', item_id: 'm1' });
    expect([texts(), chat.transcript.cut.value]).toEqual([['one'], null]);
  });
});

describe('Stop', () => {
  test('asks the server, and reads on to the end', async () => {
    const { chat, call, asks, texts, settle, turn } = await answering();
    chat.stop();
    chat.stop();
    await settle();
    expect(asks('threads.cancel').map(({ params }) => params)).toEqual([{ thread_id: 'thr_1' }]);
    expect([chat.turns.isStopping.value, call.signal.aborted]).toEqual([true, false]);
    asks('threads.cancel')[0]!.give({});
    call.at('run_a:7', done(said('a1', 'Hell')));
    call.at('run_a:8', notice('You stopped the answer.'));
    call.end();
    await turn;
    expect(texts()).toEqual(['one', 'Hell']);
    expect(chat.transcript.notices.value.map(({ event }) => event.message)).toEqual(['You stopped the answer.']);
    expect([chat.turns.isStopping.value, chat.phase.value, chat.transcript.cut.value]).toEqual([false, 'idle', null]);
  });

  test('before the first token says so, and offers to ask again', async () => {
    const { chat, call, asks, settle, turn } = await answering('');
    chat.stop();
    await settle();
    asks('threads.cancel')[0]!.give({});
    call.at('run_a:4', { type: 'thread.item.removed', item_id: 'a1' });
    call.at('run_a:5', notice('You stopped the answer.'));
    call.end();
    await turn;
    expect([chat.transcript.cut.value, chat.transcript.notices.value]).toEqual([{ why: 'stoppedEarly', itemId: 'm1' }, []]);
    void chat.askAgain();
    await settle();
    expect(asks('threads.retry_after_item')[0]!.params['item_id']).toBe('m1');
  });

  test('before the server has said anything is passed on when it does', async () => {
    const { chat, calls, asks, settle } = setUp({ keepsRuns: true });
    void chat.send(message('one'));
    await settle();
    chat.stop();
    await settle();
    expect(asks('threads.cancel')).toHaveLength(0);
    calls[0]!.open({ run: 'run_a' });
    calls[0]!.at('run_a:1', created('thr_1'));
    await settle();
    expect(asks('threads.cancel')).toHaveLength(1);
  });

  test('that the server does not follow ends here, and says so', async () => {
    const { chat, call, asks, settle, line, turn, texts } = await answering();
    chat.stop();
    await settle();
    line.pass(5000);
    await turn;
    expect([chat.phase.value, call.signal.aborted, texts()]).toEqual(['idle', true, ['one', 'Hel']]);
    expect(chat.toast.value).toBe(translate('stop.failed'));
    expect(asks('threads.cancel')).toHaveLength(1);
  });

  test('that comes too late stops nothing else and says nothing', async () => {
    const { chat, call, asks, settle, line, turn } = await answering();
    chat.stop();
    await settle();
    call.at('run_a:7', done(said('a1', 'Hello')));
    call.end();
    await turn;
    asks('threads.cancel')[0]!.fail(lost());
    await settle();
    line.pass(10_000);
    await settle();
    expect([asks('threads.cancel').length, chat.toast.value]).toEqual([1, null]);
  });

  test('while the line is bad tells the server all the same', async () => {
    const { chat, call, asks, settle } = await answering();
    call.fail(lost());
    await settle();
    chat.stop();
    await settle();
    expect([chat.phase.value, asks('threads.cancel').length]).toEqual(['idle', 1]);
    asks('threads.cancel')[0]!.fail(lost());
    await settle();
    expect(chat.toast.value).toBe(translate('stop.failed'));
  });

  test('of a server without runs closes the connection', async () => {
    const { chat, calls, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), done(asked('m1', 'one'))]);
    await settle();
    chat.stop();
    await turn;
    expect([calls[0]!.signal.aborted, calls.length]).toEqual([true, 1]);
    expect(chat.transcript.cut.value).toEqual({ why: 'stoppedEarly', itemId: 'm1' });
  });

  test('of an answer that is no run closes the connection, whatever is known of the server', async () => {
    const { chat, calls, settle } = setUp({ keepsRuns: true });
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), done(asked('m1', 'one'))]);
    await settle();
    chat.stop();
    await turn;
    expect([calls[0]!.signal.aborted, calls.length, chat.toast.value]).toEqual([true, 1, null]);
  });

  test('of a message that never left sends it again with the same key', async () => {
    const { chat, asks, settle, texts } = setUp({ keepsRuns: true });
    void chat.send(message('one'));
    await settle();
    asks('threads.create')[0]!.fail(lost());
    await settle();
    chat.stop();
    await settle();
    expect(chat.transcript.cut.value).toEqual({ why: 'stoppedEarly', itemId: null });
    void chat.askAgain();
    await settle();
    expect(asks('threads.create')[1]!.key).toBe(asks('threads.create')[0]!.key);
    expect([texts(), chat.transcript.cut.value]).toEqual([['one'], null]);
  });
});

describe('writing on while an answer runs', () => {
  /** `two` waits behind `one`. */
  async function withWaiting() {
    const made = await answering();
    const second = made.chat.send(message('two'));
    await made.settle();
    const waits = made.asks('threads.add_user_message')[0]!;
    waits.open({ run: 'run_b', queued: 'm2' });
    waits.at('run_b:1', done(asked('m2', 'two')));
    waits.at('run_b:2', { type: 'progress_update', text: 'Waiting for the answer before…' });
    await made.settle();
    return { ...made, second, waits };
  }

  test('is not possible without runs', async () => {
    const { chat, calls, settle } = setUp();
    void chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1')]);
    await settle();
    expect(chat.turns.maySend.value).toBe(false);
    await expect(chat.send(message('two'))).rejects.toMatchObject({ name: 'BusyError' });
  });

  test('waits below, and is answered in its turn', async () => {
    const { chat, call, waits, texts, waiting, settle, turn, second, events } = await withWaiting();
    expect([texts(), waiting(), chat.transcript.progress.value]).toEqual([['one', 'Hel'], ['two'], null]);
    expect(chat.transcript.state.queued[0]?.optimistic).toBeUndefined();
    call.at('run_a:7', done(said('a1', 'Hello')));
    call.end();
    await turn;
    expect([texts(), waiting(), chat.phase.value]).toEqual([['one', 'Hello', 'two'], [], 'sending']);
    waits.at('run_b:3', added(said('a2', '')));
    waits.at('run_b:5', delta('a2', 'Hi'));
    await settle();
    expect([texts(), chat.phase.value]).toEqual([['one', 'Hello', 'two', 'Hi'], 'streaming']);
    waits.end();
    // What was open when it ended is asked for once more; there is nothing.
    await settle();
    chat.leave();
    await second;
    expect([events('response.start').length, events('response.end').length]).toEqual([2, 2]);
  });

  test('its events may come before the end of the answer before it', async () => {
    const { chat, call, waits, texts, settle } = await withWaiting();
    waits.at('run_b:3', added(said('a2', 'Hi')));
    await settle();
    call.at('run_a:7', done(said('a1', 'Hello')));
    call.at('run_a:8', notice('A newer message interrupted this answer.'));
    call.end();
    await settle();
    expect([texts(), chat.phase.value]).toEqual([['one', 'Hello', 'two', 'Hi'], 'streaming']);
    // The notice stays with the answer it is about.
    const keys = chat.transcript.state.entries.map(({ key }) => key);
    expect(chat.transcript.notices.value[0]?.after).toBe(keys[1]);
  });

  test('a message that interrupts takes the place at once; the end of the answer before is that one’s', async () => {
    const { chat, call, asks, texts, waiting, settle, turn, events } = await answering();
    void chat.send(message('two'));
    await settle();
    expect(waiting()).toEqual(['two']);
    const second = asks('threads.add_user_message')[0]!;
    second.open({ run: 'run_b' });
    second.at('run_b:1', done(asked('m2', 'two')));
    await settle();
    expect([texts(), waiting()]).toEqual([['one', 'Hel', 'two'], []]);
    call.at('run_a:7', done(said('a1', 'Hell')));
    call.at('run_a:8', notice('A newer message interrupted this answer.'));
    call.end();
    await turn;
    second.at('run_b:2', done(said('a2', 'Hi')));
    await settle();
    expect([texts(), chat.phase.value]).toEqual([['one', 'Hell', 'two', 'Hi'], 'streaming']);
    expect(chat.transcript.notices.value.map(({ after }) => after)).toEqual([chat.transcript.state.entries[1]?.key]);
    chat.stop();
    await settle();
    expect(asks('threads.cancel')).toHaveLength(1);
    expect(second.signal.aborted).toBe(false);
    second.end();
    await settle();
    expect([chat.phase.value, events('response.start').length, events('response.end').length]).toEqual(['idle', 2, 2]);
  });

  test('a third message needs no stream of its own while it waits', async () => {
    const { chat, call, waits, asks, texts, waiting, settle, turn, second } = await withWaiting();
    const third = chat.send(message('three'));
    await settle();
    const last = asks('threads.add_user_message')[1]!;
    last.open({ run: 'run_c', queued: 'm3' });
    last.at('run_c:1', done(asked('m3', 'three')));
    await third;
    expect(waiting()).toEqual(['two', 'three']);
    call.at('run_a:7', done(said('a1', 'Hello')));
    call.end();
    await turn;
    waits.at('run_b:3', done(said('a2', 'Hi')));
    waits.end();
    await second;
    const resume = asks('threads.resume').at(-1)!;
    expect(resume.params).toEqual({ thread_id: 'thr_1' });
    resume.open({ run: 'run_c' });
    resume.at('run_c:1', done(asked('m3', 'three')));
    resume.at('run_c:2', done(said('a3', 'Ho')));
    resume.end();
    await settle();
    expect([texts(), waiting(), chat.phase.value]).toEqual([['one', 'Hello', 'two', 'Hi', 'three', 'Ho'], [], 'idle']);
    expect(asks('threads.resume')).toHaveLength(1);
  });

  test('a message that joins the running answer brings no event twice', async () => {
    const { chat, call, waits, texts, waiting, settle, second, turn } = await withWaiting();
    waits.at('run_a:7', done(asked('m2', 'two')));
    await second;
    expect([texts(), waiting()]).toEqual([['one', 'Hel', 'two'], []]);
    expect(chat.phase.value).toBe('streaming');
    call.at('run_a:7', done(asked('m2', 'two')));
    call.at('run_a:9', delta('a1', 'lo'));
    call.at('run_a:10', done(said('a1', 'Hello')));
    call.end();
    await turn;
    await settle();
    expect([texts(), chat.phase.value]).toEqual([['one', 'Hello', 'two'], 'idle']);
  });

  test('it can be taken back, and its text returns', async () => {
    const { chat, waits, asks, waiting, settle, second, giveBack } = await withWaiting();
    const back = chat.turns.takeBack(chat.transcript.state.queued[0]!.key);
    await settle();
    expect(asks('threads.cancel')[0]!.params).toEqual({ thread_id: 'thr_1', item_id: 'm2' });
    asks('threads.cancel')[0]!.give({});
    await back;
    await second;
    expect([waiting(), waits.signal.aborted, chat.phase.value]).toEqual([[], true, 'streaming']);
    expect(giveBack).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ content: [{ type: 'input_text', text: 'two' }] }), false);
  });

  test('taken back elsewhere, it goes here too', async () => {
    const { chat, waits, waiting, second, giveBack } = await withWaiting();
    waits.at('run_b:3', { type: 'thread.item.removed', item_id: 'm2' });
    await second;
    expect([waiting(), chat.phase.value, giveBack.mock.calls.length]).toEqual([[], 'streaming', 0]);
  });

  test('one that is answered by now stays, in the server’s words', async () => {
    const { chat, asks, waiting, settle } = await withWaiting();
    void chat.turns.takeBack(chat.transcript.state.queued[0]!.key);
    await settle();
    asks('threads.cancel')[0]!.fail(new RequestError('This message is being answered already.', { status: 404, forUser: true }));
    await settle();
    expect([waiting(), chat.toast.value]).toEqual([['two'], 'This message is being answered already.']);
  });

  test('a thread that is busy says so, keeps the draft and touches nothing else', async () => {
    const { chat, asks, texts, waiting, settle, giveBack } = await answering();
    const second = chat.send(message('two'));
    await settle();
    asks('threads.add_user_message')[0]!.fail(new RequestError('Eight messages wait already.', { status: 409, code: 'thread_busy', forUser: true }));
    await second;
    expect([texts(), waiting(), chat.phase.value]).toEqual([['one', 'Hel'], [], 'streaming']);
    expect([chat.toast.value, chat.transcript.error.value]).toEqual(['Eight messages wait already.', null]);
    expect(giveBack).toHaveBeenCalledExactlyOnceWith(message('two'), true);
  });

  test('busy with another page’s answer: the same', async () => {
    const { chat, asks, texts, settle, giveBack } = setUp({ keepsRuns: true });
    chat.threadId.value = 'thr_1';
    const turn = chat.send(message('two'));
    await settle();
    asks('threads.add_user_message')[0]!.fail(new RequestError('An answer is running.', { status: 409, code: 'thread_busy', forUser: true }));
    await turn;
    expect([texts(), chat.phase.value, chat.toast.value, giveBack.mock.calls.length]).toEqual([[], 'idle', 'An answer is running.', 1]);
  });

  test('behind another page’s answer, that answer is shown as well', async () => {
    const { chat, asks, texts, waiting, settle } = setUp({ keepsRuns: true });
    chat.threadId.value = 'thr_1';
    void chat.send(message('two'));
    await settle();
    const own = asks('threads.add_user_message')[0]!;
    own.open({ run: 'run_b', queued: 'm2' });
    await settle();
    expect([texts(), waiting()]).toEqual([[], ['two']]);
    own.at('run_b:1', done(asked('m2', 'two')));
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one')], { vestibule_run: 'run_a', vestibule_queued: [asked('m2', 'two')] }));
    await settle();
    expect([texts(), waiting()]).toEqual([['one'], ['two']]);
    const resume = asks('threads.resume')[0]!;
    resume.open({ run: 'run_a' });
    resume.at('run_a:1', added(said('a1', 'Hel')));
    await settle();
    expect([texts(), waiting(), chat.phase.value]).toEqual([['one', 'Hel'], ['two'], 'streaming']);
  });

  test('what waited before a reload waits after it, and begins when nothing runs', async () => {
    const { chat, asks, texts, waiting, settle } = setUp({ keepsRuns: true });
    void chat.open('thr_1');
    await settle();
    asks('threads.get_by_id')[0]!.give(thread([asked('m1', 'one')], { vestibule_queued: [asked('m2', 'two'), 'nonsense', null] }));
    await settle();
    expect([texts(), waiting()]).toEqual([['one'], ['two']]);
    const resume = asks('threads.resume')[0]!;
    resume.open({ run: 'run_b' });
    resume.at('run_b:1', done(asked('m2', 'two')));
    await settle();
    expect([texts(), waiting()]).toEqual([['one', 'two'], []]);
  });

  test('a server that never begins what waits is not asked for ever', async () => {
    const { chat, asks, waiting, settle } = setUp({ keepsRuns: true });
    void chat.open('thr_1');
    for (let round = 0; round < 6; round += 1) {
      await settle();
      asks('threads.get_by_id').at(-1)!.give(thread([], { vestibule_queued: [asked('m2', 'two')] }));
      await settle();
      asks('threads.resume').at(-1)?.end();
      await settle();
    }
    expect([asks('threads.resume').length, asks('threads.get_by_id').length]).toEqual([2, 2]);
    expect([waiting(), chat.phase.value]).toEqual([['two'], 'idle']);
  });
});
