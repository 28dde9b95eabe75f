// A login that has ended: said in the page's or the server's words, with the page's own way back in (`api.onSignIn`).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { addPage, answered, eventsOf, launch, ready, say } from './harness.mjs';
import { focused } from './scene.mjs';
import { STRICT_CSP, startServer } from './server.mjs';
import { newFiles } from './uploads.mjs';

let server;
let browser;
/** The page's backend: `isIn` says whether there is a session; signing in takes until `window.finish` is called. */
const BACKEND = `
  window.isIn = true; window.asked = []; window.signIns = 0;
  window.onSignIn = () => { window.signIns += 1; return new Promise((resolve, reject) => { window.finish = () => { window.isIn = true; resolve(); }; window.giveUp = () => reject(new Error('The window was closed.')); }); };
  window.getClientSecret = async (current) => { window.asked.push(current === null ? null : 'old'); if (!window.isIn) throw new Error('Your session has ended.'); return (await (await fetch('/api/chatkit/start', { method: 'POST' })).json()).client_secret; };`;
before(async () => {
  [server, browser] = [await startServer({ slow: 0 }), await launch()];
  const page = (path, script) => addPage(server, path, `${BACKEND} ${script}`, { csp: STRICT_CSP });
  page('/out', `window.isIn = false; chat.setOptions({ api: { getClientSecret, onSignIn }, locale: new URLSearchParams(location.search).get('locale') ?? 'en' });`);
  page('/hosted', `chat.setOptions({ api: { getClientSecret, onSignIn } });`);
  page('/without', `window.isIn = false; chat.setOptions({ api: { getClientSecret } });`);
  page('/custom', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev', fetch: (...request) => window.isIn ? fetch(...request) : Promise.reject(new Error('Your session has ended.')), onSignIn } });`);
  const attachments = 'composer: { attachments: { enabled: true } }';
  page('/files', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev', uploadStrategy: { type: 'two_phase' }, onSignIn }, ${attachments} });`);
  page('/hosted-files', `chat.setOptions({ api: { getClientSecret, onSignIn }, ${attachments} });`);
  page('/visitor', `chat.setOptions({ api: { clientToken: 'pk_test_visitor', onSignIn } });`);
  page('/away', `chat.setOptions({ api: { getClientSecret: () => Promise.reject(new TypeError('Failed to fetch')), onSignIn } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(path, run, context = {}) {
  const opened = await browser.newContext({ viewport: { width: 420, height: 720 }, ...context });
  const page = await opened.newPage();
  page.setDefaultTimeout(10_000);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  server.state.refuse = null;
  server.state.files = newFiles();
  server.state.threads.clear();
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page);
    assert.deepEqual(errors, []);
  } finally {
    await opened.close();
  }
}
const button = (page) => page.getByRole('alert').getByRole('button', { name: 'Sign in again' });
const field = (page) => page.getByPlaceholder('Message the AI');
const signOut = (page) => {
  server.expireAll();
  return page.evaluate(() => (window.isIn = false));
};

test('at load: the reason in words, the way back in by keyboard, and the draft is still there', () =>
  visit('/out', async (page) => {
    await page.getByRole('alert').getByText('Your session has ended.').waitFor();
    await page.evaluate(() => window.chat.setComposerValue({ text: 'half a thought' }));
    assert.deepEqual(await seriousFindings(page, 'light'), []);
    await button(page).focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.signIns === 1);
    // A second press while the page is at it does nothing, and the focus stays.
    assert.equal(await button(page).getAttribute('aria-disabled'), 'true');
    await page.keyboard.press('Enter');
    assert.match(await focused(page), /button/);
    const before = await page.evaluate(() => window.asked.length);
    await page.evaluate(() => window.finish());
    await page.getByRole('alert').waitFor({ state: 'detached' });
    assert.deepEqual(await page.evaluate((from) => [window.signIns, window.asked.slice(from)], before), [1, [null]]);
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('textarea'));
    assert.equal(await field(page).inputValue(), 'half a thought');
    await page.keyboard.press('Enter');
    await answered(page);
  }));

test('in a conversation: giving up is said, and once it is done what was asked is answered and the draft is kept', () =>
  visit('/hosted', async (page) => {
    await say(page, 'first');
    await answered(page);
    await signOut(page);
    await say(page, 'second');
    await page.getByRole('alert').getByText('Your session has ended.').waitFor();
    await field(page).fill('for later');
    await button(page).click();
    await page.evaluate(() => window.giveUp());
    await page.getByText('The window was closed.').waitFor();
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('[role=alert] .button[aria-disabled=false]') !== null);
    assert.ok((await eventsOf(page, 'error')).some(({ error }) => error === 'Error: The window was closed.'));
    await button(page).click();
    const before = await page.evaluate(() => window.asked.length);
    await page.evaluate(() => window.finish());
    await answered(page, 2);
    assert.deepEqual(await page.evaluate((from) => window.asked.slice(from), before), [null], 'nothing of the login before is shown to the page');
    await page.locator('.turn').last().getByText('You said: second').waitFor();
    assert.equal(await page.locator('.user-message').count(), 2);
    assert.equal(await field(page).inputValue(), 'for later');
    assert.equal(await button(page).count(), 0);
  }));

test('what a page’s own fetch throws, and a server’s 401', () =>
  visit('/custom', async (page) => {
    await page.evaluate(() => (window.isIn = false));
    await say(page, 'first');
    await button(page).click();
    await page.evaluate(() => window.finish());
    await answered(page);
    server.state.refuse = { status: 401, message: 'Please sign in.', times: 1 };
    await say(page, 'second');
    await page.getByRole('alert').getByText('Please sign in.').waitFor();
    await button(page).click();
    await page.evaluate(() => window.finish());
    await page.getByText('You said: second').waitFor();
    // Other refusals have nothing to do with it.
    server.state.refuse = { status: 429, message: 'Too much.', times: 1 };
    await say(page, 'third');
    await page.getByRole('alert').getByText('Too much.').waitFor();
    assert.equal(await button(page).count(), 0);
  }));

test('the list of conversations', () =>
  visit('/hosted', async (page) => {
    await say(page, 'first');
    await answered(page);
    await signOut(page);
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('alert').getByText('Your session has ended.').waitFor();
    await button(page).focus();
    await page.keyboard.press('Enter');
    await page.evaluate(() => window.finish());
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.locator('.history-open').getByText('first').waitFor();
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.closest('.history') !== null && window.chat.shadowRoot.activeElement !== null);
  }));

test('a file: one way back in for all that were refused, by the announcement or by the bytes, and then they are sent', () =>
  visit('/files', async (page) => {
    const choose = (...names) => page.locator('input[type=file]').setInputFiles(names.map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('milk') })));
    const way = page.locator('.composer').getByRole('button', { name: 'Sign in again' });
    const signsIn = async () => {
      await way.focus();
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => window.finish !== undefined);
      await page.evaluate(() => { window.finish(); delete window.finish; });
    };
    await field(page).fill('my list');
    server.state.refuse = { status: 401, message: 'Please sign in.', times: 2 };
    await choose('a.txt', 'b.txt');
    await page.locator('.draft.failed').nth(1).waitFor();
    assert.equal(await way.count(), 1);
    assert.equal(await page.locator('.draft.failed').first().getByText('Please sign in.').count(), 1);
    assert.deepEqual(await seriousFindings(page, 'light'), []);
    await signsIn();
    await page.locator('.draft.done').nth(1).waitFor();
    assert.equal(await way.count(), 0);
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('textarea'));
    server.state.files.refuse = { status: 401, message: 'Who are you?' };
    await choose('c.txt');
    await page.locator('.draft.failed', { hasText: 'c.txt' }).getByText('Who are you?').waitFor();
    // Signed in, but still refused: it is said again, and the way is there again.
    await signsIn();
    await page.waitForFunction(() => window.events.filter(([name]) => name === 'error').length === 4);
    await page.locator('.draft.failed').waitFor();
    server.state.files.refuse = null;
    await signsIn();
    await page.locator('.draft.done').nth(2).waitFor();
    await page.keyboard.press('Enter');
    await answered(page);
    assert.equal(await page.locator('.attachment-file').count(), 3);
    // What has nothing to do with a login offers none, and a file that failed so is not sent by one.
    server.state.files.refuse = { status: 500, message: 'Not today.' };
    await choose('d.txt');
    await page.locator('.draft.failed').waitFor();
    assert.equal(await way.count(), 0);
  }));

test('a file of the hosted door, whose secret the page cannot renew: in its words', () =>
  visit('/hosted-files', async (page) => {
    await say(page, 'first');
    await answered(page);
    await signOut(page);
    await page.locator('input[type=file]').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('milk') });
    await page.locator('.draft.failed').getByText('Your session has ended.').waitFor();
    await page.locator('.composer').getByRole('button', { name: 'Sign in again' }).click();
    await page.evaluate(() => window.finish());
    await page.locator('.draft.done').waitFor();
  }));

test('in the language of the page', () => visit('/out?locale=de', (page) => page.getByRole('alert').getByRole('button', { name: 'Neu anmelden' }).waitFor()));

test('no button without a way, for a visitor, and where the network failed', async () => {
  for (const path of ['/without', '/away']) {
    await visit(path, async (page) => {
      await page.getByRole('alert').getByRole('button', { name: 'Try again' }).waitFor();
      assert.equal(await button(page).count(), 0, path);
    });
  }
  await visit('/visitor', async (page) => assert.deepEqual((await eventsOf(page, 'log')).filter(({ name }) => name === 'options.unknown').map(({ data }) => data.path), ['options.api.onSignIn']));
});
