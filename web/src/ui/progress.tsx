/** The line that says what the assistant is doing until it has something to show. */
import { WifiOff } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import type { Entry } from '../store/transcript';
import { useUi } from './context';

export function Progress(): JSX.Element | null {
  const { chat, t } = useUi();
  const progress = chat.transcript.progress.value;
  const link = chat.turns.link.value;
  if (link !== 'steady') {
    return (
      <div class="progress">
        <Icon of={WifiOff} size={16} />
        <span>{t(`link.${link}`)}</span>
      </div>
    );
  }
  if (progress !== null) {
    return (
      <div class="progress">
        {progress.icon !== null && <Icon of={progress.icon} size={16} />}
        <span class="shimmer">{progress.text}</span>
      </div>
    );
  }
  if (chat.phase.value === 'tool') {
    return (
      <div class="progress">
        <span class="shimmer">{t('item.clientTool')}</span>
      </div>
    );
  }
  // Nothing of the answer is there yet, or the next of it is on its way: three dots instead of an empty place.
  const last = chat.transcript.turns.value.at(-1)?.entries.at(-1);
  if (!chat.isAnswering.value || (last !== undefined && !isBefore(last, (entry) => chat.transcript.entry(entry).value))) return null;
  return (
    <div class="dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  );
}

/** Whether something comes after this by itself: a question has an answer, and finished steps lead to one. */
function isBefore(last: Entry, now: (entry: Entry) => Entry): boolean {
  const { type } = last.item;
  // A message is not asked how it goes: each of its words would draw this again.
  return type === 'user_message' || ((type === 'workflow' || type === 'client_tool_call') && now(last).live !== true);
}
