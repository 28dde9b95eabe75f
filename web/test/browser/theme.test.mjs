// A page's own style sheet: custom properties and parts do what `docs/element.md` says, before the `theme` option.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPage, answered, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

const STYLE = `
  body { --chatkit-size: 20px; --chatkit-font: Georgia, serif; }
  openai-chatkit {
    --chatkit-bg: rgb(1, 2, 3); --chatkit-text: rgb(240, 241, 242); --chatkit-bubble: rgb(10, 20, 30); --chatkit-on-bubble: rgb(200, 210, 220);
    --chatkit-accent: rgb(9, 8, 7); --chatkit-radius-xl: 3px; --chatkit-width: 300px; --chatkit-scrollbar: rgb(90, 91, 92); --chatkit-mono: "Courier New";
    --chatkit-line: rgb(70, 71, 72);
  }
  openai-chatkit::part(header) { background: rgb(50, 51, 52); }
  openai-chatkit::part(title) { letter-spacing: 3px; }
  openai-chatkit::part(composer) { border-top-width: 5px; }
  openai-chatkit::part(input) { font-style: italic; }
  openai-chatkit::part(send) { background: rgb(60, 61, 62); }
  openai-chatkit::part(message) { text-transform: uppercase; }
  openai-chatkit::part(answer) { padding-left: 17px; }
  openai-chatkit::part(actions) { margin-top: 13px; }
  openai-chatkit::part(thread) { scroll-padding-top: 11px; }
  openai-chatkit::part(ai-notice) { color: rgb(80, 81, 82); }
  openai-chatkit::part(disclaimer) { color: rgb(83, 84, 85); }
  openai-chatkit::part(history) { background: rgb(100, 101, 102); }
  openai-chatkit::part(start) { background: rgb(110, 111, 112); }
  openai-chatkit::part(greeting) { font-size: 40px; }
  openai-chatkit::part(prompt) { border-style: dashed; }`;

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  const options = `{ api: { url: '/chatkit', domainKey: '' }, disclaimer: { text: 'Check it.' }, startScreen: { prompts: [{ label: 'Begin', prompt: 'markdown' }] }, theme: { radius: 'round', typography: { baseSize: 14, fontFamily: 'Arial', fontFamilyMono: 'monospace' }, color: { accent: { primary: '#4f46e5', level: 2 } } } }`;
  addPage(server, '/styled', `const style = new CSSStyleSheet(); style.replaceSync(${JSON.stringify(STYLE)}); document.adoptedStyleSheets = [style]; chat.setOptions(${options});`);
  addPage(server, '/plain', `chat.setOptions(${options});`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(path, run) {
  const page = await browser.newPage({ viewport: { width: 700, height: 700 } });
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page, (selector, property) => page.locator(`openai-chatkit ${selector}`).first().evaluate((node, name) => getComputedStyle(node).getPropertyValue(name), property));
  } finally {
    await page.close();
  }
}

test('custom properties go before the theme, and parts can be styled', () =>
  visit('/styled', async (page, styleOf) => {
    const looks = async (wanted) => {
      const found = await Promise.all(wanted.map(async ([selector, property]) => [selector, property, await styleOf(selector, property)]));
      assert.deepEqual(found, wanted);
    };
    await looks([
      ['.app', 'background-color', 'rgb(1, 2, 3)'], ['.app', 'color', 'rgb(240, 241, 242)'], ['.app', 'font-size', '20px'], ['.app', 'font-family', 'Georgia, serif'],
      ['.start', 'background-color', 'rgb(110, 111, 112)'], ['.greeting', 'font-size', '40px'], ['.prompt', 'border-top-style', 'dashed'],
      ['.header', 'background-color', 'rgb(50, 51, 52)'], ['.composer', 'border-top-width', '5px'], ['.composer textarea', 'font-style', 'italic'],
      ['[part=ai-notice]', 'color', 'rgb(80, 81, 82)'], ['[part=disclaimer]', 'color', 'rgb(83, 84, 85)'],
    ]);
    await say(page, 'markdown');
    await answered(page);
    await looks([
      ['.user-message .bubble', 'background-color', 'rgb(10, 20, 30)'], ['.user-message .bubble', 'color', 'rgb(200, 210, 220)'], ['.user-message .bubble', 'border-top-left-radius', '3px'], ['.user-message .bubble', 'text-transform', 'uppercase'],
      ['.assistant-message', 'padding-left', '17px'], ['.turn-actions', 'margin-top', '13px'], ['.thread-inner', 'width', '300px'], ['.thread', 'scrollbar-color', 'rgb(90, 91, 92) rgba(0, 0, 0, 0)'], ['.thread', 'scroll-padding-top', '11px'],
      ['.code-block pre', 'font-family', '"Courier New"'], ['.code-block', 'border-top-color', 'rgb(70, 71, 72)'], ['.header-title', 'letter-spacing', '3px'], ['.send', 'background-color', 'rgb(60, 61, 62)'],
    ]);
    await page.getByRole('button', { name: 'History' }).click();
    await looks([['.history', 'background-color', 'rgb(100, 101, 102)']]);
  }));

test('without a word of the page, the theme says how it looks', () =>
  visit('/plain', async (page, styleOf) => {
    assert.deepEqual([await styleOf('.app', 'font-size'), await styleOf('.app', 'font-family'), await styleOf('.app', 'background-color')], ['14px', 'Arial', 'oklch(1 0 0)']);
    await say(page, 'markdown');
    await answered(page);
    assert.deepEqual([await styleOf('.user-message .bubble', 'border-top-left-radius'), await styleOf('.code-block pre', 'font-family'), await styleOf('.send', 'border-top-left-radius')], ['22px', 'monospace', '999px']);
  }));
