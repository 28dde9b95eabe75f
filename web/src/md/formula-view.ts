/**
 * Shows formulas as such. What turns TeX into MathML is a separate file, loaded with the first formula; until
 * it is there, and where it cannot be loaded or a formula is wrong, the source is shown.
 */

import { adoptAround } from '../theme/adopt';

/** The part that knows TeX, and the sheet of what it makes. */
interface Renderer {
  readonly renderFormula: (tex: string, display: boolean) => Element | null;
  readonly css: string;
}

/** Longer ones are not worth a long task. */
const MAX_CHARACTERS = 5_000;

/** A function that fills the place of a formula; `load` fetches the part that knows TeX. */
export function lazyFormulas(load: () => Promise<Renderer>, failed: () => void): (place: HTMLElement, tex: string, display: boolean) => void {
  let loading: Promise<void> | null = null;
  let renderer: Renderer | null = null;
  return (place, tex, display) => {
    if (tex.length > MAX_CHARACTERS) return;
    const show = (): void => {
      const math = renderer?.renderFormula(tex, display);
      if (renderer === null || !math) return;
      const { css } = renderer;
      place.replaceChildren(math);
      // Text that is drawn anew comes into the document after its formulas.
      queueMicrotask(() => adoptAround(place, css));
    };
    // At once where that is possible: text that is drawn anew must not flash its source.
    if (renderer !== null) {
      show();
      return;
    }
    loading ??= load().then((part) => void (renderer = part), failed);
    void loading.then(show);
  };
}
