/** The way back in where a login has ended: the page's own, `api.onSignIn`. */
import { LogIn } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useOptions, useUi } from './context';

/** `helps`: the failure beside it may be that of a login. Not disabled while it works: the focus would be lost. */
export function SignIn({ helps }: { readonly helps: boolean }): JSX.Element | null {
  const { chat, t } = useUi();
  const { onSignIn } = useOptions();
  if (!helps || onSignIn === null) return null;
  return (
    <button type="button" class="button" aria-disabled={chat.isSigningIn.value} onClick={() => void chat.signIn()}>
      <Icon of={LogIn} size={15} />
      {t('action.signIn')}
    </button>
  );
}
