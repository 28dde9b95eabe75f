/**
 * Makes the unfinished end of a stream look finished: an open `**` is closed, half a link is text,
 * half a table waits. Only what is displayed changes; the text itself never does.
 */

/** `source` is the text after the last finished block. */
export function repairTail(source: string): string {
  if (insideFence(source)) return source;
  const blockStart = source.lastIndexOf('\n\n') + 1;
  const head = source.slice(0, blockStart);
  const block = hideUndecidedLine(source.slice(blockStart));
  return head + closeInline(block);
}

function insideFence(source: string): boolean {
  let open: string | undefined;
  for (const match of source.matchAll(/^ {0,3}(`{3,}|~{3,})([^\n]*)$/gm)) {
    const [, fence = '', info = ''] = match;
    if (open === undefined) {
      if (!(fence.startsWith('`') && info.includes('`'))) open = fence;
    } else if (fence.startsWith(open.charAt(0)) && fence.length >= open.length && info.trim() === '') open = undefined;
  }
  return open !== undefined;
}

/** A last line that could still become a heading's underline, a table's second row or a marker waits. */
function hideUndecidedLine(block: string): string {
  const lines = block.split('\n');
  const last = lines.at(-1) ?? '';
  const before = lines.at(-2) ?? '';
  const rows = lines.filter((line) => line !== '');
  const startsTable = rows[0]?.startsWith('|') ?? false;
  if (startsTable && rows.length <= 2 && !isDelimiterRow(rows[1] ?? '')) return '';
  const undecided = before.trim() !== '' && /^ {0,3}(?:-{1,2}|=+|[*_]{1,2}) *$/.test(last);
  return undecided ? lines.slice(0, -1).join('\n') : block;
}

function isDelimiterRow(row: string): boolean {
  return /^\|(?: *:?-{3,}:? *\|)+ *$/.test(row);
}

/** Closes or drops inline syntax that is still open at the end. */
function closeInline(block: string): string {
  let text = dropHalfLink(block);
  const open: string[] = [];
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') {
      index += 1;
    } else if (character === '`') {
      const run = runLength(text, index, '`');
      const close = findRun(text, index + run, '`', run);
      if (close === -1) {
        // An open code span hides all other syntax after it.
        if (index + run === text.length) return text.slice(0, index) + closers(open);
        return text + '`'.repeat(run) + closers(open);
      }
      index = close + run - 1;
    } else if (character === '*' || character === '_' || character === '~') {
      const run = runLength(text, index, character);
      const marker = character.repeat(run);
      const atEnd = index + run === text.length;
      const known = open.lastIndexOf(marker);
      const opensWord = !atEnd && !/\s/.test(text.charAt(index + run));
      const insideWord = character === '_' && /\w/.test(text.charAt(index - 1));
      if (known !== -1) open.splice(known);
      else if (run > 3 || (character === '~' && run !== 2) || insideWord) {
        // not a marker
      } else if (atEnd && !/^ *$/.test(lineBefore(text, index))) text = text.slice(0, index);
      else if (opensWord) open.push(marker);
      index += run - 1;
    }
  }
  return open.length === 0 ? text : text.trimEnd() + closers(open);
}

/** `see [the docs](https://exa` is shown as `see the docs` until the address is complete. */
function dropHalfLink(text: string): string {
  const target = /(!?)\[([^[\]\n]*)\]\([^()\s]*(?:\s+"[^"\n]*"?)?$/.exec(text);
  if (target !== null) return text.slice(0, target.index) + (target[1] === '!' ? '' : (target[2] ?? ''));
  const label = /(!?)\[([^[\]\n]*)$/.exec(text);
  if (label === null) return text;
  // A checkbox or a footnote marker is not a link.
  if (/^[ xX]?$/.test(label[2] ?? '') && /(?:[-*+]|\d[.)]) $/.test(text.slice(0, label.index))) return text;
  return text.slice(0, label.index) + (label[1] === '!' ? '' : (label[2] ?? ''));
}

function closers(open: readonly string[]): string {
  return open.toReversed().join('');
}

function runLength(text: string, from: number, character: string): number {
  let end = from;
  while (text.charAt(end) === character) end += 1;
  return end - from;
}

function findRun(text: string, from: number, character: string, length: number): number {
  for (let index = text.indexOf(character, from); index !== -1; index = text.indexOf(character, index)) {
    const run = runLength(text, index, character);
    if (run === length) return index;
    index += run;
  }
  return -1;
}

function lineBefore(text: string, index: number): string {
  return text.slice(text.lastIndexOf('\n', index - 1) + 1, index);
}
