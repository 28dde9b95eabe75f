// The element among what surrounds it: the page's keys and drop zones, input methods, the clipboard, paper.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered, addPage, launch, ready, say } from './harness.mjs';
import { asked, stage } from './scene.mjs';

let theatre;
before(async () => {
  theatre = await stage();
});
after(() => theatre.close());

const ANSWER = '## Head\n\nLine one\nLine *two*\n\n```js\nlet a = 1;\nlet b = 2;\n```\n\n- [x] done\n- nested\n  1. deep\n\n| a | b |\n|---|--:|\n| 1 | $x$ |\n\n<details>\n<summary>More</summary>\n\ninside\n\n</details>';
const answer = (text, annotations = []) => async ({ say: speak }) => speak(text, annotations, 4000);
const field = (page) => page.getByPlaceholder('Message the AI');
const messages = () => asked(theatre.server, 'threads.create').length + asked(theatre.server, 'threads.add_user_message').length;

test('what is typed into a field is no shortcut of the page; what leads out of it is', () =>
  theatre.scene(answer('ok'), async (page) => {
    await page.evaluate(() => {
      window.heard = [];
      for (const type of ['keydown', 'keypress', 'keyup', 'paste']) document.addEventListener(type, (event) => window.heard.push(`${type} ${event.key ?? ''}`));
    });
    await field(page).click();
    await page.keyboard.type('s/');
    for (const key of ['Enter', 'ArrowLeft', 'Backspace', 'Escape', 'Control+k']) await page.keyboard.press(key);
    assert.deepEqual((await page.evaluate(() => window.heard)).filter((line) => line.startsWith('keydown')), ['keydown Escape', 'keydown Control', 'keydown k']);
    await page.evaluate(() => {
      window.heard.length = 0;
      const data = new DataTransfer();
      data.setData('text/plain', 'words');
      window.chat.shadowRoot.querySelector('textarea').dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, composed: true, cancelable: true }));
    });
    assert.deepEqual(await page.evaluate(() => window.heard), []);
    // Elsewhere in the chat, keys are the page's as ever.
    await page.locator('.thread').focus();
    await page.keyboard.press('s');
    assert.ok((await page.evaluate(() => window.heard)).includes('keydown s'));
  }));

test('the Enter and the Escape of an input method are its own, whenever they come', () =>
  theatre.scene(answer('ok'), async (page) => {
    await answered(page);
    const before = messages();
    const press = (where, key) =>
      where.evaluate(async (node, name) => {
        const event = (type, more) => node.dispatchEvent(new (type === 'keydown' ? KeyboardEvent : CompositionEvent)(type, { bubbles: true, composed: true, cancelable: true, ...more }));
        event('compositionstart');
        event('compositionend');
        // Safari: the composition is over, and only the code of the key tells whose it is.
        await new Promise((resolve) => setTimeout(resolve, 50));
        event('keydown', { key: name, keyCode: 229 });
      }, key);
    await field(page).fill('にほん');
    await press(field(page), 'Enter');
    assert.equal(await field(page).inputValue(), 'にほん');
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Rename/ }).first().click();
    const title = page.getByRole('textbox', { name: 'Title' });
    await title.fill('とうきょう');
    await press(title, 'Escape');
    assert.equal(await title.inputValue(), 'とうきょう');
    assert.equal(messages(), before);
  }));

test('a file that the chat does not take leaves the page where it is, and one that it takes is nobody else’s', async () => {
  const drop = (page) =>
    page.evaluate(() => {
      const seen = [];
      const note = ({ type }) => seen.push(type);
      for (const type of ['dragover', 'drop']) document.addEventListener(type, note);
      const data = new DataTransfer();
      data.items.add(new File(['x'], 'a.txt', { type: 'text/plain' }));
      const app = window.chat.shadowRoot.querySelector('.app');
      const kept = ['dragenter', 'dragover', 'drop'].map((type) => !app.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, composed: true, cancelable: true })));
      const text = new DataTransfer();
      text.setData('text/plain', 'words');
      const ofText = !app.dispatchEvent(new DragEvent('dragover', { dataTransfer: text, bubbles: true, composed: true, cancelable: true }));
      return { kept, seen, ofText };
    });
  await theatre.scene(answer('ok'), async (page) => {
    assert.deepEqual(await drop(page), { kept: [true, true, true], seen: ['dragover', 'drop', 'dragover'], ofText: false });
  });
  await theatre.scene(answer('ok'), async (page) => {
    await answered(page);
    assert.deepEqual(await drop(page), { kept: [true, true, true], seen: ['dragover'], ofText: false });
  }, { script: "composer: { attachments: { enabled: true } }, api: { url: '/chatkit', domainKey: 'x', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }" });
});

test('lines of an answer are lines, and what is selected has no labels in it', () =>
  theatre.scene(answer(ANSWER, [{ type: 'annotation', index: 17, source: { type: 'url', title: 'The docs', url: 'https://example.com/docs' } }]), async (page) => {
    await answered(page);
    await page.locator('.cite').waitFor();
    const selected = await page.evaluate(() => {
      const selection = window.getSelection();
      selection.selectAllChildren(window.chat.shadowRoot.querySelector('.assistant-message'));
      return selection.toString();
    });
    assert.match(selected, /Line one\n+Line two/);
    assert.match(selected, /let a = 1;\nlet b = 2;/);
    assert.doesNotMatch(selected, /Copy|js|Assistant said|docs/);
  }));

test('Copy gives Markdown, and HTML for those who show it', () =>
  theatre.scene(answer(ANSWER), async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'Copy', exact: true }).last().click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const { types, text, html } = await page.evaluate(async () => {
      const [item] = await navigator.clipboard.read();
      const read = async (type) => (await item.getType(type)).text();
      return { types: item.types, text: await read('text/plain'), html: await read('text/html') };
    });
    assert.deepEqual(types, ['text/plain', 'text/html']);
    assert.equal(text, ANSWER);
    const plain = html.replace(/\s*style="[^"]*"|^.*?<!--StartFragment-->|<!--EndFragment-->.*$/gs, '').replaceAll(/<\/?(?:html|body)>/g, '');
    assert.equal(plain.replaceAll(/ ?\/>/g, '>').trim(), [
      '<h2>Head</h2>',
      '<p>Line one<br>Line <em>two</em></p>',
      '<pre><code>let a = 1;\nlet b = 2;</code></pre>',
      '<ul><li>☑ done</li><li>nested<ol><li>deep</li></ol></li></ul>',
      '<table><thead><tr><th>a</th><th align="right">b</th></tr></thead><tbody><tr><td>1</td><td align="right"><span>$x$</span></td></tr></tbody></table>',
      '<details open=""><summary>More</summary><div><p>inside</p></div></details>',
    ].join('\n'));
  }, { permissions: ['clipboard-read', 'clipboard-write'] }));

test('on a page without https, Copy works as well, and leaves the focus where it is', async () => {
  const browser = await launch(['--host-resolver-rules=MAP plain.test 127.0.0.1']);
  try {
    addPage(theatre.server, '/plain', "chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' } });");
    theatre.server.state.play = answer('some **words**');
    const page = await browser.newPage();
    await page.goto(theatre.server.origin.replace('127.0.0.1', 'plain.test') + '/plain');
    await ready(page);
    assert.equal(await page.evaluate(() => window.isSecureContext), false);
    await say(page, 'play');
    await answered(page);
    await page.getByRole('button', { name: 'Copy', exact: true }).focus();
    await page.keyboard.press('Enter');
    const done = page.getByRole('button', { name: 'Copied' });
    await done.waitFor();
    assert.equal(await done.evaluate((node) => node.getRootNode().activeElement === node), true);
    await field(page).focus();
    await page.keyboard.press('Control+v');
    assert.equal(await field(page).inputValue(), 'some **words**');
  } finally {
    await browser.close();
  }
});

test('on paper, the whole conversation', () =>
  theatre.scene(answer(Array.from({ length: 120 }, (_, index) => `Paragraph ${index} of a long answer.`).join('\n\n')), async (page) => {
    await answered(page);
    const pages = async () => ((await page.pdf({ format: 'A4' })).toString('latin1').match(/\/Type\s*\/Page\b/g) ?? []).length;
    assert.ok((await pages()) >= 4);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.composer').isVisible(), false);
    assert.equal(await page.locator('.assistant-message').isVisible(), true);
  }));

test('a fetch of the page that hands on no response is the developer’s to mend', () =>
  theatre.scene(answer('ok'), async (page) => {
    await page.getByRole('alert').filter({ hasText: 'Something went wrong' }).waitFor();
    await page.waitForFunction(() => window.events.some(([name, detail]) => name === 'error' && detail.error === 'IntegrationError: api.fetch must resolve to a Response.'));
  }, { script: "api: { url: '/chatkit', domainKey: 'x', fetch: async (url, init) => { await fetch(url, init); } }" }));

test('an element without a height says so in the console', () =>
  theatre.scene(answer('ok'), async (page) => {
    const said = [];
    page.on('console', (line) => said.push(line.text()));
    await page.evaluate(() => {
      document.body.insertAdjacentElement('beforeend', document.createElement('div')).append(Object.assign(document.createElement('openai-chatkit'), { id: 'flat' }));
      document.getElementById('flat').setOptions({ api: { url: '/chatkit', domainKey: 'x' } });
    });
    await page.waitForFunction(() => window.events.filter(([name]) => name === 'ready').length === 2);
    assert.equal(said.filter((line) => line.includes('has no height')).length, 1, said.join('\n'));
  }, { message: null }));
