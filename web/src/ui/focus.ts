/**
 * Keeps the focus inside. A control that has it may go away with what it did (Stop, Back, a prompt, a
 * notice), and a browser then puts the focus on the page's body: whoever uses the keyboard or a screen
 * reader starts over at the top of the page. So the focus is handed on to where the next step is made.
 */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** Watches the controls inside `root`. */
export function useFocusKeeper(root: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const app = root.current;
    if (app === null) return undefined;
    let last: HTMLElement | null = null;
    let panel: Element | null = null;
    const keep = (): void => {
      if (last === null || isUsable(last)) return;
      const lost = last;
      last = null;
      if (isNowhere(app)) successorOf(lost, panel, app)?.focus({ preventScroll: true });
    };
    const onFocusIn = (event: Event): void => {
      last = event.target instanceof HTMLElement ? event.target : null;
      // Asked now: what is gone is in no panel any more.
      panel = last?.closest('.history') ?? null;
    };
    // A control that is still there was left on purpose: nothing is handed on for it later.
    const onFocusOut = (): void => {
      setTimeout(() => {
        keep();
        if (isNowhere(app)) last = null;
      }, 0);
    };
    const observer = new MutationObserver(keep);
    observer.observe(app, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'inert'] });
    app.addEventListener('focusin', onFocusIn);
    app.addEventListener('focusout', onFocusOut);
    return () => {
      observer.disconnect();
      app.removeEventListener('focusin', onFocusIn);
      app.removeEventListener('focusout', onFocusOut);
    };
  }, []);
}

const REGIONS = ['.header', '.history', '.thread', '.start', '.composer, .questions'];

/** F6 leads from region to region, as between the panes of a window, and with Shift backwards. */
export function toNextRegion(event: KeyboardEvent): void {
  const { currentTarget: app, target } = event;
  if (event.key !== 'F6' || !(app instanceof HTMLElement) || !(target instanceof Node)) return;
  const regions = REGIONS.map((selector) => app.querySelector<HTMLElement>(selector)).filter((region) => region !== null).filter((region) => region.closest('[inert]') === null);
  const from = regions.findIndex((region) => region.contains(target));
  const step = event.shiftKey ? -1 : 1;
  for (let tried = 1; tried <= regions.length; tried += 1) {
    const region = regions[(from + step * tried + 2 * regions.length) % regions.length];
    const next = region?.hasAttribute('tabindex') === true ? region : region?.querySelector<HTMLElement>('textarea:enabled, input:enabled, button:enabled');
    if (next == null) continue;
    next.focus({ preventScroll: true });
    event.preventDefault();
    return;
  }
}

function isUsable(node: HTMLElement): boolean {
  return node.isConnected && !node.matches(':disabled, [inert] *');
}

function isNowhere(app: HTMLElement): boolean {
  const root = app.getRootNode();
  const inside = root instanceof ShadowRoot ? root.activeElement : null;
  const outside = document.activeElement;
  return (inside === null || !isUsable(inside as HTMLElement)) && (outside === null || outside === document.body || (root instanceof ShadowRoot && outside === root.host));
}

/** The list of conversations while it covers the rest or `lost` was in it; after Back, the button that opened it; else the text field. */
function successorOf(lost: HTMLElement, panel: Element | null, app: HTMLElement): HTMLElement | null {
  const find = (selector: string): HTMLElement | null => app.querySelector<HTMLElement>(selector);
  const history = find(panel?.isConnected === true ? '.history' : '.history:not(.beside)');
  if (history !== null) return history;
  const cameBack = lost.matches('.back') || (panel !== null && !lost.matches('.history-open'));
  // A finger on the text field brings the keyboard up, which nobody asked for.
  const field = matchMedia('(pointer: coarse)').matches ? null : find('.composer textarea:enabled, .questions :is(input, textarea), .composer.skeleton');
  return (cameBack ? find('.history-button') : null) ?? field ?? find('.thread, .start, .refusal');
}
