/** The messages that wait for the answer before them, each with a way to take it back. */
import { Clock3, Undo2 } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import type { Entry } from '../store/transcript';
import { useUi } from './context';

export function Queued(): JSX.Element | null {
  const { chat, t } = useUi();
  const entries = chat.transcript.queued.value;
  if (entries.length === 0) return null;
  return (
    <ul class="queued" aria-label={t('queue.label')}>
      {entries.map((entry) => (
        <QueuedMessage key={entry.key} entry={entry} />
      ))}
    </ul>
  );
}

function QueuedMessage({ entry: { key, item, optimistic } }: { readonly entry: Entry }): JSX.Element | null {
  const { chat, focusRequests, t } = useUi();
  const row = useRef<HTMLLIElement>(null);
  // Whoever has just written it wants to see where it went.
  useLayoutEffect(() => {
    if (optimistic === true) row.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  if (item.type !== 'user_message') return null;
  const text = item.content.map((part) => part.text).join('');
  const words = text === '' ? (item.attachments ?? []).map(({ name }) => name).join(', ') : text;
  const takeBack = (): void => {
    void chat.turns.takeBack(key);
    // The button goes with the message; the text may be on its way to the field.
    focusRequests.value += 1;
  };
  return (
    <li ref={row} class="user-message">
      <div class="bubble" dir="auto">{words}</div>
      <div class="queued-state">
        <Icon of={Clock3} size={14} />
        <span>{t('queue.state')}</span>
        {/* Before the server has it, there is nothing to take back. */}
        <button type="button" class="button" aria-label={t('queue.takeBackThis', { text: words })} disabled={optimistic === true} onClick={takeBack}>
          <Icon of={Undo2} size={14} />
          {t('queue.takeBack')}
        </button>
      </div>
    </li>
  );
}
