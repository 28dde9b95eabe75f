// Chromium for one measurement: a fresh browser, a page with the probe, a throttled processor, and the
// browser's own accounts of what the page cost.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const VIEWPORT = { width: 420, height: 720 };

/** Says what to do when there is no browser, before anything is started. */
export function checkBrowser() {
  if (existsSync(EXECUTABLE)) return;
  process.stderr.write(`There is no Chromium at ${EXECUTABLE}. Install Debian's package chromium, or name another in CHROMIUM.\n`);
  process.exit(2);
}

export async function browserVersion() {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
  const version = browser.version();
  await browser.close();
  return version;
}

/** Runs `measure` with a page of its own in a browser of its own; `throttle` 4 is a processor four times slower. */
export async function withPage(origin, { throttle = 1 }, measure) {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
  try {
    const context = await browser.newContext({ viewport: VIEWPORT });
    const page = await context.newPage();
    const faults = [];
    let elsewhere = 0;
    page.on('pageerror', (error) => faults.push(`an error on the page: ${error.message}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(https?|wss?):$/.test(url.protocol) && url.origin !== origin) elsewhere += 1;
    });
    const devtools = await context.newCDPSession(page);
    await devtools.send('Performance.enable');
    if (throttle !== 1) await devtools.send('Emulation.setCPUThrottlingRate', { rate: throttle });
    const row = await measure({ browser, page, devtools, faults });
    return { ...row, requestsElsewhere: elsewhere, faults };
  } finally {
    await browser.close();
  }
}

/** The browser's accounts: seconds of tasks, layout and style, bytes of heap. */
export async function metricsOf(devtools) {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

/** What is in use once the garbage is gone; without that, the number is of when the collector last ran. */
export async function heapMegabytes(devtools) {
  await devtools.send('HeapProfiler.collectGarbage');
  return (await metricsOf(devtools)).JSHeapUsedSize / 1e6;
}

/** Looks every half second at what the main thread has worked and how much text is shown, until it is stopped. */
export function sampleWork(devtools) {
  const samples = [];
  let isRunning = true;
  const loop = (async () => {
    while (isRunning) {
      const { result } = await devtools.send('Runtime.evaluate', { expression: 'window.probe.shown()' });
      samples.push([result.value, (await metricsOf(devtools)).TaskDuration]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  return async () => {
    isRunning = false;
    await loop.catch(() => undefined);
    return samples;
  };
}

/** The work of the last quarter of the text to that of the first. 1: a token costs the same everywhere. */
export function lastToFirstQuarter(samples) {
  const whole = samples.at(-1)?.[0] ?? 0;
  if (samples.length < 8 || whole === 0) return null;
  const at = (share) => {
    const after = samples.findIndex(([length]) => length >= share * whole);
    const [[fromLength, fromTime], [toLength, toTime]] = [samples[Math.max(0, after - 1)], samples[after]];
    if (toLength === fromLength) return toTime;
    return fromTime + ((share * whole - fromLength) / (toLength - fromLength)) * (toTime - fromTime);
  };
  const first = at(0.25) - samples[0][1];
  return first <= 0 ? null : (samples.at(-1)[1] - at(0.75)) / first;
}

/** The value below which `share` of the values lie. */
export function percentile(values, share) {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** The middle value, or the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((left, right) => left - right);
  const half = (sorted.length - 1) / 2;
  return sorted.length === 0 ? null : (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
}
