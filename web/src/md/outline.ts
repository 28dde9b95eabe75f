/**
 * The levels of an answer's headings. A model begins with `###` as readily as with `#`, and a screen
 * reader's list of headings should have no holes: each is one below the last larger one before it.
 */

/** The message's own heading is the third: the page, the conversation, the message. */
const MESSAGE_LEVEL = 3;

export function outline(host: HTMLElement): void {
  const open: number[] = [];
  for (const heading of host.querySelectorAll<HTMLElement>('[role=heading]')) {
    const depth = Number(heading.className.slice(1));
    while ((open.at(-1) ?? 0) >= depth) open.pop();
    open.push(depth);
    const level = String(MESSAGE_LEVEL + open.length);
    if (heading.getAttribute('aria-level') !== level) heading.setAttribute('aria-level', level);
  }
}
