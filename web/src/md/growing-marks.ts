/**
 * The references of a text that grows. One that came into a line under the reader's eyes would move it, and a
 * block with a mark is built anew with every letter that it gets; so a mark waits until its block is over, and
 * one that comes when its block is final waits for the end of the text.
 */
import { withMarks } from './marks';

/** A line that belongs to a list, or may. */
const OF_LIST = /^(?:[ \t]|[-*+](?:\s|$)|\d{1,9}(?:$|[.)](?:\s|$)))/;
/** As much of a line as tells whether it is one of a list. */
const ENOUGH = 12;

/** Where a reference is, and up to where the end of its block was looked for. */
interface Place {
  readonly isInList: boolean;
  searched: number;
  hasEnded: boolean;
}

export class GrowingMarks<G extends { readonly index: number }> {
  /** What has a mark, in the order of the text. */
  shown: readonly G[] = [];
  /** How often the whole text was gone through: a test holds it to the number of references. */
  passes = 0;
  #plain = '';
  #marked = '';
  /** Characters of Unicode in the text, which is what references count, up to the unit `#counted`. */
  #length = 0;
  #counted = 0;
  readonly #places = new Map<number, Place>();
  /** Those that came too late. */
  readonly #late = new Set<number>();

  /** The text with the marks of blocks that are over; `settled`: how much of the text of the last call is final. */
  grow(plain: string, all: readonly G[], settled: number): string {
    // Most texts have no reference: those are not looked through with each frame.
    if (all.length === 0 && this.#isBare()) {
      [this.#plain, this.#marked, this.#length, this.#counted] = [plain, plain, 0, 0];
      return plain;
    }
    const goesOn = plain.startsWith(this.#plain);
    if (!goesOn) {
      this.#places.clear();
      this.#late.clear();
      this.shown = [];
      [this.#plain, this.#marked, this.#length, this.#counted] = ['', '', 0, 0];
    }
    const added = plain.slice(this.#plain.length);
    this.#length += Array.from(plain.slice(this.#counted)).length;
    this.#counted = plain.length;
    const final = this.#marked.slice(0, settled);
    this.#plain = plain;
    this.#marked += added;
    const known = new Set(this.shown.map(({ index }) => index));
    const fresh = all.filter(({ index }) => !known.has(index) && !this.#late.has(index) && this.#hasEnded(index));
    if (fresh.length === 0 || this.#show([...this.shown, ...fresh], final)) return this.#marked;
    for (const one of fresh) if (!this.#show([...this.shown, one], final)) this.#late.add(one.index);
    return this.#marked;
  }

  /** Nothing is known yet that a text would have to go on from. */
  #isBare(): boolean {
    return this.shown.length === 0 && this.#places.size === 0 && this.#late.size === 0;
  }

  /** Marks these, where that leaves the final part of the text as it is. */
  #show(groups: readonly G[], final: string): boolean {
    const sorted = [...groups].sort((left, right) => left.index - right.index);
    const marked = withMarks(this.#plain, sorted.map(({ index }) => index));
    this.passes += 1;
    if (!marked.startsWith(final)) return false;
    this.shown = sorted;
    this.#marked = marked;
    return true;
  }

  #hasEnded(index: number): boolean {
    const place = this.#placeOf(index);
    if (place === null || place.hasEnded) return place !== null;
    for (let from = place.searched; ; ) {
      const end = this.#plain.indexOf('\n\n', from);
      if (end === -1) return false;
      from = end + 2;
      while (this.#plain.charAt(from) === '\n') from += 1;
      const isOver = !place.isInList || (from < this.#plain.length && !OF_LIST.test(this.#plain.slice(from, from + ENOUGH)));
      if (isOver) return (place.hasEnded = true);
      // Half a line tells nothing yet: it is looked at again.
      if (from + ENOUGH <= this.#plain.length) place.searched = from;
    }
  }

  /** `null` where the text has not come so far. */
  #placeOf(index: number): Place | null {
    const known = this.#places.get(index);
    if (known !== undefined) return known;
    if (index > this.#length) return null;
    let at = 0;
    for (let count = 0; count < index; count += 1) at += (this.#plain.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    // The start of a line belongs to what stands before it.
    while (at > 0 && this.#plain.charAt(at - 1) === '\n') at -= 1;
    const before = at === 0 ? -1 : this.#plain.lastIndexOf('\n\n', at - 1);
    const lines = this.#plain.slice(before === -1 ? 0 : before + 2, at).split('\n');
    const place = { isInList: lines.some((line) => OF_LIST.test(line)), searched: at, hasEnded: false };
    this.#places.set(index, place);
    return place;
  }
}
