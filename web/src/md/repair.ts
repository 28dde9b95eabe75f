/**
 * Makes the unfinished end of a stream look finished: an open `**` is closed, half a link is text,
 * the beginning of a table waits. Only what is displayed changes; the text itself never does.
 */

import { Fence } from './fence';
import { afterOther, formulaAt } from './formula';
import { closingTag } from './html';
import { undecidedTable, withoutContainer } from './undecided-table';

/** `source` is the text after the last finished block. */
export function repairTail(source: string): string {
  if (insideFence(source)) return source;
  const blockStart = source.lastIndexOf('\n\n') + 1;
  const head = source.slice(0, blockStart);
  const block = hideUndecidedLine(source.slice(blockStart));
  return head + closeInline(block);
}

function insideFence(source: string): boolean {
  let open: Fence | null = null;
  for (const line of source.split('\n')) {
    const [, run = '', info = ''] = /^ {0,3}(`{3,}(?!`)|~{3,}(?!~))(.*)$/.exec(line) ?? [];
    if (open?.isEnd(line) === true) open = null;
    else if (open === null && run !== '' && !(run.startsWith('`') && info.includes('`'))) open = new Fence(run, info);
  }
  return open !== null;
}

/** A tag, an entity or an address in angle brackets that has only begun. */
const HALF_TAG = /<(?:!(?:-[^]*)?|\/|\/?[a-z][\w-]*(?:\s+[\w-]+=(?:"[^"<]*"|'[^'<]*'|[^\s"'<>]+))*(?:\s+[\w-]*(?:=(?:"[^"<]*|'[^'<]*)?)?)?\s*\/?|[a-z][a-z+.-]+:[^\s<>]*|[\w.+-]+@[\w.-]*)?$/i;
/** What waits longer is text: nothing that was shown is hidden again. */
const LONGEST_TAG = 300;
/** Nobody nests more to be read. */
const MOST_OPEN = 100;

/** A last line that could still become a heading's underline, a definition, a table or a marker waits. */
function hideUndecidedLine(block: string): string {
  const lines = block.split('\n');
  const from = undecidedTable(lines);
  if (from !== -1) return lines.slice(0, from).join('\n');
  const last = lines.at(-1) ?? '';
  const before = lines.at(-2) ?? '';
  const undecided = before.trim() !== '' && /^ {0,3}(?:-{1,2}|=+|[*_]{1,2}) *$/.test(last);
  const isDefinition = /^ {0,3}\[[^\]^][^\]]*\]:[ \t]*$/.test(last);
  // A box to tick is one when something stands behind it.
  const isBox = /^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[(?:[ x]?|[ x]\][ \t]*)$/i.test(last);
  return undecided || isDefinition || isBox ? lines.slice(0, -1).join('\n') : block;
}

/** Closes or drops inline syntax that is still open at the end. */
function closeInline(block: string): string {
  let { text, quiet } = dropHalfLink(dropHalfTag(quieten(block)));
  const open: string[] = [];
  for (let index = 0; index < quiet.length; index += 1) {
    const character = quiet.charAt(index);
    if (character === '`') {
      // An open code span hides all other syntax after it.
      const run = runLength(quiet, index);
      if (index + run === quiet.length) return text.slice(0, index) + closers(open);
      return text + '`'.repeat(run) + closers(open);
    }
    if (character === '<') {
      const [tag = ''] = /^<\/?[a-z][^<>]*>/i.exec(quiet.slice(index, index + LONGEST_TAG)) ?? [];
      const closing = closingTag(tag);
      const known = open.lastIndexOf(tag.toLowerCase());
      if (closing !== null && open.length < MOST_OPEN) open.push(closing);
      else if (known !== -1) open.splice(known);
      index += Math.max(0, tag.length - 1);
    } else if (character === '*' || character === '_' || character === '~') {
      const run = runLength(quiet, index);
      const marker = character.repeat(run);
      const atEnd = index + run === quiet.length;
      const known = open.lastIndexOf(marker);
      const opensWord = !atEnd && !/\s/.test(quiet.charAt(index + run));
      const insideWord = character === '_' && /\w/.test(quiet.charAt(index - 1));
      // Between numbers, stars multiply.
      const multiplies = character === '*' && run < 3 && /\d/.test(quiet.charAt(index - 1)) && /^\d?$/.test(quiet.charAt(index + run));
      if (known !== -1 && !multiplies) open.splice(known);
      else if (run > 3 || (character === '~' && run !== 2) || insideWord || (multiplies && !atEnd)) {
        // not a marker
      } else if (atEnd && !/^ *$/.test(lineBefore(quiet, index))) {
        text = text.slice(0, index);
        quiet = quiet.slice(0, index);
      } else if (opensWord) open.push(marker);
      index += run - 1;
    }
  }
  return open.length === 0 ? text : text.trimEnd() + closers(open);
}

/** A text, and the same with dots for all in which no marker means anything. */
interface Quietened {
  readonly text: string;
  readonly quiet: string;
}

/** Escapes, code and formulas are closed to other syntax. A formula that is still open is shown as it is written. */
function quieten(text: string): Quietened {
  let quiet = '';
  const lastLine = text.lastIndexOf('\n') + 1;
  for (let index = 0; index < text.length; ) {
    const formula = formulaAt(text, index);
    if (formula === null && opensFormula(text, index, lastLine)) {
      const literal = text.slice(index).replace(/[!-/:-@[-`{-~]/g, String.raw`\$&`);
      return { text: text.slice(0, index) + literal, quiet: quiet + '.'.repeat(literal.length) };
    }
    const end = Math.min(formula?.end ?? afterOther(text, index), text.length);
    const skipped = text.slice(index, end);
    // Half an escape may be the beginning of a formula.
    if (skipped === '\\') return { text: text.slice(0, index), quiet };
    if (/^`+$/.test(skipped)) return { text, quiet: quiet + skipped + '.'.repeat(text.length - end) };
    quiet += skipped.length === 1 ? skipped : '.'.repeat(skipped.length);
    index = end;
  }
  return { text, quiet };
}

/** An opener at the start of a line may be followed by more lines, any other by the rest of its own. */
function opensFormula(text: string, index: number, lastLine: number): boolean {
  const [first, second] = [text.charAt(index), text.charAt(index + 1)];
  const single = first === '\\' && second === '(';
  const double = first === '\\' ? second === '[' : first === '$' && second === '$' && text.charAt(index + 2) !== '$';
  if (!single && !double) return false;
  if (index >= lastLine) return true;
  return double && withoutContainer(lineBefore(text, index)) === '' && !/\n[ \t]*\n/.test(text.slice(index));
}

function dropHalfTag({ text, quiet }: Quietened): Quietened {
  const from = Math.max(0, quiet.length - LONGEST_TAG);
  const half = HALF_TAG.exec(quiet.slice(from));
  return half === null ? { text, quiet } : { text: text.slice(0, from + half.index), quiet: quiet.slice(0, from + half.index) };
}

/** What a label may hold: no brackets but those of a picture or of a pair. */
const LABEL = String.raw`(!?)\[((?:[^[\]\n]|\[[^[\]\n]*\](?:\([^()\n]*\))?)*)`;
const HALF_TARGET = new RegExp(String.raw`${LABEL}\]\((?:<[^<>\n]*>?|(?:[^()\s]|\([^()\s]*\)?)*)(?:\s+(?:"[^"\n]*"?|'[^'\n]*'?)?\s*)?$`);
const HALF_LABEL = new RegExp(`${LABEL}$`);

/** `see [the docs](https://exa` is shown as `see the docs` until the address is complete. */
function dropHalfLink({ text, quiet }: Quietened): Quietened {
  const target = HALF_TARGET.exec(quiet);
  const match = target ?? HALF_LABEL.exec(quiet);
  if (match === null) return { text, quiet };
  const [, image = '', label = ''] = match;
  const { index } = match;
  // A picture may be what a link begins with.
  if (image === '!') return dropHalfLink({ text: text.slice(0, index), quiet: quiet.slice(0, index) });
  const keep = (whole: string): string => whole.slice(0, index) + whole.slice(index + 1, index + 1 + label.length);
  return { text: keep(text), quiet: keep(quiet) };
}

function closers(open: readonly string[]): string {
  return open.toReversed().join('');
}

function runLength(text: string, from: number): number {
  let end = from;
  while (text.charAt(end) === text.charAt(from)) end += 1;
  return end - from;
}

function lineBefore(text: string, index: number): string {
  return text.slice(text.lastIndexOf('\n', index - 1) + 1, index);
}
