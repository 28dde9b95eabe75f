// What is wanted of the element, each bar a number of a row: the medians of the rounds are held to it.
import { median } from './browser.mjs';

const most = (limit, unit, digits = 0) => ({ limit, unit, digits });
const bar = (id, about, scenario, value, wanted) => ({ id, about, scenario, value, wanted });

export const BARS = [
  bar('P1', '`chatkit.js`, gzip', 'start', (row) => row.scriptKilobytes, most(115, 'kB', 1)),
  bar('P2', 'evaluating it, at the first visit', 'start', (row) => row.evaluateMilliseconds, most(60, 'ms')),
  bar('P3', '`setOptions` to the start screen', 'start', (row) => row.paintedMilliseconds, most(150, 'ms')),
  bar('P3', '`setOptions` to `chatkit.ready`', 'start', (row) => row.readyMilliseconds, most(150, 'ms')),
  bar('P4', '10,000 tokens at 400/s, to the ideal', 'answer', (row) => row.wallMilliseconds / row.idealMilliseconds, most(1.03, '×', 3)),
  bar('P5', 'long tasks meanwhile', 'answer', (row) => row.longTasks, most(30, '')),
  bar('P5', 'all of them together', 'answer', (row) => row.longTaskSum, most(2000, 'ms')),
  bar('P5', 'the longest', 'answer', (row) => row.longestTask, most(200, 'ms')),
  bar('P6', 'frame to frame, p95', 'answer', (row) => row.frameP95, most(33, 'ms', 1)),
  bar('P6', 'frame to frame, p99', 'answer', (row) => row.frameP99, most(65, 'ms', 1)),
  bar('P7', 'script a token', 'answer', (row) => row.scriptPerToken, most(0.5, 'ms', 2)),
  bar('P7', 'the last quarter of the text to the first', 'answer', (row) => row.lastToFirstQuarter, most(1.5, '×', 2)),
  bar('P8', 'long tasks at 100 tokens/s, not slowed', 'steady', (row) => row.longTasks, most(0, '')),
  bar('P9', 'a key during the answer to its paint (INP, p98)', 'typing', (row) => row.inpP98, most(100, 'ms')),
  bar('P10', 'a thread of 1,000 items: its end is on screen', 'thread', (row) => row.openMilliseconds, most(300, 'ms')),
  bar('P10', 'the longest task of opening it', 'thread', (row) => row.openLongestTask, most(200, 'ms')),
  bar('P10', 'long tasks of scrolling to its beginning, not slowed', 'thread', (row) => row.longTasks, most(0, '')),
  bar('P11', 'heap after the answer', 'answer', (row) => row.heapMegabytes, most(25, 'MB', 1)),
  bar('P12', 'layout shift (CLS) over an answer', 'answer', (row) => row.shift, most(0, '', 4)),
  bar('P12', 'layout shift, scrolled up', 'scrolled', (row) => row.shift, most(0, '', 4)),
  bar('P12', 'what is read moves, scrolled up', 'scrolled', (row) => row.moved, most(0, 'px', 1)),
  bar('P13', 'requests to other origins', null, (row) => (row.isPeer ? null : row.requestsElsewhere), most(0, '')),
  bar('P14', 'blocks built by a token, at most', 'counters', (row) => row.blocks, most(2, '')),
  bar('P14', 'characters lexed for a token, at most', 'counters', (row) => row.lexedOutside, most(4000, '')),
  bar('P14', 'the same inside a code fence', 'counters', (row) => row.lexedInside, most(0, '')),
  bar('1 MB', 'the longest task of an answer of 1 MB', 'long-slow', (row) => row.longestTask, most(200, 'ms')),
  bar('1 MB', 'the same, not slowed', 'long-fast', (row) => row.longestTask, most(50, 'ms')),
];

/** Counts do not depend on the machine, so these fail a run, in `--smoke` as well. */
export const COUNTED = new Set(['P13', 'P14']);

/** Median and spread over the rounds, and the verdict; `null` when nothing was measured. */
export function judge({ scenario, value, wanted }, rows) {
  const values = rows.filter((row) => scenario === null || row.scenario === scenario).map(value).filter((number) => Number.isFinite(number));
  if (values.length === 0) return null;
  const [least, middle, greatest] = [Math.min(...values), median(values), Math.max(...values)];
  const verdict = middle <= wanted.limit ? 'holds' : least <= wanted.limit ? 'missed within the spread' : 'missed';
  return { least, median: middle, greatest, verdict };
}

/** What fails a run: a text that is not whole, an error, a count above its bar. Never time. */
export function failures(rows) {
  const own = rows.filter(({ isPeer }) => !isPeer);
  const said = own.flatMap(({ scenario, round, faults }) => faults.map((fault) => `${scenario}, round ${round + 1}: ${fault}`));
  for (const each of BARS.filter(({ id }) => COUNTED.has(id))) {
    const judged = judge(each, own);
    if (judged !== null && judged.greatest > each.wanted.limit) said.push(`${each.id}, ${each.about}: ${judged.greatest}, wanted at most ${each.wanted.limit}`);
  }
  for (const { scenario, round, stoppedAfterSeconds } of own) {
    if (stoppedAfterSeconds !== undefined) said.push(`${scenario}, round ${round + 1}: not over after ${stoppedAfterSeconds} s`);
  }
  return said;
}
