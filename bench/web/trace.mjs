// What the page's main thread did, from the browser's trace. `Performance.getMetrics` has a number for
// scripts too, but leaves out what runs when promises resolve, which is all that some renderers do.

/** What runs scripts. Whatever of these stands inside another is part of it. */
const SCRIPTS = new Set(['EvaluateScript', 'FunctionCall', 'EventDispatch', 'FireAnimationFrame', 'FireIdleCallback', 'TimerFire', 'BlinkScheduler_PerformMicrotaskCheckpoint', 'v8.callFunction']);
/** What the browser does at once because a script asks for a size: counted as layout. */
const NOT_SCRIPT = new Set(['Layout', 'UpdateLayoutTree']);

const CATEGORIES = ['devtools.timeline', 'toplevel'];

/** Runs `work`, and gives what it gave with the trace's events that have a duration beside. */
export async function traced(browser, work) {
  const session = await browser.newBrowserCDPSession();
  const trace = [];
  // A trace of half a minute is some 100 MB of text: only what is read of it is kept, and nothing goes to the disk.
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const { name, ph, ts, dur, pid, tid, args } of value) {
      if (ph !== 'X' || dur === undefined || !(SCRIPTS.has(name) || NOT_SCRIPT.has(name))) continue;
      trace.push({ name, ts, dur, pid, tid, url: args?.data?.url });
    }
  });
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
  const result = await work();
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  return [result, trace];
}

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
