// The launcher under the strictest policy: the element comes with the first opening, by all three doors; the
// focus, the keys, the phone; what it says and counts.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, still } from './harness.mjs';
import { gate } from './scene.mjs';
import { STRICT_CSP, startServer } from './server.mjs';

const EVENTS = ['launcher.open', 'launcher.close', 'launcher.message', 'launcher.badge'];
const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };
const DOORS = {
  secret: `api: { async getClientSecret() { return (await (await fetch('/api/chatkit/start', { method: 'POST', body: '{}' })).json()).client_secret; } }`,
  token: `api: { clientToken: 'pk_test_visitor' }`,
  custom: `api: { url: '/chatkit', domainKey: 'local-dev' }`,
};

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  addPage('/bare', '', '');
  addPage('/token', 'client-token="pk_test_visitor"', '');
  addPage('/counted', 'badge="3"', '');
  addPage('/start', 'client-token="pk_test_visitor" position="start" locale="de"', '');
  addPage('/proactive', 'client-token="pk_test_visitor" message="May I help?" message-after="0.2"', '');
  addPage('/own', '', `document.querySelector('openai-chatkit').setOptions({ ${DOORS.custom} });`, { inside: '<openai-chatkit id="chat"></openai-chatkit>', head: '<script src="/chatkit.js"></script>' });
  for (const [name, options] of Object.entries(DOORS)) addPage(`/${name}-door`, '', `launcher.setOptions({ ${options}, header: { title: { text: 'Help' } } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

function addPage(path, attributes, script, { inside = '', head = '' } = {}) {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Shop</title><link rel="icon" href="data:,">${head}<script src="/chatkit/launcher.js"></script></head>
    <body><main><h1>Shop</h1><button id="help">Help me</button><vestibule-launcher id="launcher" ${attributes}>${inside}</vestibule-launcher></main><script src="${path}.js"></script></body></html>`;
  server.state.pages.set(path, { html, csp: STRICT_CSP });
  server.state.scripts.set(`${path}.js`, `window.launcher = document.getElementById('launcher'); window.events = [];
    for (const name of ${JSON.stringify(EVENTS)}) document.addEventListener(name, ({ detail }) => window.events.push([name, detail]));
    document.getElementById('help').addEventListener('click', () => launcher.open()); ${script}`);
}

async function visit(path, run, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
  const page = await context.newPage();
  const problems = [];
  const loaded = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  try {
    await page.goto(server.origin + path);
    await page.waitForFunction(() => customElements.get('vestibule-launcher') !== undefined);
    await run(page, { loaded, problems });
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}
const bubble = (page) => page.locator('button.bubble');
const field = (page) => page.getByPlaceholder('Message the AI');
const isFocused = (locator) => locator.evaluate((node) => node.getRootNode().activeElement === node);
const focusIsIn = (page, selector) => page.waitForFunction((wanted) => {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active?.matches(wanted);
}, selector);
const seen = (page) => page.evaluate(() => window.events.map(([name]) => name));
async function seriousFindings(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  // The chat is unseen until its language is there, and fades in: colours are judged at rest.
  await page.waitForFunction(() => {
    const root = window.launcher.chat?.shadowRoot ?? null;
    return root === null || [...root.children].every(({ style }) => style.opacity === '');
  });
  await still(page);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id} ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}
async function say(page, text) {
  await field(page).fill(text);
  await page.keyboard.press('Enter');
}

for (const door of Object.keys(DOORS)) {
  test(`by the door ${door}: the element is loaded with the first opening, and answers`, () =>
    visit(`/${door}-door`, async (page, { loaded }) => {
      assert.ok(!loaded.includes('/chatkit.js'), loaded.join());
      assert.equal(await page.locator('openai-chatkit').count(), 0);
      await bubble(page).click();
      await focusIsIn(page, 'textarea');
      assert.equal(loaded.filter((path) => path === '/chatkit.js').length, 1);
      await say(page, 'hello');
      await page.getByText('You said: hello').waitFor();
      await page.getByRole('heading', { name: 'Help' }).waitFor();
    }));
}

test('the focus: into the text field, Escape gives it back; what is open inside closes first', () =>
  visit('/token', async (page) => {
    await bubble(page).focus();
    await page.keyboard.press('Enter');
    await focusIsIn(page, 'textarea');
    assert.equal(await bubble(page).getAttribute('aria-expanded'), 'true');
    await page.getByRole('button', { name: 'History' }).click();
    await page.locator('.history').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.history').waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => window.launcher.isOpen), true);
    await page.keyboard.press('Escape');
    await focusIsIn(page, 'button.bubble');
    assert.equal(await page.locator('dialog.panel').isVisible(), false);
    // Opened by the page's own button, it goes back there.
    await page.getByRole('button', { name: 'Help me' }).click();
    await focusIsIn(page, 'textarea');
    await page.keyboard.press('Escape');
    assert.ok(await isFocused(page.locator('#help')));
    assert.deepEqual(await seen(page), ['launcher.open', 'launcher.close', 'launcher.open', 'launcher.close']);
  }));

test('methods, the attribute and the X of the chat do the same', () =>
  visit('/token', async (page) => {
    await page.evaluate(() => window.launcher.open());
    assert.equal(await page.evaluate(() => window.launcher.hasAttribute('open')), true);
    await page.evaluate(() => window.launcher.toggle());
    assert.equal(await page.locator('dialog.panel').isVisible(), false);
    await page.evaluate(() => window.launcher.setAttribute('open', ''));
    await field(page).waitFor();
    await page.locator('openai-chatkit').getByRole('button', { name: 'Close' }).click();
    assert.equal(await page.evaluate(() => window.launcher.hasAttribute('open')), false);
    await page.evaluate(() => window.launcher.toggle());
    await page.evaluate(() => window.launcher.close());
    assert.deepEqual((await seen(page)).filter((name) => name !== 'launcher.badge'), Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? 'launcher.open' : 'launcher.close')));
  }));

test('an answer that ends while the chat is closed is counted, and seen by opening', () =>
  visit('/token', async (page) => {
    await bubble(page).click();
    await focusIsIn(page, 'textarea');
    let letGo;
    const closed = new Promise((done) => (letGo = done));
    server.state.play = async ({ send, say: answer }) => {
      send({ type: 'progress_update', text: 'Looking through your tasks' });
      await closed;
      await answer('You have two tasks.');
    };
    await say(page, 'play');
    await page.getByText('Looking through your tasks').first().waitFor();
    await page.keyboard.press('Escape');
    letGo();
    await page.locator('.badge').getByText('1', { exact: true }).waitFor();
    assert.equal(await bubble(page).getAttribute('aria-label'), 'Open the chat (New messages: 1)');
    await page.evaluate(() => (window.launcher.badge = 120));
    assert.equal(await page.locator('.badge').innerText(), '99+');
    await bubble(page).click();
    assert.equal(await page.locator('.badge').isVisible(), false);
    await page.getByText('You have two tasks.').waitFor();
    assert.deepEqual(await page.evaluate(() => window.events.filter(([name]) => name === 'launcher.badge').map(([, { count }]) => count)), [1, 120, 0]);
  }));

test('it says something after a while; pressing that opens, and it can be dismissed', () =>
  visit('/proactive', async (page) => {
    await page.getByRole('status').getByText('May I help?').waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(await page.getByText('May I help?').isVisible(), false);
    await page.evaluate(() => window.launcher.say('Still here.'));
    await page.getByRole('button', { name: 'Still here.' }).click();
    await focusIsIn(page, 'textarea');
    assert.equal(await page.getByText('Still here.').isVisible(), false);
    assert.deepEqual(await page.evaluate(() => window.events.filter(([name]) => name === 'launcher.message').map(([, detail]) => detail)), [
      { text: 'May I help?', dismissed: false }, { text: 'May I help?', dismissed: true }, { text: 'Still here.', dismissed: false },
    ]);
  }));

test('on a phone the chat is the screen, alone, with a way out', () =>
  visit('/token', async (page) => {
    await bubble(page).tap();
    await field(page).waitFor();
    await still(page);
    assert.deepEqual(await page.locator('dialog.panel').evaluate((panel) => { const { x, y, width, height } = panel.getBoundingClientRect(); return [x, y, width, height, panel.matches(':modal')]; }), [0, 0, 390, 800, true]);
    // No keyboard comes up unasked, and the page behind takes no focus.
    assert.equal(await isFocused(field(page)), false);
    for (let press = 0; press < 12; press += 1) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.localName !== 'button'));
    }
    await page.locator('openai-chatkit').getByRole('button', { name: 'Close' }).tap();
    assert.equal(await page.locator('dialog.panel').isVisible(), false);
    // The history, closed by Escape, leaves the screen to the chat.
    await bubble(page).tap();
    await page.getByRole('button', { name: 'History' }).tap();
    await page.locator('.history').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.history').waitFor({ state: 'detached' });
    assert.ok(await page.locator('dialog.panel').isVisible());
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('dialog.panel').isVisible(), false);
    // Turned into a wide screen, it stays open beside the page.
    await bubble(page).tap();
    await page.setViewportSize({ width: 900, height: 700 });
    await page.waitForFunction(() => { const panel = window.launcher.shadowRoot.querySelector('dialog'); return panel.open && !panel.matches(':modal'); });
    assert.equal(await page.evaluate(() => window.launcher.isOpen), true);
  }, PHONE));

test("a page's own chat is taken as it is, and on a phone there is a bar to close it", () =>
  visit('/own', async (page) => {
    await bubble(page).click();
    await focusIsIn(page, 'textarea');
    assert.equal(await page.locator('openai-chatkit').count(), 1);
    await say(page, 'hello');
    await page.getByText('You said: hello').waitFor();
    await page.setViewportSize({ width: 390, height: 800 });
    await page.locator('vestibule-launcher .shut').click();
    assert.equal(await page.evaluate(() => window.launcher.isOpen), false);
  }));

test('another side, another language', () =>
  visit('/start', async (page) => {
    await page.locator('vestibule-launcher').getByRole('button', { name: 'Chat öffnen' }).waitFor();
    assert.ok((await bubble(page).boundingBox()).x < 100);
    await bubble(page).click();
    await page.locator('openai-chatkit').getByRole('button', { name: 'Schließen' }).waitFor();
    assert.ok((await page.locator('dialog.panel').boundingBox()).x < 100);
  }));

for (const [where, options] of [['beside a page', {}], ['on a phone', PHONE]]) {
  test(`${where}: a chat that cannot be loaded is said, can be closed, and is tried again with the next opening`, () =>
    visit('/token-door', async (page, { problems }) => {
      const shut = page.locator('vestibule-launcher .shut');
      const isPhone = options === PHONE;
      let letGo;
      const looked = new Promise((done) => (letGo = done));
      await page.route('**/chatkit.js*', async (route) => {
        await looked;
        await route.abort();
      });
      await bubble(page).click();
      // There is a way out of what fills the screen, from the first moment.
      assert.equal(await shut.isVisible(), isPhone);
      assert.equal(await page.getByRole('alert').isVisible(), false);
      letGo();
      await page.getByRole('alert').getByText('could not start').waitFor();
      if (isPhone) await shut.click();
      else await page.keyboard.press('Escape');
      assert.equal(await page.locator('dialog.panel').isVisible(), false);
      await page.unrouteAll({ behavior: 'wait' });
      await bubble(page).click();
      await field(page).waitFor();
      assert.equal(await page.getByRole('alert').isVisible(), false);
      // Now the chat's own button closes it.
      assert.equal(await shut.isVisible(), false);
      await page.locator('openai-chatkit').getByRole('button', { name: 'Close' }).click();
      assert.equal(await page.evaluate(() => window.launcher.isOpen), false);
      // What the network says is in the console; the failure itself is handled.
      assert.deepEqual(problems.filter((text) => !text.includes('ERR_FAILED')), []);
      problems.length = 0;
    }, options));
}

test('axe finds nothing serious, closed and open', () =>
  visit('/proactive', async (page) => {
    await page.getByText('May I help?').waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await bubble(page).click();
    await focusIsIn(page, 'textarea');
    assert.deepEqual(await seriousFindings(page), []);
  }));

test('turning the phone keeps the caret where it was', async () => {
  await visit('/token', async (page) => {
    await bubble(page).tap();
    await field(page).tap();
    await page.keyboard.type('half a thought');
    for (let step = 0; step < 4; step += 1) await page.keyboard.press('ArrowLeft');
    for (const [width, height] of [[800, 390], [390, 800]]) {
      await page.setViewportSize({ width, height });
      await page.waitForFunction((modal) => document.getElementById('launcher').shadowRoot.querySelector('dialog').matches(':modal') === modal, width < 600);
      await focusIsIn(page, 'textarea');
      assert.deepEqual(await field(page).evaluate(({ selectionStart, selectionEnd, value }) => [selectionStart, selectionEnd, value]), [10, 10, 'half a thought']);
    }
    await page.keyboard.type('!');
    assert.equal(await field(page).inputValue(), 'half a tho!ught');
  }, PHONE);
});

test('the number on the bubble is there from the beginning, however the launcher came into the page', () =>
  visit('/counted', async (page) => {
    assert.equal(await page.locator('#launcher .badge').innerText(), '3');
    await page.evaluate(() => {
      const made = document.createElement('vestibule-launcher');
      made.id = 'made';
      made.setAttribute('badge', '7');
      document.body.append(made);
    });
    assert.equal(await page.locator('#made .badge').innerText(), '7');
    // Read once: what was seen does not come back with a move.
    await page.evaluate(() => {
      const made = document.getElementById('made');
      made.badge = 0;
      document.querySelector('main').append(made);
    });
    assert.equal(await page.locator('#made .badge').isVisible(), false);
    await page.evaluate(() => {
      const made = document.getElementById('made');
      made.remove();
      made.setAttribute('badge', '8');
      document.body.append(made);
    });
    assert.equal(await page.locator('#made .badge').innerText(), '8');
  }));

test('the language is the last one that was asked for, however long its words took, and the chat has it too', async () => {
  const german = gate();
  await visit('/bare', async (page) => {
    await page.route('**/chatkit/l10n/de-DE.js*', async (route) => {
      await german.opened;
      await route.continue();
    });
    await page.evaluate(() => window.launcher.setAttribute('locale', 'de-AT'));
    await page.evaluate(() => window.launcher.setAttribute('locale', 'fr'));
    await page.locator('button.bubble[aria-label="Ouvrir le chat"]').waitFor().catch(async () => assert.fail(await bubble(page).getAttribute('aria-label')));
    const answer = page.waitForResponse('**/chatkit/l10n/de-DE.js*');
    german.open();
    await (await answer).finished();
    await page.evaluate(() => new Promise((done) => setTimeout(done, 0)));
    assert.equal(await bubble(page).getAttribute('aria-label'), 'Ouvrir le chat');
    for (const [tag, words] of [['en-US', 'Open the chat'], ['zh-Hant', null], ['en', 'Open the chat']]) {
      await page.evaluate((locale) => window.launcher.setAttribute('locale', locale), tag);
      await page.waitForFunction(([label]) => { const said = document.querySelector('#launcher').shadowRoot.querySelector('.bubble').getAttribute('aria-label'); return label === null ? /[\u4e00-\u9fff]/.test(said) : said === label; }, [words]);
    }
    await page.evaluate(() => window.launcher.setAttribute('locale', 'fr-BE'));
    await page.evaluate(() => window.launcher.setAttribute('client-token', 'pk_test_visitor'));
    await bubble(page).click();
    await page.waitForFunction(() => window.launcher.chat?.shadowRoot.querySelector('.app')?.lang === 'fr-FR');
  });
});
