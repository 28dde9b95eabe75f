/**
 * Clicks on what the Markdown renderer made: copy buttons and deep links. Heard in one place, because
 * those nodes are not Preact's and come and go with the text.
 */
import { codeText } from '../md/dom';
import { deeplinkOf } from '../md/safe-url';
import { copyText } from './clipboard';
import type { Ui } from './context';

/** How long a button says that it has copied, in milliseconds. */
export const COPIED_MS = 1600;

export function onMarkdownClick(event: MouseEvent, { t, emit }: Ui): void {
  const target = event.target instanceof Element ? event.target : null;
  const copy = target?.closest<HTMLButtonElement>('button[data-copy]');
  const block = copy?.closest('.code-block');
  if (copy && block) {
    void copyText(codeText.get(block) ?? '').then((done) => {
      if (!done) return;
      copy.textContent = t('action.copied');
      setTimeout(() => (copy.textContent = t('action.copyCode')), COPIED_MS);
    });
    return;
  }
  const deeplink = deeplinkOf(target?.closest<HTMLElement>('[data-deeplink]')?.dataset['deeplink'] ?? '');
  if (deeplink !== null) emit('chatkit.deeplink', deeplink);
}
