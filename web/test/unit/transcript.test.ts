/** Event traces through the reducer, as a server sends them, and what becomes of the thread. */
import { describe, expect, test } from 'vitest';
import type { AssistantMessageItem, ItemUpdate, ThreadItem, ThreadStreamEvent, WidgetItem, WorkflowItem } from '../../src/core/protocol';
import { TranscriptSignals } from '../../src/store/signals';
import { EMPTY, addOptimistic, applyUpdate, endTurn, loaded, prependItems, reduce, truncateAfter, type Transcript } from '../../src/store/transcript';

const THREAD = { id: 'thr_1', title: null, created_at: '2026-01-23T16:15:25.515839', status: { type: 'active' as const } };
const at = { thread_id: 'thr_1', created_at: '2026-01-23T16:15:26' };
const user = (id: string, text: string): ThreadItem => ({ type: 'user_message', id, ...at, content: [{ type: 'input_text', text }], attachments: [], inference_options: {} });
const assistant = (id: string, text = ''): AssistantMessageItem => ({
  type: 'assistant_message', id, ...at, content: text === '' ? [] : [{ type: 'output_text', text, annotations: [] }],
});
const delta = (id: string, text: string, index = 0): ThreadStreamEvent => ({
  type: 'thread.item.updated', item_id: id, update: { type: 'assistant_message.content_part.text_delta', content_index: index, delta: text },
});
const run = (events: ThreadStreamEvent[], from: Transcript = EMPTY): Transcript => events.reduce(reduce, from);
const texts = (state: Transcript): string[] =>
  state.entries.map(({ item }) => (item.type === 'assistant_message' || item.type === 'user_message' ? item.content.map(({ text }) => text).join('|') : item.type));

describe('a first message', () => {
  const events: ThreadStreamEvent[] = [
    { type: 'thread.created', thread: THREAD },
    { type: 'thread.item.done', item: user('msg_1', 'Hello') },
    { type: 'stream_options', stream_options: { allow_cancel: true } },
    { type: 'progress_update', icon: 'search', text: 'Looking' },
    { type: 'thread.item.added', item: assistant('msg_2') },
    { type: 'thread.item.updated', item_id: 'msg_2', update: { type: 'assistant_message.content_part.added', content_index: 0, content: { type: 'output_text', text: '', annotations: [] } } },
    delta('msg_2', 'Good '),
    delta('msg_2', 'day'),
    { type: 'thread.item.done', item: assistant('msg_2', 'Good day.') },
    { type: 'thread.updated', thread: { ...THREAD, title: 'Greetings' } },
  ];

  test('ends in a thread with two messages', () => {
    const state = endTurn(run(events));
    expect(texts(state)).toEqual(['Hello', 'Good day.']);
    expect(state.thread).toMatchObject({ id: 'thr_1', title: 'Greetings' });
    expect(state.progress).toBeNull();
    expect(state.entries.every(({ live }) => live === undefined)).toBe(true);
  });

  test('shows progress until there is something to read, and marks what is being written', () => {
    expect(run(events.slice(0, 4)).progress).toEqual({ text: 'Looking', icon: 'search' });
    const writing = run(events.slice(0, 8));
    expect(writing.progress).toBeNull();
    expect(writing.entries[1]?.live).toBe(true);
    expect(texts(writing)[1]).toBe('Good day');
  });

  test('takes the place of the message shown while it was being sent, and keeps its key', () => {
    const state = run(events, addOptimistic(EMPTY, user('local_1', 'Hello')));
    expect(state.entries.map(({ key, item }) => [key, item.id])).toEqual([['local_1', 'msg_1'], ['msg_2', 'msg_2']]);
    expect(state.entries[0]?.optimistic).toBeUndefined();
  });
});

describe('what servers get wrong', () => {
  test('a delta for an item nobody announced makes the item', () => {
    const state = run([{ type: 'thread.created', thread: THREAD }, delta('msg_9', 'surprise')]);
    expect(texts(state)).toEqual(['surprise']);
    expect(state.entries[0]?.live).toBe(true);
  });

  test('a gap in the content indices is filled', () => {
    expect(texts(run([{ type: 'thread.item.added', item: assistant('m') }, delta('m', 'third', 2)]))).toEqual(['||third']);
  });

  test.each([-1, 1e9, Number.NaN])('index %d changes nothing', (index) => {
    const item = assistant('m', 'same');
    expect(applyUpdate(item, { type: 'assistant_message.content_part.text_delta', content_index: index, delta: 'x' })).toBe(item);
  });

  test('an update that does not fit the item changes nothing', () => {
    const item = user('m', 'same');
    expect(applyUpdate(item, { type: 'workflow.task.added', task_index: 0, task: { type: 'image' } })).toBe(item);
    expect(applyUpdate(item, { type: 'update.of.the.future' } as unknown as ItemUpdate)).toBe(item);
  });

  test('the same item twice is one item', () => {
    const state = run([{ type: 'thread.item.done', item: assistant('m', 'a') }, { type: 'thread.item.done', item: assistant('m', 'b') }]);
    expect(texts(state)).toEqual(['b']);
  });

  test('hidden items never show', () => {
    const hidden: ThreadItem = { type: 'sdk_hidden_context', id: 'h', ...at };
    expect(run([{ type: 'thread.item.done', item: hidden }]).entries).toEqual([]);
    expect(loaded(EMPTY, THREAD, [hidden, user('u', 'x')]).entries).toHaveLength(1);
  });

  test('missing optional fields get their defaults', () => {
    const { thread } = run([{ type: 'thread.created', thread: { id: 't', created_at: '' } }]);
    expect(thread).toEqual({ id: 't', created_at: '', title: null, status: { type: 'active' }, allowed_image_domains: null });
  });
});

describe('updates', () => {
  const annotation = (title: string) => ({ type: 'annotation' as const, source: { type: 'url' as const, title, url: 'https://x.example' } });

  test('annotations go to their index or to the end', () => {
    let item: ThreadItem = assistant('m', 'text');
    for (const [index, title] of [[0, 'a'], [5, 'b'], [0, 'c']] as const) {
      item = applyUpdate(item, { type: 'assistant_message.content_part.annotation_added', content_index: 0, annotation_index: index, annotation: annotation(title) });
    }
    expect((item as AssistantMessageItem).content[0]?.annotations?.map(({ source }) => source.title)).toEqual(['c', 'b']);
  });

  test('tasks are inserted and replaced', () => {
    let item: ThreadItem = { type: 'workflow', id: 'w', ...at, workflow: { type: 'custom', tasks: [] } };
    item = applyUpdate(item, { type: 'workflow.task.added', task_index: 0, task: { type: 'custom', title: 'second' } });
    item = applyUpdate(item, { type: 'workflow.task.added', task_index: 0, task: { type: 'custom', title: 'first' } });
    item = applyUpdate(item, { type: 'workflow.task.updated', task_index: 1, task: { type: 'custom', title: 'SECOND' } });
    expect((item as WorkflowItem).workflow.tasks.map(({ title }) => title)).toEqual(['first', 'SECOND']);
  });

  test('widget text and nodes change by id, at any depth', () => {
    let item: ThreadItem = { type: 'widget', id: 'w', ...at, widget: { type: 'Card', children: [{ type: 'Box', children: [{ type: 'Text', id: 't', value: 'He' }] }] } };
    item = applyUpdate(item, { type: 'widget.streaming_text.value_delta', component_id: 't', delta: 'llo', done: true });
    expect(JSON.stringify((item as WidgetItem).widget)).toContain('"value":"Hello"');
    item = applyUpdate(item, { type: 'widget.component.updated', component_id: 't', component: { type: 'Title', id: 't', value: 'New' } });
    expect(JSON.stringify((item as WidgetItem).widget)).toContain('Title');
    item = applyUpdate(item, { type: 'widget.root.updated', widget: { type: 'Card' } });
    expect((item as WidgetItem).widget).toEqual({ type: 'Card' });
  });

  test('images show their progress', () => {
    const item: ThreadItem = { type: 'generated_image', id: 'g', ...at };
    expect(applyUpdate(item, { type: 'generated_image.updated', image: { id: 'i', url: 'https://x' }, progress: 0.5 })).toMatchObject({ progress: 0.5 });
  });
});

describe('errors and notices', () => {
  test('only messages meant for people are shown', () => {
    expect(reduce(EMPTY, { type: 'error', code: 'custom', message: 'Out of credit.', allow_retry: true }).error).toEqual({ message: 'Out of credit.', allowRetry: true });
    expect(reduce(EMPTY, { type: 'error', code: 'stream.error', message: 'Traceback…' }).error).toEqual({ message: null, allowRetry: false });
  });

  test('a new message clears them', () => {
    const failed = run([{ type: 'error' }, { type: 'notice', level: 'info', message: 'x' }]);
    expect(addOptimistic(failed, user('u', 'again'))).toMatchObject({ error: null, notices: [] });
  });
});

describe('pages', () => {
  test('older items go first, each once', () => {
    const state = loaded(EMPTY, THREAD, [user('c', 'c'), user('d', 'd')]);
    expect(texts(prependItems(state, [user('a', 'a'), user('b', 'b'), user('c', 'c')]))).toEqual(['a', 'b', 'c', 'd']);
  });

  test('loading again keeps the keys of what is on the screen', () => {
    const sent = run([{ type: 'thread.item.done', item: user('msg_1', 'x') }], addOptimistic(EMPTY, user('local_1', 'x')));
    expect(loaded(sent, THREAD, [user('msg_1', 'x')]).entries[0]?.key).toBe('local_1');
  });

  test('what failed stays said where it happened, when the conversation goes on', () => {
    const asked = addOptimistic(run([{ type: 'thread.created', thread: THREAD }]), user('temp_1', 'one'));
    const failed = endTurn(run([{ type: 'thread.item.done', item: user('msg_1', 'one') }, { type: 'error', message: 'No.' }], asked));
    const next = addOptimistic(failed, user('temp_2', 'two'));
    expect(next.error).toBeNull();
    expect(next.past).toEqual([{ after: 'temp_1', error: { message: 'No.', allowRetry: false }, cut: null }]);
    expect(truncateAfter(next, 'msg_1').past).toEqual([]);
    const items = [user('msg_1', 'one'), user('msg_2', 'two')];
    expect(loaded(run([{ type: 'thread.item.done', item: user('msg_2', 'two') }], next), THREAD, items).past).toEqual(next.past);
    expect(loaded(next, { ...THREAD, id: 'thr_2' }, [user('msg_9', 'else')]).past).toEqual([]);
  });

  test('a load that failed is nothing to keep', () => {
    const state = { ...run([{ type: 'thread.item.done', item: user('msg_1', 'one') }]), error: { message: 'No.', allowRetry: true, ofLoad: true as const } };
    expect(addOptimistic(state, user('temp_2', 'two'))).toMatchObject({ error: null, past: [] });
  });

  test('the message that was just sent is acknowledged, not one that failed before', () => {
    const asked = addOptimistic(addOptimistic(EMPTY, user('temp_1', 'one')), user('temp_2', 'two'));
    expect(texts(run([{ type: 'thread.item.done', item: user('msg_2', 'two') }], asked))).toEqual(['one', 'two']);
  });

  test('a retry removes what came after the message', () => {
    const state = loaded(EMPTY, THREAD, [user('u', 'q'), assistant('m', 'a')]);
    expect(texts(truncateAfter(state, 'u'))).toEqual(['q']);
    expect(truncateAfter(state, 'missing')).toBe(state);
  });
});

test('one more word touches one signal and no list', () => {
  const signals = new TranscriptSignals();
  signals.set(run([{ type: 'thread.item.done', item: user('u', 'q') }, { type: 'thread.item.added', item: assistant('m') }]));
  const [question, answer] = signals.turns.value[0]!.entries.map((entry) => signals.entry(entry));
  const turns = signals.turns.value;
  const before = question!.value;
  signals.set(reduce(signals.state, delta('m', 'word')));
  expect(signals.turns.value).toBe(turns);
  expect(question!.value).toBe(before);
  expect((answer!.value.item as AssistantMessageItem).content[0]?.text).toBe('word');
});
