/** Opens the file dialog. The input itself is never seen or reached: the button is its name and its focus. */
import { Paperclip } from 'lucide';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { acceptAttribute } from '../core/limits';
import { Icon } from '../icons/icon';
import { useOptions, useUi } from './context';

export function AttachButton({ disabled }: { readonly disabled: boolean }): JSX.Element {
  const { attachments, t } = useUi();
  const { accept, maxCount } = useOptions().composer.attachments;
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        tabIndex={-1}
        multiple={maxCount > 1}
        accept={acceptAttribute(accept)}
        onChange={({ currentTarget }) => {
          attachments.add([...(currentTarget.files ?? [])]);
          // The same file may be chosen once more.
          currentTarget.value = '';
        }}
      />
      <button type="button" class="icon-button attach" aria-label={t('attach.add')} title={t('attach.add')} disabled={disabled} onClick={() => input.current?.click()}>
        <Icon of={Paperclip} size={18} />
      </button>
    </>
  );
}
