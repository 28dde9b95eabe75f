/**
 * The levels of an answer's headings. A model begins with `###` as readily as with `#`, and a screen
 * reader's list of headings should have no holes: each is one below the last larger one before it.
 */

/** The message's own heading is the third: the page, the conversation, the message. */
const MESSAGE_LEVEL = 3;

/** The depths of the headings that what follows stands under, the outermost first. */
export type Open = readonly number[];

/** Sets the levels in blocks that stand under the headings of `above`, and gives those that the next block stands under. */
export function outline(blocks: Iterable<Node>, above: Open): Open {
  const open = [...above];
  for (const block of blocks) {
    if (!(block instanceof HTMLElement)) continue;
    const headings = block.querySelectorAll<HTMLElement>('[role=heading]');
    for (const heading of block.matches('[role=heading]') ? [block, ...headings] : headings) {
      const depth = Number(heading.className.slice(1));
      while ((open.at(-1) ?? 0) >= depth) open.pop();
      open.push(depth);
      const level = String(MESSAGE_LEVEL + open.length);
      if (heading.getAttribute('aria-level') !== level) heading.setAttribute('aria-level', level);
    }
  }
  return open;
}
