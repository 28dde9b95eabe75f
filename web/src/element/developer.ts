/**
 * What the page's developer is told, and nobody else: the person at the screen reads one sentence, the
 * reason and the command behind it go to the console.
 */
import { detailsOf, IntegrationError, isForDeveloper, isOfPage, RequestError, type RefusalDetails } from '../core/errors';

/** Writes into the console what the server said to the developer, and what the page's own functions threw. */
export function tellDeveloper(error: unknown): void {
  const details = detailsOf(error);
  const isOwn = error instanceof Error && (error instanceof IntegrationError || isOfPage(error));
  const isHidden = error instanceof RequestError && isForDeveloper(error.code);
  if (!(error instanceof Error) || (details === null && !isOwn && !isHidden)) return;
  const lines = details === null ? [] : linesOf(details);
  // eslint-disable-next-line no-console -- whoever builds the page looks here first, and a person never does
  console.error([`<openai-chatkit>: ${isOwn ? `${error.name}: ` : ''}${error.message}`, ...lines].join('\n'));
}

/** Says why nothing is seen, where a page has given the element no height. */
export function tellHeight(element: HTMLElement): void {
  const isLaidOut = element.getClientRects().length > 0;
  // eslint-disable-next-line no-console -- an empty place would be a riddle otherwise
  if (isLaidOut && element.offsetHeight === 0) console.warn('<openai-chatkit>: the element has no height, so nothing of it is seen. Give it one, or a parent that has one.');
}

/** The details as lines of the console, the command on one of its own. */
function linesOf(details: RefusalDetails): string[] {
  return [...sentencesOf(details), ...(details.command === undefined ? [] : [`    ${details.command}`])];
}

/** The details without the command: why, the pages that may come, what to do. */
export function sentencesOf({ reason, next, takes, registered }: RefusalDetails): string[] {
  const pages = registered === undefined ? undefined : `registered: ${registered.length === 0 ? 'none' : registered.join(', ')}`;
  return [reason, takes, pages, next].filter((line) => line !== undefined);
}

/** Whether the page comes from the developer's own machine. */
export function isLocalPage(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || /^127(?:\.\d{1,3}){3}$/.test(hostname) || hostname === '[::1]';
}
