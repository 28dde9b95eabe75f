/** Opens the card of a reference or a tag: where a pointer rests on it, and where it is pressed. The card is in `cards/`. */
import type { JSX, RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { citedBy, entityOfSource } from './cards';
import { useUi } from './context';

const OPEN_MS = 220;
const CLOSE_MS = 250;

/** Opens cards for everything that `citedBy` knows, wherever it is inside `root`. */
export function useCards(root: RefObject<HTMLElement | null>): void {
  const { card, options, parts } = useUi();
  useLayoutEffect(() => {
    const app = root.current;
    if (app === null) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const cited = (event: Event): HTMLElement | null => {
      const anchor = event.target instanceof Element ? event.target.closest<HTMLElement>('.cite, .tag.live, .source.live') : null;
      return anchor !== null && citedBy.has(anchor) ? anchor : null;
    };
    const open = (anchor: HTMLElement, isHeld: boolean): void => {
      parts.cards.want();
      card.value = { anchor, sources: citedBy.get(anchor) ?? [], isHeld };
    };
    const onOver = (event: PointerEvent): void => {
      if (event.pointerType !== 'mouse') return;
      clearTimeout(timer);
      const anchor = cited(event);
      if (anchor !== null) parts.cards.want();
      const isInside = event.target instanceof Element && event.target.closest('.source-card') !== null;
      if (anchor !== null && card.peek()?.anchor !== anchor) timer = setTimeout(() => open(anchor, false), OPEN_MS);
      else if (anchor === null && !isInside && card.peek()?.isHeld === false) timer = setTimeout(() => (card.value = null), CLOSE_MS);
    };
    const onClick = (event: MouseEvent): void => {
      const anchor = cited(event);
      if (anchor === null) return;
      clearTimeout(timer);
      const [source] = citedBy.get(anchor) ?? [];
      const { onClick: tell, preview } = options.peek()?.entities ?? {};
      if (source?.type === 'entity' && !anchor.matches('.cite')) {
        if (tell != null) tell(entityOfSource(source));
        else if (preview != null) open(anchor, true);
        return;
      }
      if (card.peek()?.anchor === anchor && card.peek()?.isHeld === true) card.value = null;
      else open(anchor, true);
    };
    app.addEventListener('pointerover', onOver);
    app.addEventListener('click', onClick);
    return () => {
      clearTimeout(timer);
      app.removeEventListener('pointerover', onOver);
      app.removeEventListener('click', onClick);
    };
  }, []);
}

export function SourceCard(): JSX.Element | null {
  const { card, parts } = useUi();
  const Card = parts.cards.part.value?.SourceCard;
  return card.value === null || Card === undefined ? null : <Card />;
}
