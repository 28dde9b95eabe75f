// Answers that go on without their reader: reload, a second tab, a lost network, Stop, writing on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { addPage, answered, eventsOf, launch, ready, say } from './harness.mjs';
import { Runs } from './runs.mjs';
import { STRICT_CSP, startServer } from './server.mjs';

let server;
let browser;
const runs = new Runs();
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  runs.threads = server.state.threads;
  server.state.runs = runs;
  addPage(server, '/runs', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'dk_test_good' }, history: { reopen: true }, theme: { colorScheme: new URLSearchParams(location.search).get('scheme') ?? 'light' } });`, { csp: STRICT_CSP });
  // Where the page's own `fetch` sends a request to is not known: the first one says nothing of us.
  addPage(server, '/own-fetch', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev', fetch: (url, init) => fetch(url, init) } });`, { csp: STRICT_CSP });
  // This one is asked about its key, and takes our headers off.
  addPage(server, '/bare-fetch', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'dk_test_good', fetch: (url, { method, body, signal }) => fetch(url, { method, body, signal, headers: { 'Content-Type': 'application/json' } }) } });`, { csp: STRICT_CSP });
});
after(async () => {
  runs.reset();
  await browser.close();
  await server.close();
});

async function visit(run, { path = '/runs', prepare = () => undefined } = {}) {
  const context = await browser.newContext({ viewport: { width: 420, height: 720 } });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) errors.push(message.text());
  });
  runs.reset();
  runs.isDeaf = false;
  server.state.requests.length = 0;
  try {
    await prepare(page);
    // The check of the domain key tells that this is a server with runs.
    const verified = path === '/own-fetch' ? null : page.waitForResponse('**/verify');
    await page.goto(server.origin + path);
    await ready(page);
    await (await verified)?.finished();
    await run(page, context);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}

const operations = () => server.state.requests.filter(({ body }) => body.type?.startsWith('threads.')).map(({ body }) => body.type);
const answer = (page, text) => page.waitForFunction((wanted) => [...window.chat.shadowRoot.querySelectorAll('.assistant-message')].at(-1)?.querySelector('.markdown')?.textContent.trim() === wanted, text);
const until = async (condition) => {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `in time: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Sends a message and has the answer begin. */
async function begin(page, text = 'hello', beginning = 'Well, ') {
  await say(page, text);
  await until(() => runs.current?.message.content[0].text === text);
  if (beginning === '') return;
  runs.write(beginning);
  await answer(page, beginning.trim());
}

test('a reload loses nothing: the same thread, the same answer, going on', () =>
  visit(async (page) => {
    await begin(page);
    await page.reload();
    await ready(page);
    await answer(page, 'Well,');
    runs.write('here we are. 🎉');
    await answer(page, 'Well, here we are. 🎉');
    runs.finish();
    await answered(page);
    assert.equal(await page.locator('.user-message').count(), 1);
    assert.equal(await page.locator('.assistant-message').count(), 1);
    assert.deepEqual(operations(), ['threads.create', 'threads.get_by_id', 'threads.resume']);
    const stored = await page.evaluate(() => ({ ...localStorage, ...sessionStorage }));
    assert.deepEqual(stored, { [`vestibule.thread ${server.origin}/chatkit`]: server.state.requests.at(-1).body.params.thread_id });
    const { headers } = server.state.requests.find(({ body }) => body.type === 'threads.create');
    assert.equal(headers['vestibule-client'], 'resume');
    assert.match(headers['idempotency-key'], /^[!-~]{1,255}$/);
    assert.deepEqual(await seriousFindings(page, 'after a reload'), []);
  }));

test('a second tab follows the same answer', () =>
  visit(async (page, context) => {
    await begin(page);
    const id = runs.current.thread.id;
    const other = await context.newPage();
    await other.goto(`${server.origin}/runs`);
    await ready(other);
    await other.evaluate((thread) => window.chat.setThreadId(thread), id);
    await answer(other, 'Well,');
    runs.write('both of you');
    await Promise.all([answer(page, 'Well, both of you'), answer(other, 'Well, both of you')]);
    runs.finish();
    await Promise.all([answered(page), answered(other)]);
    assert.equal(await other.locator('.assistant-message').count(), 1);
  }));

test('a lost network is said, and the answer taken up where it was', () =>
  visit(async (page, context) => {
    await begin(page);
    await context.setOffline(true);
    runs.current.cut();
    await page.getByText('The connection is lost.').first().waitFor();
    assert.deepEqual(await seriousFindings(page, 'lost'), []);
    runs.write('you were away ');
    await context.setOffline(false);
    await answer(page, 'Well, you were away');
    runs.write('and are back');
    runs.finish();
    await answer(page, 'Well, you were away and are back');
    await answered(page);
    assert.equal(await page.locator('.progress').count(), 0);
    assert.deepEqual(await eventsOf(page, 'error'), []);
    const resumed = server.state.requests.filter(({ body }) => body.type === 'threads.resume');
    assert.match(resumed[0].body.params.after, /^run_\d{26}:\d+$/);
  }));

for (const path of ['/own-fetch', '/bare-fetch']) {
  test(`a first answer that breaks is asked for once, where the server was shown no key (${path})`, () =>
    visit(async (page) => {
      await begin(page);
      const create = server.state.requests.find(({ body }) => body.type === 'threads.create');
      assert.equal(create.headers['idempotency-key'], undefined);
      const before = runs.threads.size;
      runs.current.cut();
      await until(() => operations().length === 2);
      await answered(page);
      assert.deepEqual(operations(), ['threads.create', 'threads.get_by_id']);
      assert.deepEqual(await page.locator('.user-message, .assistant-message').evaluateAll((nodes) => nodes.map((node) => (node.querySelector('.bubble, .markdown') ?? node).textContent.trim())), ['hello', 'Well,']);
      assert.deepEqual([runs.threads.size, runs.current], [before, null]);
      assert.deepEqual(await eventsOf(page, 'error'), []);
      // From here on the server is told that we come back, if the page lets us.
      await say(page, 'and now?');
      await until(() => runs.current !== null);
      assert.equal(server.state.requests.at(-1).headers['vestibule-client'], path === '/own-fetch' ? 'resume' : undefined);
    }, { path }));
}

test('a server that fell silent is noticed and resumed', () =>
  visit(async (page) => {
    await begin(page);
    const before = runs.current.readers.size;
    await page.clock.fastForward(31_000);
    await until(() => operations().includes('threads.resume'));
    assert.equal(before, 1);
    runs.write('still here');
    await answer(page, 'Well, still here');
    runs.finish();
    await answered(page);
  }, { prepare: (page) => page.clock.install() }));

test('a message whose answer never came is sent again, once', () =>
  visit(async (page, context) => {
    await context.setOffline(true);
    await say(page, 'are you there?');
    await page.getByText('The connection is lost.').first().waitFor();
    await context.setOffline(false);
    await until(() => runs.current !== null);
    runs.write('Yes');
    runs.finish();
    await answered(page);
    assert.equal(runs.threads.size > 0 && [...runs.threads.values()].at(-1).items.length, 2);
    assert.equal(await page.locator('.user-message').count(), 1);
  }));

test('Stop is a request, and keeps what was written', () =>
  visit(async (page) => {
    await begin(page);
    await page.getByRole('button', { name: 'Stop' }).click();
    await answered(page);
    assert.deepEqual(operations(), ['threads.create', 'threads.cancel']);
    await answer(page, 'Well,');
    await page.locator('.notice').getByText('You stopped the answer.').waitFor();
    await page.getByRole('status').filter({ hasText: 'The answer was stopped.' }).waitFor({ state: 'attached' });
  }));

test('stopped before it began: said, and asked again', () =>
  visit(async (page) => {
    await begin(page, 'hello', '');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.notice').getByText('You stopped the answer before it began.').waitFor();
    assert.equal(await page.locator('.notice').count(), 1);
    assert.deepEqual(await seriousFindings(page, 'stopped'), []);
    await page.getByRole('button', { name: 'Ask again' }).click();
    await until(() => runs.current !== null);
    runs.write('Again');
    runs.finish();
    await answer(page, 'Again');
    assert.equal(await page.locator('.notice').count(), 0);
    assert.equal(operations().at(-1), 'threads.retry_after_item');
  }));

test('an answer that a crash cut is said, and asked again', () =>
  visit(async (page) => {
    await begin(page);
    runs.crash();
    await page.locator('.notice').getByText('The answer was interrupted').waitFor();
    await answer(page, 'Well,');
    await page.getByRole('button', { name: 'Ask again' }).click();
    await until(() => runs.current !== null);
    runs.write('Whole');
    runs.finish();
    await answer(page, 'Whole');
    assert.equal(await page.locator('.assistant-message').count(), 1);
  }));

for (const scheme of ['light', 'dark']) {
  test(`writing on while an answer runs: shown as waiting, answered in turn (${scheme})`, () =>
    visit(async (page) => {
      await begin(page);
      for (const text of ['second', 'third']) await say(page, text);
      const waiting = page.getByRole('list', { name: 'Messages that wait' }).getByRole('listitem');
      await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.queued li button:not(:disabled)').length === 2);
      assert.ok(await page.getByText('third', { exact: true }).isVisible());
      assert.deepEqual(await seriousFindings(page, 'waiting'), []);
      runs.finish();
      await until(() => runs.current?.message.content[0].text === 'second');
      runs.write('To the second');
      await answer(page, 'To the second');
      assert.equal(await waiting.count(), 1);
      runs.finish();
      await until(() => runs.current?.message.content[0].text === 'third');
      runs.write('To the third');
      await answer(page, 'To the third');
      runs.finish();
      await answered(page, 3);
      assert.equal(await waiting.count(), 0);
      assert.deepEqual(await page.locator('.user-message, .assistant-message').evaluateAll((nodes) => nodes.map((node) => (node.querySelector('.bubble, .markdown') ?? node).textContent.trim())), ['hello', 'Well,', 'second', 'To the second', 'third', 'To the third']);
    }, { path: `/runs?scheme=${scheme}` }));
}

test('what waits survives a reload, and can be taken back', () =>
  visit(async (page) => {
    await begin(page);
    await say(page, 'not so fast');
    const back = page.getByRole('button', { name: 'Take back: not so fast' });
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('.queued li button:not(:disabled)') !== null);
    await page.reload();
    await ready(page);
    await back.click();
    await back.waitFor({ state: 'detached' });
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'not so fast');
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement?.tagName), 'TEXTAREA');
    runs.finish();
    await answered(page);
    assert.equal(runs.current, null);
    assert.equal(await page.locator('.user-message').count(), 1);
  }));

test('a thread that is busy says so in the server’s words and keeps the draft', () =>
  visit(async (page) => {
    await begin(page);
    for (let count = 1; count <= 8; count += 1) {
      await say(page, `message ${count}`);
      await page.waitForFunction((n) => window.chat.shadowRoot.querySelectorAll('.queued li button:not(:disabled)').length === n, count);
    }
    await say(page, 'the ninth');
    await page.getByRole('alert').getByText('Eight messages wait in this conversation already.').waitFor();
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'the ninth');
    assert.equal(await page.locator('.queued li').count(), 8);
    // Eight streams would be more than a browser opens to one server.
    assert.ok([...runs.current.readers].length === 1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await until(() => runs.current?.message.content[0].text === 'message 1');
  }));

test('another thread is opened without stopping the answer', () =>
  visit(async (page) => {
    await begin(page);
    const id = runs.current.thread.id;
    await page.getByRole('button', { name: 'New chat' }).click();
    await until(() => runs.current.readers.size === 0);
    runs.write('without you');
    await page.evaluate((thread) => window.chat.setThreadId(thread), id);
    await answer(page, 'Well, without you');
    assert.ok(!operations().includes('threads.cancel'));
    runs.finish();
    await answered(page, 2);
  }));
