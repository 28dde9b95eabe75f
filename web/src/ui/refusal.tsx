/** Shown instead of the chat when the server refused this page: one sentence, and on a developer's machine the rest. */
import { CircleAlert } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { isLocalPage, linesOf } from '../element/developer';
import { useUi, type Blocked } from './context';

export function Refusal({ message, details }: Blocked): JSX.Element {
  const { t } = useUi();
  return (
    <div class="refusal" role="alert" tabIndex={-1}>
      <span class="refusal-icon">
        <Icon of={CircleAlert} size={24} />
      </span>
      <h2>{t('blocked.title')}</h2>
      <p>{message}</p>
      {details !== null && isLocalPage(location.hostname) && (
        <details>
          <summary>{t('blocked.details')}</summary>
          <pre tabIndex={0}>{linesOf(details).join('\n')}</pre>
        </details>
      )}
    </div>
  );
}
