// The unmodified official React bindings (R01–R09), in development and in production builds, under StrictMode.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
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
window.version = React.version; window.asked = [];
function Hosted() {
  const chat = useChatKit({ api: { getClientSecret: async (current) => { window.asked.push(current); const answer = await fetch('/api/chatkit/start', { method: 'POST' }); return (await answer.json()).client_secret; } }, onReady: () => window.log.push(['hosted ready']) });
  window.hosted = chat;
  return <ChatKit control={chat.control} id="hosted" />;
}
window.showHosted = () => root.render(<React.StrictMode><Hosted /></React.StrictMode>);
const root = createRoot(document.getElementById('root'));
window.show = (n, shown = true) => root.render(<React.StrictMode><App n={n} shown={shown} /></React.StrictMode>);
window.show(0);
`;
const EIGHTEEN = (name) => fileURLToPath(new URL(`../react-18/node_modules/${name}`, import.meta.url));
let server;
let browser;
before(async () => {
  [server, browser] = [await startServer({ slow: 1 }), await launch()];
  for (const [mode, version] of [['development', 19], ['production', 19], ['development-18', 18]]) {
    const environment = mode.split('-')[0];
    const { outputFiles } = await build({
      stdin: { contents: APP, loader: 'jsx', resolveDir: import.meta.dirname }, bundle: true, write: false, format: 'iife',
      minify: environment === 'production', define: { 'process.env.NODE_ENV': JSON.stringify(environment) }, logLevel: 'error',
      alias: version === 18 ? { react: EIGHTEEN('react'), 'react-dom': EIGHTEEN('react-dom') } : {},
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
  test(`E01 R02 R04 onReady is seen every time, whichever script comes first (${mode})`, async () => {
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

test('R01 R03 a render keeps the thread and the draft, and every function is the latest', async () => {
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

test('R07 leaving in the middle of an answer stops it; coming back is a new chat', async () => {
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

for (const [version, path] of [['19', '/react-development-early'], ['18', '/react-development-18-early']]) {
  test(`R09 a whole conversation in React ${version}`, async () => {
    const page = await browser.newPage();
    await page.goto(server.origin + path);
    await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'));
    assert.equal((await page.evaluate(() => window.version)).split('.')[0], version);
    await page.evaluate(() => window.chatkit.sendUserMessage({ text: 'hello' }));
    await page.getByText('You said: hello').waitFor();
    await page.evaluate(() => window.show(1));
    await page.waitForFunction(() => document.getElementById('chat').shadowRoot.querySelector('.app').dataset.scheme === 'dark');
    await page.getByText('You said: hello').waitFor();
    await page.close();
  });
}

test('R05 StrictMode: one element, one secret, one ready, however often the effects run', async () => {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/react-development-early`);
  await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'));
  await page.evaluate(() => {
    const { setOptions } = customElements.get('openai-chatkit').prototype;
    window.calls = [];
    customElements.get('openai-chatkit').prototype.setOptions = function (options) {
      window.calls.push(this);
      setOptions.call(this, options);
    };
    window.showHosted();
  });
  await page.waitForFunction(() => window.log.some(([name]) => name === 'hosted ready'));
  assert.deepEqual(await page.evaluate(() => [window.calls.length > 1, new Set(window.calls).size]), [true, 1]);
  assert.deepEqual(await page.evaluate(() => window.asked), [null]);
  assert.equal(await page.evaluate(() => window.log.filter(([name]) => name === 'hosted ready').length), 1);
  await page.close();
});

test('R06 the methods of the hook are those of the element, and calls before it is there only warn', async () => {
  const page = await browser.newPage();
  const said = [];
  page.on('console', (message) => said.push(`${message.type()} ${message.text()}`));
  await page.goto(`${server.origin}/react-development-early`);
  await page.waitForFunction(() => window.log.some(([name]) => name === 'ready'));
  const methods = ['fetchUpdates', 'focusComposer', 'hideHistory', 'sendCustomAction', 'sendUserMessage', 'setComposerValue', 'setThreadId', 'showHistory'];
  const found = await page.evaluate(() => Object.keys(window.chatkit).filter((name) => typeof window.chatkit[name] === 'function').sort());
  assert.deepEqual(found.filter((name) => methods.includes(name)), methods);
  await page.evaluate(async () => {
    await window.chatkit.setComposerValue({ text: 'from the page' });
    await window.chatkit.focusComposer();
    await window.chatkit.showHistory();
  });
  assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'from the page');
  await page.locator('.history').waitFor();
  await page.evaluate(() => window.chatkit.hideHistory());
  await page.locator('.history').waitFor({ state: 'detached' });
  await page.evaluate(() => window.show(0, false));
  await page.waitForFunction(() => document.querySelector('openai-chatkit') === null);
  const outcome = await page.evaluate(() => Promise.resolve(window.chatkit.focusComposer()).then(() => 'resolved', (error) => error.name));
  assert.equal(outcome, 'resolved');
  assert.ok(said.some((line) => line.startsWith('warning') && line.includes('not mounted')), said.join('\n'));
  await page.close();
});
