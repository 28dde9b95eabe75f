// W01–W30, property by property: what each value of each property changes in what is drawn.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered } from './harness.mjs';
import { gate, stage } from './scene.mjs';
import { HANDS } from './widget-hands.mjs';
import { shows, text } from './widgets.scenes.mjs';
import { PROPS, WRAP } from './widget-props.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const inBasic = (node) => ({ type: 'Basic', children: [node] });
/** Draws each node as a widget of its own, and reads each. */
async function readings(nodes, reads) {
  let found;
  await theatre.scene((scene) => nodes.forEach((node) => shows((WRAP[node.type] ?? inBasic)(node))(scene)), async (page) => {
    await page.waitForFunction((count) => window.chat.shadowRoot.querySelectorAll('.widget').length === count, nodes.length);
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('.skeleton') === null);
    found = await page.evaluate(`(() => { const all = [...window.chat.shadowRoot.querySelectorAll('.widget')]; return [${reads.map((read, index) => `((w) => { try { const found = ${read}; return found === undefined ? '' : found; } catch (error) { return 'failed: ' + error.message; } })(all[${index}])`).join(',\n')}]; })()`);
  }, { width: 900 });
  return found;
}

/** Checks the rows of one component; `all` are the properties of it that are read. */
async function checkProperties(type) {
  const { base, props } = PROPS[type];
  const nodes = [];
  const reads = [];
  const add = (name, more) => {
    nodes.push({ type, ...base, ...props[name].with, ...more });
    reads.push(props[name].read);
    return nodes.length - 1;
  };
  const plan = Object.keys(props).map((name) => {
    const { values, distinct } = props[name];
    return { name, without: add(name, {}), values: values.map((value) => ({ at: add(name, { [name]: distinct ? value : value[0] }), value: distinct ? value : value[0], wanted: distinct ? undefined : value[1] })) };
  });
  const found = await readings(nodes, reads);
  for (const { name, without, values } of plan) {
    if (props[name].distinct) {
      const seen = values.map(({ at }) => found[at]);
      assert.equal(new Set(seen).size, seen.length, `${type}.${name}: ${JSON.stringify(seen)}`);
      continue;
    }
    for (const { at, value, wanted } of values) assert.deepEqual(found[at], wanted, `${type}.${name} = ${JSON.stringify(value)}`);
    assert.ok(values.some(({ wanted }) => wanted !== found[without]), `${type}.${name} changes nothing: it is ${JSON.stringify(found[without])} without it`);
  }
}

test('W01 Basic: every property does what it says', () => checkProperties('Basic'));
test('W02 Card: every property does what it says', () => checkProperties('Card'));
test('W03 ListView: every property does what it says', () => checkProperties('ListView'));
test('W04 ListViewItem: every property does what it says', () => checkProperties('ListViewItem'));
test('W05 Box: every property does what it says', () => checkProperties('Box'));
test('W06 Row: every property does what it says', () => checkProperties('Row'));
test('W07 Col: every property does what it says', () => checkProperties('Col'));
test('W08 Form: every property does what it says', () => checkProperties('Form'));
test('W09 Spacer: every property does what it says', () => checkProperties('Spacer'));
test('W10 Divider: every property does what it says', () => checkProperties('Divider'));
test('W11 Transition: every property does what it says', () => checkProperties('Transition'));
test('W12 Title: every property does what it says', () => checkProperties('Title'));
test('W13 Caption: every property does what it says', () => checkProperties('Caption'));
test('W14 Text: every property does what it says', () => checkProperties('Text'));
test('W15 Markdown: every property does what it says', () => checkProperties('Markdown'));
test('W16 Badge: every property does what it says', () => checkProperties('Badge'));
test('W17 Icon: every property does what it says', () => checkProperties('Icon'));
test('W18 Image: every property does what it says', () => checkProperties('Image'));
test('W19 Button: every property does what it says', () => checkProperties('Button'));
test('W20 Table: every property does what it says', () => checkProperties('Table'));
test('W21 Table.Row: every property does what it says', () => checkProperties('Table.Row'));
test('W22 Table.Cell: every property does what it says', () => checkProperties('Table.Cell'));
test('W23 Input: every property does what it says', () => checkProperties('Input'));
test('W24 Textarea: every property does what it says', () => checkProperties('Textarea'));
test('W25 Select: every property does what it says', () => checkProperties('Select'));
test('W26 DatePicker: every property does what it says', () => checkProperties('DatePicker'));
test('W27 Checkbox: every property does what it says', () => checkProperties('Checkbox'));
test('W28 RadioGroup: every property does what it says', () => checkProperties('RadioGroup'));
test('W29 Label: every property does what it says', () => checkProperties('Label'));
test('W30 Chart: every property does what it says', () => checkProperties('Chart'));

for (const [name, act] of Object.entries(HANDS)) test(`by hand: ${name}`, () => act(theatre));

/** What stands in a component of another kind than `Basic`: where, as what, and in which element. */
const PLACES = {
  ListViewItem: { around: (children) => ({ type: 'ListView', children }), host: '.w-list > ul' },
  'Table.Row': { around: (children) => ({ type: 'Basic', children: [{ type: 'Table', children }] }), host: 'tbody' },
  'Table.Cell': { around: (children) => ({ type: 'Basic', children: [{ type: 'Table', children: [{ type: 'Table.Row', children }] }] }), host: 'tr' },
};
const OTHERS = Object.keys(PROPS).filter((type) => !Object.hasOwn(PLACES, type));
const sets = [{ types: OTHERS, around: (children) => ({ type: 'Basic', children }), host: '.w-basic' }, ...Object.entries(PLACES).map(([type, place]) => ({ types: [type, type], ...place }))];

for (const { types, around, host } of sets) {
  for (const name of ['key', 'id']) {
    test(`by hand: ${name} of ${[...new Set(types)].join(', ')}: another order moves what is there`, async () => {
      const [reordered, done] = [gate(), gate()];
      const nodes = types.map((type, index) => ({ type, ...PROPS[type].base, [name]: `n${index}` }));
      await theatre.scene(async ({ send, base }) => {
        const item = { type: 'widget', ...base('wgt'), widget: around(nodes) };
        send({ type: 'thread.item.added', item });
        await reordered.opened;
        send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'widget.root.updated', widget: around([...nodes].reverse()) } });
        await done.opened;
      }, async (page) => {
        await page.locator(`.widget ${host}`).first().waitFor();
        const marks = (mark) => page.evaluate(([selector, set]) => {
          const children = [...window.chat.shadowRoot.querySelector(`.widget ${selector}`).children];
          return children.map((child, index) => (set ? (child.marked = index) : (child.marked ?? -1)));
        }, [host, mark]);
        const first = await marks(true);
        assert.equal(first.length, types.length);
        reordered.open();
        let found = first;
        for (let tries = 0; tries < 100 && String(found) === String(first); tries += 1) found = await marks(false);
        assert.deepEqual(found.map((mark) => types[mark] ?? 'drawn anew'), [...types].reverse());
        assert.deepEqual(found, [...first].reverse());
        done.open();
        await answered(page);
      });
    });
  }
}

test('by hand: id finds every component for an update', async () => {
  const nodes = OTHERS.map((type) => ({ type, ...PROPS[type].base, id: `the ${type}` }));
  const done = gate();
  await theatre.scene(async ({ send, base }) => {
    const item = { type: 'widget', ...base('wgt'), widget: { type: 'Basic', children: nodes } };
    send({ type: 'thread.item.added', item });
    for (const type of OTHERS) send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'widget.component.updated', component_id: `the ${type}`, component: { type: 'Badge', label: `${type} is gone` } } });
    await done.opened;
  }, async (page) => {
    await page.getByText(`${OTHERS.at(-1)} is gone`).waitFor();
    assert.deepEqual(await page.locator('.w-basic > *').allInnerTexts(), OTHERS.map((type) => `${type} is gone`));
    done.open();
    await answered(page);
  });
});
