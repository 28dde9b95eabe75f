/**
 * Whether the end of a stream may be the beginning of a table. A row of headings waits for the line below
 * it, so that it does not appear as a sentence first; a sentence that begins with a pipe must not wait.
 */

/** Longer cells, and longer rows, are sentences. Nothing that was shown is hidden again. */
const MAX_CELL = 24;
const MAX_ROW = 160;

const DELIMITER_ROW = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** The line from which a table may be beginning, or -1. */
export function undecidedTable(lines: readonly string[]): number {
  const index = lines.length - 1;
  const rows = lines.map(withoutContainer);
  if (rows.slice(0, index).some((row) => row.includes('|') && DELIMITER_ROW.test(row))) return -1;
  const last = rows[index] ?? '';
  const above = rows[index - 1] ?? '';
  if (isHead(above) && /^[|:\- \t]*$/.test(last)) {
    return DELIMITER_ROW.test(last) && cellsOf(last).length === cellsOf(above).length ? -1 : index - 1;
  }
  return isHead(last) ? index : -1;
}

/** A line without the markers of quotations and lists before its text. */
export function withoutContainer(line: string): string {
  return line.replace(/^[ \t]*(?:(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*/, '');
}

function isHead(row: string): boolean {
  return row.startsWith('|') && row.length <= MAX_ROW && cellsOf(row).every((cell) => cell.trim().length <= MAX_CELL);
}

/** Pipes with a backslash are text. */
export function cellsOf(row: string): string[] {
  return row.trim().replace(/^\||(?<!\\)\|$/g, '').split(/(?<!\\)\|/);
}
