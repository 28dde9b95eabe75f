// The rows as tables in Markdown: the bars, and the renderers beside each other.
import { BARS, COUNTED, judge } from './bars.mjs';
import { median } from './browser.mjs';
import { PEERS } from './build.mjs';

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const shown = (value, digits, unit) => `${value.toFixed(digits)}${unit === '×' ? '×' : unit === '' ? '' : ` ${unit}`}`;

/** Without `withTimes` only the counts: a smoke run is too short for the rest. */
export function barsTable(rows, withTimes = true) {
  const lines = BARS.flatMap((bar) => {
    if (!withTimes && !COUNTED.has(bar.id)) return [];
    const judged = judge(bar, rows);
    if (judged === null) return [];
    const { limit, unit, digits } = bar.wanted;
    const spread = `${judged.least.toFixed(digits)}–${judged.greatest.toFixed(digits)}`;
    return [[bar.id, bar.about, shown(judged.median, digits, unit), spread, limit === 0 ? '0' : `≤ ${limit}${unit === '×' ? '×' : unit === '' ? '' : ` ${unit}`}`, judged.verdict]];
  });
  return lines.length === 0 ? '' : table(['bar', '', 'median', 'spread', 'wanted', ''], lines);
}

/** Median with the spread behind it. */
function cell(rows, value, digits) {
  const values = rows.map(value).filter((number) => Number.isFinite(number));
  if (values.length === 0) return '–';
  const [least, greatest] = [Math.min(...values), Math.max(...values)].map((number) => number.toFixed(digits));
  const middle = median(values).toFixed(digits);
  return least === greatest ? middle : `${middle} (${least}–${greatest})`;
}

const COLUMNS = [
  ['wall to ideal', (row) => row.wallMilliseconds / row.idealMilliseconds, 2],
  ['long tasks', (row) => row.longTasks, 0],
  ['together, ms', (row) => row.longTaskSum, 0],
  ['longest, ms', (row) => row.longestTask, 0],
  ['script a token, ms', (row) => row.scriptPerToken, 2],
  ['main thread a token, ms', (row) => row.workPerToken, 2],
  ['frames p95, ms', (row) => row.frameP95, 0],
  ['p99, ms', (row) => row.frameP99, 0],
  ['heap after, MB', (row) => row.heapMegabytes, 1],
  ['CLS', (row) => row.shift, 3],
  ['last quarter to first', (row) => row.lastToFirstQuarter, 2],
];

export function peersTable(rows) {
  if (!rows.some(({ isPeer }) => isPeer)) return '';
  const names = [['answer', 'Vestibule'], ...Object.entries(PEERS).map(([name, { label }]) => [name, label])];
  const lines = names.flatMap(([name, label]) => {
    const all = rows.filter(({ scenario }) => scenario === name);
    if (all.length === 0) return [];
    const stopped = all.filter(({ stoppedAfterSeconds }) => stoppedAfterSeconds !== undefined);
    if (stopped.length === all.length) return [[label, `stopped after ${stopped[0].stoppedAfterSeconds} s`, ...COLUMNS.slice(1).map(() => '–')]];
    return [[label, ...COLUMNS.map(([, value, digits]) => cell(all, value, digits))]];
  });
  return lines.length === 0 ? '' : table(['renderer', ...COLUMNS.map(([name]) => name)], lines);
}

/** A row as one line, for those who wait. */
export function line(row) {
  const numbers = Object.entries(row).filter(([name, value]) => Number.isFinite(value) && !['round', 'load', 'tokens', 'idealMilliseconds', 'requestsElsewhere'].includes(name));
  const rounded = (value) => (Number.isInteger(value) ? value : Number(value.toPrecision(3)));
  return numbers.map(([name, value]) => `${name} ${rounded(value)}`).join(', ');
}

/** Everything that is said at the end. */
export function summary(run, rows) {
  const loads = rows.map(({ load }) => load);
  const late = rows.filter((row) => row.sentMilliseconds > row.idealMilliseconds * 1.01);
  const faulty = rows.filter(({ isPeer, faults }) => isPeer && faults.length > 0);
  return [
    barsTable(rows, !run.isSmoke),
    peersTable(rows),
    [
      `${run.date}, ${run.machine}, ${run.browser}; ${run.versions}.`,
      `Rounds: ${1 + Math.max(...rows.map(({ round }) => round))}. Load average before each measurement: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}, of which a measurement itself leaves about 1.`,
      ...(late.length > 0 ? [`The stream itself was more than 1 % late in: ${late.map(({ scenario, round }) => `${scenario} ${round + 1}`).join(', ')}.`] : []),
      ...faulty.map(({ scenario, round, faults }) => `${scenario}, round ${round + 1}: ${faults.join('; ')}`),
    ].join('\n'),
  ].filter((part) => part !== '').join('\n\n');
}
