/**
 * Where formulas are in a text: `\(…\)` and `$…$` in a line, `\[…\]` and `$$…$$` by themselves or in one.
 *
 * A dollar is a price far more often than a formula. So one dollar opens only before a character that is
 * no blank and after none of a word (`US$`), closes only the other way round and not before a digit
 * (`$5–$10`), and what begins with a number must not hold words (`$5, or 10$`). Between blanks on both sides,
 * it has to look like one: `$ \alpha $`.
 * Every search ends at the next opener of its kind, so all of them together read the text about once.
 */

export interface Formula {
  readonly start: number;
  readonly end: number;
  readonly tex: string;
  /** On a line of its own. */
  readonly display: boolean;
}

const MAY_HOLD = /\$|\\[([]/;

/** The formulas of a paragraph, first to last. Code spans are passed over. */
export function formulasIn(text: string): Formula[] {
  const found: Formula[] = [];
  if (!MAY_HOLD.test(text)) return found;
  for (let index = 0; index < text.length; ) {
    const formula = formulaAt(text, index);
    if (formula !== null) found.push(formula);
    index = formula?.end ?? afterOther(text, index);
  }
  return found;
}

/**
 * What could be a formula on lines of its own, from the start of its first line to the end of its last.
 * Each is looked at by itself: whether a line begins a block is for the lexer to say.
 */
export function blockFormulasIn(text: string): Formula[] {
  const found: Formula[] = [];
  if (!text.includes('$$') && !text.includes('\\[')) return found;
  for (const { index } of text.matchAll(/^ {0,3}(?=\$\$|\\\[)/gm)) {
    const formula = formulaAt(text, index + indent(text, index));
    if (formula === null || /\n[ \t]*\n/.test(formula.tex)) continue;
    const rest = /[ \t]*/y;
    rest.lastIndex = formula.end;
    rest.test(text);
    const end = rest.lastIndex;
    if (end === text.length || text.charAt(end) === '\n') found.push({ ...formula, start: index, end });
  }
  return found;
}

function indent(text: string, from: number): number {
  let end = from;
  while (text.charAt(end) === ' ') end += 1;
  return end - from;
}

/** The formula that begins exactly here. */
export function formulaAt(text: string, start: number): Formula | null {
  if (text.charAt(start) === '\\') {
    if (text.charAt(start + 1) === '(') return bracketed(text, start, ')');
    return text.charAt(start + 1) === '[' ? bracketed(text, start, ']') : null;
  }
  if (text.charAt(start) !== '$') return null;
  return text.charAt(start + 1) === '$' ? doubled(text, start) : single(text, start);
}

/** Past what is no formula: an escape and a code span as a whole, so that nothing in them opens one. */
export function afterOther(text: string, index: number): number {
  const character = text.charAt(index);
  if (character === '\\') return index + 2;
  if (character !== '`' && character !== '$') return index + 1;
  let end = index;
  while (text.charAt(end) === character) end += 1;
  if (character === '$') return end;
  const run = end - index;
  for (let close = text.indexOf('`', end); close !== -1; close = text.indexOf('`', close)) {
    const begin = close;
    while (text.charAt(close) === '`') close += 1;
    if (close - begin === run) return close;
  }
  return end;
}

function bracketed(text: string, start: number, closing: ')' | ']'): Formula | null {
  const opening = text.charAt(start + 1);
  for (let index = text.indexOf('\\', start + 2); index !== -1; index = text.indexOf('\\', index + 2)) {
    const next = text.charAt(index + 1);
    if (next === opening) return null;
    if (next === closing) return formula(text, start, index + 2, closing === ']');
  }
  return null;
}

function doubled(text: string, start: number): Formula | null {
  if (text.charAt(start - 1) === '$' || text.charAt(start + 2) === '$') return null;
  const end = nextDollar(text, start + 2);
  return end !== -1 && text.charAt(end + 1) === '$' && text.charAt(end + 2) !== '$' ? formula(text, start, end + 2, true) : null;
}

function single(text: string, start: number): Formula | null {
  if (/[\w$]/.test(text.charAt(start - 1))) return null;
  const end = nextDollar(text, start + 1);
  if (end === -1 || text.charAt(end + 1) === '$') return null;
  const isSpaced = /\s/.test(text.charAt(start + 1));
  if (isSpaced !== /\s/.test(text.charAt(end - 1))) return null;
  // `$n$th` is one, `$A$B` and `$5-$10` are none.
  if (/^\w/.test(text.charAt(end + 1)) && !/^(?:th|st|nd|rd|s)\b/.test(text.slice(end + 1, end + 4))) return null;
  const tex = text.slice(start + 1, end);
  if (isSpaced && !/\\[a-z]|[\^=<>]|\b[a-z]_|^\s*[a-z]\s*$/i.test(tex)) return null;
  if (/[\n`]/.test(tex) || ((isSpaced || /^[\d.,]/.test(tex)) && holdsWords(tex))) return null;
  return formula(text, start, end + 1, false);
}

/** Words that are neither commands nor in braces, or letters that no formula has. */
function holdsWords(tex: string): boolean {
  return /(?:^|\s)[a-z]{2,}|[a-z]{2,}\s|[^\p{Script=Latin}\p{Script=Greek}\P{L}]/iu.test(tex.replace(/\\[a-z]+|\{[^{}]*\}/gi, '\\'));
}

function nextDollar(text: string, from: number): number {
  for (let index = from; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') index += 1;
    else if (character === '$') return index;
  }
  return -1;
}

/** All delimiters but the single dollar are two characters long. */
function formula(text: string, start: number, end: number, display: boolean): Formula | null {
  const width = text.charAt(start) === '$' && !display ? 1 : 2;
  const tex = text.slice(start + width, end - width).trim();
  return tex === '' ? null : { start, end, tex, display };
}
