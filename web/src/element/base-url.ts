/**
 * Where the hosted doors and the lazy parts live: next to the script. `/chatkit.js` on a server means
 * its API is on that server too, unless the script tag or the options say otherwise.
 */

export interface Places {
  /** Base of the API of the hosted doors, without a slash at the end. */
  readonly api: string;
  /** Folder of the script itself. */
  readonly assets: string;
}

/** Where a script that loads this one as a module leaves its places. */
export const HANDED_PLACES = Symbol.for('vestibule.places');

/** Must run while the script is executing: `currentScript` is gone afterwards. */
export function scriptPlaces(): Places {
  const script = document.currentScript;
  // A module or a bundled copy has no current script: what was left for it, else the page's own origin, is the fair guess.
  const handed = (globalThis as { [HANDED_PLACES]?: Places })[HANDED_PLACES];
  if (!(script instanceof HTMLScriptElement) || script.src === '') return handed ?? { api: location.origin, assets: location.origin };
  const assets = folderOf(script.src);
  const declared = script.dataset['baseUrl'] ?? '';
  const api = declared === '' ? assets : new URL(declared, document.baseURI).href.replace(/\/+$/, '');
  return { api, assets };
}

export function folderOf(src: string): string {
  const url = new URL(src, document.baseURI);
  return url.origin + url.pathname.replace(/\/[^/]*$/, '');
}
