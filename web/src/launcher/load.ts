/**
 * Gets the element when it is first needed. As a module, since a page under Trusted Types allows no script's
 * address to be set; a module has no current script, so the element is told where it came from.
 */
import { HANDED_PLACES } from '../element/base-url';

/** Set by the build: changes with the element. */
declare const ELEMENT_VERSION: string;

const NAME = 'openai-chatkit';
/** A module that failed may stay failed under its address for as long as the page lives (HTML, module map). */
let failures = 0;
let loading: Promise<void> | null = null;

/** Resolves when `<openai-chatkit>` is defined; a failure may be tried again. */
export function loadElement(server: string): Promise<void> {
  loading ??= load(server).catch((error: unknown) => {
    loading = null;
    failures += 1;
    throw error;
  });
  return loading;
}

async function load(server: string): Promise<void> {
  if (customElements.get(NAME) !== undefined) return;
  // A page that loads the element itself has it soon.
  const own = [...document.scripts].some(({ src }) => src !== '' && new URL(src).pathname.endsWith('/chatkit.js'));
  if (own) {
    await customElements.whenDefined(NAME);
    return;
  }
  Object.defineProperty(globalThis, HANDED_PLACES, { value: { api: server, assets: server }, configurable: true });
  // eslint-disable-next-line no-unsanitized/method -- the address is the script's own folder
  await import(`${server}/chatkit.js?v=${ELEMENT_VERSION}${failures === 0 ? '' : `&again=${failures}`}`);
}
