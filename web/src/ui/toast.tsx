/** A short message at the bottom about something that failed beside the conversation. */
import { CircleAlert, X } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useUi } from './context';

export function Toast(): JSX.Element | null {
  const { chat, t } = useUi();
  const message = chat.toast.value;
  if (message === null) return null;
  return (
    <div class="toast" role="alert">
      <Icon of={CircleAlert} size={16} />
      <span dir="auto">{message}</span>
      <button type="button" class="icon-button small" aria-label={t('action.dismiss')} onClick={() => (chat.toast.value = null)}>
        <Icon of={X} size={14} />
      </button>
    </div>
  );
}
