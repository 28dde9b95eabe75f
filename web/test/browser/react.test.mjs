// The unmodified official React bindings, in development and in production builds, under StrictMode.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { answered, launch } from './harness.mjs';
import { startServer } from './server.mjs';

const APP = `
import React from 'react';
import { createRoot } from 'react-dom/client';
import { ChatKit, useChatKit } from '@openai/chatkit-react';
window.log = []; window.events = [];
function App({ n, shown }) {
  const chat = useChatKit({
    api: { url: '/chatkit', domainKey: 'local-dev', fetch: (url, init) => { window.log.push(['fetch', n]); return fetch(url, init); } },
    theme: n % 2 ? 'dark' : 'light',
    onReady: () => window.log.push(['ready']),
    onThreadChange: (detail) => window.log.push(['thread', detail]),
    onResponseEnd: () => window.events.push(['response.end']),
    onClientTool: async (call) => ({ n, got: call.name }),
    header: { leftAction: { icon: 'home', onClick: () => window.log.push(['home', n]) } },
  });
  window.chatkit = chat;
  return shown ? <ChatKit control={chat.control} className="mine" style={{ height: 500 }} id="chat" /> : null;
}
const root = createRoot(document.getElementById('root'));
window.show = (n, shown = true) => root.render(<React.StrictMode><App n={n} shown={shown} /></React.StrictMode>);
window.show(0);
`;
let server;
let browser;
before(async () => {
  [server, browser] = [await startServer({ slow: 1 }), await launch()];
  for (const mode of ['development', 'production']) {
    const { outputFiles } = await build({
      stdin: { contents: APP, loader: 'jsx', resolveDir: import.meta.dirname }, bundle: true, write: false, format: 'iife',
      minify: mode === 'production', define: { 'process.env.NODE_ENV': JSON.stringify(mode) }, logLevel: 'error',
    });
    server.state.scripts.set(`/react-${mode}.js`, outputFiles[0].text);
    for (const [name, scripts] of [['early', ['/chatkit.js', `/react-${mode}.js`]], ['late', [`/react-${mode}.js`, '/chatkit.js']]]) {
      const tags = scripts.map((src) => `<script src="${src}"></script>`).join('');
      server.state.pages.set(`/react-${mode}-${name}`, { html: `<!doctype html><title>React</title><div id="root"></div>${tags}` });
    }
  }
});
after(async () => {
  await browser.close();
  await server.close();
});

for (const mode of ['development', 'production']) {
  test(`onReady is seen every time (${mode})`, async () => {
    let seen = 0;
    for (let round = 0; round < 20; round += 1) {
      const page = await browser.newPage();
      await page.goto(`${server.origin}/react-${mode}-${round % 2 === 0 ? 'early' : 'late'}`);
      await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'), null, { timeout: 10_000 });
      assert.equal(await page.evaluate(() => window.log.filter(([name]) => name === 'ready').length), 1);
      seen += 1;
      await page.close();
    }
    assert.equal(seen, 20);
  });
}

test('a render keeps the thread and the draft, and every function is the latest', async () => {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/react-development-early`);
  await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'));
  const host = await page.evaluate(() => { const chat = document.getElementById('chat'); return [chat.className, chat.style.height]; });
  assert.deepEqual(host, ['mine', '500px']);
  await page.evaluate(() => window.chatkit.sendUserMessage({ text: 'hello' }));
  await answered(page);
  await page.getByPlaceholder('Message the AI').fill('a draft');
  await page.evaluate(() => window.show(1));
  await page.waitForFunction(() => document.getElementById('chat').shadowRoot.querySelector('.app').dataset.scheme === 'dark');
  assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'a draft');
  await page.getByText('You said: hello').waitFor();
  await page.getByRole('button', { name: 'home' }).click();
  await page.evaluate(() => window.chatkit.sendUserMessage({ text: 'tool' }));
  await page.getByText('The page answered: {"n":1,"got":"get_page_title"}').waitFor();
  const log = await page.evaluate(() => window.log);
  assert.deepEqual(log.filter(([name]) => name === 'home'), [['home', 1]]);
  assert.deepEqual(log.filter(([name]) => name === 'fetch').map(([, n]) => n), [0, 1, 1]);
  assert.equal(log.filter(([name]) => name === 'thread').length, 1);
  await page.close();
});

test('leaving in the middle of an answer stops it; coming back is a new chat', async () => {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${server.origin}/react-production-early`);
  await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'));
  const closed = server.state.closed;
  await page.evaluate(() => void window.chatkit.sendUserMessage({ text: 'endless' }));
  await page.getByText('word word').waitFor();
  await page.evaluate(() => window.show(0, false));
  const deadline = Date.now() + 5000;
  while (server.state.closed === closed && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.state.closed, closed + 1);
  await page.evaluate(() => window.show(0, true));
  await page.getByRole('heading', { name: 'What can I help with today?' }).waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});
