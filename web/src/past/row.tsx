/** In place of a row of the history: its title to change, and the question whether it shall go. */
import { Check, X } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ThreadMetadata } from '../core/protocol';
import { Icon } from '../icons/icon';
import { useUi } from '../ui/context';

/** The careful answer has the focus, so that Enter deletes nothing by accident. */
export function DeleteQuestion({ thread, title, onCancel }: { readonly thread: ThreadMetadata; readonly title: string; readonly onCancel: () => void }): JSX.Element {
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

export function RenameForm({ thread, onDone }: { readonly thread: ThreadMetadata; readonly onDone: () => void }): JSX.Element {
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
