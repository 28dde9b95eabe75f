/**
 * What one does with conversations of the past beyond opening them: finding one, giving it another title, taking it
 * along, deleting it. The entry of the part that the element loads when the history is opened; without it, the list is still there.
 */
import { useSignal } from '@preact/signals';
import { FileDown, Search, X } from 'lucide';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { asError } from '../core/errors';
import type { ThreadMetadata } from '../core/protocol';
import { Icon } from '../icons/icon';
import { useUi } from '../ui/context';
import { useSheet } from '../ui/sheet';
import { allItems, asJson, asMarkdown, fileName, type Exported } from './export';
import css from './past.css';

export { DeleteQuestion, RenameForm } from './row';

/** How long somebody may go on writing before the server is asked. */
const PAUSE_MS = 250;
const PAGE = 30;
const MAX_QUERY = 200;
/** A search ends where its time is over, with nothing found yet: so often it is told to go on by itself. */
const MAX_ROUNDS = 20;

/** A field that fills `history.found` while something stands in it. */
export function HistorySearch(): JSX.Element {
  const { chat, t } = useUi();
  const { history } = chat;
  const field = useRef<HTMLInputElement>(null);
  const query = useSignal('');
  const status = useSignal<'idle' | 'loading' | 'failed'>('idle');
  const problem = useSignal('');
  const asking = useRef<AbortController | null>(null);
  const timer = useRef(0);
  useSheet(field, css);

  const ask = async (after: string | null): Promise<void> => {
    asking.current?.abort();
    const own = new AbortController();
    asking.current = own;
    status.value = 'loading';
    try {
      let from = after;
      for (let round = 1; ; round += 1) {
        const params = { query: query.peek().trim(), limit: PAGE, ...(from === null ? {} : { after: from }) };
        const page = await history.client.request('threads.search', params, own.signal);
        if (asking.current !== own) return;
        const last = page.has_more ? (page.after ?? page.data.at(-1)?.id ?? null) : null;
        if (page.data.length === 0 && last !== null && last !== from && round < MAX_ROUNDS) {
          from = last;
          continue;
        }
        history.found.value = after === null ? page.data : [...(history.found.peek() ?? []), ...page.data];
        history.moreFound.value = last === null ? null : () => void ask(last);
        break;
      }
      status.value = 'idle';
    } catch (error) {
      if (asking.current !== own) return;
      await chat.quietly('error.history', Promise.reject(asError(error)), (words) => {
        problem.value = words;
        status.value = 'failed';
        history.found.value ??= [];
      });
    }
  };
  const forget = (): void => {
    clearTimeout(timer.current);
    asking.current?.abort();
    asking.current = null;
    history.found.value = null;
    history.moreFound.value = null;
    status.value = 'idle';
  };
  const write = (text: string): void => {
    query.value = text;
    clearTimeout(timer.current);
    if (text.trim() === '') forget();
    else timer.current = window.setTimeout(() => void ask(null), PAUSE_MS);
  };
  useEffect(() => forget, []);

  const found = history.found.value;
  const isEmpty = found?.length === 0 && status.value === 'idle';
  return (
    <div class="past-search" role="search">
      <div class="past-field">
        <Icon of={Search} size={16} />
        <input
          ref={field}
          type="search"
          dir="auto"
          enterkeyhint="search"
          aria-label={t('widget.search')}
          placeholder={t('widget.search')}
          maxLength={MAX_QUERY}
          value={query.value}
          onInput={({ currentTarget }) => write(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && query.value !== '') {
              // The first Escape takes back the search, the next one closes the history.
              event.stopPropagation();
              event.preventDefault();
              write('');
            } else if (event.key === 'ArrowDown') {
              event.preventDefault();
              event.currentTarget.closest('.history')?.querySelector<HTMLElement>('.history-open')?.focus();
            }
          }}
        />
        {query.value !== '' && (
          <button
            type="button"
            class="icon-button small"
            aria-label={t('widget.clear')}
            onClick={() => {
              write('');
              field.current?.focus();
            }}
          >
            <Icon of={X} size={15} />
          </button>
        )}
      </div>
      <p class={isEmpty || status.value === 'failed' ? 'past-said' : 'visually-hidden'} role="status">
        {status.value === 'failed' ? problem.value : found === null || status.value === 'loading' ? '' : isEmpty ? t('widget.nothing') : t('history.found', { count: found.length })}
      </p>
    </div>
  );
}

/** In place of a row: as what the conversation is saved. */
export function ExportChoice({ thread, title, onDone }: { readonly thread: ThreadMetadata; readonly title: string; readonly onDone: () => void }): JSX.Element {
  const { chat, t } = useUi();
  const first = useRef<HTMLButtonElement>(null);
  const isBusy = useSignal(false);
  const stop = useRef(new AbortController());
  useSheet(first, css);
  useLayoutEffect(() => first.current?.focus({ preventScroll: true }), []);
  useEffect(() => () => stop.current.abort(), []);
  const save = async (kind: 'md' | 'json'): Promise<void> => {
    if (isBusy.value) return;
    isBusy.value = true;
    const saving = allItems(chat.history.client, thread.id, stop.current.signal).then(({ items, isCut }) => {
      const exported: Exported = { thread, title, items, isCut, now: new Date() };
      if (kind === 'md') download(`${fileName(title)}.md`, 'text/markdown', asMarkdown(exported, t));
      else download(`${fileName(title)}.json`, 'application/json', asJson(exported));
      if (isCut) chat.toast.value = t('history.exportCut', { count: items.length });
    });
    if (await chat.quietly('action.failed', saving)) onDone();
    else isBusy.value = false;
  };
  return (
    <div
      class="question"
      role="group"
      aria-label={`${t('history.export')}: ${title}`}
      aria-busy={isBusy.value}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onDone();
      }}
    >
      <span dir="auto">{title}</span>
      <span class="row-buttons">
        <button ref={first} type="button" class="button" onClick={() => void save('md')}>
          Markdown
        </button>
        <button type="button" class="button" onClick={() => void save('json')}>
          JSON
        </button>
        <button type="button" class="icon-button small" aria-label={t('action.cancel')} onClick={onDone}>
          <Icon of={X} size={15} />
        </button>
      </span>
    </div>
  );
}

export function ExportButton({ title, onClick }: { readonly title: string; readonly onClick: () => void }): JSX.Element {
  const { t } = useUi();
  return (
    <button type="button" class="icon-button small" aria-label={`${t('history.export')}: ${title}`} onClick={onClick}>
      <Icon of={FileDown} size={15} />
    </button>
  );
}

/** Saves text as a file, by a link that nobody sees. */
function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
