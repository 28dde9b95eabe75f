// The rules of the benchmark: a text that is not whole is found, a bar that is missed is called missed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BARS, failures, judge } from '../bars.mjs';
import { lastToFirstQuarter, median, percentile } from '../browser.mjs';
import { idealMilliseconds, paced } from '../pace.mjs';
import { barsTable, peersTable } from '../report.mjs';
import { cumulativeLayoutShift } from '../stream.mjs';
import { answer, difference, ENDING, letters, pieces } from '../text.mjs';
import { scriptMilliseconds } from '../trace.mjs';

test('an answer has the length that was asked for and ends with its last words', () => {
  for (const length of [1_500, 4_000, 20_000, 40_000]) {
    const text = answer(length);
    assert.equal(text.length, length);
    assert.ok(text.endsWith(`\n\n${ENDING}`));
    assert.equal(pieces(text).join(''), text);
  }
  assert.equal(pieces(answer(40_000)).length, 10_000);
});

test('the letters of a text are its words without markers', () => {
  assert.equal(letters('## A **b** [c](https://d.example)\n\n- e `f()`\n\n| g | h |\n|---|---|\n| i | j |\n\n```js\nk = 1\n```\n\n> l'), 'Abcef()ghijk=1l');
});

test('a text that is lost, doubled or garbled on the page is found', () => {
  const text = answer(4_000);
  const whole = letters(text);
  assert.equal(difference(whole, text), null);
  assert.equal(difference(`${whole.slice(0, 500)} \n ${whole.slice(500)}`, text), null, 'blanks do not count');
  assert.match(difference('', text), /0 are shown/);
  assert.match(difference(whole.slice(0, -1), text), /differs at letter/);
  assert.match(difference(whole.slice(0, 700) + whole.slice(690), text), /differs at letter 70/);
  assert.match(difference(`${whole.slice(0, 900)}x${whole.slice(901)}`, text), /differs at letter 900/);
});

const rowsOf = (...values) => values.map((longestTask, round) => ({ scenario: 'answer', round, longestTask, faults: [], requestsElsewhere: 0 }));
const longest = BARS.find(({ about }) => about === 'the longest');

test('a bar is held to the median, and says when only the spread reaches it', () => {
  assert.deepEqual(judge(longest, rowsOf(100, 210, 150)), { least: 100, median: 150, greatest: 210, verdict: 'holds' });
  assert.equal(judge(longest, rowsOf(100, 210, 250)).verdict, 'missed within the spread');
  assert.equal(judge(longest, rowsOf(205, 210, 250)).verdict, 'missed');
  assert.equal(judge(longest, []), null);
  assert.match(barsTable(rowsOf(205, 210, 250)), /\| P5 \| the longest \| 210 ms \| 205–250 \| ≤ 200 ms \| missed \|/);
});

test('counts and texts fail a run, times do not', () => {
  assert.deepEqual(failures(rowsOf(900, 900, 900)), []);
  const counters = { scenario: 'counters', round: 0, blocks: 2, lexedOutside: 700, lexedInside: 0, faults: [], requestsElsewhere: 0 };
  assert.deepEqual(failures([counters]), []);
  assert.match(failures([{ ...counters, blocks: 3 }]).join(), /P14, blocks built by a token, at most: 3/);
  assert.match(failures([{ ...counters, lexedOutside: 4001 }]).join(), /P14/);
  assert.match(failures([{ ...counters, lexedInside: 1 }]).join(), /fence: 1/);
  assert.match(failures([{ ...counters, requestsElsewhere: 1 }]).join(), /P13/);
  assert.match(failures([{ ...counters, faults: ['the text differs'] }]).join(), /the text differs/);
  assert.match(failures([{ ...counters, stoppedAfterSeconds: 300 }]).join(), /not over/);
  assert.deepEqual(failures([{ ...counters, scenario: 'streamdown', isPeer: true, faults: ['the text differs'], stoppedAfterSeconds: 90 }]), [], 'peers answer for themselves');
});

test('a renderer that never came to the end is said to have been stopped', () => {
  const row = { round: 0, faults: [], requestsElsewhere: 0 };
  const table = peersTable([{ ...row, scenario: 'answer', wallMilliseconds: 1010, idealMilliseconds: 1000 }, { ...row, scenario: 'marked-token', isPeer: true, stoppedAfterSeconds: 90 }]);
  assert.match(table, /\| Vestibule \| 1\.01 \|/);
  assert.match(table, /stopped after 90 s/);
});

test('the 98th of a hundred values is their 98th percentile', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(values, 0.98), 98);
  assert.equal(percentile([7], 0.98), 7);
  assert.equal(percentile([], 0.5), null);
  assert.equal(median([9, 1, 4]), 4);
  assert.equal(median([9, 1]), 5, 'not the better of two');
  assert.equal(median([]), null);
});

test('the work of the quarters is taken by how much text was shown, not by the clock', () => {
  // Ten looks; the second half of the text takes three times the work.
  const samples = Array.from({ length: 11 }, (_, index) => [index * 100, index <= 5 ? index : 5 + (index - 5) * 3]);
  assert.equal(lastToFirstQuarter(samples), 3);
  assert.equal(lastToFirstQuarter(samples.slice(0, 3)), null);
});

test('script time counts what promises run, and no layout inside', () => {
  const event = (name, ts, dur, tid = 1) => ({ name, ts, dur, pid: 1, tid });
  const trace = [
    event('FunctionCall', 0, 5_000), event('EventDispatch', 1_000, 1_000), event('Layout', 2_000, 2_000),
    event('BlinkScheduler_PerformMicrotaskCheckpoint', 10_000, 3_000), event('Layout', 20_000, 9_000), event('FunctionCall', 0, 1_000, 2),
  ];
  assert.equal(scriptMilliseconds(trace), 6);
});

test('a stream keeps its pace by the clock', async () => {
  const sent = [];
  const took = await paced(['a', 'b', 'c', 'd', 'e'], 100, (item) => sent.push(item));
  assert.deepEqual(sent, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(idealMilliseconds(5, 100), 40);
  // Never ahead of the rate; how late it may be is the machine's affair.
  assert.ok(took >= 40, `${took} ms`);
});

test('layout shift is that of the worst session, not of the whole answer', () => {
  const at = (startTime, value) => ({ startTime, value });
  assert.equal(cumulativeLayoutShift([]), 0);
  assert.equal(cumulativeLayoutShift([at(0, 1), at(999, 2), at(1999, 4)]), 4, 'a second of rest ends a session');
  assert.equal(cumulativeLayoutShift([at(0, 1), at(900, 1), at(1800, 1), at(2700, 1), at(3600, 1), at(4500, 1), at(5000, 3), at(5900, 1)]), 6, 'so do five seconds');
});
