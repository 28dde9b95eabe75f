/** Why the last turn has no whole answer, in words, where it would have been, with a way to have one. */
import { CircleAlert, Info, RotateCcw } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import type { Entry } from '../store/transcript';
import { useUi } from './context';
import { SignIn } from './sign-in';

export function TurnErrorView(): JSX.Element | null {
  const { chat, t } = useUi();
  const error = chat.transcript.error.value;
  if (error === null) return null;
  return (
    <div class="notice danger" role="alert">
      <Icon of={CircleAlert} />
      <div class="notice-text" dir="auto">{error.message ?? t('error.generic')}</div>
      <SignIn helps={error.signIn ?? false} />
      {error.allowRetry && (
        <button type="button" class="button" disabled={chat.phase.value !== 'idle'} onClick={() => void chat.retryFailed()}>
          <Icon of={RotateCcw} size={15} />
          {t('action.retry')}
        </button>
      )}
    </div>
  );
}

/** What was said about a turn before the last one; trying again is offered below its answer. */
export function PastFailures({ of }: { readonly of: readonly Entry[] }): JSX.Element {
  const { chat, t } = useUi();
  const keys = new Set(of.map(({ key }) => key));
  return (
    <>
      {chat.transcript.past.value.filter(({ after }) => keys.has(after)).map(({ after, error, cut }) => (
        <div key={after} class={error === null ? 'notice info' : 'notice danger'}>
          <Icon of={error === null ? Info : CircleAlert} />
          <div class="notice-text" dir="auto">{error === null && cut !== null ? t(`cut.${cut.why}`) : (error?.message ?? t('error.generic'))}</div>
        </div>
      ))}
    </>
  );
}

/** An answer that was stopped before it began, or cut when the server went down. */
export function CutView(): JSX.Element | null {
  const { chat, t } = useUi();
  const cut = chat.transcript.cut.value;
  if (cut === null) return null;
  const isActive = (chat.transcript.thread.value?.status ?? { type: 'active' }).type === 'active';
  return (
    <div class="notice info" role="status">
      <Icon of={Info} />
      <div class="notice-text">{t(`cut.${cut.why}`)}</div>
      {isActive && (
        <button type="button" class="button" disabled={chat.phase.value !== 'idle'} onClick={() => void chat.askAgain()}>
          <Icon of={RotateCcw} size={15} />
          {t('cut.again')}
        </button>
      )}
    </div>
  );
}
