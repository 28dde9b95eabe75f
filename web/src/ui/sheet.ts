/** Style sheets of parts that are loaded later. */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { adoptAround } from '../theme/adopt';

/** Gives the shadow root that a node is in the style sheet of the part that it belongs to. */
export function useSheet(inside: RefObject<HTMLElement | null>, css: string): void {
  useLayoutEffect(() => {
    if (inside.current !== null) adoptAround(inside.current, css);
  }, []);
}
