// The focus stays inside the chat, whatever goes away under it; texts read in their own direction; the way to the end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPage, answered, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  addPage(server, '/focus', `chat.setOptions({ api: { url: '/chatkit' }, threadItemActions: { retry: true }, startScreen: { greeting: 'שלום', prompts: [{ label: 'Begin', prompt: 'hello' }] }, composer: { tools: [{ id: 's', label: 'Search', icon: 'globe' }] } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(run, context = {}) {
  const opened = await browser.newContext({ viewport: { width: 420, height: 720 }, ...context });
  const page = await opened.newPage();
  try {
    await page.goto(`${server.origin}/focus`);
    await ready(page);
    await run(page);
  } finally {
    await opened.close();
  }
}

/** What has the focus, by its label or class; `body` when the chat has lost it. */
const focused = (page) =>
  page.evaluate(() => {
    const node = window.chat.shadowRoot.activeElement;
    return node === null ? document.activeElement.localName : node.classList.contains('history') ? 'history' : (node.getAttribute('aria-label') ?? (node.localName === 'div' ? node.className : node.textContent));
  });
const settled = async (page, name) => {
  await page.waitForFunction((wanted) => {
    const node = window.chat.shadowRoot.activeElement;
    return node !== null && (node.classList.contains('history') ? 'history' : node.getAttribute('aria-label') ?? (node.localName === 'div' ? node.className : node.textContent)) === wanted;
  }, name).catch(async () => assert.fail(`the focus is on "${await focused(page)}" and not on "${name}"`));
};
const press = async (page, name) => {
  await page.getByRole('button', { name, exact: true }).focus();
  await page.keyboard.press('Enter');
};

test('the focus after a prompt, Stop, New chat and a notice is the text field', () =>
  visit(async (page) => {
    await press(page, 'Begin');
    await settled(page, 'Message');
    await answered(page);
    await say(page, 'endless');
    await page.getByText('word word').waitFor();
    await press(page, 'Stop');
    await settled(page, 'Message');
    await press(page, 'New chat');
    await settled(page, 'Message');
    await say(page, 'error');
    await answered(page, 3);
    // A broken answer offers to be tried again once.
    assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 1);
    await press(page, 'Try again');
    await settled(page, 'Message');
  }));

test('the focus after Back and Escape is the button that opened the history; after a choice, the text field', () =>
  visit(async (page) => {
    await say(page, 'one');
    await answered(page);
    await press(page, 'History');
    await settled(page, 'history');
    await press(page, 'Back to the conversation');
    await settled(page, 'History');
    await press(page, 'History');
    await page.getByRole('button', { name: 'one', exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await settled(page, 'History');
    await press(page, 'History');
    await press(page, 'one');
    await settled(page, 'Message');
    await press(page, 'History');
    await settled(page, 'history');
    await page.evaluate(() => window.chat.hideHistory());
    await settled(page, 'History');
  }));

test('the question before a deletion takes the focus, Escape answers no, and the list keeps it after yes', () =>
  visit(async (page) => {
    await say(page, 'two');
    await answered(page);
    await press(page, 'History');
    await press(page, 'Delete: two');
    await settled(page, 'Cancel');
    assert.match(await page.getByRole('alertdialog').getAttribute('aria-labelledby'), /delete$/);
    await page.keyboard.press('Escape');
    await settled(page, 'two');
    assert.equal(await page.locator('.history').count(), 1);
    await press(page, 'Delete: two');
    await press(page, 'Delete');
    await page.getByRole('button', { name: 'two', exact: true }).waitFor({ state: 'detached' });
    assert.match(await focused(page), /^(?!body)/);
    await page.keyboard.press('Escape');
    await settled(page, 'History');
  }));

test('who left the chat is not called back', () =>
  visit(async (page) => {
    await say(page, 'endless');
    await page.getByText('word word').waitFor();
    await page.getByRole('button', { name: 'Stop' }).focus();
    await page.evaluate(() => document.querySelector('main').prepend(Object.assign(document.createElement('input'), { id: 'outside' })));
    await page.locator('#outside').focus();
    await page.evaluate(() => window.chat.shadowRoot.querySelector('button[aria-label=Stop]').click());
    await page.getByRole('button', { name: 'Send message' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'outside');
  }));

test('a finger on New chat brings up no keyboard', () =>
  visit(async (page) => {
    await say(page, 'one');
    await answered(page);
    await page.getByRole('button', { name: 'New chat' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.className === 'start');
  }, { hasTouch: true, isMobile: true }));

test('texts read in their own direction', () =>
  visit(async (page) => {
    const direction = (selector) => page.locator(selector).first().evaluate((node) => getComputedStyle(node).direction);
    assert.equal(await direction('.greeting'), 'rtl');
    assert.equal(await direction('.prompt span'), 'ltr');
    await say(page, 'مرحبا بك **هنا**\n\nEnglish');
    await answered(page);
    assert.equal(await direction('.bubble'), 'rtl');
    assert.equal(await direction('.header-title'), 'rtl');
    assert.equal(await direction('.assistant-message .markdown'), 'ltr');
    await page.getByRole('button', { name: 'History' }).click();
    assert.equal(await direction('.history-open'), 'rtl');
  }));

test('the way to the end follows an answer that grows, and a wheel over its button scrolls', () =>
  visit(async (page) => {
    await say(page, 'long');
    await answered(page);
    await say(page, 'endless');
    await page.getByText('word word').waitFor();
    const view = page.locator('.thread');
    const distance = () => view.evaluate((node) => Math.round(node.scrollHeight - node.scrollTop - node.clientHeight));
    await view.hover();
    await page.mouse.wheel(0, -400);
    const button = page.getByRole('button', { name: 'Scroll to the latest message' });
    await button.waitFor();
    const box = await button.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const top = await view.evaluate((node) => node.scrollTop);
    await page.mouse.wheel(0, -200);
    await page.waitForFunction((before) => window.chat.shadowRoot.querySelector('.thread').scrollTop < before - 100, top);
    await button.click();
    await page.waitForFunction(() => { const node = window.chat.shadowRoot.querySelector('.thread'); return node.scrollHeight - node.scrollTop - node.clientHeight < 5; });
    const height = await view.evaluate((node) => node.scrollHeight);
    await page.waitForFunction((before) => window.chat.shadowRoot.querySelector('.thread').scrollHeight > before + 60, height);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.ok((await distance()) < 72, `${await distance()} px from the end`);
    assert.match(await focused(page), /^Conversation/);
  }));

test('scrolling to the end follows an answer that grows, and scrolling up lets go of it', () =>
  visit(async (page) => {
    await say(page, 'long');
    await answered(page);
    await say(page, 'endless');
    await page.getByText('word word').waitFor();
    const view = page.locator('.thread');
    const state = () => view.evaluate((node) => ({ top: node.scrollTop, distance: node.scrollHeight - node.scrollTop - node.clientHeight, height: node.scrollHeight }));
    const grown = async (by) => {
      const { height } = await state();
      await page.waitForFunction((wanted) => window.chat.shadowRoot.querySelector('.thread').scrollHeight > wanted, height + by);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    };
    await page.waitForFunction(() => { const node = window.chat.shadowRoot.querySelector('.thread'); return node.scrollHeight - node.scrollTop - node.clientHeight > 150; });
    assert.ok((await state()).distance > 100, 'by itself the view is left where it is');
    await view.hover();
    for (let turns = 0; turns < 40 && (await state()).distance > 4; turns += 1) await page.mouse.wheel(0, 600);
    await page.mouse.wheel(0, 600);
    await grown(120);
    assert.ok((await state()).distance < 40, `held at the end: ${(await state()).distance}`);
    await page.mouse.wheel(0, -300);
    await page.waitForFunction(() => { const node = window.chat.shadowRoot.querySelector('.thread'); return node.scrollHeight - node.scrollTop - node.clientHeight > 200; });
    // A wheel scrolls over a few frames.
    await view.evaluate((node) => new Promise((resolve) => {
      let [top, same] = [node.scrollTop, 0];
      const look = () => {
        same = node.scrollTop === top ? same + 1 : 0;
        top = node.scrollTop;
        if (same < 5) requestAnimationFrame(look);
        else resolve();
      };
      look();
    }));
    const { top } = await state();
    await grown(120);
    assert.equal((await state()).top, top, 'let go');
  }));

test('options that are none are named in the console, and a tool that is none is refused', () =>
  visit(async (page) => {
    const said = [];
    page.on('console', (message) => said.push(message.text()));
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit' }, colour: 'red', composer: { tools: [{ id: 's', label: 'Search', icon: 'globe' }] } }));
    assert.equal(said.filter((text) => text.includes('options.colour is not an option and was ignored')).length, 1, said.join());
    const refused = await page.evaluate(() => window.chat.setComposerValue({ text: 'x', selectedToolId: 'nope' }).then(() => null, (error) => error.name));
    assert.equal(refused, 'IntegrationError');
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), '', 'nothing changes');
  }));

test('a picture of a sent message may be inline', () =>
  visit(async (page) => {
    const dot = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    server.state.threads.set('thr_pic', { id: 'thr_pic', title: 'Picture', created_at: new Date().toISOString(), status: { type: 'active' }, items: [{ type: 'user_message', id: 'u1', thread_id: 'thr_pic', created_at: new Date().toISOString(), content: [{ type: 'input_text', text: 'look' }], attachments: [{ type: 'image', id: 'a1', name: 'dot.png', mime_type: 'image/png', preview_url: dot }], inference_options: {} }] });
    await page.evaluate(() => window.chat.setThreadId('thr_pic'));
    const picture = page.getByRole('img', { name: 'Attachment dot.png' });
    await picture.waitFor();
    assert.equal(await picture.evaluate((node) => node.complete && node.naturalWidth), 1);
    assert.equal(await page.locator('a.attachment-link').count(), 0);
    server.state.threads.delete('thr_pic');
  }));
