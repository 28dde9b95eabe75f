/** Shown instead of the chat when the server refused this page. */
import { CircleAlert } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useUi } from './context';

export function Refusal({ message }: { readonly message: string }): JSX.Element {
  const { t } = useUi();
  return (
    <div class="refusal" role="alert">
      <span class="refusal-icon">
        <Icon of={CircleAlert} size={24} />
      </span>
      <h2>{t('blocked.title')}</h2>
      <p>{message}</p>
    </div>
  );
}
