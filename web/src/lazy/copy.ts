/**
 * An answer as HTML for the clipboard, for those it is pasted into: a letter, a mail, a table of numbers. Loaded
 * with the first copy. The nodes are those of the Markdown view, without what is only there to be pressed.
 */

/** Changes the nodes of a Markdown view into what other programs read, and gives their text. */
export function htmlOf(host: HTMLElement): string {
  for (const node of host.querySelectorAll('.code-bar')) node.remove();
  for (const node of host.querySelectorAll('.code-block, .table-scroll, .block-group, .lines, .deeplink, li > span')) node.replaceWith(...node.childNodes);
  for (const box of host.querySelectorAll('input')) box.replaceWith(box.checked ? '☑ ' : '☐ ');
  for (const heading of host.querySelectorAll('[role=heading]')) rename(heading, `h${heading.className.slice(1)}`);
  for (const cell of host.querySelectorAll<HTMLElement>('[class^=align-]')) cell.setAttribute('align', cell.className.slice('align-'.length));
  for (const details of host.querySelectorAll('details')) details.open = true;
  for (const node of host.querySelectorAll('*')) {
    for (const name of ['class', 'tabindex', 'target', 'rel', 'loading', 'referrerpolicy', 'role', 'aria-level']) node.removeAttribute(name);
    if (node instanceof HTMLElement) for (const name of Object.keys(node.dataset)) Reflect.deleteProperty(node.dataset, name);
  }
  breakLines(host);
  return [...host.childNodes].map((node) => new XMLSerializer().serializeToString(node)).join('\n').replaceAll(' xmlns="http://www.w3.org/1999/xhtml"', '');
}

function rename(node: Element, tag: string): void {
  const other = document.createElement(tag);
  other.append(...node.childNodes);
  node.replaceWith(other);
}

/** A line of the source is one on the screen, too. */
function breakLines(host: HTMLElement): void {
  const texts = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
  const found: Text[] = [];
  while (texts.nextNode() !== null) found.push(texts.currentNode as Text);
  for (const text of found) {
    if (!text.data.includes('\n') || text.parentElement?.closest('pre') != null) continue;
    text.replaceWith(...text.data.split('\n').flatMap((line, index) => (index === 0 ? [line] : [document.createElement('br'), line])));
  }
}
