/** The files of the message that is being written, each with its state and a way out. */
import { CircleAlert, RotateCw, X } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { formatBytes } from '../i18n/bytes';
import { Icon } from '../icons/icon';
import type { Draft } from '../store/drafts';
import { useLocale, useUi } from './context';
import { FileName } from './file-name';
import { SignIn } from './sign-in';
import { Thumbnail } from './thumbnail';

/** `refocus` is called when the last file went while one of the buttons here had the focus. */
export function DraftList({ refocus }: { readonly refocus: () => void }): JSX.Element {
  const { attachments, t } = useUi();
  const list = useRef<HTMLUListElement>(null);
  /** Where the focus has to go after a removal, so that it does not fall back to the page. */
  const focusNext = useRef<number | null>(null);
  const drafts = attachments.list.value;
  useLayoutEffect(() => {
    const index = focusNext.current;
    if (index === null) return;
    focusNext.current = null;
    const buttons = [...(list.current?.querySelectorAll<HTMLElement>('.draft-remove') ?? [])];
    const next = buttons[Math.min(index, buttons.length - 1)];
    if (next === undefined) refocus();
    else next.focus();
  }, [drafts]);
  // The list scrolls when it is long: what was just added, or just failed, has to be seen.
  const failed = drafts.filter(({ state }) => state.at === 'failed').length;
  const before = useRef({ count: 0, failed: 0 });
  useLayoutEffect(() => {
    const { current: view } = list;
    const chip = failed > before.current.failed ? view?.querySelector<HTMLElement>('.failed') : drafts.length > before.current.count ? view?.lastElementChild : null;
    before.current = { count: drafts.length, failed };
    if (view && chip instanceof HTMLElement) view.scrollTop = chip.offsetTop - view.clientHeight + chip.offsetHeight + 2;
  }, [drafts.length, failed]);
  return (
    <>
      {drafts.length > 0 && (
        <ul ref={list} class="drafts" aria-label={t('attach.list')}>
          {drafts.map((draft, index) => (
            <DraftChip
              key={draft.key}
              draft={draft}
              onRemove={() => {
                focusNext.current = index;
                attachments.remove(draft.key);
              }}
            />
          ))}
        </ul>
      )}
      <div class="drafts-way">
        <SignIn helps={drafts.some(({ state }) => state.at === 'failed' && state.signIn)} />
      </div>
      <span class="visually-hidden" role="status">
        {attachments.announcement.value}
      </span>
    </>
  );
}

function DraftChip({ draft, onRemove }: { readonly draft: Draft; readonly onRemove: () => void }): JSX.Element {
  const { attachments, t } = useUi();
  const { key, name, state } = draft;
  return (
    <li class={`draft ${state.at}`}>
      <Thumbnail draft={draft} />
      <span class="draft-text">
        <FileName name={name} />
        <DraftNote draft={draft} />
      </span>
      {state.at === 'failed' && state.mayRetry && (
        <button type="button" class="icon-button small" aria-label={t('attach.retry', { name })} title={t('action.retry')} onClick={() => attachments.retry(key)}>
          <Icon of={RotateCw} size={15} />
        </button>
      )}
      <button type="button" class="icon-button small draft-remove" aria-label={t('attach.remove', { name })} onClick={onRemove}>
        <Icon of={X} size={15} />
      </button>
      {state.at === 'uploading' && <Bar name={name} progress={state.progress} />}
    </li>
  );
}

function DraftNote({ draft: { file, state } }: { readonly draft: Draft }): JSX.Element | null {
  const { t } = useUi();
  const locale = useLocale();
  if (state.at === 'failed') {
    return (
      <span class="draft-note" title={state.message}>
        <Icon of={CircleAlert} size={13} />
        <span dir="auto">{state.message}</span>
      </span>
    );
  }
  if (state.at === 'waiting') return <span class="draft-note">{t('attach.waiting')}</span>;
  return file === null ? null : <bdi class="draft-note">{formatBytes(file.size, locale)}</bdi>;
}

function Bar({ name, progress }: { readonly name: string; readonly progress: number | null }): JSX.Element {
  const { t } = useUi();
  const percent = progress === null ? null : Math.round(progress * 100);
  return (
    <span
      class={percent === null ? 'draft-bar unknown' : 'draft-bar'}
      role="progressbar"
      aria-label={t('attach.uploading', { name })}
      {...(percent === null ? {} : { 'aria-valuenow': percent, 'aria-valuemin': 0, 'aria-valuemax': 100 })}
    >
      <i style={percent === null ? {} : { inlineSize: `${percent}%` }} />
    </span>
  );
}
