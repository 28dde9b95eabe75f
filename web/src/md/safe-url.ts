/**
 * The one place that decides which addresses model output may point at. Addresses are parsed with
 * `new URL`, never matched as text, because a browser and a regular expression disagree about tabs,
 * case and entities.
 */

const LINK_PROTOCOLS: ReadonlySet<string> = new Set(['https:', 'http:', 'mailto:', 'tel:']);
const IMAGE_DATA = /^data:image\/(?:png|jpeg|gif|webp);/i;

/** A link's address as an absolute URL, or `null` if it must stay text. Relative ones belong to the page. */
export function safeLink(href: string, base: string): string | null {
  const url = parse(href, base);
  return url !== null && LINK_PROTOCOLS.has(url.protocol) ? url.href : null;
}

/**
 * An image's address if it may be loaded without asking. A remote image tells its server that, and
 * with its address what, somebody reads: so only hosts on the thread's list load by themselves.
 */
export function safeImage(src: string, base: string, allowedDomains: readonly string[] | null): string | null {
  const url = parse(src, base);
  if (url === null) return null;
  if (url.protocol === 'blob:') return url.href;
  if (url.protocol === 'data:') return IMAGE_DATA.test(url.href) ? url.href : null;
  if (url.protocol !== 'https:' || allowedDomains === null) return null;
  const allowed = allowedDomains.some((domain) => url.hostname === domain || url.hostname.endsWith(`.${domain}`));
  return allowed ? url.href : null;
}

/** An image that the server put into the thread itself, not the model's text: any web address may load, and what is inline. */
export function ownImage(src: string, base: string): string | null {
  const url = src === '' ? null : parse(src, base);
  if (url === null) return null;
  if (url.protocol === 'data:') return IMAGE_DATA.test(url.href) ? url.href : null;
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
}

export interface Deeplink {
  readonly name: string;
  readonly data: Record<string, string>;
}

/** `chatkit-link://NAME?key=value`: handed to the page as an event, never followed. */
export function deeplinkOf(href: string): Deeplink | null {
  if (!/^chatkit-link:/i.test(href)) return null;
  const url = parse(href, undefined);
  if (url === null) return null;
  const name = decode(`${url.host}${url.pathname}`.replace(/^\/+|\/+$/g, ''));
  return name === '' ? null : { name, data: Object.fromEntries(url.searchParams) };
}

function parse(href: string, base: string | undefined): URL | null {
  try {
    return new URL(href, base);
  } catch {
    return null;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
