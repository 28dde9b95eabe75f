// The options, one by one: what each changes, seen in the browser (O001–O099).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPage, answered, eventsOf, ready, say } from './harness.mjs';
import { asked, stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const hello = ({ say: answer }) => answer('An answer with a [link](https://example.com) and `code`.');
/** Opens a page with these options and no message. */
const open = (script, run, more = {}) => theatre.scene(hello, run, { script, message: null, ...more });
/** Computed styles of the first element that matches. */
const style = (page, selector, ...names) => page.locator(selector).first().evaluate((node, wanted) => wanted.map((name) => getComputedStyle(node)[name]), names);
/** A colour as sRGB from 0 to 255, whatever it was written as. */
const rgb = (page, selector, name) => page.locator(selector).first().evaluate((node, wanted) => {
  const { data } = (() => {
    const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    context.fillStyle = getComputedStyle(node)[wanted];
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1);
  })();
  return [...data].slice(0, 3);
}, name);
const set = (page, script) => page.evaluate(`window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' }, ${script} })`);
const settle = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

test('O010 O023 O024 O028 O031 O037 O039 O048 O052 O058 O061 O087 O096 O098 a section is left out, null, or an object; anything else is refused by its name', () =>
  open('', async (page) => {
    const sections = ['theme.typography', 'theme.color', 'theme.color.grayscale', 'theme.color.accent', 'theme.color.surface', 'header', 'header.title', 'history', 'startScreen', 'threadItemActions', 'composer', 'entities', 'widgets', 'thread'];
    const outcomes = await page.evaluate((paths) => {
      const nest = (path, value) => path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value);
      const attempt = (options) => {
        try {
          window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' }, ...options });
          return 'taken';
        } catch (error) {
          return `${error.name}: ${error.message}`;
        }
      };
      return paths.map((path) => [attempt(nest(path, null)), attempt(nest(path, undefined)), attempt(nest(path, 7)), attempt(nest(path, []))]);
    }, sections);
    for (const [index, path] of sections.entries()) {
      const refusal = `IntegrationError: options.${path} must be an object.`;
      assert.deepEqual(outcomes[index], ['taken', 'taken', refusal, refusal], path);
    }
    assert.equal((await eventsOf(page, 'error')).length, sections.length * 2, 'each refusal is an event, too');
  }));

test('O009 theme.colorScheme sets the colours and what the browser draws', async () => {
  for (const [scheme, dark] of [['light', false], ['dark', true]]) {
    await open(`theme: { colorScheme: '${scheme}' }`, async (page) => {
      assert.deepEqual(await style(page, '.app', 'colorScheme'), [scheme]);
      const [red] = await rgb(page, '.app', 'backgroundColor');
      assert.equal(red < 60, dark, `${red}`);
    });
  }
});

test('O011 O019 O020 theme.typography: size, family and the one for code', () =>
  open(`theme: { typography: { baseSize: 18, fontFamily: 'Georgia, serif', fontFamilyMono: 'Courier, monospace' } }`, async (page) => {
    assert.deepEqual(await style(page, '.app', 'fontSize', 'fontFamily'), ['18px', 'Georgia, serif']);
    await say(page, 'play');
    await answered(page);
    assert.deepEqual(await style(page, '.inline-code', 'fontFamily'), ['Courier, monospace']);
    for (const size of [14, 15, 16, 17]) {
      await set(page, `theme: { typography: { baseSize: ${size} } }`);
      await page.waitForFunction((wanted) => getComputedStyle(window.chat.shadowRoot.querySelector('.app')).fontSize === wanted, `${size}px`);
    }
  }));

test('O012 O013 O014 O015 O016 O017 O018 theme.typography.fontSources become fonts of the page, each once', async () => {
  const fonts = `[{ family: 'Own Sans', src: '/own.woff2', weight: 700, style: 'italic', display: 'swap', unicodeRange: 'U+41-5A' }, { family: 'Own Plain', src: '/plain.woff2' }]`;
  addPage(theatre.server, '/fonts', `chat.setOptions({ api: { url: '/chatkit' }, theme: { typography: { fontSources: ${fonts} } } });`);
  await theatre.scene(hello, async (page) => {
    const requested = [];
    page.on('request', (request) => requested.push(new URL(request.url()).pathname));
    await page.goto(`${theatre.server.origin}/fonts`);
    await ready(page);
    await page.evaluate((script) => new Promise((resolve) => { window.chat.setOptions({ api: { url: '/chatkit' }, theme: { colorScheme: 'dark', typography: { fontSources: script } } }); requestAnimationFrame(() => requestAnimationFrame(resolve)); }), [{ family: 'Own Plain', src: '/plain.woff2' }]);
    const found = await page.evaluate(() => [...document.fonts].map(({ family, weight, style: slant, display, unicodeRange }) => [family.replaceAll('"', ''), weight, slant, display, unicodeRange]));
    assert.deepEqual(found, [['Own Sans', '700', 'italic', 'swap', 'U+41-5A'], ['Own Plain', 'normal', 'normal', 'auto', 'U+0-10FFFF']]);
    for (const path of ['/own.woff2', '/plain.woff2']) assert.equal(requested.filter((each) => each === path).length, 1, path);
    // The files are not there: that is a line in the log and nothing else.
    await page.waitForFunction(() => window.events.filter(([name, detail]) => name === 'log' && detail.name === 'theme.font.failed').length >= 2);
    const failed = (await eventsOf(page, 'log')).filter(({ name }) => name === 'theme.font.failed').map(({ data }) => data.family);
    assert.deepEqual(failed.toSorted(), ['Own Plain', 'Own Sans']);
  }, { message: null });
});

test('O021 theme.radius rounds bubbles, buttons and the composer; sharp has no round corner', async () => {
  const seen = [];
  for (const radius of ['pill', 'round', 'soft', 'sharp']) {
    await open(`theme: { radius: '${radius}' }, startScreen: { prompts: [{ label: 'Begin', prompt: 'play' }] }`, async (page) => {
      const [prompt] = await style(page, '.prompt', 'borderTopLeftRadius');
      const [send] = await style(page, '.send', 'borderTopLeftRadius');
      seen.push([parseFloat(prompt), parseFloat(send)]);
    });
  }
  const [pill, round, soft, sharp] = seen;
  assert.ok(pill[0] > round[0] && round[0] > soft[0] && soft[0] > 0, JSON.stringify(seen));
  assert.deepEqual([pill[1], round[1], sharp], [999, 999, [0, 0]]);
  assert.ok(soft[1] > 0 && soft[1] < 20);
});

test('O022 theme.density moves everything closer or further apart', async () => {
  const heights = [];
  for (const density of ['compact', 'normal', 'spacious']) {
    await theatre.scene(({ say: answer }) => answer('One.\n\nTwo.\n\nThree.'), async (page) => {
      await answered(page);
      heights.push(await page.locator('.assistant-message .markdown').evaluate((node) => node.getBoundingClientRect().height));
    }, { script: `theme: { density: '${density}' }` });
  }
  assert.ok(heights[0] < heights[1] && heights[1] < heights[2], heights.join());
});

test('O025 O026 O027 theme.color.grayscale: hue 220 is a cool grey, tint is how much, shade how light', async () => {
  for (const scheme of ['light', 'dark']) {
    const read = (grayscale) => new Promise((resolve, reject) => {
      open(`theme: { colorScheme: '${scheme}', color: { grayscale: ${JSON.stringify(grayscale)} } }, startScreen: { prompts: [{ label: 'Begin', prompt: 'x' }] }`, async (page) => {
        await page.locator('.prompt').hover();
        await page.waitForTimeout(200);
        resolve(await rgb(page, '.prompt', 'backgroundColor'));
      }).catch(reject);
    });
    const [none, little, much, darker] = [await read({ hue: 220, tint: 0 }), await read({ hue: 220, tint: 3 }), await read({ hue: 220, tint: 9 }), await read({ hue: 220, tint: 6, shade: -4 })];
    const blueness = ([red, , blue]) => blue - red;
    assert.equal(Math.abs(blueness(none)) <= 1, true, `${scheme} ${none}`);
    assert.ok(blueness(little) > 1 && blueness(much) > blueness(little), `${scheme} ${little} ${much}`);
    assert.ok(darker[2] > darker[1] && darker[1] >= darker[0], `${scheme}: cool, not green: ${darker}`);
    const sum = (color) => color.reduce((all, channel) => all + channel, 0);
    assert.ok(sum(darker) < sum(await read({ hue: 220, tint: 6, shade: 4 })), scheme);
    const warm = await read({ hue: 30, tint: 9 });
    assert.ok(warm[0] > warm[2], `${scheme} ${warm}`);
  }
});

test('O029 O030 theme.color.accent: the send button, then links and focus, then a tint, then full bubbles', async () => {
  const PRIMARY = [37, 99, 235];
  const read = (level) => new Promise((resolve, reject) => {
    theatre.scene(hello, async (page) => {
      await answered(page);
      await page.getByPlaceholder('Message the AI').fill('more');
      await page.waitForTimeout(250);
      const colors = { send: await rgb(page, '.send', 'backgroundColor'), bubble: await rgb(page, '.bubble', 'backgroundColor'), link: await rgb(page, '.markdown a', 'color') };
      resolve(colors);
    }, { script: `theme: { color: { accent: { primary: 'rgb(37, 99, 235)', level: ${level} } } }` }).catch(reject);
  });
  const levels = [await read(0), await read(1), await read(2), await read(3)];
  const isBlue = ([red, , blue]) => blue - red > 60;
  for (const [level, { send }] of levels.entries()) assert.deepEqual(send, PRIMARY, `level ${level}`);
  assert.deepEqual(levels.map(({ link }) => isBlue(link)), [false, true, true, true]);
  const tint = ([red, , blue]) => blue - red;
  assert.deepEqual(levels.map(({ bubble }) => [tint(bubble) > 8, isBlue(bubble)]), [[false, false], [false, false], [true, false], [true, true]]);
  assert.deepEqual(levels[3].bubble, PRIMARY);
});

test('O032 O033 theme.color.surface: the ground, and what stands on it', () =>
  open(`theme: { color: { surface: { background: 'rgb(250, 240, 230)', foreground: 'rgb(255, 250, 245)' } } }`, async (page) => {
    assert.deepEqual(await style(page, '.app', 'backgroundColor'), ['rgb(250, 240, 230)']);
    assert.deepEqual(await style(page, '.composer', 'backgroundColor'), ['rgb(255, 250, 245)']);
  }));

test('O034 frameTitle names the region', () =>
  open(`frameTitle: 'Shop assistant'`, async (page) => {
    await page.getByRole('region', { name: 'Shop assistant', exact: true }).waitFor();
    await set(page, '');
    await page.getByRole('region', { name: 'Chat', exact: true }).waitFor();
  }));

test('O035 initialThread is opened with the first options, and later values change nothing', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    const [{ id }] = theatre.server.state.threads.values();
    addPage(theatre.server, '/initial', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' }, initialThread: '${id}' });`);
    await page.goto(`${theatre.server.origin}/initial`);
    await page.getByText('An answer with a link').waitFor();
    await set(page, 'initialThread: "thr_other"');
    await settle(page);
    assert.deepEqual(asked(theatre.server, 'threads.get_by_id'), [{ thread_id: id }]);
    await set(page, 'initialThread: null');
    await settle(page);
    await page.getByText('An answer with a link').waitFor();
  }));

test('O040 O041 header.title: the title of the thread, a text of the page, or none; a heading', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('heading', { name: 'play', exact: true, level: 2 }).waitFor();
    await set(page, `header: { title: { text: 'Help' } }`);
    await page.getByRole('heading', { name: 'Help', exact: true }).waitFor();
    await set(page, `header: { title: { enabled: false, text: 'Help' } }`);
    await page.getByRole('heading', { name: 'Help', exact: true }).waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('button', { name: 'History' }).count(), 1, 'the bar stays');
  }));

test('O042 O043 O044 O045 O046 O047 header actions: an icon at each side, called in the click itself', () =>
  open(`header: { leftAction: { icon: 'sidebar-left', onClick() { (window.clicks ??= []).push(['left', navigator.userActivation.isActive, this.icon]); } }, rightAction: { icon: 'close', onClick() { (window.clicks ??= []).push(['right', navigator.userActivation.isActive, this.icon]); } } }`, async (page) => {
    const [left, right] = [page.getByRole('button', { name: 'sidebar left' }), page.getByRole('button', { name: 'close', exact: true })];
    assert.ok((await left.boundingBox()).x < 30 && (await right.boundingBox()).x > 360);
    const shapes = await Promise.all([left, right].map((button) => button.locator('svg').innerHTML()));
    assert.ok(shapes[0] !== shapes[1] && shapes.every((shape) => shape.includes('d=') || shape.includes('rect')), shapes.join());
    await left.click();
    await right.click();
    assert.deepEqual(await page.evaluate(() => window.clicks), [['left', true, 'sidebar-left'], ['right', true, 'close']]);
  }));

test('O049 O050 O051 history: none at all, or without rename, or without delete', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'History' }).click();
    const buttons = async () => [await page.getByRole('button', { name: 'Rename: play' }).count(), await page.getByRole('button', { name: 'Delete: play' }).count()];
    await page.getByRole('button', { name: 'play', exact: true }).waitFor();
    assert.deepEqual(await buttons(), [1, 1], 'both are there by default');
    for (const [script, wanted] of [['showRename: false', [0, 1]], ['showDelete: false', [1, 0]]]) {
      await set(page, `history: { ${script} }`);
      await page.waitForFunction(([rename, remove]) => {
        const labels = [...window.chat.shadowRoot.querySelectorAll('.history-row .icon-button')].map((button) => button.getAttribute('aria-label'));
        return labels.some((label) => label.startsWith('Rename')) === (rename === 1) && labels.some((label) => label.startsWith('Delete')) === (remove === 1);
      }, wanted);
      assert.deepEqual(await buttons(), wanted, script);
    }
    await page.keyboard.press('Escape');
    await set(page, 'history: { enabled: false }');
    await page.getByRole('button', { name: 'History' }).waitFor({ state: 'detached' });
  }));

test('O053 O054 O055 O056 O057 startScreen: a greeting that is a heading, and prompts with icons that are sent as they are', async () => {
  const tag = `{ type: 'input_tag', id: 'a1', text: '@Ann', data: { x: 1 } }`;
  const script = `startScreen: { greeting: 'Welcome', prompts: [{ label: 'Ask', prompt: 'play this', icon: 'star' }, { label: 'Plain', prompt: [${tag}, { type: 'input_text', text: ' play' }] }] }`;
  await open(script, async (page) => {
    await page.getByRole('heading', { name: 'Welcome', level: 2 }).waitFor();
    assert.deepEqual(await page.locator('.prompt').allInnerTexts(), ['Ask', 'Plain']);
    assert.deepEqual(await page.locator('.prompt').evaluateAll((all) => all.map((node) => node.querySelectorAll('svg').length)), [1, 0]);
    await page.getByRole('button', { name: 'Ask' }).click();
    await answered(page);
    assert.deepEqual(asked(theatre.server, 'threads.create')[0].input.content, [{ type: 'input_text', text: 'play this' }]);
  });
  await open(script, async (page) => {
    await page.getByRole('button', { name: 'Plain' }).click();
    await answered(page);
    assert.deepEqual(asked(theatre.server, 'threads.create')[0].input.content, [{ type: 'input_tag', id: 'a1', text: '@Ann', data: { x: 1 } }, { type: 'input_text', text: ' play' }]);
  });
  await open('', async (page) => {
    await page.getByRole('heading', { name: 'What can I help with today?' }).waitFor();
    assert.equal(await page.locator('.prompts').count(), 0);
  });
});

test('O059 O060 threadItemActions: thumbs and another attempt are off unless asked for', () =>
  theatre.scene(hello, async (page) => {
    await answered(page);
    const labels = () => page.locator('.turn-actions button').evaluateAll((all) => all.map((node) => node.getAttribute('aria-label')));
    await page.locator('.turn-actions button').first().waitFor();
    assert.deepEqual(await labels(), ['Copy']);
    await set(page, 'threadItemActions: { feedback: true }');
    await page.getByRole('button', { name: 'Good response' }).waitFor();
    assert.deepEqual(await labels(), ['Copy', 'Good response', 'Bad response']);
    await set(page, 'threadItemActions: { retry: true }');
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    assert.deepEqual(await labels(), ['Copy', 'Try again']);
    const [question] = [...theatre.server.state.threads.values()][0].items;
    await page.getByRole('button', { name: 'Try again' }).click();
    await answered(page, 2);
    assert.equal(asked(theatre.server, 'threads.retry_after_item')[0].item_id, question.id);
  }));

test('O065 O066 O067 attachments: size by type, number, and kind', () =>
  open(`api: { url: '/chatkit', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }, composer: { attachments: { enabled: true, maxSize: { 'text/*': 10, 'image/*': 1000 }, maxCount: 2, accept: { 'text/plain': ['.txt'], 'image/png': ['.png'] } } }`, async (page) => {
    const input = page.locator('input[type=file]');
    assert.equal(await input.getAttribute('accept'), 'text/plain,.txt,image/png,.png');
    const file = (name, mimeType, size) => ({ name, mimeType, buffer: Buffer.alloc(size, 'a') });
    const toast = page.locator('.toast');
    await input.setInputFiles([file('long.txt', 'text/plain', 11)]);
    await toast.getByText('Larger than 10 bytes: long.txt').waitFor();
    await input.setInputFiles([file('a.png', 'image/png', 900)]);
    await page.locator('.draft').waitFor();
    await input.setInputFiles([file('b.zip', 'application/zip', 5)]);
    await toast.getByText('cannot be attached here: b.zip').waitFor();
    await input.setInputFiles([file('b.txt', 'text/plain', 5), file('c.txt', 'text/plain', 5)]);
    await toast.getByText('2 at most. Left out: c.txt').waitFor();
    assert.equal(await page.locator('.draft').count(), 2);
  }));

test('with a list open, an @ or a / opens the other one in its place', () =>
  open(`composer: { tools: [{ id: 'web', label: 'Search the web', icon: 'globe' }], models: [{ id: 'm', label: 'Model M' }] }, commands: { enabled: true }, entities: { onTagSearch: async () => [{ id: 'a', title: 'Ada' }] }`, async (page) => {
    const field = page.getByPlaceholder('Message the AI');
    const lists = () => page.getByRole('listbox').evaluateAll((all) => all.map((list) => [list.getAttribute('aria-label'), list.textContent]));
    for (const [list, button] of [['Tools', page.getByRole('button', { name: 'Tools' })], ['Model', page.getByRole('button', { name: 'Model: Model M' })]]) {
      await button.click();
      await page.getByRole('listbox', { name: list }).waitFor();
      await page.keyboard.type('/');
      await page.getByRole('listbox', { name: 'Suggestions' }).waitFor();
      assert.deepEqual(await lists(), [['Suggestions', 'Search the webModel M']]);
      assert.equal(await button.getAttribute('aria-expanded'), 'false');
      await field.fill('');
      await button.click();
      await page.getByRole('listbox', { name: list }).waitFor();
      await page.keyboard.type('@');
      await page.getByRole('option', { name: 'Ada' }).waitFor();
      assert.deepEqual(await lists(), [['Suggestions', 'Ada']]);
      await field.fill('');
      await page.getByRole('listbox').waitFor({ state: 'detached' });
    }
  }));

test('every model can be chosen, however many there are', () =>
  open(`composer: { models: Array.from({ length: 120 }, (_, index) => ({ id: 'm' + index, label: 'Model ' + index })) }`, async (page) => {
    await page.getByRole('button', { name: 'Model: Model 0' }).click();
    assert.equal(await page.getByRole('option').count(), 120);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Model: Model 119' }).waitFor();
  }));

test('O068 O069 O070 O071 O072 O073 O074 O075 E12 tools: in a menu or pinned beside it; one at a time, with its chip and placeholder, until it is sent', () =>
  open(`composer: { placeholder: 'Ask', tools: [{ id: 'web', label: 'Search the web', shortLabel: 'Web', icon: 'globe', placeholderOverride: 'Search for…' }, { id: 'deep', label: 'Think for long', icon: 'atom', persistent: true }, { id: 'draw', label: 'Draw', icon: 'images', pinned: true }] }`, async (page) => {
    const chips = () => page.locator('.tools .chip').evaluateAll((all) => all.map((chip) => `${chip.innerText.trim()} ${chip.getAttribute('aria-pressed')}`));
    assert.deepEqual(await chips(), ['Draw false']);
    const menu = page.getByRole('button', { name: 'Tools' });
    await menu.click();
    assert.equal(await menu.getAttribute('aria-expanded'), 'true');
    assert.deepEqual(await page.getByRole('listbox', { name: 'Tools' }).getByRole('option').allInnerTexts(), ['Search the web', 'Think for long']);
    assert.deepEqual(await page.getByRole('option').evaluateAll((all) => all.map((node) => node.querySelectorAll('svg').length)), [1, 1]);
    await page.getByRole('option', { name: 'Search the web' }).click();
    await page.getByPlaceholder('Search for…').waitFor();
    assert.deepEqual(await chips(), ['Web true', 'Draw false'], 'the short name of what was chosen');
    await page.getByRole('button', { name: 'Draw' }).click();
    assert.deepEqual(await chips(), ['Draw true'], 'one at a time');
    // By keyboard alone: opened, moved, chosen; the focus is in the text field afterwards.
    await menu.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.deepEqual(await chips(), ['Think for long true', 'Draw false']);
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement.localName), 'textarea');
    await page.keyboard.type('play');
    await page.keyboard.press('Enter');
    await answered(page);
    assert.deepEqual(await chips(), ['Think for long true', 'Draw false'], 'one that persists stays');
    await page.getByRole('button', { name: 'Draw' }).click();
    await page.getByPlaceholder('Ask').fill('play');
    await page.keyboard.press('Enter');
    await answered(page, 2);
    assert.deepEqual(await chips(), ['Draw false'], 'others end with the message');
    const [first] = asked(theatre.server, 'threads.create');
    const [second] = asked(theatre.server, 'threads.add_user_message');
    assert.deepEqual([first.input.inference_options, second.input.inference_options], [{ tool_choice: { id: 'deep' } }, { tool_choice: { id: 'draw' } }]);
    assert.deepEqual(await eventsOf(page, 'tool.change'), ['web', 'draw', 'deep', 'draw', null].map((toolId) => ({ toolId })));
  }));

test('O076 O077 O078 O079 O080 O081 models: one is chosen, with what it is; one that is off cannot be', () =>
  open(`composer: { models: [{ id: 'old', label: 'Old', disabled: true, default: true }, { id: 'fast', label: 'Fast', description: 'Answers at once' }, { id: 'deep', label: 'Deep', description: 'Takes its time', default: true }] }`, async (page) => {
    const button = page.getByRole('button', { name: 'Model: Deep' });
    await button.click();
    const options = page.getByRole('listbox', { name: 'Model' }).getByRole('option');
    assert.deepEqual(await options.allInnerTexts(), ['Old', 'Fast\nAnswers at once', 'Deep\nTakes its time']);
    assert.deepEqual(await options.evaluateAll((all) => all.map((node) => [node.ariaDisabled, node.ariaSelected].join())), ['true,false', 'false,false', 'false,true']);
    await options.first().dispatchEvent('click');
    assert.equal(await options.count(), 3, 'what is off does nothing');
    await page.keyboard.press('Escape');
    await options.first().waitFor({ state: 'detached' });
    await say(page, 'play');
    await answered(page);
    await button.click();
    await options.nth(1).click();
    await page.getByRole('button', { name: 'Model: Fast' }).waitFor();
    await say(page, 'play');
    await answered(page, 2);
    assert.deepEqual([asked(theatre.server, 'threads.create')[0].input.inference_options, asked(theatre.server, 'threads.add_user_message')[0].input.inference_options], [{ model: 'deep' }, { model: 'fast' }]);
    await set(page, `composer: { models: [{ id: 'a', label: 'First' }, { id: 'b', label: 'Second' }] }`);
    await page.getByRole('button', { name: 'Model: First' }).waitFor();
  }));

test('O084 O085 O086 disclaimer: Markdown below the text field, and darker where it is asked for', () =>
  open(`disclaimer: { text: 'May be **wrong**; [read more](https://example.com).' }`, async (page) => {
    assert.equal(await page.locator('.disclaimer strong').innerText(), 'wrong');
    assert.equal(await page.getByRole('link', { name: 'read more' }).getAttribute('href'), 'https://example.com/');
    const below = await page.evaluate(() => { const box = (name) => window.chat.shadowRoot.querySelector(name).getBoundingClientRect(); return box('[part=disclaimer]').top >= box('.composer').bottom; });
    assert.equal(below, true);
    const quiet = await rgb(page, '[part=disclaimer]', 'color');
    await set(page, `disclaimer: { text: 'x', highContrast: true }`);
    await page.locator('.disclaimer.high').waitFor();
    const loud = await rgb(page, '[part=disclaimer]', 'color');
    assert.ok(loud[0] < quiet[0], `${loud} ${quiet}`);
  }));

test('O099 thread.autoScroll is off: an answer grows below, and what is read stays', () =>
  theatre.scene(({ say: answer }) => answer(Array.from({ length: 60 }, (_, index) => `Paragraph ${index}.`).join('\n\n'), [], 40), async (page) => {
    await answered(page);
    await settle(page);
    assert.equal(await page.locator('.thread').evaluate((view) => view.scrollTop), 0);
  }));
