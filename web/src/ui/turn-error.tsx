/** Why the last turn failed, in words, where the answer would have been. */
import { CircleAlert, RotateCcw } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useUi } from './context';

export function TurnErrorView(): JSX.Element | null {
  const { chat, t } = useUi();
  const error = chat.transcript.error.value;
  if (error === null) return null;
  return (
    <div class="notice danger" role="alert">
      <Icon of={CircleAlert} />
      <div class="notice-text">{error.message ?? t('error.generic')}</div>
      {error.allowRetry && (
        <button type="button" class="button" disabled={chat.phase.value !== 'idle'} onClick={() => void chat.retryFailed()}>
          <Icon of={RotateCcw} size={15} />
          {t('action.retry')}
        </button>
      )}
    </div>
  );
}
