/**
 * Where an answer refers to a source. A reference has a position in the text, so a mark is put there
 * before the text is read as Markdown, and becomes a button in the nodes that come out. A mark is three
 * characters that nobody writes: two of punctuation, so that emphasis beside it keeps its meaning, and
 * one for private use between them, which says which group of sources it is.
 */

const EDGE = '\u2E31';
const FIRST = 0xf0000;
const LAST = 0xffffd;
const MARK = /\u2E31([\u{F0000}-\u{FFFFD}])\u2E31/gu;

/** Puts a mark at each position, counted in characters of Unicode; never inside a word or an address. */
export function withMarks(text: string, positions: readonly number[]): string {
  if (positions.length === 0) return text;
  const characters = Array.from(text);
  const places = new Map<number, string>();
  positions.slice(0, LAST - FIRST).forEach((position, group) => {
    const at = placeFor(position, characters);
    places.set(at, `${places.get(at) ?? ''}${EDGE}${String.fromCodePoint(FIRST + group)}${EDGE}`);
  });
  let marked = '';
  characters.forEach((character, index) => (marked += (places.get(index) ?? '') + character));
  const last = places.get(characters.length) ?? '';
  // After a fence or a rule that ends the text, a mark is a paragraph of its own.
  return last !== '' && STRUCTURE.test(lineAt(characters.length, characters)) ? `${marked}\n\n${last}` : marked + last;
}

/** Whether a piece of text has a mark in it. */
export function isMarked(text: string): boolean {
  return text.includes(EDGE);
}

/** Lines whose meaning a mark at their end would change: fences and rules. */
const STRUCTURE = /^\s*(?:`{3,}|~{3,}|[-*_=|: ]+$)/;

/** The end of the word at a position, on a line that stays what it is. */
function placeFor(position: number, characters: readonly string[]): number {
  const end = characters.length;
  let at = Math.min(Math.max(0, Number.isFinite(position) ? Math.floor(position) : end), end);
  // The start of a line belongs to what stands before it; the start of the text to its first line.
  while (at > 0 && characters[at - 1] === '\n') at -= 1;
  if (at === 0) at = lineEnd(0, characters);
  while (at < end && isInside(characters[at - 1]) && isInside(characters[at])) at += 1;
  while (at < end && STRUCTURE.test(lineAt(at, characters))) at = lineEnd(lineEnd(at, characters) + 1, characters);
  // A cell of a table ends before its bar.
  if (characters[at - 1] === '|' && /^\s*\|/.test(lineAt(at, characters))) at -= 1;
  return Math.min(at, end);
}

function lineEnd(from: number, characters: readonly string[]): number {
  const end = characters.indexOf('\n', from);
  return end === -1 ? characters.length : end;
}

function lineAt(at: number, characters: readonly string[]): string {
  const start = at === 0 ? 0 : characters.lastIndexOf('\n', at - 1) + 1;
  return characters.slice(start, lineEnd(at, characters)).join('');
}

function isInside(character: string | undefined): boolean {
  return character !== undefined && !/\s/.test(character);
}

/** The text without marks. */
export function unmarked(text: string): string {
  return text.includes(EDGE) ? text.replace(MARK, '') : text;
}

function groupsIn(text: string): number[] {
  return [...text.matchAll(MARK)].map(([, mark = '']) => (mark.codePointAt(0) ?? FIRST) - FIRST);
}

/** What cannot have a button inside: the mark moves behind it. */
const CLOSED = 'a, button, code, pre, .formula';

/** Turns the marks in a block's nodes into what `build` gives; `raw` is the block's source. */
export function placeMarks(block: Node, raw: string, build: (group: number) => Node | null): void {
  if (!raw.includes(EDGE)) return;
  const placed = new Set<number>();
  const insert = (group: number): Node[] => {
    placed.add(group);
    const node = build(group);
    return node === null ? [] : [node];
  };
  for (const text of textsIn(block)) {
    if (!text.data.includes(EDGE)) continue;
    const closed = outermost(text, block);
    if (closed !== null) {
      const groups = groupsIn(text.data);
      text.data = unmarked(text.data);
      closed.after(...groups.flatMap(insert));
      continue;
    }
    const pieces: (string | Node)[] = text.data.split(MARK).flatMap((piece, index): (string | Node)[] => (index % 2 === 0 ? (piece === '' ? [] : [piece]) : insert((piece.codePointAt(0) ?? FIRST) - FIRST)));
    text.replaceWith(...pieces);
  }
  // What was inside code or a formula stands at the block's end.
  if (!(block instanceof HTMLElement)) return;
  const end = block.querySelector('.code-bar > span') ?? block;
  end.append(...groupsIn(raw).filter((group) => !placed.has(group)).flatMap(insert));
}

function textsIn(root: Node): Text[] {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) texts.push(node as Text);
  return texts;
}

/** The outermost closed element around a text, inside a block. */
function outermost(text: Text, block: Node): Element | null {
  let found: Element | null = null;
  for (let node = text.parentElement; node !== null && node !== block; node = node.parentElement) if (node.matches(CLOSED)) found = node;
  return found;
}
