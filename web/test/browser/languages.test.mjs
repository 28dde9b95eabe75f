// Languages (O007): texts that are loaded when needed, changed while the chat is open, and read from right to left.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { answered } from './harness.mjs';
import { stage } from './scene.mjs';
import { card, FORM, ORDER, shows } from './widgets.scenes.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const options = (locale) => `{ api: { url: '/chatkit', domainKey: 'x' }, locale: ${JSON.stringify(locale)} }`;

test('O007 the language of the browser, loaded by itself, and the request says it too', async () => {
  const loaded = [];
  await theatre.scene(async ({ say }) => say('Ja.'), async (page) => {
    page.on('request', (request) => loaded.push(request.url()));
    await page.getByPlaceholder('Nachricht an die KI').waitFor();
    assert.equal(await page.locator('section.app').getAttribute('lang'), 'de-DE');
    await page.getByPlaceholder('Nachricht an die KI').fill('hallo');
    await page.keyboard.press('Enter');
    await answered(page);
    assert.equal(theatre.server.state.requests[0].headers['accept-language'], 'de-AT');
    await page.getByRole('button', { name: 'Kopieren' }).waitFor();
    assert.deepEqual(loaded.filter((url) => /l10n/.test(url)), [], 'one language is loaded once');
  }, { message: null, locale: 'de-AT' });
});

test('O007 the language changes while the chat is open, and the draft stays', async () => {
  await theatre.scene(async ({ send, base, keep, say }) => {
    await say('Done.');
    send({ type: 'thread.item.done', item: keep({ type: 'workflow', ...base('wf'), workflow: { type: 'reasoning', tasks: [], summary: { duration: 12 } } }) });
    shows(card([{ type: 'DatePicker', name: 'd', defaultValue: '2026-12-20' }]))({ send, base, keep });
  }, async (page) => {
    await answered(page);
    await page.getByPlaceholder('Message the AI').fill('half a thought');
    await page.evaluate(`window.chat.setOptions(${options('fr')})`);
    await page.getByPlaceholder('Écrire à l’IA').waitFor();
    assert.equal(await page.getByPlaceholder('Écrire à l’IA').inputValue(), 'half a thought');
    await page.getByRole('button', { name: 'Réflexion pendant 12 secondes' }).waitFor();
    await page.getByRole('button', { name: '20 décembre 2026' }).waitFor();
    await page.evaluate(`window.chat.setOptions(${options('xx')})`);
    await page.getByPlaceholder('Message the AI').waitFor();
  });
});

test('O007 from right to left: the page of the chat is turned, and nothing serious for axe', async () => {
  await theatre.scene(async (scene) => {
    await scene.say('مرحبا! كيف حالك؟');
    shows(ORDER)(scene);
    shows(FORM)(scene);
  }, async (page) => {
    await page.locator('section.app[dir=rtl]').waitFor();
    await page.locator('.composer textarea').fill('play');
    await page.keyboard.press('Enter');
    await page.locator('.w-select').first().waitFor();
    const app = page.locator('section.app');
    assert.deepEqual([await app.getAttribute('dir'), await app.getAttribute('lang')], ['rtl', 'ar']);
    const [bubble, send, field] = await Promise.all(['.bubble', '.send', '.composer textarea'].map((selector) => page.locator(selector).first().boundingBox()));
    assert.ok(bubble.x < 200, 'what the person said stands on the left');
    assert.equal(await page.locator('.composer textarea').evaluate((node) => getComputedStyle(node).direction), 'rtl', 'an empty field too');
    assert.ok(send.x < field.x, 'the button is left of the field');
    assert.deepEqual(await seriousFindings(page, 'rtl'), []);
    assert.equal(await page.locator('.thread').evaluate((node) => node.scrollWidth <= node.clientWidth), true);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/rtl.png` });
  }, { message: null, locale: 'ar', height: 1500 });
});

test('O007 texts that cannot be loaded are English, and the console says why', async () => {
  const said = [];
  await theatre.scene(null, async (page) => {
    page.on('console', (line) => said.push(line.text()));
    await page.route('**/l10n/**', (route) => route.abort());
    await page.evaluate(`window.chat.setOptions(${options('it')})`);
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('section').lang === 'en');
    await page.getByPlaceholder('Message the AI').waitFor();
    await page.waitForTimeout(100);
    assert.equal(said.filter((line) => line.includes('the texts of this language could not be loaded')).length, 1, said.join());
  }, { message: null });
});

test('O007 no language is wider than a small telephone', async () => {
  const tags = readdirSync(new URL('../../src/i18n/locales/', import.meta.url)).map((file) => file.replace('.json', ''));
  const inputs = [{ type: 'multiple_choice', id: 'a', question: 'A?', options: [{ value: 'b' }] }, { type: 'freeform', id: 'c', question: 'C?' }];
  await theatre.scene(async ({ send, base, keep, say }) => {
    await say('Hello.', [{ type: 'annotation', index: 6, source: { type: 'url', title: 'T', url: 'https://t.example' } }]);
    shows({ type: 'ListView', limit: 1, children: [1, 2].map((row) => ({ type: 'ListViewItem', children: [{ type: 'Text', value: String(row) }] })) })({ send, base, keep });
    send({ type: 'thread.item.done', item: keep({ type: 'structured_input', ...base('sin'), inputs }) });
  }, async (page) => {
    await page.getByRole('form').waitFor();
    for (const tag of tags) {
      await page.evaluate(`window.chat.setOptions(${options(tag)})`);
      await page.waitForFunction((wanted) => window.chat.shadowRoot.querySelector('section').lang === wanted, tag);
      const wide = await page.evaluate(() => [...window.chat.shadowRoot.querySelectorAll('.header, .thread, .foot, .questions, .composer-bar, .ask, .w-list, .sources')].filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.className));
      assert.deepEqual([tag, wide], [tag, []]);
    }
  }, { width: 320 });
});
