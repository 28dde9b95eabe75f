/** Turns and loads that overlap: what comes late for an old one changes nothing. */
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../src/core/errors';
import type { ThreadItem } from '../../src/core/protocol';
import { translate } from '../../src/i18n/translate';
import { asked, at, created, message, said, setUp } from './fake-client';

describe('a turn', () => {
  test('in a new thread, then in the same one', async () => {
    const { chat, calls, events, settle } = setUp();
    const first = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), { type: 'thread.item.done', item: asked('m1', 'one') }]);
    await settle();
    expect(chat.phase.value).toBe('streaming');
    calls[0]!.end();
    await first;
    expect(chat.phase.value).toBe('idle');
    void chat.send(message('two'));
    await settle();
    expect(calls.map(({ type, params }) => [type, params['thread_id']])).toEqual([['threads.create', undefined], ['threads.add_user_message', 'thr_1']]);
    expect(events('thread.change')).toEqual([{ threadId: 'thr_1' }]);
  });

  test('is refused while another one runs', async () => {
    const { chat } = setUp();
    void chat.send(message('one'));
    await expect(chat.send(message('two'))).rejects.toMatchObject({ name: 'BusyError' });
  });

  test('that was stopped keeps its words and ignores late ones', async () => {
    const { chat, calls, texts, events, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), { type: 'thread.item.added', item: said('m2', 'par') }]);
    await settle();
    chat.stop();
    expect(chat.phase.value).toBe('idle');
    calls[0]!.give([{ type: 'thread.item.done', item: said('m2', 'partial and more') }]);
    await turn;
    expect(texts()).toEqual(['one', 'par']);
    expect(calls[0]!.signal.aborted).toBe(true);
    expect(events('error')).toEqual([]);
    expect(events('response.end')).toHaveLength(1);
  });

  test('does not follow into another thread', async () => {
    const { chat, calls, texts, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1')]);
    await settle();
    await chat.open(null);
    calls[0]!.give([{ type: 'thread.item.done', item: said('m2', 'late') }]);
    await turn;
    expect(texts()).toEqual([]);
    expect(chat.threadId.value).toBeNull();
  });

  test('whose stream ends before the first event is said, and can be sent again', async () => {
    const { chat, calls, texts, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.open({});
    calls[0]!.end();
    await turn;
    expect(chat.transcript.error.value).toEqual({ message: translate('error.server'), allowRetry: true });
    expect(texts()).toEqual(['one']);
    void chat.retryFailed();
    await settle();
    expect(calls.map(({ type }) => type)).toEqual(['threads.create', 'threads.create']);
  });

  test('that never got an answer can be sent again', async () => {
    const { chat, calls, texts, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.fail(new TypeError('Failed to fetch'));
    await turn;
    expect(chat.transcript.error.value).toEqual({ message: translate('error.network'), allowRetry: true });
    void chat.retryFailed();
    await settle();
    expect(calls.map(({ type }) => type)).toEqual(['threads.create', 'threads.create']);
    expect(texts()).toEqual(['one']);
    calls[1]!.give([created('thr_1'), { type: 'thread.item.done', item: asked('m1', 'one') }]);
    await settle();
    expect(texts()).toEqual(['one']);
  });

  test.each([
    [new RequestError('You have used up your messages.', { status: 403, forUser: true }), 'You have used up your messages.', false],
    [new RequestError('Slow down.', { status: 429, forUser: true }), 'Slow down.', true],
    [new RequestError('status 502', { status: 502 }), translate('error.server'), true],
    [new Error('bug in getClientSecret'), translate('error.generic'), true],
  ])('%s is shown as it should be', async (error, shown, allowRetry) => {
    const { chat, calls, events, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.fail(error);
    await turn;
    expect(chat.transcript.error.value).toEqual({ message: shown, allowRetry });
    expect(events('error')).toEqual([{ error }]);
  });
});

describe('client tools', () => {
  const call = (id: string): ThreadItem => ({ type: 'client_tool_call', id, ...at, call_id: id, name: 'look', arguments: { at: 'me' } });

  test('go on until the server asks no more', async () => {
    const { chat, calls, clientTool, settle } = setUp();
    clientTool.mockResolvedValueOnce({ seen: 1 }).mockResolvedValueOnce(undefined);
    const turn = chat.send(message('one'));
    await settle();
    for (const index of [0, 1]) {
      calls[index]!.give([created('thr_1'), { type: 'thread.item.done', item: call(`c${index}`) }]);
      calls[index]!.end();
      await settle();
    }
    calls[2]!.end();
    await turn;
    expect(calls.map(({ type, params }) => [type, params['result']])).toEqual([
      ['threads.create', undefined],
      ['threads.add_client_tool_output', { seen: 1 }],
      ['threads.add_client_tool_output', {}],
    ]);
    expect(clientTool).toHaveBeenCalledWith({ name: 'look', params: { at: 'me' } });
  });

  test('that finish after Stop send nothing', async () => {
    const { chat, calls, clientTool, settle } = setUp();
    let finish: (value: unknown) => void = () => undefined;
    clientTool.mockReturnValue(new Promise((resolve) => (finish = resolve)));
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), { type: 'thread.item.done', item: call('c1') }]);
    calls[0]!.end();
    await settle();
    expect(chat.phase.value).toBe('tool');
    chat.stop();
    finish({});
    await turn;
    expect(calls).toHaveLength(1);
  });

  test('are not run after an error', async () => {
    const { chat, calls, clientTool, settle } = setUp();
    const turn = chat.send(message('one'));
    await settle();
    calls[0]!.give([created('thr_1'), { type: 'thread.item.done', item: call('c1') }, { type: 'error', message: 'x' }]);
    calls[0]!.end();
    await turn;
    expect(clientTool).not.toHaveBeenCalled();
  });
});

describe('loading', () => {
  const thread = (id: string, items: ThreadItem[], hasMore = false) => ({ id, created_at: at.created_at, items: { data: items, has_more: hasMore } });

  test('the thread opened last wins, whoever answers last', async () => {
    const { chat, calls, texts, events, settle } = setUp();
    const slow = chat.open('thr_a');
    const fast = chat.open('thr_b');
    await settle();
    calls[1]!.give(thread('thr_b', [said('b', 'from b')]));
    await fast;
    calls[0]!.give(thread('thr_a', [said('a', 'from a')]));
    await slow;
    expect(texts()).toEqual(['from b']);
    expect(chat.threadId.value).toBe('thr_b');
    expect([events('thread.load.start'), events('thread.load.end')].map((list) => list.length)).toEqual([2, 2]);
  });

  test('a long thread shows its end, and older pages go before it', async () => {
    const { chat, calls, texts, settle } = setUp();
    const opening = chat.open('thr_1');
    await settle();
    calls[0]!.give(thread('thr_1', [said('1', 'first')], true));
    await settle();
    // As much as fills a screen.
    expect(calls[1]!.params).toMatchObject({ limit: 10, order: 'desc' });
    calls[1]!.give({ data: [said('4', 'd'), said('3', 'c')], has_more: true, after: '3' });
    await opening;
    expect(texts()).toEqual(['c', 'd']);
    expect(chat.loader.hasOlder.value).toBe(true);
    const older = chat.loadOlder();
    await settle();
    expect(calls[2]!.params).toMatchObject({ after: '3', order: 'desc' });
    calls[2]!.give({ data: [said('2', 'b'), said('1', 'a')], has_more: false });
    await older;
    expect(texts()).toEqual(['a', 'b', 'c', 'd']);
    expect(chat.loader.hasOlder.value).toBe(false);
    // What is on the screen is not made shorter than a page.
    const again = chat.refresh();
    await settle();
    calls[3]!.give(thread('thr_1', [said('1', 'a')], true));
    await settle();
    expect(calls[4]!.params).toMatchObject({ limit: 30, order: 'desc' });
    calls[4]!.give({ data: [said('4', 'd')], has_more: false });
    await again;
  });

  test('a thread that is not there says so', async () => {
    const { chat, calls, events, settle } = setUp();
    const opening = chat.open('thr_x');
    await settle();
    calls[0]!.fail(new RequestError('This conversation does not exist.', { status: 404, forUser: true }));
    await opening;
    expect(chat.transcript.error.value).toMatchObject({ message: 'This conversation does not exist.', allowRetry: false });
    expect(chat.threadId.value).toBeNull();
    expect(events('thread.change')).toEqual([{ threadId: 'thr_x' }, { threadId: null }]);
    expect(events('thread.load.end')).toEqual([{ threadId: 'thr_x' }]);
    expect(chat.phase.value).toBe('idle');
  });

  test('a load that failed is loaded again, and no turn is run', async () => {
    const { chat, calls, texts, settle } = setUp();
    const opening = chat.open('thr_1');
    await settle();
    calls[0]!.give(thread('thr_1', [asked('1', 'a')]));
    await opening;
    const refreshing = chat.refresh();
    await settle();
    calls[1]!.fail(new TypeError('Failed to fetch'));
    await refreshing;
    expect(chat.transcript.error.value?.allowRetry).toBe(true);
    const again = chat.retryFailed();
    await settle();
    expect(calls[2]!.type).toBe('threads.get_by_id');
    calls[2]!.give(thread('thr_1', [asked('1', 'a'), said('2', 'b')]));
    await again;
    expect(texts()).toEqual(['a', 'b']);
    expect(chat.transcript.error.value).toBeNull();
  });

  test('a reload keeps what is on the screen until it is there', async () => {
    const { chat, calls, texts, settle } = setUp();
    const opening = chat.open('thr_1');
    await settle();
    calls[0]!.give(thread('thr_1', [said('1', 'a')]));
    await opening;
    const refreshing = chat.refresh();
    await settle();
    expect(texts()).toEqual(['a']);
    calls[1]!.give(thread('thr_1', [said('1', 'a'), said('2', 'b')]));
    await refreshing;
    expect(texts()).toEqual(['a', 'b']);
  });
});

describe('a page that was loaded again', () => {
  test.each([
    [new RequestError('This conversation does not exist.', { status: 404, forUser: true }), null, null],
    [new TypeError('Failed to fetch'), 'thr_1', translate('error.network')],
  ])('%s', async (error, threadId, words) => {
    const { chat, calls, settle } = setUp();
    const opening = chat.openFirst('thr_1', true);
    await settle();
    calls[0]!.fail(error);
    await opening;
    expect([chat.threadId.value, chat.transcript.error.value?.message ?? null]).toEqual([threadId, words]);
  });
});

describe('history', () => {
  async function withList() {
    const made = setUp();
    const showing = made.chat.showHistory();
    await made.settle();
    made.calls[0]!.give({ data: [{ id: 'thr_1', title: 'One', created_at: '' }, { id: 'thr_2', title: 'Two', created_at: '' }], has_more: false });
    await showing;
    return made;
  }

  test('a rename that fails is taken back and said', async () => {
    const { chat, calls, settle } = await withList();
    const renaming = chat.rename('thr_1', 'Uno');
    expect(chat.history.threads.value[0]?.title).toBe('Uno');
    await settle();
    calls[1]!.fail(new Error('x'));
    await renaming;
    expect(chat.history.threads.value[0]?.title).toBe('One');
    expect(chat.toast.value).toBe(translate('error.rename'));
  });

  test('deleting the open thread leads to a new chat, with the list still open', async () => {
    const { chat, calls, events, settle } = await withList();
    chat.threadId.value = 'thr_1';
    const removing = chat.remove('thr_1');
    await settle();
    calls[1]!.give({});
    await removing;
    expect(chat.threadId.value).toBeNull();
    expect(chat.historyOpen.value).toBe(true);
    expect(events('thread.change')).toEqual([{ threadId: null }]);
  });

  test('threads made meanwhile are in the list once', async () => {
    const { chat } = await withList();
    chat.history.note({ id: 'thr_3', title: null, created_at: '' });
    chat.history.note({ id: 'thr_3', title: 'Three', created_at: '' });
    expect(chat.history.threads.value.map(({ title }) => title)).toEqual(['Three', 'One', 'Two']);
  });

  const titles = (list: readonly { title?: string | null }[] | null): unknown => list?.map(({ title }) => title) ?? null;

  test('a deletion that fails puts back the one row, whatever happened to the others meanwhile', async () => {
    const { chat, calls, settle } = await withList();
    const removing = [chat.remove('thr_1'), chat.remove('thr_2')];
    chat.history.note({ id: 'thr_3', title: 'Three', created_at: '' });
    await settle();
    calls[2]!.give({});
    calls[1]!.fail(new Error('x'));
    await Promise.all(removing);
    expect(titles(chat.history.threads.value)).toEqual(['One', 'Three']);
  });

  test('a deletion that fails neither ends a search that began meanwhile nor brings one back', async () => {
    const { chat, calls, settle } = await withList();
    const before = chat.remove('thr_1');
    chat.history.found.value = [{ id: 'thr_2', title: 'Two', created_at: '' }];
    await settle();
    calls[1]!.fail(new Error('x'));
    await before;
    expect(titles(chat.history.found.value)).toEqual(['Two']);

    const during = chat.remove('thr_2');
    chat.history.found.value = null;
    await settle();
    calls[2]!.fail(new Error('x'));
    await during;
    expect(chat.history.found.value).toBeNull();
    expect(titles(chat.history.threads.value)).toEqual(['One', 'Two']);

    chat.history.found.value = [{ id: 'thr_2', title: 'Two', created_at: '' }];
    const found = chat.remove('thr_2');
    expect(titles(chat.history.found.value)).toEqual([]);
    await settle();
    calls[3]!.fail(new Error('x'));
    await found;
    expect(titles(chat.history.found.value)).toEqual(['Two']);
  });

  test('nothing of one person is listed for the next, not even what fails late', async () => {
    const { chat, calls, settle } = await withList();
    chat.history.found.value = [{ id: 'thr_2', title: 'Two', created_at: '' }];
    chat.history.moreFound.value = () => undefined;
    const failing = [chat.remove('thr_1'), chat.rename('thr_2', 'Dos')];
    await settle();
    chat.reset();
    expect(chat.history.moreFound.value).toBeNull();
    chat.history.note({ id: 'thr_9', title: 'Mine', created_at: '' });
    calls[1]!.fail(new Error('x'));
    calls[2]!.fail(new Error('x'));
    await Promise.all(failing);
    expect(titles(chat.history.threads.value)).toEqual(['Mine']);
    expect(chat.history.found.value).toBeNull();
    expect(chat.toast.value).toBeNull();
  });

  test('a list that stayed open is loaded for the next person', async () => {
    const { chat, calls, settle } = await withList();
    chat.reset();
    const loading = chat.refreshHistory();
    await settle();
    calls[1]!.give({ data: [{ id: 'thr_7', title: 'Seven', created_at: '' }], has_more: false });
    await loading;
    expect(titles(chat.history.threads.value)).toEqual(['Seven']);
    chat.hideHistory();
    await chat.refreshHistory();
    expect(calls).toHaveLength(2);
  });
});

test('feedback that fails takes back no other', async () => {
  const { chat, calls, settle } = setUp();
  chat.threadId.value = 'thr_1';
  const giving = [chat.giveFeedback('one', ['m1'], 'negative'), chat.giveFeedback('two', ['m2'], 'positive')];
  await settle();
  calls[1]!.give({});
  calls[0]!.fail(new Error('x'));
  await Promise.all(giving);
  expect(chat.feedback.value).toEqual({ two: 'positive' });
});

test('feedback that fails is taken back', async () => {
  const { chat, calls, settle } = setUp();
  chat.threadId.value = 'thr_1';
  const giving = chat.giveFeedback('turn', ['m1'], 'negative');
  expect(chat.feedback.value).toEqual({ turn: 'negative' });
  await settle();
  calls[0]!.fail(new Error('x'));
  await giving;
  expect(chat.feedback.value).toEqual({});
  expect(chat.toast.value).toBe(translate('error.feedback'));
});
