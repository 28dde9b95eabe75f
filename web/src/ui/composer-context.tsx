/** What the message that is being written refers to: the words it replies to, and its tags. */
import { Reply, X } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useUi } from './context';

export function ComposerContext({ refocus }: { readonly refocus: () => void }): JSX.Element | null {
  const { chat, t } = useUi();
  const quote = chat.quote.value;
  const tags = chat.tags.value;
  if (quote === null && tags.length === 0) return null;
  return (
    <div class="composer-context">
      {quote !== null && (
        <div class="composer-quote">
          <Icon of={Reply} size={15} />
          <span dir="auto" aria-label={t('message.quoted')}>
            {quote}
          </span>
          <button
            type="button"
            class="icon-button small"
            aria-label={t('composer.removeQuote')}
            onClick={() => {
              chat.quote.value = null;
              refocus();
            }}
          >
            <Icon of={X} size={14} />
          </button>
        </div>
      )}
      {tags.length > 0 && (
        <ul class="composer-tags" aria-label={t('composer.tags')}>
          {tags.map((tag, index) => (
            <li key={index}>
              {tag.icon !== null && <Icon of={tag.icon} size={13} />}
              <span dir="auto">{tag.tag.text}</span>
              <button
                type="button"
                aria-label={t('composer.removeTag', { name: tag.tag.text })}
                onClick={() => {
                  chat.tags.value = tags.filter((other) => other !== tag);
                  chat.draft.value = chat.draft.value.replace(tag.label, '').replace(/ {2,}/g, ' ');
                  refocus();
                }}
              >
                <Icon of={X} size={12} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
