// Prints what streaming costs in Chromium with a CPU throttled four times. Not a test: seconds differ
// from machine to machine; what must hold everywhere is counted in `test/unit/md-cost.test.ts`.
import { corpus } from './corpus.mjs';
import { addPage, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

const TEXT = corpus(16_000);
const server = await startServer({ slow: 2 });
server.state.corpus = TEXT;
addPage(server, '/measure', `
  chat.setOptions({ api: { url: '/chatkit' }, thread: { autoScroll: true } });
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
`);
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 420, height: 720 } });
const devtools = await page.context().newCDPSession(page);
await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
await devtools.send('Performance.enable');
const metrics = async () => Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));

await page.goto(`${server.origin}/measure`);
await ready(page);
const before = await metrics();
await say(page, 'corpus');
await page.waitForFunction(() => window.events.some(([name]) => name === 'response.end'), null, { timeout: 120_000 });
const after = await metrics();
const tokens = Math.ceil(TEXT.length / 4);
const milliseconds = (name) => (after[name] - before[name]) * 1000;
const longTasks = await page.evaluate(() => window.longTasks.map(Math.round));
process.stdout.write(`tokens                ${tokens}
script per token      ${(milliseconds('ScriptDuration') / tokens).toFixed(2)} ms
layout per token      ${(milliseconds('LayoutDuration') / tokens).toFixed(2)} ms
long tasks            ${longTasks.length}, longest ${Math.max(0, ...longTasks)} ms
heap                  ${(after.JSHeapUsedSize / 1e6).toFixed(1)} MB
`);

const items = Array.from({ length: 1000 }, (_, index) => ({
  type: index % 2 === 0 ? 'user_message' : 'assistant_message', id: `i${index}`, thread_id: 'thr_long', created_at: new Date().toISOString(),
  content: [{ type: index % 2 === 0 ? 'input_text' : 'output_text', text: index % 2 === 0 ? `Question ${index}` : TEXT.slice(0, 1500) }], inference_options: {},
}));
server.state.threads.set('thr_long', { id: 'thr_long', title: 'Long', created_at: new Date().toISOString(), status: { type: 'active' }, items });
const opened = await page.evaluate(async () => {
  const start = performance.now();
  await window.chat.setThreadId('thr_long');
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return Math.round(performance.now() - start);
});
process.stdout.write(`open 1,000 items      ${opened} ms\n`);
await browser.close();
await server.close();
