// Where there is room: the list of conversations beside them, and the way from region to region.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered, eventsOf, say, still } from './harness.mjs';
import { stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const hello = ({ say: answer }) => answer('An answer.');
const box = (page, selector) => page.locator(selector).first().boundingBox();
/** Where the focus is: the class of the region that holds it. */
const region = (page) => page.evaluate(() => window.chat.shadowRoot.activeElement?.closest('.header, .history, .thread, .start, .composer')?.className.split(' ')[0] ?? 'none');

test('from 900 pixels the history stands beside the conversation, and opening one keeps it open', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'New chat' }).click();
    await say(page, 'play two');
    await answered(page, 2);
    const button = page.getByRole('button', { name: 'History', exact: true });
    assert.equal(await button.getAttribute('aria-expanded'), 'false');
    await button.click();
    await page.getByRole('region', { name: 'History' }).waitFor();
    assert.equal(await button.getAttribute('aria-expanded'), 'true');
    await still(page);
    const [list, thread, composer] = [await box(page, '.history'), await box(page, '.thread'), await box(page, '.composer')];
    assert.ok(list.x + list.width <= thread.x && list.x + list.width <= composer.x, 'nothing is covered');
    await page.getByRole('heading', { name: 'play two' }).waitFor();
    await page.getByRole('button', { name: 'play', exact: true }).click();
    await page.getByRole('heading', { name: 'play', exact: true }).waitFor();
    assert.equal(await page.locator('.history-row.current').innerText(), 'play');
    await say(page, 'play three');
    await answered(page, 3);
    await page.getByRole('button', { name: 'New chat' }).click();
    await say(page, 'play four');
    await page.locator('.history-open', { hasText: 'play four' }).waitFor();
    assert.equal(await page.locator('.history-row.current').innerText(), 'play four', 'a new conversation is in the list at once');
    await button.click();
    await page.locator('.history').waitFor({ state: 'detached' });
    assert.deepEqual([(await eventsOf(page, 'history.open')).length, (await eventsOf(page, 'history.close')).length], [1, 1]);
  }, { width: 1100 }));

test('the focus stays in the list beside the conversation while more of it loads, and when there is no more', () =>
  theatre.scene(hello, async (page) => {
    for (let number = 100; number < 170; number += 1) theatre.server.state.threads.set(`thr_${number}`, { id: `thr_${number}`, title: `Talk ${number}`, created_at: new Date().toISOString(), status: { type: 'active' }, items: [] });
    await page.getByRole('button', { name: 'History', exact: true }).click();
    const more = page.getByRole('button', { name: 'Show more' });
    const rows = (count) => page.waitForFunction((wanted) => window.chat.shadowRoot.querySelectorAll('.history-row').length === wanted, count);
    await more.focus();
    await page.keyboard.press('Enter');
    await rows(60);
    assert.equal(await more.evaluate((node) => node.getRootNode().activeElement === node), true, 'a second Enter loads the next page');
    await page.keyboard.press('Enter');
    await rows(70);
    await more.waitFor({ state: 'detached' });
    assert.equal(await region(page), 'history');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('.history').count(), 1);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('.history-button'));
  }, { width: 1100, message: null }));

test('narrower, it covers the conversation and goes with the choice; a window that changes changes it', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'History', exact: true }).click();
    await page.locator('.history.beside').waitFor();
    await page.setViewportSize({ width: 899, height: 700 });
    await page.locator('.history:not(.beside)').waitFor();
    assert.equal((await box(page, '.history')).width, 899);
    await page.getByRole('button', { name: 'play', exact: true }).click();
    await page.locator('.history').waitFor({ state: 'detached' });
  }, { width: 900 }));

/** What Tab meets on its way round the chat, by the name of the region. */
async function tabbed(page, presses = 24) {
  const seen = new Set();
  for (let press = 0; press < presses; press += 1) {
    await page.keyboard.press('Tab');
    seen.add(await region(page));
  }
  seen.delete('none');
  return [...seen].toSorted();
}
/** What a screen reader is told of, by role. */
async function told(page, roles) {
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send('Accessibility.getFullAXTree');
  await devtools.detach();
  return roles.filter((role) => nodes.some((node) => !node.ignored && node.role?.value === role));
}

test('what the history covers is out of reach, of Tab, of F6 and of screen readers, until it is closed', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    const history = () => page.getByRole('button', { name: 'History', exact: true });
    assert.deepEqual(await told(page, ['log', 'textbox']), ['log', 'textbox']);
    await history().click();
    await page.locator('.history-open').waitFor();
    assert.deepEqual(await told(page, ['log', 'textbox']), []);
    assert.deepEqual(await tabbed(page), ['header', 'history']);
    await page.locator('.history-open').focus();
    for (const expected of ['header', 'history']) {
      await page.keyboard.press('F6');
      assert.equal(await region(page), expected);
    }
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('.history-button'));
    assert.deepEqual(await tabbed(page), ['composer', 'header', 'thread']);
    assert.deepEqual(await told(page, ['log', 'textbox']), ['log', 'textbox']);
    // A page that asks for the text field gets it.
    await history().click();
    await page.evaluate(() => window.chat.focusComposer());
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('textarea'));
    assert.equal(await page.locator('.history').count(), 0);
  }));

test('a failure beside the history is said above it and can be put away', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'History', exact: true }).click();
    theatre.server.state.refuse = { status: 500, message: 'Not today.', times: 1 };
    await page.getByRole('button', { name: 'Delete: play' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.locator('.toast', { hasText: 'Not today.' }).waitFor();
    assert.deepEqual(await told(page, ['alert']), ['alert']);
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await page.locator('.toast').waitFor({ state: 'detached' });
  }));

test('beside the conversation it puts nothing out of reach; a window that narrows hands the focus to it', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'History', exact: true }).click();
    await page.locator('.history-open').waitFor();
    assert.deepEqual(await tabbed(page), ['composer', 'header', 'history', 'thread']);
    assert.deepEqual(await told(page, ['log', 'textbox']), ['log', 'textbox']);
    await page.getByPlaceholder('Message the AI').focus();
    await page.setViewportSize({ width: 500, height: 700 });
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('.history'));
    await page.setViewportSize({ width: 1100, height: 700 });
    await page.locator('.history.beside').waitFor();
    assert.deepEqual(await told(page, ['log', 'textbox']), ['log', 'textbox']);
  }, { width: 1100 }));

test('F6 leads from region to region and round, with Shift backwards', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'History', exact: true }).click();
    await page.locator('.history-open').waitFor();
    await page.getByPlaceholder('Message the AI').focus();
    const seen = [];
    for (let presses = 0; presses < 4; presses += 1) {
      await page.keyboard.press('F6');
      seen.push(await region(page));
    }
    assert.deepEqual(seen, ['header', 'history', 'thread', 'composer']);
    await page.keyboard.press('Shift+F6');
    assert.equal(await region(page), 'thread');
  }, { width: 1100 }));

test('forced colours mark what is current, chosen and active with a line', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    const line = (selector) => page.locator(selector).first().evaluate((node) => getComputedStyle(node).outlineStyle);
    await page.getByRole('button', { name: 'Tools' }).click();
    assert.equal(await line('.mention[data-active]'), 'solid');
    await page.keyboard.press('Enter');
    assert.equal(await line('.chip[aria-pressed=true]'), 'solid');
    await page.getByRole('button', { name: 'History', exact: true }).click();
    await page.locator('.history-row.current').waitFor();
    assert.equal(await line('.history-row.current'), 'solid');
  }, { forcedColors: 'active', script: `composer: { tools: [{ id: 'web', label: 'Web', icon: 'globe' }] }` }));

test('with reduced motion, nothing moves for longer than a blink', () =>
  theatre.scene(({ send }) => send({ type: 'progress_update', text: 'Looking' }), async (page) => {
    await page.getByRole('button', { name: 'History', exact: true }).click();
    const longest = await page.evaluate(() => Math.max(0, ...window.chat.shadowRoot.getAnimations().map((animation) => Number(animation.effect.getComputedTiming().endTime))));
    assert.ok(longest <= 1, `${longest} ms`);
  }, { reducedMotion: 'reduce' }));

test('at 200 % of 640 pixels, everything is reached and nothing stands beside the screen', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    const fits = () => page.evaluate(() => [document.documentElement, ...window.chat.shadowRoot.querySelectorAll('.app, .body, .thread, .history, .composer')].every((node) => node.scrollWidth <= node.clientWidth + 1));
    assert.ok(await fits());
    for (const name of ['Send message', 'Tools', 'History']) {
      const { x, y, width, height } = await page.getByRole('button', { name, exact: true }).boundingBox();
      assert.ok(x >= 0 && x + width <= 320 && y >= 0 && y + height <= 360, name);
    }
    assert.ok((await page.locator('.thread').boundingBox()).height > 120, 'the conversation has room');
    await page.getByRole('button', { name: 'History', exact: true }).click();
    assert.ok(await fits());
  }, { width: 320, height: 360, deviceScaleFactor: 2, script: `disclaimer: { text: 'Check what matters.' }, composer: { tools: [{ id: 'web', label: 'Web', icon: 'globe' }], models: [{ id: 'a', label: 'A model with a long name' }], dictation: { enabled: true } }` }));
