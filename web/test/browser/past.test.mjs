// Conversations of the past: found by words, and taken along as files. And that all of it says it is an AI's.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { answered, addPage, eventsOf, launch, ready, say, until } from './harness.mjs';
import { STRICT_CSP, startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  const page = (path, options) => addPage(server, path, `chat.setOptions({ ...${options}, locale: new URLSearchParams(location.search).get('locale') ?? 'en' });`, { csp: STRICT_CSP });
  page('/ours', `{ api: { url: '/chatkit', domainKey: 'dk_test_good' } }`);
  page('/other', `{ api: { url: '/chatkit', domainKey: 'local-dev' } }`);
  page('/worded', `{ api: { url: '/chatkit', domainKey: 'local-dev' }, aiNotice: { text: 'Answers come from a machine.' }, history: { showExport: false } }`);
  page('/silent', `{ api: { url: '/chatkit', domainKey: 'local-dev' }, aiNotice: { enabled: false, text: 'not shown' } }`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(path, run) {
  const context = await browser.newContext({ viewport: { width: 420, height: 720 }, acceptDownloads: true });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && !/status of (4|5)/.test(message.text()) && errors.push(message.text()));
  server.state.requests.length = 0;
  server.state.threads.clear();
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}
const searches = () => server.state.requests.filter(({ body }) => body.type === 'threads.search').map(({ body }) => body.params);
const openHistory = (page) => page.getByRole('button', { name: 'History' }).click();
const titles = (page) => page.locator('.history-open').allInnerTexts();

/** Finds by titles, two a page. */
function answerSearches() {
  server.state.answers['threads.search'] = ({ params: { query, after } }) => {
    const all = [...server.state.threads.values()].filter(({ title }) => title.includes(query));
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const data = all.slice(from, from + 2).map(({ id, title, created_at }) => ({ id, title, created_at }));
    return [200, { data, has_more: all.length > from + 2, after: data.at(-1)?.id }];
  };
}

async function talkOf(page, ...texts) {
  for (const [index, text] of texts.entries()) {
    if (index > 0) await page.getByRole('button', { name: 'New chat' }).click();
    await say(page, text);
    await answered(page, index + 1);
  }
}

test('a search asks once somebody stops writing, shows what it found and how much, and page by page', () =>
  visit('/ours', async (page) => {
    answerSearches();
    await talkOf(page, 'plan red', 'plan green', 'plan blue', 'tea');
    await openHistory(page);
    const field = page.getByRole('searchbox', { name: 'Search' });
    // Letters that come within a pause, however busy the machine is.
    await field.evaluate((node) => {
      for (const words of ['p', 'pl', 'pla', 'plan']) {
        node.value = words;
        node.dispatchEvent(new InputEvent('input', { bubbles: true }));
      }
    });
    await page.getByRole('status').getByText('Conversations found: 2').waitFor({ state: 'attached' });
    assert.deepEqual(searches(), [{ query: 'plan', limit: 30 }]);
    assert.equal((await titles(page)).length, 2);
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('status').getByText('Conversations found: 3').waitFor({ state: 'attached' });
    assert.deepEqual((await titles(page)).toSorted(), ['plan blue', 'plan green', 'plan red']);
    // A new title is seen in what was found, too.
    await page.getByRole('button', { name: 'Rename: plan green' }).click();
    await page.getByRole('textbox', { name: 'Title' }).fill('plan grey');
    await page.keyboard.press('Enter');
    await page.locator('.history-open').getByText('plan grey').waitFor();
    await field.fill('nothing of the kind');
    await page.getByRole('status').getByText('Nothing found').waitFor();
    assert.deepEqual(await titles(page), []);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.locator('.history-open').nth(3).waitFor();
    assert.equal(await field.evaluate((node) => node.getRootNode().activeElement === node), true);
  }));

test('the search by keyboard: down to the first, Escape takes back the search before it closes the history', () =>
  visit('/ours', async (page) => {
    answerSearches();
    await talkOf(page, 'plan red', 'tea');
    await openHistory(page);
    const field = page.getByRole('searchbox', { name: 'Search' });
    await field.fill('plan');
    await page.getByRole('status').getByText('Conversations found: 1').waitFor({ state: 'attached' });
    await field.press('Escape');
    await page.locator('.history-open').nth(1).waitFor();
    assert.equal(await field.inputValue(), '');
    await field.fill('plan');
    await page.getByRole('status').getByText('Conversations found: 1').waitFor({ state: 'attached' });
    await field.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('.history').waitFor({ state: 'detached' });
    await page.getByText('You said: plan red').waitFor();
    await openHistory(page);
    await field.press('Escape');
    await page.locator('.history').waitFor({ state: 'detached' });
  }));

test('a search that the server ends before it has found anything goes on by itself', () =>
  visit('/ours', async (page) => {
    await talkOf(page, 'plan red');
    const [thread] = server.state.threads.values();
    server.state.answers['threads.search'] = ({ params: { after } }) => [200, after === 'far' ? { data: [{ id: thread.id, title: 'plan red', created_at: thread.created_at }], has_more: false } : { data: [], has_more: true, after: after === undefined ? 'near' : 'far' }];
    await openHistory(page);
    await page.getByRole('searchbox', { name: 'Search' }).fill('plan');
    await page.getByRole('status').getByText('Conversations found: 1').waitFor({ state: 'attached' });
    assert.deepEqual(searches().map(({ after = null }) => after), [null, 'near', 'far']);
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
  }));

test('a search that fails says so, and what came late for other words is dropped', () =>
  visit('/ours', async (page) => {
    await talkOf(page, 'plan red', 'tea');
    let letGo;
    server.state.answers['threads.search'] = async ({ params: { query } }) => {
      if (query === 'slow') await new Promise((done) => (letGo = done));
      const data = [...server.state.threads.values()].map(({ id, created_at }) => ({ id, created_at, title: `for ${query}` }));
      return [200, { data, has_more: false }];
    };
    await openHistory(page);
    const field = page.getByRole('searchbox', { name: 'Search' });
    await field.fill('slow');
    await until(() => letGo !== undefined);
    await page.evaluate(() => {
      window.wasShown = false;
      new MutationObserver(() => (window.wasShown ||= window.chat.shadowRoot.textContent.includes('for slow'))).observe(window.chat.shadowRoot, { childList: true, subtree: true, characterData: true });
    });
    await field.fill('fast');
    await page.locator('.history-open').getByText('for fast').first().waitFor();
    letGo();
    assert.deepEqual(await titles(page), ['for fast', 'for fast']);
    server.state.answers['threads.search'] = () => [500, 'The search is down.'];
    await field.fill('broken');
    await page.getByRole('status').getByText('The search is down.').waitFor();
    assert.deepEqual((await eventsOf(page, 'error')).map(({ error }) => error), ['RequestError: The search is down.']);
    assert.equal(await page.evaluate(() => window.wasShown), false);
  }));

test('nothing that one person searched for is shown to the next, whose list is loaded', () =>
  visit('/ours', async (page) => {
    answerSearches();
    await talkOf(page, 'plan red', 'plan green', 'plan blue');
    await openHistory(page);
    const field = page.getByRole('searchbox', { name: 'Search' });
    await field.fill('plan');
    await page.getByRole('button', { name: 'Show more' }).waitFor();
    server.state.threads.clear();
    server.state.threads.set('thr_b', { id: 'thr_b', title: 'of the second person', created_at: new Date().toISOString(), items: [] });
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit?person=2', domainKey: 'dk_test_good' }, locale: 'en' }));
    await page.locator('.history-open').getByText('of the second person').waitFor();
    assert.deepEqual(await titles(page), ['of the second person']);
    assert.equal(await field.inputValue(), '');
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
  }));

test('a server that is not known to be ours is not asked to search', () =>
  visit('/other', async (page) => {
    await talkOf(page, 'plan red');
    await openHistory(page);
    await page.getByRole('button', { name: 'Export: plan red' }).waitFor({ state: 'attached' });
    assert.equal(await page.getByRole('searchbox').count(), 0);
  }));

test('a conversation is saved as Markdown and as JSON, and both say what a machine made', () =>
  visit('/other', async (page) => {
    await talkOf(page, 'markdown');
    await openHistory(page);
    await page.locator('.history-row').hover();
    const save = async (kind) => {
      await page.getByRole('button', { name: 'Export: markdown' }).click();
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: kind, exact: true }).click()]);
      // The row is a row again, with the focus on it.
      await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.classList.contains('history-open'));
      return [download.suggestedFilename(), await readFile(await download.path(), 'utf8')];
    };
    const [name, text] = await save('Markdown');
    assert.equal(name, 'markdown.md');
    assert.match(text, /\n# markdown\n\n## You said:\n\nmarkdown\n\n## Assistant said:\n\n## A short tour/);
    assert.match(text, /\n\*Generated by AI · 20\d\d-/);
    const [jsonName, json] = await save('JSON');
    assert.equal(jsonName, 'markdown.json');
    assert.deepEqual(JSON.parse(json).items.map(({ type, generated_by = null }) => [type, generated_by]), [['user_message', null], ['assistant_message', 'ai']]);
  }));

test('an export that fails is said in the words of the server, and can be tried again', () =>
  visit('/other', async (page) => {
    await talkOf(page, 'markdown');
    await openHistory(page);
    await page.locator('.history-row').hover();
    await page.getByRole('button', { name: 'Export: markdown' }).click();
    server.state.refuse = { status: 500, message: 'Not today.', times: 1 };
    await page.getByRole('button', { name: 'JSON', exact: true }).click();
    await page.getByText('Not today.').waitFor();
    assert.deepEqual((await eventsOf(page, 'error')).map(({ error }) => error), ['RequestError: Not today.']);
    await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON', exact: true }).click()]);
  }));

test('one is told that this is an AI: by default, in words of the page, in the language, or not', async () => {
  const notice = (page) => page.locator('[part=ai-notice]');
  await visit('/other', async (page) => {
    assert.equal(await notice(page).innerText(), 'You are talking to an AI.');
    assert.ok(await notice(page).isVisible());
    // Who cannot see it hears it with the text field.
    const described = await page.getByRole('textbox').evaluate((field) => field.getRootNode().getElementById(field.getAttribute('aria-describedby')).textContent);
    assert.equal(described, 'You are talking to an AI.');
    await say(page, 'hello');
    await answered(page);
    assert.ok(await notice(page).isVisible());
  });
  await visit('/other?locale=de', async (page) => assert.equal(await notice(page).innerText(), 'Du sprichst mit einer KI.'));
  await visit('/worded', async (page) => {
    assert.equal(await notice(page).innerText(), 'Answers come from a machine.');
    await talkOf(page, 'tea');
    await openHistory(page);
    await page.getByRole('button', { name: 'Rename: tea' }).waitFor({ state: 'attached' });
    assert.equal(await page.getByRole('button', { name: /Export/ }).count(), 0);
  });
  await visit('/silent', async (page) => {
    assert.equal(await notice(page).count(), 0);
    assert.ok(!(await page.evaluate(() => window.events)).some(([name, detail]) => name === 'log' && detail.name === 'options.unknown'));
  });
});

test('every answer carries a mark that machines read', () =>
  visit('/other', async (page) => {
    await page.evaluate(() => window.chat.sendUserMessage({ text: 'widget', model: 'gpt-x' }));
    await answered(page);
    await say(page, 'hello');
    await answered(page, 2);
    const marks = await page.locator('[data-generated-by=ai]').evaluateAll((nodes) => nodes.map(({ className, dataset }) => [className, dataset.model ?? null, Number.isNaN(Date.parse(dataset.generatedAt))]));
    assert.deepEqual(marks, [['marked', 'gpt-x', false], ['assistant-message', null, false]]);
    assert.equal(await page.locator('.user-message[data-generated-by]').count(), 0);
  }));
