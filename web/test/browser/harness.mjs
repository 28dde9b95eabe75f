// Chromium, pages and small helpers for the browser tests.
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export const launch = (more = []) => chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS, ...more] });

/** A page with one chat; `script` configures it and runs as an external file, as a strict CSP wants. */
export function addPage(server, path, script, { csp = null, head = '', body = '<openai-chatkit id="chat"></openai-chatkit>' } = {}) {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Test page</title><script src="/chatkit.js"></script>${head}</head><body><main>${body}</main><script src="${path}.js"></script></body></html>`;
  server.state.pages.set(path, { html, csp });
  server.state.scripts.set(`${path}.js`, `
    document.documentElement.style.height = '100%'; document.body.style.cssText = 'height:100%;margin:0';
    document.querySelector('main').style.height = '100%';
    window.events = []; window.chat = document.getElementById('chat');
    for (const name of ['ready','error','effect','deeplink','response.start','response.end','history.open','history.close','thread.change','thread.load.start','thread.load.end','tool.change','log'])
      document.addEventListener('chatkit.' + name, (event) => window.events.push([name, event.detail && event.detail.error ? { error: event.detail.error.name + ': ' + event.detail.error.message } : event.detail]));
    ${script}`);
}

/** Waits for `chatkit.ready`. */
export async function ready(page) {
  await page.waitForFunction(() => window.events?.some(([name]) => name === 'ready'));
}

export async function say(page, text) {
  await page.getByPlaceholder('Message the AI').fill(text);
  await page.keyboard.press('Enter');
}

/** Waits until the number of finished answers has grown to `count`. */
export async function answered(page, count = 1) {
  await page.waitForFunction((n) => window.events.filter(([name]) => name === 'response.end').length >= n, count);
}

/** Waits until nothing moves but what moves for ever: places and colours are judged at rest. */
export const still = (page) => page.evaluate(async () => {
  const roots = [document];
  for (const root of roots) for (const { shadowRoot } of root.querySelectorAll('*')) if (shadowRoot !== null) roots.push(shadowRoot);
  const moving = roots.flatMap((root) => root.getAnimations()).filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(moving.map(({ finished }) => finished));
});

export const eventsOf = (page, name) => page.evaluate((wanted) => window.events.filter(([n]) => n === wanted).map(([, detail]) => detail), name);

/** Waits for something on this side: what the server was asked, for one. */
export async function until(isSo, seconds = 20) {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn > seconds * 200) throw new Error(`did not come: ${isSo}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}
