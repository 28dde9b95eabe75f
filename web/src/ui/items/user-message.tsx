/** What the person said: plain text, never Markdown, with tags as chips. */
import type { JSX } from 'preact';
import type { UserContent } from '../../core/protocol';
import { useUi } from '../context';
import { AttachmentView } from './attachment';
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
        <ul class="attachments" aria-label={t('item.attachments')}>
          {(item.attachments ?? []).map((attachment) => (
            <li key={attachment.id}>
              <AttachmentView attachment={attachment} />
            </li>
          ))}
        </ul>
      )}
      {quoted !== '' && (
        <blockquote class="quoted" dir="auto" aria-label={t('message.quoted')}>
          {quoted}
        </blockquote>
      )}
      {item.content.some(({ text }) => text !== '') && (
        <div class="bubble" dir="auto">{item.content.map((part, index) => (part.type === 'input_tag' ? <Tag key={index} tag={part} /> : part.text))}</div>
      )}
    </article>
  );
}

function Tag({ tag }: { readonly tag: Extract<UserContent, { type: 'input_tag' }> }): JSX.Element {
  return <span class="tag">{tag.text}</span>;
}
