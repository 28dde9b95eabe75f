// The properties of widgets that only show when something is done: pressed, opened, typed, sent.
// Each gets the theatre, and fails on its own.
import assert from 'node:assert/strict';
import { answered, still } from './harness.mjs';
import { asked, gate } from './scene.mjs';
import { action, card, shows, text } from './widgets.scenes.mjs';

const ACTION = action('done', { payload: { id: 7 }, streaming: false });
const DAYS = { min: '2026-12-10', max: '2026-12-12', defaultValue: '2026-12-11' };

/** Draws a widget, does something, and gives the one action that the server was asked for. */
async function actionOf(theatre, widget, act) {
  let found;
  await theatre.scene(shows(widget), async (page) => {
    theatre.server.state.answers = { 'threads.sync_custom_action': () => [200, {}] };
    await page.locator('.widget').waitFor();
    await answered(page);
    assert.deepEqual(asked(theatre.server, 'threads.sync_custom_action'), []);
    await act(page);
    for (let tries = 0; tries < 100 && asked(theatre.server, 'threads.sync_custom_action').length === 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 20));
    const requests = asked(theatre.server, 'threads.sync_custom_action');
    assert.equal(requests.length, 1);
    found = requests[0].action;
  });
  return found;
}
const press = (name) => (page) => page.getByRole('button', { name }).click();
const choose = (label) => async (page) => {
  await page.getByRole('combobox').click();
  await page.getByRole('option', { name: label }).click();
};
const CITY = { type: 'Select', name: 'city', options: [{ value: 'lis', label: 'Lisbon' }, { value: 'opo', label: 'Porto' }] };
const where = (node) => shows({ type: 'Basic', children: [node] });
/** Opens the calendar far from every edge, and gives where it stands to its button. */
async function calendar(theatre, more) {
  let at;
  await theatre.scene(where({ type: 'Col', align: 'center', padding: 60, children: [{ type: 'DatePicker', name: 'day', ...DAYS, ...more }] }), async (page) => {
    await page.locator('.w-trigger').click();
    await page.locator('.w-calendar').waitFor();
    await still(page);
    at = await page.evaluate(() => {
      const [a, b] = ['.w-trigger', '.w-calendar'].map((selector) => window.chat.shadowRoot.querySelector(selector).getBoundingClientRect());
      return { above: b.bottom <= a.top, below: b.top >= a.bottom, before: b.right <= a.left, after: b.left >= a.right, starts: Math.abs(a.left - b.left) < 2, ends: Math.abs(a.right - b.right) < 2, centred: Math.abs(a.left + a.right - b.left - b.right) < 2 };
    });
  }, { width: 1200, height: 1100 });
  return at;
}
/** The field takes the focus by itself. */
const focuses = (node) => async (theatre) => {
  for (const autoFocus of [true, false]) {
    const end = gate();
    await theatre.scene(async (scene) => {
      where({ ...node, ...(node.type === 'Text' ? { editable: { ...node.editable, autoFocus } } : { autoFocus }) })(scene);
      await end.opened;
    }, async (page) => {
      await page.locator('.widget [name=n]').waitFor();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement?.getAttribute('name') === 'n'), autoFocus);
      end.open();
      await answered(page);
    });
  }
};

export const HANDS = {
  'Card.confirm': async (theatre) => assert.deepEqual(await actionOf(theatre, card([text('a')], { confirm: { label: 'Yes', action: ACTION } }), press('Yes')), { type: 'done', payload: { id: 7 } }),
  'Card.cancel': async (theatre) => assert.deepEqual(await actionOf(theatre, card([text('a')], { cancel: { label: 'No', action: ACTION } }), press('No')), { type: 'done', payload: { id: 7 } }),
  'Card.collapsed': (theatre) => theatre.scene(shows(card([text('inside')], { collapsed: true })), async (page) => {
    await page.locator('.w-card').waitFor();
    assert.equal(await page.getByText('inside').count(), 0);
    await page.getByRole('button', { name: 'Details' }).click();
    await page.getByText('inside').waitFor();
  }),
  'Card.asForm': async (theatre) => assert.deepEqual(await actionOf(theatre, card([{ type: 'Input', name: 'mail', defaultValue: 'a@b' }], { asForm: true, confirm: { label: 'Yes', action: ACTION } }), press('Yes')), { type: 'done', payload: { id: 7, mail: 'a@b' } }),
  'ListView.limit': (theatre) => theatre.scene(shows({ type: 'ListView', limit: 1, children: ['one', 'two'].map((word) => ({ type: 'ListViewItem', children: [text(word)] })) }), async (page) => {
    await page.getByText('one').waitFor();
    assert.equal(await page.getByText('two').count(), 0);
    await page.getByRole('button', { name: 'Show 1 more' }).click();
    await page.getByText('two').waitFor();
  }),
  'ListViewItem.onClickAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'ListView', children: [{ type: 'ListViewItem', onClickAction: ACTION, children: [text('a row')] }] }, press('a row')), { type: 'done', payload: { id: 7 } }),
  'Form.onSubmitAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'Form', onSubmitAction: ACTION, children: [{ type: 'Input', name: 'mail' }] }] }, async (page) => {
    await page.locator('input[name=mail]').fill('a@b');
    await page.keyboard.press('Enter');
  }), { type: 'done', payload: { id: 7, mail: 'a@b' } }),
  'Button.onClickAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'Button', label: 'Go', onClickAction: ACTION }] }, press('Go')), { type: 'done', payload: { id: 7 } }),
  'Button.submit': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'Form', onSubmitAction: ACTION, children: [{ type: 'Button', label: 'Go', submit: true }] }] }, press('Go')), { type: 'done', payload: { id: 7 } }),
  'Select.options': (theatre) => theatre.scene(where(CITY), async (page) => {
    await page.getByRole('combobox').click();
    assert.deepEqual(await page.getByRole('option').allInnerTexts(), ['Lisbon', 'Porto']);
    await page.getByRole('option', { name: 'Porto' }).click();
    assert.equal(await page.locator('input[name=city]').inputValue(), 'opo');
  }),
  'Select.clearable': (theatre) => theatre.scene(where({ ...CITY, clearable: true, defaultValue: 'lis' }), async (page) => {
    await page.getByRole('button', { name: 'Clear' }).click();
    assert.equal(await page.locator('input[name=city]').inputValue(), '');
  }),
  'Select.onChangeAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ ...CITY, onChangeAction: ACTION }] }, choose('Porto')), { type: 'done', payload: { id: 7, city: 'opo' } }),
  'DatePicker.onChangeAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'DatePicker', name: 'day', ...DAYS, onChangeAction: ACTION }] }, async (page) => {
    await page.locator('.w-trigger').click();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
  }), { type: 'done', payload: { id: 7, day: '2026-12-12' } }),
  'DatePicker.clearable': (theatre) => theatre.scene(where({ type: 'DatePicker', name: 'day', ...DAYS, clearable: true }), async (page) => {
    await page.getByRole('button', { name: 'Clear' }).click();
    assert.equal(await page.locator('input[name=day]').inputValue(), '');
  }),
  'DatePicker.min': (theatre) => theatre.scene(where({ type: 'DatePicker', name: 'day', ...DAYS }), async (page) => {
    await page.locator('.w-trigger').click();
    await page.locator('.w-calendar').waitFor();
    const open = await page.locator('.w-day:enabled').allInnerTexts();
    assert.deepEqual(open, ['10', '11', '12'], 'both limits are days that can be chosen');
  }),
  'DatePicker.max': (theatre) => theatre.scene(where({ type: 'DatePicker', name: 'day', defaultValue: '2026-12-02', max: '2026-12-03T12:00:00' }), async (page) => {
    await page.locator('.w-trigger').click();
    await page.locator('.w-calendar').waitFor();
    assert.equal((await page.locator('.w-day:enabled').allInnerTexts()).at(-1), '3');
  }),
  'DatePicker.side': async (theatre) => {
    assert.equal((await calendar(theatre, { side: 'top' })).above, true);
    assert.equal((await calendar(theatre, { side: 'bottom' })).below, true);
    assert.equal((await calendar(theatre, { side: 'left' })).before, true);
    assert.equal((await calendar(theatre, { side: 'right' })).after, true);
  },
  'DatePicker.align': async (theatre) => {
    assert.equal((await calendar(theatre, { align: 'start' })).starts, true);
    assert.equal((await calendar(theatre, { align: 'center' })).centred, true);
    assert.equal((await calendar(theatre, { align: 'end' })).ends, true);
  },
  'Checkbox.onChangeAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'Checkbox', name: 'ok', label: 'Agreed', onChangeAction: ACTION }] }, (page) => page.getByLabel('Agreed').check()), { type: 'done', payload: { id: 7, ok: true } }),
  'RadioGroup.onChangeAction': async (theatre) => assert.deepEqual(await actionOf(theatre, { type: 'Basic', children: [{ type: 'RadioGroup', name: 'class', options: [{ label: 'First', value: '1' }], onChangeAction: ACTION }] }, (page) => page.getByLabel('First').check()), { type: 'done', payload: { id: 7, class: '1' } }),
  'Input.autoFocus': focuses({ type: 'Input', name: 'n' }),
  'Textarea.autoFocus': focuses({ type: 'Textarea', name: 'n' }),
  'Text.editable': focuses({ type: 'Text', value: 'a', editable: { name: 'n' } }),
  'Text.streaming': async (theatre) => {
    const end = gate();
    await theatre.scene(async ({ send, base }) => {
      const item = { type: 'widget', ...base('wgt'), widget: card([text('One', { id: 't', streaming: true })]) };
      send({ type: 'thread.item.added', item });
      send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'widget.streaming_text.value_delta', component_id: 't', delta: ' and two', done: true } });
      await end.opened;
      send({ type: 'thread.item.done', item: { ...item, widget: card([text('One and two', { id: 't' })]) } });
    }, async (page) => {
      await page.getByText('One and two').waitFor();
      end.open();
      await answered(page);
    });
  },
};
