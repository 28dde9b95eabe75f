/** Actions and answers to questions that overlap with what else happens: nothing late lands in the wrong place. */
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../src/core/errors';
import type { StructuredInputItem, ThreadItem, WidgetItem } from '../../src/core/protocol';
import { readAction, type DeclaredAction } from '../../src/store/widget-actions';
import { translate } from '../../src/i18n/translate';
import { asked, at, created, message, said, setUp } from './fake-client';

const widget: WidgetItem = { type: 'widget', id: 'w1', ...at, widget: { type: 'Card', children: [] } };
const questions: StructuredInputItem = { type: 'structured_input', id: 's1', ...at, status: 'pending', inputs: [{ type: 'freeform', id: 'q', question: 'Why?' }] };
const action = (more: object = {}): DeclaredAction => readAction({ type: 'save', payload: { id: 1 }, ...more })!;

/** A thread with an item after its first message, idle. */
async function withItem(item: ThreadItem) {
  const set = setUp();
  const first = set.chat.send(message('one'));
  await set.settle();
  set.calls[0]!.give([created('thr_1'), { type: 'thread.item.done', item: asked('m1', 'one') }, { type: 'thread.item.done', item }]);
  set.calls[0]!.end();
  await first;
  return set;
}

describe('an action of a widget', () => {
  test('X08 of an item that is not there any more goes nowhere', async () => {
    const { chat, calls, settle } = await withItem(widget);
    await chat.actions.run({ ...widget, id: 'gone' }, action());
    await settle();
    expect(calls).toHaveLength(1);
  });

  test('X04 Q07 without a stream: its answer takes the place of the item, and nothing in another thread', async () => {
    const { chat, calls, settle } = await withItem(widget);
    const run = chat.actions.run(widget, action({ streaming: false }));
    await settle();
    expect(calls[1]).toMatchObject({ type: 'threads.sync_custom_action', params: { thread_id: 'thr_1', item_id: 'w1', action: { type: 'save', payload: { id: 1 } } } });
    calls[1]!.give({ updated_item: { ...widget, widget: { type: 'Card', children: [], collapsed: true } } });
    await run;
    expect(chat.transcript.state.entries.at(-1)?.item).toMatchObject({ id: 'w1', widget: { collapsed: true } });

    const late = chat.actions.run(widget, action({ streaming: false }));
    await settle();
    await chat.open(null);
    calls[2]!.give({ updated_item: widget });
    await late;
    expect(chat.transcript.state.entries).toEqual([]);
  });

  test('X04 with a stream, while an answer runs, is refused in words and keeps the answer', async () => {
    const { chat, calls, settle } = await withItem(widget);
    void chat.send(message('two'));
    await settle();
    await chat.actions.run(widget, action());
    expect(calls).toHaveLength(2);
    expect(chat.toast.value).toBe(translate('action.busy'));
    expect(chat.phase.value).toBe('sending');
  });

  test('X01 for the page gets a plain action; what the page throws is said in its words', async () => {
    const { chat, widgetAction, events } = await withItem(widget);
    widgetAction.mockRejectedValueOnce(new Error('Not in stock.'));
    await chat.actions.run(widget, action({ handler: 'client' }));
    expect(widgetAction).toHaveBeenCalledWith({ type: 'save', payload: { id: 1 } }, { id: 'w1', widget: widget.widget });
    expect(chat.toast.value).toBe('Not in stock.');
    expect(events('error')).toHaveLength(1);
  });

  test('that fails is tried again as itself: the same request where nothing was answered, another one where something was', async () => {
    const { chat, calls, settle } = await withItem(widget);
    const run = chat.actions.run(widget, action());
    await settle();
    calls[1]!.fail(new RequestError('busy', { status: 500 }));
    await run;
    expect(chat.transcript.error.value?.allowRetry).toBe(true);
    const again = chat.retryFailed();
    await settle();
    expect(calls[2]).toMatchObject({ type: 'threads.custom_action', key: calls[1]!.key });
    expect(chat.transcript.error.value).toBeNull();
    calls[2]!.give([{ type: 'error', code: 'custom', message: 'No.', allow_retry: true }]);
    calls[2]!.end();
    await again;
    void chat.retryFailed();
    await settle();
    expect(calls[3]?.type).toBe('threads.custom_action');
    expect(calls[3]?.key).not.toBe(calls[2]!.key);
  });
});

describe('I06 questions', () => {
  const answers = { q: { values: ['because'], skipped: false } };

  test('are open until the server goes on, and then hold what was answered', async () => {
    const { chat, calls, settle } = await withItem(questions);
    expect(chat.questions.value?.id).toBe('s1');
    const sent = chat.answerQuestions(questions, { status: 'answered', answers });
    await settle();
    expect(chat.questions.value?.id).toBe('s1');
    calls[1]!.give([{ type: 'thread.item.done', item: said('a1', 'I see.') }]);
    await settle();
    expect(chat.questions.value).toBeNull();
    calls[1]!.end();
    await sent;
    expect(chat.transcript.state.entries[1]?.item).toMatchObject({ status: 'answered', inputs: [{ answer: { values: ['because'] } }] });
  });

  test('that the server brings itself are as the server says', async () => {
    const { chat, calls, settle } = await withItem(questions);
    const sent = chat.answerQuestions(questions, { status: 'answered', answers });
    await settle();
    calls[1]!.give([{ type: 'thread.item.replaced', item: { ...questions, status: 'answered', inputs: [{ ...questions.inputs[0]!, answer: { values: ['as it says'] } }] } }]);
    await settle();
    calls[1]!.end();
    await sent;
    expect(chat.transcript.state.entries[1]?.item).toMatchObject({ inputs: [{ answer: { values: ['as it says'] } }] });
  });

  test('stay open where the server refuses the answers', async () => {
    const { chat, calls, settle } = await withItem(questions);
    const sent = chat.answerQuestions(questions, { status: 'skipped', answers: {} });
    await settle();
    calls[1]!.give([{ type: 'error', code: 'custom', message: 'Not now.', allow_retry: true }]);
    calls[1]!.end();
    await sent;
    expect(chat.questions.value?.id).toBe('s1');
  });

  test('of two forms are asked in their order', async () => {
    const { chat, calls, settle } = await withItem(questions);
    const sent = chat.answerQuestions(questions, { status: 'answered', answers });
    await settle();
    const answered: ThreadItem = { ...questions, status: 'answered', inputs: [{ ...questions.inputs[0]!, answer: { values: ['because'] } }] };
    calls[1]!.give([
      { type: 'thread.item.done', item: { ...questions, id: 's2' } },
      { type: 'thread.item.done', item: { ...questions, id: 's3' } },
      { type: 'thread.item.replaced', item: answered },
    ]);
    calls[1]!.end();
    await sent;
    expect(chat.questions.value?.id).toBe('s2');
  });

  test('are passed over by a later message', async () => {
    const { chat, settle } = await withItem(questions);
    void chat.send(message('never mind'));
    await settle();
    expect(chat.questions.value).toBeNull();
  });
});

test('Q16 what was said is written behind the draft', async () => {
  const { chat, calls, settle } = setUp();
  chat.draft.value = 'One ticket';
  const heard = chat.transcribe({ audio_base64: 'AA==', mime_type: 'audio/webm' });
  await settle();
  calls[0]!.give({ text: ' to Lisbon ' });
  await heard;
  expect(chat.draft.value).toBe('One ticket to Lisbon');
});
