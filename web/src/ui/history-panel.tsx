/** The list of conversations by day. What is done with one beyond opening it is in `past/`. */
import { CircleAlert, MessageSquareText, Pencil, RotateCcw, Trash2 } from 'lucide';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ThreadMetadata } from '../core/protocol';
import { dayLabel } from '../i18n/translate';
import { Icon } from '../icons/icon';
import { useLocale, useOptions, useUi } from './context';
import { SignIn } from './sign-in';

export function HistoryPanel(): JSX.Element {
  const { chat, t, parts } = useUi();
  const locale = useLocale();
  const panel = useRef<HTMLDivElement>(null);
  const { history } = chat;
  const { found, status, hasMore } = history;
  const threads = found.value ?? history.threads.value;
  const more = found.value !== null ? history.moreFound.value : hasMore.value ? () => void chat.moreHistory() : null;
  // Only our own server can search.
  const { part, hasFailed, want } = parts.past;
  const Search = part.value?.HistorySearch;
  const hasSearch = history.client.resumes && !hasFailed.value;
  useEffect(want, []);
  useLayoutEffect(() => panel.current?.focus({ preventScroll: true }), []);

  const groups: { day: string; threads: ThreadMetadata[] }[] = [];
  for (const thread of threads) {
    const day = dayLabel(thread.created_at, new Date(), locale, t);
    const current = groups.at(-1);
    if (current?.day === day) current.threads.push(thread);
    else groups.push({ day, threads: [thread] });
  }
  return (
    <div
      ref={panel}
      class={chat.isHistoryBeside.value ? 'history beside' : 'history'}
      role="region"
      aria-label={t('history.title')}
      part="history"
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key === 'Escape') chat.hideHistory();
      }}
    >
      <div class="history-inner">
        {hasSearch && (Search === undefined ? <div class="search-room" /> : <Search key={history.partner} />)}
        {groups.map(({ day, threads: list }) => (
          <section key={day} class="history-group" aria-label={day}>
            <h3>{day}</h3>
            <ul>
              {list.map((thread) => (
                <Row key={thread.id} thread={thread} />
              ))}
            </ul>
          </section>
        ))}
        {threads.length === 0 && status.value === 'loading' && <Skeletons />}
        {threads.length === 0 && status.value === 'idle' && found.value === null && (
          <div class="history-empty">
            <Icon of={MessageSquareText} size={28} />
            <strong>{t('history.empty')}</strong>
            <span>{t('history.emptyHint')}</span>
          </div>
        )}
        {status.value === 'failed' && (
          <div class="notice danger" role="alert">
            <Icon of={CircleAlert} />
            <div class="notice-text">{history.problem.value.words}</div>
            <SignIn helps={history.problem.value.signIn} />
            <button type="button" class="button" onClick={() => void chat.showHistory()}>
              <Icon of={RotateCcw} size={15} />
              {t('action.retry')}
            </button>
          </div>
        )}
        {more !== null && (
          <button type="button" class="button wide" aria-disabled={status.value === 'loading'} onClick={more}>
            {t('history.more')}
          </button>
        )}
      </div>
    </div>
  );
}

function Skeletons(): JSX.Element {
  return (
    <div aria-hidden="true">
      {[70, 45, 60, 38].map((_, index) => (
        <div key={index} class={`skeleton w${index}`} />
      ))}
    </div>
  );
}

function Row({ thread }: { readonly thread: ThreadMetadata }): JSX.Element {
  const { chat, t, parts } = useUi();
  const { history } = useOptions();
  const { part, hasFailed } = parts.past;
  const past = part.value;
  const Export = history.showExport ? past?.ExportButton : undefined;
  const mode = useSignal<'show' | 'rename' | 'delete' | 'export'>('show');
  const open = useRef<HTMLButtonElement>(null);
  const back = (): void => {
    mode.value = 'show';
    // The control that had the focus is gone; the row it belonged to takes it.
    setTimeout(() => open.current?.focus({ preventScroll: true }), 0);
  };
  const title = thread.title ?? t('header.new');
  if (mode.value === 'rename' && past !== null) {
    return (
      <li class="history-row">
        <past.RenameForm thread={thread} onDone={back} />
        {/* Its room, so that the title stays where it is. */}
        {Export !== undefined && (
          <span class="unseen">
            <Export title={title} onClick={back} />
          </span>
        )}
      </li>
    );
  }
  if (mode.value === 'delete' && past !== null) {
    return (
      <li class="history-row">
        <past.DeleteQuestion thread={thread} title={title} onCancel={back} />
      </li>
    );
  }
  if (mode.value === 'export' && past !== null) {
    return (
      <li class="history-row">
        <past.ExportChoice thread={thread} title={title} onDone={back} />
      </li>
    );
  }
  const current = chat.threadId.value === thread.id;
  return (
    <li class={current ? 'history-row current' : 'history-row'}>
      <button ref={open} type="button" class="history-open" dir="auto" aria-current={current ? 'true' : undefined} onClick={() => openThread()}>
        {title}
      </button>
      {Export !== undefined && <Export title={title} onClick={() => (mode.value = 'export')} />}
      {history.showRename && !hasFailed.value && (
        <button type="button" class="icon-button small" aria-label={`${t('history.rename')}: ${title}`} onClick={() => (mode.value = 'rename')}>
          <Icon of={Pencil} size={15} />
        </button>
      )}
      {history.showDelete && !hasFailed.value && (
        <button type="button" class="icon-button small" aria-label={`${t('action.delete')}: ${title}`} onClick={() => (mode.value = 'delete')}>
          <Icon of={Trash2} size={15} />
        </button>
      )}
    </li>
  );

  function openThread(): void {
    if (current && chat.transcript.error.value === null) chat.uncover();
    else void chat.open(thread.id);
  }
}
