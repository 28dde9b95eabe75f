/**
 * Where the hosted doors live: next to the script. `/chatkit.js` on a server means its API is on
 * that server too, unless the script tag or the options say otherwise.
 */

/** Must run while the script is executing: `currentScript` is gone afterwards. */
export function scriptBaseUrl(): string {
  const script = document.currentScript;
  if (script instanceof HTMLScriptElement) {
    const declared = script.dataset['baseUrl'];
    if (declared !== undefined && declared !== '') return new URL(declared, document.baseURI).href.replace(/\/+$/, '');
    if (script.src !== '') return folderOf(script.src);
  }
  // A module or a bundled copy has no current script: the page's own origin is the fair guess.
  return location.origin;
}

function folderOf(src: string): string {
  const url = new URL(src, document.baseURI);
  return url.origin + url.pathname.replace(/\/[^/]*$/, '');
}
