/**
 * Something small beside a control: a list to choose from, a calendar, a card about a source. It stands in
 * the browser's top layer, so nothing clips it, and is placed by numbers, because anchors are too new.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';
import { isOfInputMethod } from './keys';

export type Side = 'top' | 'bottom' | 'left' | 'right';

interface PopoverProps {
  readonly anchor: HTMLElement;
  readonly children: ComponentChildren;
  readonly onClose: (why: 'escape' | 'outside') => void;
  readonly class?: string;
  readonly id?: string;
  readonly role?: 'dialog' | 'listbox' | 'menu' | 'tooltip';
  readonly label?: string;
  readonly side?: Side;
  readonly align?: 'start' | 'center' | 'end';
  /** At least as wide as its anchor. */
  readonly isWide?: boolean;
}

/** Pixels between the anchor and the popover, and between the popover and the edge of the window. */
const GAP = 6;
const EDGE = 8;

export function Popover({ anchor, children, onClose, class: kind = '', id, role, label, side = 'bottom', align = 'start', isWide = false }: PopoverProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  // Shown before the effects of what is in it: those give it the focus. Browsers without `popover` show it anyway.
  const show = useCallback((element: HTMLDivElement | null): void => {
    box.current = element;
    if (element !== null && 'showPopover' in element) element.showPopover();
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const put = (): void => {
      if (isWide) element.style.minWidth = `${Math.min(anchor.offsetWidth, innerWidth - 2 * EDGE)}px`;
      const { left, top } = placeOf(anchor.getBoundingClientRect(), element, side, align, getComputedStyle(anchor).direction === 'rtl');
      element.style.left = `${left}px`;
      element.style.top = `${top}px`;
    };
    put();
    const size = new ResizeObserver(put);
    size.observe(element);
    const onPress = (event: Event): void => {
      const path = event.composedPath();
      if (!path.includes(element) && !path.includes(anchor)) close.current('outside');
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || isOfInputMethod(event)) return;
      event.preventDefault();
      event.stopPropagation();
      close.current('escape');
    };
    document.addEventListener('pointerdown', onPress, true);
    document.addEventListener('keydown', onKey, true);
    document.addEventListener('scroll', put, { capture: true, passive: true });
    const root = anchor.getRootNode();
    root.addEventListener('scroll', put, { capture: true, passive: true });
    addEventListener('resize', put);
    return () => {
      size.disconnect();
      document.removeEventListener('pointerdown', onPress, true);
      document.removeEventListener('keydown', onKey, true);
      document.removeEventListener('scroll', put, { capture: true });
      root.removeEventListener('scroll', put, { capture: true });
      removeEventListener('resize', put);
    };
  }, [anchor, side, align, isWide]);
  return (
    <div ref={show} popover="manual" id={id} class={`popover ${kind}`} role={role} aria-label={label}>
      {children}
    </div>
  );
}

/** At its side of the anchor, or at the other one where there is no room, and always inside the window. */
function placeOf(at: DOMRect, box: HTMLElement, side: Side, align: 'start' | 'center' | 'end', isRtl: boolean): { left: number; top: number } {
  const { offsetWidth: width, offsetHeight: height } = box;
  const clamp = (value: number, most: number): number => Math.max(EDGE, Math.min(value, most - EDGE));
  const along = (start: number, end: number, size: number, flipped: boolean): number => {
    if (align === 'center') return (start + end - size) / 2;
    return (align === 'start') !== flipped ? start : end - size;
  };
  if (side === 'left' || side === 'right') {
    const before = at.left - GAP - width;
    const after = at.right + GAP;
    const fits = side === 'left' ? before >= EDGE : after + width <= innerWidth - EDGE;
    const left = (side === 'left') === fits ? before : after;
    return { left: clamp(left, innerWidth - width), top: clamp(along(at.top, at.bottom, height, false), innerHeight - height) };
  }
  const above = at.top - GAP - height;
  const below = at.bottom + GAP;
  const fits = side === 'top' ? above >= EDGE : below + height <= innerHeight - EDGE || above < EDGE;
  const top = (side === 'top') === fits ? above : below;
  return { left: clamp(along(at.left, at.right, width, isRtl), innerWidth - width), top: clamp(top, innerHeight - height) };
}
