// What a designer would measure: rhythm, places for fingers, columns that are wide enough to read.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPage, answered, launch, ready, say, still } from './harness.mjs';
import { startServer } from './server.mjs';
import { newFiles, PNG } from './uploads.mjs';

let server;
let browser;
const HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">';

before(async () => {
  [server, browser] = [await startServer({ slow: 0 }), await launch()];
  const page = (path, more = '') => addPage(server, path, `chat.setOptions({ api: { url: '/chatkit', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }, composer: { attachments: { enabled: true } }, threadItemActions: { feedback: true, retry: true }, startScreen: { prompts: [{ label: 'Where is my order?', prompt: 'hi' }] } ${more} });`, { head: HEAD });
  page('/chat');
  page('/tools', `, composer: { attachments: { enabled: true }, dictation: { enabled: true }, models: [{ id: 'a', label: 'Fast' }], tools: [{ id: 's', label: 'Search the web', icon: 'globe' }] }`);
  addPage(server, '/out', `chat.setOptions({ api: { url: '/chatkit', onSignIn() {} } });`, { head: HEAD });
  addPage(server, '/arabic', `chat.setOptions({ api: { url: '/chatkit' }, locale: 'ar' });`, { head: HEAD });
  page('/wordy', `, header: { title: { text: 'A title that is far too long for the screen of a telephone' } }, composer: { placeholder: 'Ask anything about your orders, invoices and deliveries of this year' }`);
});
after(async () => {
  await browser.close();
  await server.close();
});

/** On a phone, where nothing else is said. */
async function visit(path, run, { width = 390, isMobile = true } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 780 }, hasTouch: isMobile, isMobile });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  server.state.files = newFiles();
  server.state.threads.clear();
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page);
  } finally {
    await context.close();
  }
}

/** The boxes of all elements that match, in order. */
const boxes = (page, selector) =>
  page.locator(selector).evaluateAll((all) => all.map((node) => node.getBoundingClientRect()).filter(({ width }) => width > 0).map(({ left, top, right, bottom, width, height }) => ({ left, top, right, bottom, width, height })));
const near = (a, b, message) => assert.ok(Math.abs(a - b) <= 1, `${message}: ${a} and ${b}`);

test('an answer stands further from its question than a paragraph from the next', () =>
  visit('/chat', async (page) => {
    await say(page, 'markdown please');
    await answered(page);
    const [question] = await boxes(page, '.bubble');
    const [answer] = await boxes(page, '.assistant-message .markdown');
    assert.ok(answer.top - question.bottom >= 22, `${answer.top - question.bottom}`);
  }));

test('starter prompts look like something to press', () =>
  visit('/chat', async (page) => {
    const border = await page.locator('.prompt').evaluate((node) => getComputedStyle(node).borderTopWidth);
    assert.equal(border, '1px');
  }));

test('whatever a finger has to hit is 44 pixels high', () =>
  visit('/chat', async (page) => {
    const all = async (selector) => {
      const found = await boxes(page, selector);
      assert.ok(found.length > 0, selector);
      for (const { height } of found) assert.ok(Math.round(height * 100) >= 4400, `${selector}: ${height}`);
    };
    await all('.prompt');
    await page.locator('input[type=file]').setInputFiles([{ name: 'a.png', mimeType: 'image/png', buffer: PNG }]);
    await page.locator('.draft.done').waitFor();
    for (const selector of ['.send', '.attach', '.draft .icon-button', '.header .icon-button']) await all(selector);
    const [[send], [attach]] = [await boxes(page, '.send'), await boxes(page, '.attach')];
    assert.deepEqual([send.width, send.height, send.top], [attach.width, attach.height, attach.top]);
    await page.locator('.draft-remove').click();
    await say(page, 'markdown please');
    await answered(page);
    for (const selector of ['.turn-actions .icon-button', '.code-copy', '.sources summary']) await all(selector);
    await say(page, 'error now');
    await answered(page, 2);
    await all('.notice .button');
    await page.getByRole('button', { name: 'History' }).click();
    for (const selector of ['.history-open', '.history-row .icon-button']) await all(selector);
  }));

test('the words of a notice have the width of the screen', () =>
  visit('/chat', async (page) => {
    await say(page, 'error now');
    await answered(page);
    const [[words], [notice], [button]] = [await boxes(page, '.notice-text'), await boxes(page, '.notice'), await boxes(page, '.notice .button')];
    assert.ok(words.width > notice.width * 0.75, `${words.width} of ${notice.width}`);
    assert.ok(button.top >= words.bottom);
    near(button.left, words.left, 'the button begins where the words do');
  }));

test('buttons below a notice stand together, and in a narrower one each begins where the words do', async () => {
  const refused = async (page) => {
    server.state.refuse = { status: 401, message: 'Please sign in.', times: 1 };
    await say(page, 'hello');
    await page.locator('.notice .button').nth(1).waitFor();
    const [[words], [first, second]] = [await boxes(page, '.notice-text'), await boxes(page, '.notice .button')];
    near(first.left, words.left, 'the first button begins where the words do');
    return { words, first, second };
  };
  await visit('/out', async (page) => {
    const { first, second } = await refused(page);
    assert.equal(second.top, first.top);
    near(second.left - first.right, 10, 'the room between the buttons');
  });
  await visit('/out', async (page) => {
    const { words, first, second } = await refused(page);
    assert.ok(second.top >= first.bottom);
    near(second.left, words.left, 'the second button begins where the words do');
  }, { width: 280 });
});

test('on a telephone a chosen tool is an icon and the way to be rid of it, in line with the rest', () =>
  visit('/tools', async (page) => {
    await page.getByRole('button', { name: 'Tools' }).click();
    await page.getByRole('option', { name: 'Search the web' }).click();
    const chip = page.getByRole('button', { name: 'Search the web', pressed: true });
    const [box, [send], [row], [model]] = [await chip.boundingBox(), await boxes(page, '.send'), await boxes(page, '.tools'), await boxes(page, '.chip.model > span')];
    assert.ok(box.x >= row.left && box.x + box.width <= row.right, 'all of it is seen');
    near(box.y + box.height / 2, (send.top + send.bottom) / 2, 'the middle of the chip and of Send');
    assert.ok(box.height >= 44, `${box.height}`);
    assert.ok(model.width >= 25, `the model is read: ${model.width}`);
    await chip.locator('svg').last().click();
    await chip.waitFor({ state: 'detached' });
  }));

test('titles of the history stand where the list begins, in whichever direction they read', async () => {
  const list = async (page) => {
    for (const title of ['A trip', 'خطة السفر']) server.state.threads.set(title, { id: title, title, created_at: new Date().toISOString(), items: [] });
    await page.locator('.history-button').click();
    await page.locator('.history-open').nth(1).waitFor();
    return page.locator('.history-open').evaluateAll((all) => all.map((node) => {
      const words = document.createRange();
      words.selectNodeContents(node);
      const [inner, outer] = [words.getBoundingClientRect(), node.getBoundingClientRect()];
      return { left: inner.left - outer.left, right: outer.right - inner.right };
    }));
  };
  await visit('/chat', async (page) => {
    for (const { left } of await list(page)) near(left, 12, 'from the left');
  });
  await visit('/arabic', async (page) => {
    for (const { right } of await list(page)) near(right, 12, 'from the right');
  });
});

test('the word of a pill stands in its middle, and the first action below the first letter of its answer', () =>
  visit('/chat', async (page) => {
    await say(page, 'markdown please');
    await answered(page);
    const [[pill], [count]] = [await boxes(page, '.sources summary'), await boxes(page, '.sources .count')];
    near((pill.top + pill.bottom) / 2, (count.top + count.bottom) / 2, 'the middles');
    await page.locator('.sources summary').click();
    for (const { height } of await boxes(page, '.source-list a.source')) assert.ok(height >= 44, `${height}`);
    const [[icon], [answer]] = [await boxes(page, '.turn-actions svg'), await boxes(page, '.assistant-message .markdown')];
    assert.ok(Math.abs(icon.left - answer.left) <= 3, `${icon.left} and ${answer.left}`);
  }));

test('several lines have the whole width of the composer, and one line has it back', () =>
  visit('/chat', async (page) => {
    const field = page.getByPlaceholder('Message the AI');
    const width = async () => (await boxes(page, '.composer textarea'))[0].width;
    const narrow = await width();
    await field.fill('one\ntwo');
    const [composer] = await boxes(page, '.composer');
    const wide = await width();
    assert.ok(wide > composer.width - 24 && wide > narrow + 60, `${wide} of ${composer.width}, ${narrow} before`);
    const [[text], [send], [attach]] = [await boxes(page, '.composer textarea'), await boxes(page, '.send'), await boxes(page, '.attach')];
    assert.ok(send.top >= text.bottom && attach.top >= text.bottom);
    await field.fill('a line that is longer than a telephone is wide, so that it wraps');
    assert.equal(await width(), wide);
    await field.fill('');
    assert.equal(await width(), narrow);
  }));

test('a long placeholder is one line', async () => {
  let plain;
  await visit('/chat', async (page) => ([plain] = await boxes(page, '.composer')));
  await visit('/wordy', async (page) => {
    const [wordy] = await boxes(page, '.composer');
    assert.equal(wordy.height, plain.height);
  });
});

test('a title stands in the middle, however long it is', () =>
  visit('/wordy', async (page) => {
    await page.getByRole('textbox').fill('hello');
    await page.keyboard.press('Enter');
    await answered(page);
    const [title] = await boxes(page, '.header-title');
    near((title.left + title.right) / 2, 195, 'the middle of the title and of the screen');
  }));

test('the bar of a long code block stays in view, so that Copy does', () =>
  visit('/chat', async (page) => {
    server.state.corpus = `\`\`\`\n${'line\n'.repeat(120)}\`\`\`\n`;
    await say(page, 'corpus please');
    await answered(page);
    const thread = page.locator('.thread');
    await thread.evaluate((node) => node.scrollTo({ top: 900, behavior: 'instant' }));
    const [[bar], [view]] = [await boxes(page, '.code-bar'), await boxes(page, '.thread')];
    near(bar.top, view.top, 'the bar and the top of the view');
  }));

test('a table that scrolls is not squeezed as well', () =>
  visit('/chat', async (page) => {
    const cell = 'Working together on several projects at once';
    server.state.corpus = `| Plan | For | Limits | Where |\n|---|---|---|---|\n| Team | ${cell} | ${cell} | ${cell} |\n`;
    await say(page, 'corpus please');
    await answered(page);
    const cells = await boxes(page, 'td');
    for (const { width } of cells.slice(1)) assert.ok(width >= 170, `${width}`);
    const { wide, seen } = await page.locator('.table-scroll').evaluate((node) => ({ wide: node.scrollWidth, seen: node.clientWidth }));
    assert.ok(wide > seen && wide <= 700, `${wide}`);
  }));

test('a title that is renamed stays where it is', () =>
  visit('/chat', async (page) => {
    await say(page, 'hello');
    await answered(page);
    await page.getByRole('button', { name: 'History' }).click();
    await page.locator('.history-open').waitFor();
    await still(page);
    await page.locator('.history-open').hover();
    const [[row], [title]] = [await boxes(page, '.history-row'), await boxes(page, '.history-open')];
    await page.getByRole('button', { name: 'Rename: hello' }).click();
    const [[editedRow], [field]] = [await boxes(page, '.history-row'), await boxes(page, '.rename .field')];
    assert.deepEqual([editedRow.top, editedRow.height], [row.top, row.height]);
    assert.deepEqual([field.left, field.top, field.height, field.width], [title.left, title.top, title.height, title.width]);
    const padding = await page.locator('.rename .field').evaluate((node) => getComputedStyle(node).paddingInlineStart);
    assert.equal(padding, '12px');
  }, { width: 1280, isMobile: false }));

test('files stand in columns, before they are sent and after', () =>
  visit('/chat', async (page) => {
    const file = (name) => ({ name, mimeType: 'application/pdf', buffer: Buffer.alloc(2000) });
    const image = (name) => ({ name, mimeType: 'image/png', buffer: PNG });
    await page.locator('input[type=file]').setInputFiles([file('a.pdf'), file('the-report-of-the-whole-company-about-the-year-2026.pdf'), image('a.png'), image('b.png')]);
    await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.draft.done').length === 4);
    assert.equal(new Set((await boxes(page, '.draft')).map(({ width }) => width)).size, 1);
    const name = page.locator('.draft-name').nth(1);
    assert.equal(await name.innerText().then((text) => text.replaceAll('\n', '')), 'the-report-of-the-whole-company-about-the-year-2026.pdf');
    const [inside, ending] = [(await boxes(page, '.draft-text'))[1], (await boxes(page, '.draft-name > :last-child'))[1]];
    assert.ok(ending.right <= inside.right + 1, 'the ending is seen');
    await page.getByRole('button', { name: 'Send' }).click();
    await answered(page);
    assert.equal(new Set((await boxes(page, '.attachment-file')).map(({ width }) => width)).size, 1);
    assert.deepEqual((await boxes(page, '.attachment-image')).map(({ width, height }) => [width, height]), [[96, 96], [96, 96]]);
  }));

test('a long message is shortened until asked for, and its answer is seen', () =>
  visit('/chat', async (page) => {
    await page.getByPlaceholder('Message the AI').fill(`Read this.\n${'a line of a log\n'.repeat(60)}`);
    await page.getByRole('button', { name: 'Send' }).click();
    await answered(page);
    const height = async () => (await boxes(page, '.bubble'))[0].height;
    const short = await height();
    assert.ok(short < 320, `${short}`);
    await page.getByRole('button', { name: 'Show all' }).click();
    assert.ok((await height()) > 1000);
    await page.getByRole('button', { name: 'Show less' }).click();
    assert.equal(await height(), short);
  }));
