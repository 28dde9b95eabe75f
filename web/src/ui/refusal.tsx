/** Shown instead of the chat when the server refused this page: one sentence, and on a developer's machine the rest. */
import { CircleAlert } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { isLocalPage, sentencesOf } from '../element/developer';
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
          {sentencesOf(details).map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
          {/* A command is copied, so it stays one line. */}
          {details.command !== undefined && <pre tabIndex={0}>{details.command}</pre>}
        </details>
      )}
    </div>
  );
}
