// axe in every view, light and dark, and a walk by keyboard alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { addPage, answered, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer({ slow: 1 }), await launch()];
  addPage(server, '/a11y', `const q = new URLSearchParams(location.search); chat.setOptions({ api: { url: '/chatkit', domainKey: q.get('key') || '' }, theme: { colorScheme: q.get('scheme'), color: { accent: { primary: q.get('accent'), level: 3 } } }, header: { leftAction: { icon: 'home', onClick() {} } }, threadItemActions: { feedback: true, retry: true }, disclaimer: { text: 'Check [this](https://example.com).' }, composer: { models: [{ id: 'a', label: 'Fast' }], tools: [{ id: 's', label: 'Search', icon: 'globe' }] }, startScreen: { prompts: [{ label: 'Begin', prompt: 'hello', icon: 'star' }] } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function check(page, where) {
  assert.deepEqual(await seriousFindings(page, where), []);
}

for (const [scheme, accent] of [['light', '%234f46e5'], ['dark', '%23f97316'], ['light', '%23facc15']]) {
  test(`axe finds nothing serious (${scheme}, ${accent})`, async () => {
    const page = await browser.newPage({ viewport: { width: 480, height: 800 } });
    await page.goto(`${server.origin}/a11y?scheme=${scheme}&accent=${accent}`);
    await ready(page);
    await check(page, 'start');
    let count = 0;
    for (const text of ['markdown', 'formulas', 'workflow', 'notice', 'error', 'widget']) {
      await say(page, text);
      await answered(page, (count += 1));
      await page.locator('.thread').hover();
      await check(page, text);
    }
    await page.getByText('Sources').click();
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Rename/ }).first().waitFor();
    await check(page, 'history');
    await page.getByRole('button', { name: /^Delete/ }).first().click();
    await check(page, 'delete question');
    await page.getByRole('button', { name: 'New chat' }).click();
    for (const text of ['lock', 'close']) {
      await say(page, text);
      await answered(page, (count += 1));
      await check(page, text);
      await page.getByRole('button', { name: 'New chat' }).click();
    }
    await page.close();
  });
}

test('axe finds nothing serious in a refusal', async () => {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/a11y?scheme=light&accent=red&key=dk_live_no`);
  await page.getByRole('alert').waitFor();
  await page.getByText('For the developer of this page').click();
  await check(page, 'refusal');
  await page.close();
});

test('by keyboard alone: prompt, answer, history, rename, back', async () => {
  const page = await browser.newPage({ viewport: { width: 480, height: 800 } });
  await page.goto(`${server.origin}/a11y?scheme=light&accent=teal`);
  await ready(page);
  const focused = () => page.evaluate(() => { const node = window.chat.shadowRoot.activeElement; return node === null ? '' : (node.getAttribute('aria-label') ?? node.textContent); });
  const tabTo = async (name) => {
    for (let presses = 0; presses < 30; presses += 1) {
      await page.keyboard.press('Tab');
      if (await focused() === name) return;
    }
    assert.fail(`${name} cannot be reached by Tab; the focus is on "${await focused()}"`);
  };
  assert.equal(await focused(), '', 'the element takes no focus by itself');
  await tabTo('Begin');
  await page.keyboard.press('Enter');
  await answered(page);
  await page.evaluate(() => document.body.focus());
  await tabTo('History');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Rename: hello' }).waitFor();
  await tabTo('Rename: hello');
  await page.keyboard.press('Enter');
  // The form may still be on its way.
  await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.closest('.rename') != null);
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'By keyboard', exact: true }).waitFor();
  await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.classList.contains('history-open'));
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Back to the conversation' }).waitFor({ state: 'detached' });
  await page.close();
});
