// One answer that is streamed to one page, and everything it cost there. All renderers go through this.
import { heapMegabytes, lastToFirstQuarter, metricsOf, percentile, sampleWork } from './browser.mjs';
import { idealMilliseconds } from './pace.mjs';
import { difference, ENDING, letters } from './text.mjs';
import { scriptMilliseconds, traced } from './trace.mjs';

const LAST_LETTERS = letters(ENDING);

/**
 * Streams `pieces` at `rate` to a page that is ready, and measures until the last word is painted.
 * `send()` is how a person asks; `meanwhile(isOver)` is what they do while they are answered.
 * `limitSeconds` ends a renderer that falls behind.
 */
export async function streamed({ browser, page, devtools, faults }, server, { pieces, rate, limitSeconds = 300, send = null, meanwhile = null }) {
  server.state.stream = { pieces, rate };
  const before = await metricsOf(devtools);
  let isOver = false;
  const [{ wall, samples, done }, trace] = await traced(browser, async () => {
    const running = page.evaluate((ending) => window.begin(ending), LAST_LETTERS);
    const stopSampling = sampleWork(devtools);
    await send?.();
    const doing = meanwhile === null ? Promise.resolve({}) : meanwhile(() => isOver);
    const wall = await within(running, limitSeconds);
    isOver = true;
    if (wall !== null) return { wall, done: await doing, samples: await stopSampling() };
    // The page may be far too busy to be asked what it shows: closing its browser ends the rest.
    for (const promise of [doing, running, stopSampling()]) promise.catch(() => undefined);
    return { wall };
  });
  if (wall === null) return { stoppedAfterSeconds: limitSeconds, idealMilliseconds: idealMilliseconds(pieces.length, rate) };
  const after = await metricsOf(devtools);
  const seen = await page.evaluate(() => ({
    shown: window.probe.read(),
    longTasks: window.probe.longTasks.filter(({ startTime }) => startTime >= window.probe.started).map(({ duration }) => duration),
    frames: window.probe.frames,
    shifts: window.probe.shifts,
  }));
  const fault = difference(seen.shown, pieces.join(''));
  if (fault !== null) faults.push(fault);
  const spent = (name) => (after[name] - before[name]) * 1000;
  return {
    wallMilliseconds: wall,
    idealMilliseconds: idealMilliseconds(pieces.length, rate),
    sentMilliseconds: server.state.sentMilliseconds,
    tokens: pieces.length,
    ...longTaskFields(seen.longTasks),
    scriptPerToken: scriptMilliseconds(trace) / pieces.length,
    workPerToken: spent('TaskDuration') / pieces.length,
    layoutMilliseconds: spent('LayoutDuration') + spent('RecalcStyleDuration'),
    frameP95: percentile(seen.frames, 0.95),
    frameP99: percentile(seen.frames, 0.99),
    lastToFirstQuarter: lastToFirstQuarter(samples),
    shift: cumulativeLayoutShift(seen.shifts),
    heapMegabytes: await heapMegabytes(devtools),
    ...done,
  };
}

export function longTaskFields(durations) {
  return { longTasks: durations.length, longTaskSum: durations.reduce((sum, value) => sum + value, 0), longestTask: Math.max(0, ...durations) };
}

/**
 * CLS as the browser's makers define it: the shifts of the worst session, in which less than a second lies between one and the
 * next and no more than five between the first and the last.
 */
export function cumulativeLayoutShift(shifts) {
  let [worst, sum, first, last] = [0, 0, -Infinity, -Infinity];
  for (const { startTime, value } of shifts) {
    if (startTime - last >= 1000 || startTime - first >= 5000) [sum, first] = [0, startTime];
    sum += value;
    last = startTime;
    worst = Math.max(worst, sum);
  }
  return worst;
}

/** What `promise` brings, or `null` after so many seconds. */
async function within(promise, seconds) {
  let timer;
  const limit = new Promise((resolve) => (timer = setTimeout(() => resolve(null), seconds * 1000)));
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
