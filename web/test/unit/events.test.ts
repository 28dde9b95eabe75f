/** Each event of a stream and each update of an item (S01–S12, U01–U10), alone: what it changes, and nothing else. */
import { describe, expect, test } from 'vitest';
import type { AssistantMessageItem, ItemUpdate, ThreadItem, ThreadStreamEvent } from '../../src/core/protocol';
import { EMPTY, addOptimistic, applyUpdate, reduce, type Transcript } from '../../src/store/transcript';

const at = { thread_id: 'thr_1', created_at: '2026-01-23T16:15:26' };
const message = (id: string, ...texts: string[]): AssistantMessageItem => ({ type: 'assistant_message', id, ...at, content: texts.map((text) => ({ type: 'output_text', text, annotations: [] })) });
const question = (id: string): ThreadItem => ({ type: 'user_message', id, ...at, content: [{ type: 'input_text', text: 'Hello' }], attachments: [], inference_options: {} });
const shown = ({ entries }: Transcript): string[] => entries.map(({ item, live }) => `${item.id}${live === true ? ' live' : ''}`);
const textOf = (item: ThreadItem): string[] => (item.type === 'assistant_message' ? item.content.map(({ text }) => text) : []);
const TWO: Transcript = [message('a', 'one'), message('b', 'two')].reduce<Transcript>((state, item) => reduce(state, { type: 'thread.item.done', item }), EMPTY);
const apply = (event: ThreadStreamEvent): Transcript => reduce(TWO, event);

describe('an event', () => {
  test('S01 thread.created is the thread, without its items', () => {
    const { thread, entries } = apply({ type: 'thread.created', thread: { id: 'thr_2', created_at: '2026-01-01', title: 'A title' } });
    expect(thread).toEqual({ id: 'thr_2', created_at: '2026-01-01', title: 'A title', status: { type: 'active' }, allowed_image_domains: null });
    expect(entries).toBe(TWO.entries);
  });

  test('S02 thread.updated changes title, status and the domains of images', () => {
    const thread = { id: 'thr_1', created_at: '', title: 'New', status: { type: 'locked' as const, reason: 'Waiting' }, allowed_image_domains: ['img.example'] };
    expect(apply({ type: 'thread.updated', thread }).thread).toEqual(thread);
  });

  test('S03 thread.item.added is an item that is being written', () => {
    expect(shown(apply({ type: 'thread.item.added', item: message('c') }))).toEqual(['a', 'b', 'c live']);
  });

  test('S04 thread.item.updated changes its item and no other', () => {
    const state = apply({ type: 'thread.item.updated', item_id: 'a', update: { type: 'assistant_message.content_part.text_delta', content_index: 0, delta: ' more' } });
    expect(state.entries.map(({ item }) => textOf(item))).toEqual([['one more'], ['two']]);
    expect(state.entries[1]).toBe(TWO.entries[1]);
  });

  test('S05 thread.item.done ends what was being written, and comes without an announcement too', () => {
    const added = apply({ type: 'thread.item.added', item: message('c') });
    expect(shown(reduce(added, { type: 'thread.item.done', item: message('c', 'three') }))).toEqual(['a', 'b', 'c']);
    expect(shown(apply({ type: 'thread.item.done', item: message('d', 'four') }))).toEqual(['a', 'b', 'd']);
  });

  test('S06 thread.item.removed takes the item away, and one that is not there changes nothing', () => {
    expect(shown(apply({ type: 'thread.item.removed', item_id: 'a' }))).toEqual(['b']);
    expect(shown(apply({ type: 'thread.item.removed', item_id: 'z' }))).toEqual(['a', 'b']);
  });

  test('S07 thread.item.replaced takes the same place, under the same key', () => {
    const state = apply({ type: 'thread.item.replaced', item: message('a', 'another') });
    expect(state.entries.map(({ key, item }) => [key, ...textOf(item)])).toEqual([['a', 'another'], ['b', 'two']]);
  });

  test('S08 stream_options say whether Stop is offered; without them it is', () => {
    expect(EMPTY.allowCancel).toBe(true);
    expect(apply({ type: 'stream_options', stream_options: { allow_cancel: false } }).allowCancel).toBe(false);
  });

  test('S09 progress_update is one line, which the next item replaces', () => {
    const state = apply({ type: 'progress_update', icon: 'search', text: 'Looking' });
    expect(state.progress).toEqual({ text: 'Looking', icon: 'search' });
    expect(reduce(state, { type: 'progress_update', text: 'Reading' }).progress).toEqual({ text: 'Reading', icon: null });
    expect(reduce(state, { type: 'thread.item.added', item: message('c') }).progress).toBeNull();
  });

  test('S10 client_effect leaves the conversation as it is', () => {
    expect(apply({ type: 'client_effect', name: 'confetti', data: {} })).toBe(TWO);
  });

  test('S11 error is said in its words where it is meant for people, and may offer another attempt', () => {
    expect(apply({ type: 'error', code: 'custom', message: 'Out of credit.', allow_retry: true }).error).toEqual({ message: 'Out of credit.', allowRetry: true });
    expect(apply({ type: 'error', code: 'stream.error', message: 'Traceback' }).error).toEqual({ message: null, allowRetry: false });
  });

  test('S12 notice stands after what was last said, beside earlier ones', () => {
    const first = apply({ type: 'notice', level: 'info', message: 'one' });
    const state = reduce(first, { type: 'notice', level: 'danger', title: 'T', message: 'two' });
    expect(state.notices.map(({ after, event }) => [after, event.level, event.message])).toEqual([['b', 'info', 'one'], ['b', 'danger', 'two']]);
  });
});

describe('an update', () => {
  const update = (item: ThreadItem, ...updates: ItemUpdate[]): ThreadItem => updates.reduce(applyUpdate, item);
  const part = (text: string) => ({ type: 'output_text' as const, text, annotations: [] });

  test('U01 content_part.added sets a part, and fills up to its index', () => {
    expect(textOf(update(message('m'), { type: 'assistant_message.content_part.added', content_index: 1, content: part('x') }))).toEqual(['', 'x']);
  });

  test('U02 content_part.text_delta appends to its part alone', () => {
    expect(textOf(update(message('m', 'a', 'b'), { type: 'assistant_message.content_part.text_delta', content_index: 1, delta: '!' }))).toEqual(['a', 'b!']);
  });

  test('U04 content_part.done replaces its part', () => {
    expect(textOf(update(message('m', 'hal'), { type: 'assistant_message.content_part.done', content_index: 0, content: part('whole') }))).toEqual(['whole']);
  });
});

describe('an item', () => {
  const done = (item: ThreadItem): string[] => shown(apply({ type: 'thread.item.done', item }));

  test('I01 user_message takes the place of the one that is being sent', () => {
    const sent = addOptimistic(EMPTY, question('local'));
    const state = reduce(sent, { type: 'thread.item.done', item: question('msg_1') });
    expect(state.entries.map(({ key, item, optimistic }) => [key, item.id, optimistic])).toEqual([['local', 'msg_1', undefined]]);
  });

  test('I09 end_of_turn is kept, and takes no sign of progress away', () => {
    const busy = apply({ type: 'progress_update', text: 'Looking' });
    expect(reduce(busy, { type: 'thread.item.done', item: { type: 'end_of_turn', id: 'e', ...at } }).progress).not.toBeNull();
    expect(done({ type: 'end_of_turn', id: 'e', ...at })).toEqual(['a', 'b', 'e']);
  });

  test('I10 hidden_context_item is never shown', () => {
    expect(done({ type: 'hidden_context_item', id: 'h', ...at })).toEqual(['a', 'b']);
  });

  test('I11 sdk_hidden_context is never shown', () => {
    expect(done({ type: 'sdk_hidden_context', id: 'h', ...at })).toEqual(['a', 'b']);
  });
});
