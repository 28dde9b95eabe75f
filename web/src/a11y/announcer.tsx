/**
 * Tells screen readers what happens, apart from the transcript: a live region per token would make a
 * chat unusable, so one sentence says that an answer is coming and the whole answer follows once.
 */
import { useSignal, useSignalEffect } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { useUi, type Ui } from '../ui/context';
import { summaryOf } from '../ui/items/workflow';

/** Longer answers are announced by their beginning; the transcript has all of it. */
const MAX_ANNOUNCED = 1500;

/** Speaks without a node that holds the text a second time; not in every engine yet. */
type Notifying = HTMLElement & { ariaNotify?: (text: string) => void };

export function Announcer(): JSX.Element {
  const ui = useUi();
  const { chat } = ui;
  const polite = useSignal('');
  const wasAnswering = useRef(false);
  const lost = useRef(false);
  const wasStopping = useRef(false);
  const region = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    const { t } = ui;
    const answering = chat.isAnswering.value;
    const progress = chat.transcript.progress.value;
    const link = chat.turns.link.value;
    const stopping = chat.turns.isStopping.value;
    if (answering) {
      wasAnswering.current = true;
      if (link !== 'steady') polite.value = t(`link.${link}`);
      else if (stopping) polite.value = t('announce.stopping');
      else if (lost.current) polite.value = t('announce.back');
      else polite.value = progress?.text ?? stepOf(ui) ?? t('announce.responding');
      lost.current = link !== 'steady';
      wasStopping.current = stopping;
      return;
    }
    if (!wasAnswering.current) return;
    wasAnswering.current = false;
    lost.current = false;
    if (wasStopping.current) {
      wasStopping.current = false;
      polite.value = t(chat.transcript.cut.peek()?.why === 'stoppedEarly' ? 'cut.stoppedEarly' : 'announce.stopped');
      return;
    }
    const last = chat.transcript.state.entries.findLast(({ item }) => item.type === 'assistant_message')?.item;
    const text = last?.type === 'assistant_message' ? last.content.map((part) => part.text).join(' ') : '';
    const said = text === '' ? t('announce.done') : `${t('message.assistant')} ${text.slice(0, MAX_ANNOUNCED)}`;
    const words = chat.questions.peek() === null ? said : `${said} ${t('structured.asked')}`;
    const target: Notifying | null = region.current;
    if (target?.ariaNotify === undefined) polite.value = words;
    else {
      polite.value = '';
      target.ariaNotify(words);
    }
  });
  return (
    <div ref={region} class="visually-hidden" aria-live="polite" role="status">
      {polite.value}
    </div>
  );
}

/** What the assistant does at the moment, in the words of the step on the screen; said when it changes. */
function stepOf({ chat, t, language }: Ui): string | null {
  const last = chat.transcript.turns.value.at(-1)?.entries.at(-1);
  // A message is not looked into here: each of its words would be a reason to look again.
  if (last?.item.type !== 'workflow') return null;
  const { item, live } = chat.transcript.entry(last).value;
  return item.type === 'workflow' && live === true ? summaryOf(item.workflow, true, t, language.value.format) : null;
}
