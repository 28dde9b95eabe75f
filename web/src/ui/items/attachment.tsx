/** A file of a message: a picture where there is one to see, else a card with its name. */
import { useSignal } from '@preact/signals';
import { FileText } from 'lucide';
import type { JSX } from 'preact';
import type { Attachment } from '../../core/protocol';
import { Icon } from '../../icons/icon';
import { ownImage } from '../../md/safe-url';
import { useUi } from '../context';
import { FileName } from '../file-name';

export function AttachmentView({ attachment }: { readonly attachment: Attachment }): JSX.Element {
  const { t } = useUi();
  const { name } = attachment;
  const preview = attachment.type === 'image' ? previewOf(attachment) : null;
  // Addresses of pictures end after a while, and a page's policy may not allow them.
  const broken = useSignal<string | null>(null);
  if (preview !== null && preview !== broken.value) {
    const picture = <img class="attachment-image" src={preview} alt={t('item.attachment', { name })} referrerpolicy="no-referrer" onError={() => (broken.value = preview)} />;
    // Browsers open no inline picture as a page.
    if (preview.startsWith('data:')) return picture;
    return (
      <a class="attachment-link" href={preview} target="_blank" rel="noopener noreferrer" title={t('item.attachmentOpen', { name })}>
        {picture}
      </a>
    );
  }
  return (
    <span class="attachment-file">
      <span class="thumb">
        <Icon of={FileText} size={20} />
      </span>
      <FileName name={name} />
    </span>
  );
}

/** Where a picture can be seen: it is the person's own upload, at an address that the server chose. */
export function previewOf(attachment: Attachment): string | null {
  return ownImage(attachment.preview_url ?? '', document.baseURI);
}
