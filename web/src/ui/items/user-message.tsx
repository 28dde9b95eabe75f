/** What the person said: plain text, never Markdown, with tags as chips. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import type { UserContent } from '../../core/protocol';
import { citedBy } from '../cards';
import { useOptions, useUi } from '../context';
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
        <ul class="attachments" aria-label={t('attach.list')}>
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
        <Bubble content={item.content} />
      )}
    </article>
  );
}

/** What somebody pasted would push its own answer off the screen; it is shortened until asked for. */
const LONG_LINES = 14;
const LONG_CHARACTERS = 900;

function Bubble({ content }: { readonly content: readonly UserContent[] }): JSX.Element {
  const { id, t } = useUi();
  const whole = useSignal(false);
  const bubble = `${id}-bubble-${useId()}`;
  const text = content.map((part) => part.text).join('');
  const isLong = text.length > LONG_CHARACTERS || text.split('\n', LONG_LINES + 1).length > LONG_LINES;
  return (
    <>
      <div id={bubble} class={isLong && !whole.value ? 'bubble clipped' : 'bubble'} part="message" dir="auto">{content.map((part, index) => (part.type === 'input_tag' ? <Tag key={index} tag={part} /> : part.text))}</div>
      {isLong && (
        <button type="button" class="more" aria-expanded={whole.value} aria-controls={bubble} onClick={() => (whole.value = !whole.value)}>
          {t(whole.value ? 'message.less' : 'message.more')}
        </button>
      )}
    </>
  );
}

function Tag({ tag }: { readonly tag: Extract<UserContent, { type: 'input_tag' }> }): JSX.Element {
  const { onClick, preview } = useOptions().entities;
  if (tag.interactive !== true || (onClick === null && preview === null)) return <span class="tag">{tag.text}</span>;
  const { id, text: title, group, data } = tag;
  const know = (button: HTMLButtonElement | null): void => {
    if (button !== null) citedBy.set(button, [{ type: 'entity', id, title, interactive: true, data: data ?? {}, ...((group ?? null) === null ? {} : { group: group ?? '' }) }]);
  };
  return (
    <button ref={know} type="button" class="tag live">
      {title}
    </button>
  );
}
