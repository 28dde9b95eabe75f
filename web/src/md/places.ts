/**
 * Where the blocks of an answer stand. A browser walks everything that is laid out for every frame in
 * which an answer grows, so what is far behind the end is marked, and skipped while it is out of view
 * (`message.css`). The first blocks are children of the host; those of a long answer come in groups, so
 * that there are few boxes to place and to watch, however long it gets. No block ever changes places.
 */

/** That many blocks stand in the host itself, and in each group after them. */
const GROUP = 64;
/** Blocks this far behind the last final one are out of view, unless the reader has gone there. */
const FAR = 40;

export class Places {
  readonly #host: HTMLElement;
  readonly #groups: HTMLElement[] = [];
  /** The next block or group that will be far behind. */
  #next = 0;
  /** What is far behind and not marked yet. */
  #due: HTMLElement[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  clear(): void {
    this.#host.replaceChildren();
    this.#groups.length = 0;
    this.#next = 0;
    this.#due = [];
  }

  /** Puts the block with this index behind the one before it. */
  append(node: Node, index: number): void {
    this.#placeOf(index).append(node);
  }

  replace(node: Node, by: Node): void {
    node.parentNode?.replaceChild(by, node);
  }

  /** Takes away blocks at the end. */
  remove(node: Node): void {
    const place = node.parentNode;
    place?.removeChild(node);
    const last = this.#groups.at(-1);
    if (last === undefined || place !== last || last.hasChildNodes()) return;
    this.#groups.pop()?.remove();
    this.#next = Math.min(this.#next, GROUP + this.#groups.length);
  }

  /**
   * Marks what is far behind the last of `count` final blocks, and out of view: lines of a block that is read would move
   * by a pixel, which the browser counts as a jump of the whole view. To be called before anything is added: what is
   * there was laid out with the last frame, so the browser knows its height and place, and nothing moves.
   */
  leaveBehind(count: number): void {
    for (;;) {
      const group = this.#next - GROUP;
      const end = group < 0 ? this.#next + 1 : GROUP * (group + 2);
      if (end > count - FAR) break;
      const node = group < 0 ? this.#host.childNodes[this.#next] : this.#groups[group];
      if (node instanceof HTMLElement) this.#due.push(node);
      this.#next += 1;
    }
    // All are looked at before one is marked, after which a look would cost a layout.
    const inView = this.#due.filter(isInView);
    for (const node of this.#due) if (!inView.includes(node)) node.dataset['far'] = '';
    this.#due = inView;
  }

  #placeOf(index: number): HTMLElement {
    const number = Math.floor(index / GROUP) - 1;
    if (number < 0) return this.#host;
    const group = this.#groups[number];
    if (group !== undefined) return group;
    const next = document.createElement('div');
    next.className = 'block-group';
    this.#groups.push(next);
    this.#host.append(next);
    return next;
  }
}

function isInView(node: HTMLElement): boolean {
  const { top, bottom } = node.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
