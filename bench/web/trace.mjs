// What the page's main thread did, from the browser's trace. `Performance.getMetrics` has a number for
// scripts too, but leaves out what runs when promises resolve, which is all that some renderers do.

/** What runs scripts. Whatever of these stands inside another is part of it. */
const SCRIPTS = new Set(['EvaluateScript', 'FunctionCall', 'EventDispatch', 'FireAnimationFrame', 'FireIdleCallback', 'TimerFire', 'BlinkScheduler_PerformMicrotaskCheckpoint', 'v8.callFunction']);
/** What the browser does at once because a script asks for a size: counted as layout. */
const NOT_SCRIPT = new Set(['Layout', 'UpdateLayoutTree']);

/** Runs `work`, and gives what it gave with every event of the trace beside. */
export async function traced(browser, page, work) {
  await browser.startTracing(page, { categories: ['devtools.timeline', 'toplevel'] });
  try {
    return [await work(), events(await browser.stopTracing())];
  } catch (error) {
    await browser.stopTracing().catch(() => undefined);
    throw error;
  }
}

const events = (buffer) => JSON.parse(buffer).traceEvents.filter(({ ph, dur }) => ph === 'X' && dur !== undefined);

/** Milliseconds of script on the thread that had most of it. */
export function scriptMilliseconds(trace) {
  const threads = new Map();
  for (const event of trace) {
    const key = `${event.pid}/${event.tid}`;
    if (!threads.has(key)) threads.set(key, []);
    threads.get(key).push(event);
  }
  return Math.max(0, ...[...threads.values()].map(ofThread));
}

function ofThread(thread) {
  let sum = 0;
  let scriptEnd = -Infinity;
  let layoutEnd = -Infinity;
  for (const { name, ts, dur } of thread.toSorted((left, right) => left.ts - right.ts || right.dur - left.dur)) {
    if (SCRIPTS.has(name) && ts >= scriptEnd) {
      sum += dur;
      scriptEnd = ts + dur;
    } else if (NOT_SCRIPT.has(name) && ts < scriptEnd && ts >= layoutEnd) {
      sum -= dur;
      layoutEnd = ts + dur;
    }
  }
  return sum / 1000;
}
