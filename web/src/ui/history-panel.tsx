/** The list of conversations by day, with rename in place and delete after a question. */
import { Check, MessageSquareText, Pencil, Trash2, X } from 'lucide';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ThreadMetadata } from '../core/protocol';
import { dayLabel } from '../i18n/translate';
import { Icon } from '../icons/icon';
import { useLocale, useOptions, useUi } from './context';

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
            <div class="notice-text">{history.problem.value}</div>
            <button type="button" class="button" onClick={() => void chat.showHistory()}>
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
  const past = history.showExport ? parts.past.part.value : null;
  const mode = useSignal<'show' | 'rename' | 'delete' | 'export'>('show');
  const open = useRef<HTMLButtonElement>(null);
  const back = (): void => {
    mode.value = 'show';
    // The control that had the focus is gone; the row it belonged to takes it.
    setTimeout(() => open.current?.focus({ preventScroll: true }), 0);
  };
  const title = thread.title ?? t('header.new');
  if (mode.value === 'rename') {
    return (
      <li class="history-row">
        <RenameForm thread={thread} onDone={back} />
        {/* Its room, so that the title stays where it is. */}
        {past !== null && (
          <span class="unseen">
            <past.ExportButton title={title} onClick={back} />
          </span>
        )}
      </li>
    );
  }
  if (mode.value === 'delete') {
    return (
      <li class="history-row">
        <DeleteQuestion thread={thread} title={title} onCancel={back} />
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
      {past !== null && <past.ExportButton title={title} onClick={() => (mode.value = 'export')} />}
      {history.showRename && (
        <button type="button" class="icon-button small" aria-label={`${t('history.rename')}: ${title}`} onClick={() => (mode.value = 'rename')}>
          <Icon of={Pencil} size={15} />
        </button>
      )}
      {history.showDelete && (
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

/** The careful answer has the focus, so that Enter deletes nothing by accident. */
function DeleteQuestion({ thread, title, onCancel }: { readonly thread: ThreadMetadata; readonly title: string; readonly onCancel: () => void }): JSX.Element {
  const { chat, id, t } = useUi();
  const cancel = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => cancel.current?.focus({ preventScroll: true }), []);
  const question = `${id}-delete`;
  return (
    <div
      class="question"
      role="alertdialog"
      aria-labelledby={question}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onCancel();
      }}
    >
      <span id={question} dir="auto">
        {t('history.deleteQuestion', { title })}
      </span>
      <span class="row-buttons">
        <button ref={cancel} type="button" class="button" onClick={onCancel}>
          {t('action.cancel')}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={(event) => {
            event.currentTarget.closest<HTMLElement>('.history')?.focus({ preventScroll: true });
            void chat.remove(thread.id);
          }}
        >
          {t('action.delete')}
        </button>
      </span>
    </div>
  );
}

function RenameForm({ thread, onDone }: { readonly thread: ThreadMetadata; readonly onDone: () => void }): JSX.Element {
  const { chat, t } = useUi();
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.select();
  }, []);
  const save = (event: Event): void => {
    event.preventDefault();
    const title = input.current?.value.trim() ?? '';
    onDone();
    if (title !== '' && title !== thread.title) void chat.rename(thread.id, title);
  };
  return (
    <form class="rename" onSubmit={save}>
      <input
        ref={input}
        class="field"
        dir="auto"
        aria-label={t('history.renameTitle')}
        defaultValue={thread.title ?? ''}
        maxLength={200}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          onDone();
        }}
      />
      <button type="submit" class="icon-button small" aria-label={t('action.save')}>
        <Icon of={Check} size={15} />
      </button>
      <button type="button" class="icon-button small" aria-label={t('action.cancel')} onClick={onDone}>
        <Icon of={X} size={15} />
      </button>
    </form>
  );
}
