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
/** And final for that many frames: after a burst of text, the view is where the end was before it. */
const FRAMES = 4;

export class Places {
  readonly #host: HTMLElement;
  readonly #groups: HTMLElement[] = [];
  /** The next block or group to be marked. */
  #marked = 0;
  /** How many blocks were final in each of the last frames. */
  #recent: number[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  clear(): void {
    this.#host.replaceChildren();
    this.#groups.length = 0;
    this.#marked = 0;
    this.#recent = [];
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
    this.#marked = Math.min(this.#marked, GROUP + this.#groups.length);
  }

  /**
   * Marks what is far behind the last of `count` final blocks. To be called before anything is added:
   * what is there was laid out with the last frame, so the browser knows its height and nothing moves.
   */
  leaveBehind(count: number): void {
    this.#recent.push(count);
    if (this.#recent.length <= FRAMES) return;
    const settled = this.#recent.shift() ?? 0;
    for (;;) {
      const group = this.#marked - GROUP;
      const end = group < 0 ? this.#marked + 1 : GROUP * (group + 2);
      if (end > settled - FAR) return;
      const node = group < 0 ? this.#host.childNodes[this.#marked] : this.#groups[group];
      if (node instanceof HTMLElement) node.dataset['far'] = '';
      this.#marked += 1;
    }
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
