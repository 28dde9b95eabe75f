/** What the person said: plain text, never Markdown, with tags as chips. */
import { FileText } from 'lucide';
import type { JSX } from 'preact';
import type { Attachment, UserContent } from '../../core/protocol';
import { Icon } from '../../icons/icon';
import { safeLink } from '../../md/safe-url';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function UserMessage({ entry }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const { item, optimistic } = entry.value;
  if (item.type !== 'user_message') return null;
  const quoted = item.quoted_text ?? '';
  return (
    <article class={optimistic ? 'user-message unsent' : 'user-message'}>
      <h3 class="visually-hidden">{t('message.user')}</h3>
      {(item.attachments ?? []).length > 0 && (
        <ul class="attachments">
          {(item.attachments ?? []).map((attachment) => (
            <li key={attachment.id}>
              <AttachmentView attachment={attachment} />
            </li>
          ))}
        </ul>
      )}
      {quoted !== '' && (
        <blockquote class="quoted" aria-label={t('message.quoted')}>
          {quoted}
        </blockquote>
      )}
      <div class="bubble">{item.content.map((part, index) => (part.type === 'input_tag' ? <Tag key={index} tag={part} /> : part.text))}</div>
    </article>
  );
}

function Tag({ tag }: { readonly tag: Extract<UserContent, { type: 'input_tag' }> }): JSX.Element {
  return <span class="tag">{tag.text}</span>;
}

function AttachmentView({ attachment }: { readonly attachment: Attachment }): JSX.Element {
  const { t } = useUi();
  const preview = attachment.type === 'image' ? previewOf(attachment) : null;
  if (preview !== null) {
    return <img class="attachment-image" src={preview} alt={t('item.attachment', { name: attachment.name })} referrerpolicy="no-referrer" />;
  }
  return (
    <span class="attachment-file">
      <Icon of={FileText} size={16} />
      {attachment.name}
    </span>
  );
}

/** The person's own upload, at an address the server chose: any web address is fine here. */
function previewOf(attachment: Attachment): string | null {
  return safeLink(attachment.preview_url ?? '', document.baseURI);
}
