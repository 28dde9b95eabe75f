// A page that allows nothing it does not need: no violation through a whole visit, nothing runs that
// a model wrote, nothing is asked of anybody else.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { addPage, answered, launch, ready, say } from './harness.mjs';
import { STRICT_CSP, startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer({ slow: 1 }), await launch()];
  const options = `threadItemActions: { feedback: true, retry: true }, disclaimer: { text: 'Check **what** [matters](https://example.com).' }, composer: { models: [{ id: 'a', label: 'Fast' }], tools: [{ id: 's', label: 'Search', icon: 'globe' }] }, theme: { colorScheme: 'dark', radius: 'round', density: 'compact', color: { accent: { primary: '#4f46e5', level: 3 }, grayscale: { hue: 220, tint: 4, shade: 1 } }, typography: { baseSize: 15, fontFamily: 'Georgia, serif' } }`;
  addPage(server, '/strict', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' }, ${options} });`, { csp: STRICT_CSP });
});
after(async () => {
  await browser.close();
  await server.close();
});

test('strict CSP and Trusted Types: a whole visit without a violation', async () => {
  const page = await browser.newPage({ viewport: { width: 420, height: 720 } });
  const complaints = [];
  const foreign = [];
  page.on('console', (message) => /Content Security Policy|Trusted|Refused|TrustedHTML|violates/i.test(message.text()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== 'data:' && origin !== server.origin) foreign.push(request.url());
  });
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`violates ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
  await page.goto(`${server.origin}/strict`);
  // The page's own script sets a style attribute of the CSSOM only; violations from here on are ours.
  await ready(page);
  let count = 0;
  await say(page, 'markdown');
  await answered(page, (count += 1));
  await page.locator('.hl-keyword', { hasText: 'def' }).waitFor({ state: 'attached' });
  assert.match(await page.locator('.code-block code').innerText(), /^def greet\(name\):\n {4}return/);
  await say(page, 'formulas');
  await answered(page, (count += 1));
  await page.locator('.formula math').nth(3).waitFor();
  for (const text of ['dangerous', 'workflow', 'notice', 'progress', 'error', 'widget']) {
    await say(page, text);
    await answered(page, (count += 1));
  }
  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('button', { name: /^Rename/ }).first().click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^Delete/ }).first().click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'New chat' }).click();
  const { hacked, background, font } = await page.evaluate(() => {
    const app = window.chat.shadowRoot.querySelector('.app');
    return { hacked: window.hacked, background: getComputedStyle(app).backgroundColor, font: getComputedStyle(app).fontFamily };
  });
  assert.equal(hacked, undefined);
  assert.deepEqual(complaints, []);
  assert.deepEqual(foreign, []);
  assert.notEqual(background, 'rgb(255, 255, 255)', 'the sheets apply under this policy');
  assert.match(font, /Georgia/);
  await page.close();
});

test('hostile theme values change nothing', async () => {
  const page = await browser.newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  addPage(server, '/hostile', `chat.setOptions({ api: { url: '/chatkit' }, theme: { typography: { fontFamily: 'x; background: url(https://evil.example/a)' }, color: { accent: { primary: 'red;} .app{display:none}', level: 3 }, surface: { background: 'url(https://evil.example/b)', foreground: 'red' } } } });`);
  await page.goto(`${server.origin}/hostile`);
  await ready(page);
  assert.ok(await page.getByPlaceholder('Message the AI').isVisible());
  assert.deepEqual(asked.filter((url) => url.includes('evil')), []);
  await page.close();
});

test('the bundle: size, and no way to parse a string as HTML or code', async () => {
  const { gzip } = JSON.parse(await readFile(new URL('../../dist/chatkit/manifest.json', import.meta.url), 'utf8'))['chatkit.js'];
  assert.ok(gzip <= 100_000, `chatkit.js is ${gzip} bytes gzipped`);
  const script = await readFile(new URL('../../dist/chatkit.js', import.meta.url), 'utf8');
  assert.ok(!script.includes('mathbb'), 'what knows TeX is a part of its own');
  // Preact itself knows dangerouslySetInnerHTML; our lint rules keep everyone from using it.
  const ours = script.replaceAll('dangerouslySetInnerHTML', '');
  for (const word of ['insertAdjacentHTML', 'setHTMLUnsafe', 'srcdoc=', 'document.write', 'new Function', 'eval(', 'localStorage', 'crypto.randomUUID', 'openai.com']) {
    assert.ok(!ours.includes(word), `${word} is in the bundle`);
  }
  // One place, for the id of the thread that `history.reopen` comes back to.
  assert.equal(ours.split('sessionStorage').length, 2);
});

test('two scripts on one page, a module, and an element made before its script', async () => {
  server.state.pages.set('/twice', { html: '<!doctype html><title>t</title><openai-chatkit id="early"></openai-chatkit><script>window.errors=[];window.onerror=(m)=>errors.push(m)</script><script src="/chatkit.js"></script><script src="/chatkit.js"></script><script type="module" src="/chatkit.js"></script>' });
  const page = await browser.newPage();
  await page.goto(`${server.origin}/twice`, { waitUntil: 'load' });
  const result = await page.evaluate(async () => {
    const early = document.getElementById('early');
    early.style.height = '300px';
    early.setOptions({ api: { url: '/chatkit' } });
    await early.focusComposer();
    return { errors: window.errors, shadow: early.shadowRoot !== null, classes: early.className, style: early.getAttribute('style') };
  });
  assert.deepEqual(result, { errors: [], shadow: true, classes: '', style: 'height: 300px;' });
  await page.close();
});
