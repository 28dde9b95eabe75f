// Widgets (W01–W30, I04, U05–U07): every component with its properties, changes while it is shown, and what goes wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { answered } from './harness.mjs';
import { focused, gate, stage } from './scene.mjs';
import { action, card, chart, FORM, golden, LIST, ORDER, shows, text } from './widgets.scenes.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const update = (item, value) => ({ type: 'thread.item.updated', item_id: item.id, update: value });
const widget = (page) => page.locator('.widget').first();
/** Plays several widgets, each an item of its own. */
const showAll = (...widgets) => (scene) => widgets.forEach((each) => shows(each)(scene));

test('W01–W30 every component of the protocol is drawn, whatever it is told', async () => {
  const roots = golden.map(({ node }) => (['Card', 'ListView', 'Basic'].includes(node.type) ? node : { type: 'Basic', children: node.type === 'Table.Cell' ? [{ type: 'Table', children: [{ type: 'Table.Row', children: [node] }] }] : node.type === 'Table.Row' ? [{ type: 'Table', children: [node] }] : [node] }));
  const drawn = ['Badge', 'Basic', 'Box', 'Button', 'Caption', 'Card', 'Chart', 'Checkbox', 'Col', 'DatePicker', 'Divider', 'Form', 'Icon', 'Image', 'Input', 'Label', 'ListView', 'ListViewItem', 'Markdown', 'RadioGroup', 'Row', 'Select', 'Spacer', 'Table', 'Table.Cell', 'Table.Row', 'Text', 'Textarea', 'Title', 'Transition'];
  const said = [];
  await theatre.scene(showAll(...roots), async (page) => {
    page.on('console', (line) => said.push(line.text()));
    await answered(page);
    await page.waitForFunction((count) => window.chat.shadowRoot.querySelectorAll('.widget').length === count, roots.length);
    for (const type of drawn) assert.ok(golden.some(({ node }) => node.type === type), `the protocol has ${type}`);
    assert.equal(await page.locator('.turn > .card').count(), 0, 'no copy text in place of a widget');
    // Each says or shows something of its own.
    for (const [selector, least] of [['.w-badge', 1], ['.w-button', 2], ['.w-caption', 1], ['.w-card', 4], ['.w-chart svg', 1], ['input[type=checkbox]', 1], ['.w-trigger', 2], ['.w-divider', 1], ['form', 2], ['.w-icon svg', 1], ['.w-image', 1], ['input.w-field', 2], ['.w-label', 2], ['.w-list', 1], ['.w-item', 2], ['.w-markdown', 1], ['[role=radiogroup]', 1], ['table', 3], ['.w-text', 10], ['textarea', 2], ['.w-title', 2], ['.w-transition', 1]]) {
      const count = await page.locator(selector).count();
      assert.ok(count >= least, `${selector}: ${count}`);
    }
    assert.deepEqual(said.filter((line) => /could not be drawn/.test(line)), []);
  }, { message: 'play' });
});

test('W02–W29 properties become the looks they name', async () => {
  const tree = card([
    { type: 'Row', key: 'row', gap: 3, padding: { x: 2, top: 1 }, justify: 'between', border: { size: 2, color: 'red-500', style: 'dashed' }, background: 'surface-secondary', radius: 'xl', children: [text('a'), text('b')] },
    { type: 'Box', direction: 'column', size: 40, aspectRatio: 1, flex: 'none', background: { light: 'rgb(1, 2, 3)', dark: 'rgb(4, 5, 6)' }, border: { y: 3 }, children: [] },
    text('cut', { truncate: true, color: 'rgb(9, 8, 7)', weight: 'semibold', textAlign: 'end', italic: true, lineThrough: true, size: 'lg' }),
    text('lines', { maxLines: 2, minLines: 3, width: 120 }),
    { type: 'Title', value: 'T', size: '2xl' }, { type: 'Caption', value: 'C', size: 'lg' },
    { type: 'Badge', label: 'B', color: 'danger', variant: 'solid', size: 'lg', pill: true },
    { type: 'Icon', name: 'lucide:rocket', size: '3xl', color: 'rgb(10, 11, 12)' },
    { type: 'Divider', size: 4, spacing: 2, color: 'rgb(7, 7, 7)' },
    { type: 'Row', children: [{ type: 'Divider' }] },
    { type: 'Button', label: 'Go', size: '3xl', block: true, color: 'danger', disabled: true }, { type: 'Button', iconStart: 'write', uniform: true, size: 'sm', pill: false },
    { type: 'Textarea', name: 't', rows: 4, gutterSize: 'xl', variant: 'soft', pattern: '[a-z]+', defaultValue: '1' },
    { type: 'Image', src: 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', alt: 'dot', size: 30, fit: 'contain', position: 'top left', frame: true },
    { type: 'Image', src: 'https://tracker.example/x.png', alt: 'far away' },
    { type: 'Table', children: [{ type: 'Table.Row', header: true, children: [{ type: 'Table.Cell', colSpan: 2, colSize: 'lg', align: 'end', vAlign: 'end', children: [text('h')] }] }] },
  ], { size: 'sm', padding: 5, background: 'rgb(250, 250, 250)' });
  await theatre.scene(shows(tree), async (page) => {
    await widget(page).waitFor();
    const style = (selector, ...names) => page.locator(selector).first().evaluate((node, wanted) => wanted.map((name) => getComputedStyle(node)[name]), names);
    assert.deepEqual(await style('.w-card', 'maxWidth', 'backgroundColor'), ['360px', 'rgb(250, 250, 250)']);
    assert.deepEqual(await style('.w-card-body', 'paddingTop', 'paddingLeft'), ['20px', '20px']);
    assert.deepEqual(await style('.w-card-body > .w-box', 'flexDirection', 'gap', 'paddingLeft', 'paddingTop', 'justifyContent', 'borderTopWidth', 'borderTopStyle', 'borderRadius', 'alignItems'), ['row', '12px', '8px', '4px', 'space-between', '2px', 'dashed', '12px', 'center']);
    assert.deepEqual(await style('.w-card-body > .w-box + .w-box', 'width', 'height', 'backgroundColor', 'borderTopWidth', 'borderLeftWidth'), ['40px', '40px', 'rgb(1, 2, 3)', '3px', '0px']);
    assert.deepEqual(await style('.w-cut', 'color', 'fontWeight', 'textAlign', 'fontStyle', 'textDecorationLine', 'textOverflow', 'fontSize'), ['rgb(9, 8, 7)', '600', 'end', 'italic', 'line-through', 'ellipsis', '18px']);
    assert.deepEqual(await style('.w-lines', 'width', 'webkitLineClamp'), ['120px', '2']);
    assert.deepEqual([...(await style('.w-title', 'fontSize')), ...(await style('.w-caption', 'fontSize'))], ['36px', '14px']);
    await page.locator('.w-icon svg path').first().waitFor({ state: 'attached' });
    assert.deepEqual(await style('.w-icon', 'color'), ['rgb(10, 11, 12)']);
    assert.deepEqual(await style('.w-card-body > .w-divider', 'height', 'marginTop', 'backgroundColor'), ['4px', '8px', 'rgb(7, 7, 7)']);
    assert.equal(await page.locator('.w-divider.upright').getAttribute('aria-orientation'), 'vertical');
    assert.deepEqual(await style('.w-button', 'minHeight'), ['48px']);
    assert.equal(await page.getByRole('button', { name: 'Go' }).isDisabled(), true);
    const icon = await page.getByRole('button', { name: 'write' }).boundingBox();
    assert.deepEqual([icon.width, icon.height], [28, 28]);
    assert.equal(await page.locator('textarea.w-field').evaluate((area) => area.checkValidity()), false);
    assert.deepEqual(await style('img.w-image', 'objectFit', 'objectPosition', 'width', 'borderTopWidth'), ['contain', '0% 0%', '30px', '1px']);
    const far = page.locator('a.w-image.missing');
    assert.deepEqual([await far.innerText(), await far.getAttribute('href')], ['far away', 'https://tracker.example/x.png']);
    assert.deepEqual(await page.locator('th').evaluate((node) => [node.colSpan, node.scope, getComputedStyle(node).textAlign, getComputedStyle(node).verticalAlign]), [2, 'col', 'end', 'bottom']);
  });
});

test('W01 W02 a root may keep a scheme of its own, and colours follow it', async () => {
  const inner = (theme) => card([text('x', { color: { light: 'rgb(1, 1, 1)', dark: 'rgb(2, 2, 2)' } })], { theme });
  for (const scheme of ['light', 'dark']) {
    await theatre.scene(showAll(inner('dark'), inner('light'), inner(undefined)), async (page) => {
      await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.w-text').length === 3);
      const colors = await page.locator('.w-text').evaluateAll((all) => all.map((node) => getComputedStyle(node).color));
      assert.deepEqual(colors, ['rgb(2, 2, 2)', 'rgb(1, 1, 1)', scheme === 'dark' ? 'rgb(2, 2, 2)' : 'rgb(1, 1, 1)']);
    }, { scheme });
  }
});

test('wrong values of every kind break nothing, and load nothing', async () => {
  const wrong = [null, 7, -1, '', 'x', true, [], {}, [null], { light: 5 }, 'url(https://tracker.example/a)', 'image-set("https://tracker.example/b" 1x)', 'u\\72l(https://tracker.example/c)', 'red;background:url(https://tracker.example/d)', 'javascript:alert(1)', '__proto__'];
  const mangled = (node, value) => ({ type: 'Basic', children: Object.keys(node).filter((key) => key !== 'type').map((key) => ({ ...node, [key]: value })) });
  for (const value of wrong) {
    await theatre.scene(showAll(...golden.map(({ node }) => mangled(node, value))), async (page) => {
      await answered(page);
      await page.waitForFunction((count) => window.chat.shadowRoot.querySelectorAll('.widget').length === count, golden.length);
      assert.equal(await page.locator('.turn > .card').count(), 0, JSON.stringify(value));
    });
  }
});

test('U05 U06 U07 text streams in, a component is replaced by its id, and what was typed stays', async () => {
  const [streams, replaced, whole] = [gate(), gate(), gate()];
  await theatre.scene(
    async ({ send, base, keep }) => {
      const item = { type: 'widget', ...base('wgt'), widget: card([text('', { id: 'words', streaming: true }), { type: 'Markdown', id: 'md', value: '', streaming: true }, { type: 'Badge', id: 'state', label: 'open' }, { type: 'Input', name: 'name' }]) };
      send({ type: 'thread.item.added', item });
      for (const delta of ['One ', 'two']) send(update(item, { type: 'widget.streaming_text.value_delta', component_id: 'words', delta, done: false }));
      for (const delta of ['A **bo', 'ld** word']) send(update(item, { type: 'widget.streaming_text.value_delta', component_id: 'md', delta, done: delta.endsWith('d') }));
      await streams.opened;
      send(update(item, { type: 'widget.component.updated', component_id: 'state', component: { type: 'Badge', id: 'state', label: 'done', color: 'success' } }));
      await replaced.opened;
      send(update(item, { type: 'widget.root.updated', widget: card([text('Another', { id: 'words' }), { type: 'Input', name: 'name' }]) }));
      await whole.opened;
      send({ type: 'thread.item.done', item: keep({ ...item, widget: card([{ type: 'Input', name: 'name' }]) }) });
    },
    async (page) => {
      await page.getByText('One two').waitFor();
      await page.locator('.w-markdown strong').getByText('bold').waitFor();
      const field = page.locator('input[name=name]');
      await field.fill('Ada');
      streams.open();
      await page.locator('.w-badge.success').getByText('done').waitFor();
      assert.equal(await field.inputValue(), 'Ada');
      replaced.open();
      await page.getByText('Another').waitFor();
      assert.equal(await page.locator('.w-badge').count(), 0);
      whole.open();
      await answered(page);
    },
  );
});

test('I04 a component of the future is left out, with one line in the console', async () => {
  const said = [];
  await theatre.scene(shows(card([{ type: 'Carousel', children: [text('inside')] }, { type: 'Carousel' }, text('beside')])), async (page) => {
    page.on('console', (line) => said.push(line.text()));
    await page.getByText('beside').waitFor();
    assert.equal(await page.getByText('inside').count(), 0);
    assert.equal(said.filter((line) => line.includes('no widget component “Carousel”')).length, 1);
  }, { message: 'play' });
});

test('I04 what cannot be drawn shows its copy text', async () => {
  let deep = text('end');
  for (let depth = 0; depth < 100; depth += 1) deep = { type: 'Box', children: [deep] };
  await theatre.scene(shows(card([deep]), { copy_text: 'The **text** of it' }), async (page) => {
    await page.locator('.card').getByText('The text of it').waitFor();
    assert.equal(await page.locator('.widget').count(), 0);
  });
});

test('I04 without their part, widgets are their copy text, and the console says why', async () => {
  const said = [];
  await theatre.scene(shows(ORDER, { copy_text: 'Order A-1042' }), async (page) => {
    page.on('console', (line) => said.push(line.text()));
    await page.route('**/chatkit/widgets.js*', (route) => route.abort());
    await page.reload();
    await page.waitForFunction(() => window.events?.some(([name]) => name === 'ready'));
    await page.getByPlaceholder('Message the AI').fill('play');
    await page.keyboard.press('Enter');
    await page.locator('.card').getByText('Order A-1042').waitFor();
    assert.equal(said.filter((line) => line.includes('widgets could not be loaded')).length, 1);
  }, { message: null });
});

test('W03 a list shows its first rows, and more of them when asked', async () => {
  await theatre.scene(shows(LIST), async (page) => {
    await page.getByText('Porto').waitFor();
    assert.equal(await page.locator('.w-item').count(), 2);
    const more = page.getByRole('button', { name: 'Show 2 more' });
    await more.click();
    assert.equal(await page.locator('.w-item').count(), 4);
    assert.match(await focused(page), /w-more/);
    assert.equal(await page.getByRole('button', { name: 'Show less' }).getAttribute('aria-expanded'), 'true');
  });
  await theatre.scene(shows({ ...LIST, limit: 'auto', children: Array.from({ length: 8 }, (_, index) => ({ type: 'ListViewItem', children: [text(`row ${index}`)] })) }), async (page) => {
    await page.getByRole('button', { name: 'Show 3 more' }).waitFor();
    assert.equal(await page.locator('.w-item').count(), 5);
  });
});

test('W02 a collapsed card is its status, and unfolds', async () => {
  await theatre.scene(shows({ ...ORDER, collapsed: true, status: { text: 'Approved', icon: 'check-circle' } }), async (page) => {
    await page.getByText('Approved').waitFor();
    assert.equal(await page.getByText('Rain jacket').count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Confirm' }).count(), 0);
    await page.getByRole('button', { name: 'Details', expanded: false }).click();
    await page.getByText('Rain jacket').waitFor();
  });
});

test('W25 a choice by keyboard: opened, found by letters, chosen, taken back', async () => {
  await theatre.scene(shows(FORM), async (page) => {
    const trigger = page.getByRole('combobox', { name: 'City' });
    await trigger.focus();
    await page.keyboard.press('ArrowDown');
    const list = page.getByRole('listbox', { name: 'City' });
    await list.waitFor();
    await page.keyboard.press('p');
    assert.match(await page.locator('[data-active]').innerText(), /Porto/);
    await page.keyboard.press('ArrowDown');
    assert.match(await page.locator('[data-active]').innerText(), /Porto/, 'Faro is off');
    await page.keyboard.press('Enter');
    await list.waitFor({ state: 'detached' });
    assert.match(await trigger.innerText(), /Porto/);
    assert.match(await focused(page), /w-trigger/);
    await trigger.click();
    await page.keyboard.press('Escape');
    await list.waitFor({ state: 'detached' });
    assert.match(await focused(page), /w-trigger/);
    await page.getByRole('button', { name: 'Clear' }).first().click();
    assert.match(await trigger.innerText(), /City/);
    assert.notEqual(await focused(page), 'body');
  });
  const many = Array.from({ length: 30 }, (_, index) => ({ value: `v${index}`, label: `Choice ${index}` }));
  await theatre.scene(shows(card([{ type: 'Select', name: 'many', options: many }])), async (page) => {
    await page.getByRole('combobox').click();
    const search = page.getByRole('combobox', { name: 'Search' });
    await search.fill('27');
    assert.deepEqual(await page.getByRole('option').allInnerTexts(), ['Choice 27']);
    await search.fill('zzz');
    await page.getByText('Nothing found').waitFor();
  });
});

test('W26 a day by keyboard: months, limits, the grid', async () => {
  await theatre.scene(shows(FORM), async (page) => {
    await page.getByRole('button', { name: 'December 20, 2026' }).click();
    const dialog = page.getByRole('dialog', { name: 'Day' });
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement.textContent), '20');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('PageDown');
    await dialog.getByText('January 2027').waitFor();
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement.textContent), '28');
    assert.deepEqual(await seriousFindings(page, 'calendar'), []);
    const next = page.getByRole('button', { name: 'Next month' });
    await next.click();
    await dialog.getByText('February 2027').waitFor();
    assert.equal(await next.getAttribute('aria-disabled'), 'true');
    assert.equal(await dialog.getByRole('button', { name: /February 11, 2027/ }).isDisabled(), true);
    await dialog.getByRole('button', { name: /February 9, 2027/ }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.locator('input[name="trip.day"]').inputValue(), '2027-02-09');
    assert.match(await focused(page), /w-trigger/);
  });
});

test('W30 a chart: bars and lines, numbers on demand, and a table for those who do not see it', async () => {
  await theatre.scene(shows(card([chart()])), async (page) => {
    await page.locator('.w-plot svg').waitFor();
    assert.equal(await page.locator('.w-plot svg > path').count(), 12);
    assert.equal(await page.locator('.w-plot .w-line').count(), 1);
    assert.deepEqual(await page.locator('.w-legend span').allInnerTexts(), ['Desktop', 'Mobile', 'Goal']);
    assert.equal(await page.locator('.w-chart table tbody tr').count(), 6);
    await page.locator('.w-plot').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.match((await page.locator('.w-tooltip').innerText()).replace(/\s+/g, ' '), /February Desktop 160 Mobile 155 Goal 162/);
    const box = await page.locator('.w-plot').boundingBox();
    await page.mouse.move(box.x + box.width - 14, box.y + 60);
    await page.locator('.w-tooltip').getByText('June').waitFor();
  });
  await theatre.scene(shows({ type: 'Basic', children: [{ type: 'Row', children: [chart({ flex: 1 }), chart({ flex: 1, height: 120 })] }] }), async (page) => {
    await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.w-plot svg').length === 2);
    for (const { width, height } of await page.locator('.w-plot').evaluateAll((all) => all.map((node) => node.getBoundingClientRect().toJSON()))) assert.ok(width > 60 && height >= 60, `${width} ${height}`);
  });
});

test('nothing serious for axe, light and dark, wide and narrow, and nothing wider than the screen', async () => {
  for (const [scheme, width] of [['light', 1280], ['dark', 390]]) {
    await theatre.scene(showAll(ORDER, FORM, LIST, card([chart()])), async (page) => {
      await page.locator('.w-plot svg').waitFor();
      assert.deepEqual(await seriousFindings(page, scheme), []);
      assert.equal(await page.locator('.thread').evaluate((node) => node.scrollWidth <= node.clientWidth), true);
    }, { scheme, width });
  }
});

test('a finger finds 44 pixels', async () => {
  await theatre.scene(shows(FORM), async (page) => {
    for (const selector of ['.w-trigger', 'input.w-field', '.w-choice']) {
      for (const box of await page.locator(selector).evaluateAll((all) => all.map((node) => node.getBoundingClientRect().height))) assert.ok(box >= 44, `${selector} ${box}`);
    }
    const reach = await page.locator('.w-button').evaluateAll((all) => all.map((node) => parseFloat(getComputedStyle(node, '::after').height)));
    for (const height of reach) assert.ok(height >= 44, `${height}`);
  }, { width: 390, hasTouch: true, isMobile: true });
});

test('W14 W24 fields in text: validated by their pattern, sent by Enter', async () => {
  const editable = card([{ type: 'Text', value: 'Buy milk', editable: { name: 'todo.title', required: true, pattern: '[A-Z].*', placeholder: 'Title' } }], { asForm: true, confirm: { label: 'Save', action: action('save', { handler: 'client' }) } });
  await theatre.scene(shows(editable), async (page) => {
    const field = page.locator('.w-editable');
    assert.equal(await field.inputValue(), 'Buy milk');
    await field.fill('lower');
    await field.press('Enter');
    assert.deepEqual(await page.evaluate(() => window.done ?? []), []);
    await field.fill('Buy bread');
    await field.press('Enter');
    await page.waitForFunction(() => window.done?.length === 1);
    assert.deepEqual(await page.evaluate(() => window.done[0]), { type: 'save', payload: { todo: { title: 'Buy bread' } } });
  }, { script: 'widgets: { onAction: async (action) => { (window.done ??= []).push(action); } }' });
});
