// Actions of widgets (X01–X09, O097, M04, Q06, Q07): to the page, to the server, with an answer or with one item.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered, eventsOf } from './harness.mjs';
import { asked, focused, gate, stage } from './scene.mjs';
import { action, card, FORM, LIST, shows, text } from './widgets.scenes.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const approval = (more = {}) => card([text('Send 3 mails?')], { status: { text: 'Approval needed', icon: 'mail' }, confirm: { label: 'Approve', action: action('approve', { payload: { call: 'c1' } }) }, cancel: { label: 'Reject', action: action('reject', { payload: { call: 'c1' } }) }, ...more });
/** Shows a widget after the message, and plays `then` for each action. */
const withAction = (widget, then) => async (scene) => {
  if (scene.call.type === 'threads.custom_action') await then(scene);
  else shows(widget)(scene);
};

test('X01 X02 X03 X09 Q06 confirm asks the server, the card waits as a whole, and is replaced', async () => {
  const [seen, decided] = [gate(), gate()];
  await theatre.scene(
    withAction(approval(), async ({ send, say, keep, thread }) => {
      const item = thread.items.find(({ type }) => type === 'widget');
      await seen.opened;
      send({ type: 'thread.item.replaced', item: keep({ ...item, widget: approval({ collapsed: true, status: { text: 'Approved' } }) }) });
      await decided.opened;
      await say('Sent.');
    }),
    async (page) => {
      await answered(page);
      const approve = page.getByRole('button', { name: 'Approve' });
      await approve.focus();
      await page.keyboard.press('Enter');
      await page.keyboard.press('Enter');
      await page.locator('.widget.busy').waitFor();
      assert.equal(await page.locator('.w-card-foot .spinner').count(), 1);
      assert.equal(await approve.locator('.spinner').count(), 1, 'on the button that was pressed');
      await page.getByRole('button', { name: 'Reject' }).click();
      seen.open();
      await page.getByText('Approved').waitFor();
      assert.notEqual(await focused(page), 'body', 'the focus is handed on with the button');
      await page.locator('.widget:not(.busy)').waitFor();
      decided.open();
      await page.getByText('Sent.').waitFor();
      await answered(page, 2);
      const requests = asked(theatre.server, 'threads.custom_action');
      assert.equal(requests.length, 1, 'once, however often it was pressed');
      const [thread] = theatre.server.state.threads.values();
      assert.deepEqual(requests[0], { thread_id: thread.id, item_id: thread.items.find(({ type }) => type === 'widget').id, action: { type: 'approve', payload: { call: 'c1' } } });
    },
  );
});

test('X01 O097 a client action goes to the page, with its item, and its row waits for it', async () => {
  await theatre.scene(shows(LIST), async (page) => {
    const row = page.getByRole('button', { name: /Lisbon/ });
    await row.click();
    await page.waitForFunction(() => window.acted?.length === 1);
    assert.equal(await row.getAttribute('aria-busy'), 'true');
    await row.press('Enter');
    const [[given, item]] = await page.evaluate(() => window.acted);
    assert.deepEqual(given, { type: 'open', payload: { city: 'Lisbon' } });
    assert.match(item.id, /^wgt/);
    assert.equal(item.widget.type, 'ListView');
    await page.evaluate(() => window.finish());
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('.w-item').getAttribute('aria-busy') === 'false');
    assert.equal(await page.evaluate(() => window.acted.length), 1);
    assert.equal(theatre.server.state.requests.length, 1);
  }, { script: 'widgets: { onAction: (...given) => { (window.acted ??= []).push(given); return new Promise((resolve) => { window.finish = resolve; }); } }' });
});

test('X01 an action that the page does not handle, or fails at, is said', async () => {
  await theatre.scene(shows(LIST), async (page) => {
    await page.getByRole('button', { name: /Lisbon/ }).click();
    await page.getByRole('alert').getByText('That did not work. Please try again.').waitFor();
    assert.match((await eventsOf(page, 'error'))[0].error, /IntegrationError: The widget action “open” is for this page/);
  });
  await theatre.scene(shows(LIST), async (page) => {
    await page.getByRole('button', { name: /Lisbon/ }).click();
    await page.getByRole('alert').getByText('No such city.').waitFor();
  }, { script: 'widgets: { onAction: async () => { throw new Error("No such city."); } }' });
});

test('X05 X06 a form is checked, and its values go with the action', async () => {
  await theatre.scene(withAction(FORM, async ({ say }) => say('Booked.')), async (page) => {
    await answered(page);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement.name), 'mail', 'the field that is missing has the focus');
    assert.deepEqual(asked(theatre.server, 'threads.custom_action'), []);
    await page.locator('input[name=mail]').fill('ada@example.com');
    await page.getByRole('combobox', { name: 'City' }).click();
    await page.getByRole('option', { name: /Lisbon/ }).click();
    await page.getByText('First class').click();
    await page.locator('input[name=mail]').press('Enter');
    await page.getByText('Booked.').waitFor();
    await answered(page, 2);
    assert.deepEqual(asked(theatre.server, 'threads.custom_action')[0].action, { type: 'book', payload: { id: 7, mail: 'ada@example.com', trip: { city: 'lis', day: '2026-12-20' }, class: '1', window: true, note: '' } });
  });
});

test('X02 a choice may be an action of its own, with its value', async () => {
  const choice = card([{ type: 'Select', name: 'size', placeholder: 'Size', options: [{ value: 's', label: 'Small' }, { value: 'l', label: 'Large' }], onChangeAction: action('resize', { payload: { order: 1 } }) }, { type: 'Checkbox', name: 'gift', label: 'Gift', onChangeAction: action('gift', { handler: 'client' }) }]);
  await theatre.scene(withAction(choice, async ({ say }) => say('Changed.')), async (page) => {
    await answered(page);
    await page.getByRole('combobox').click();
    await page.getByRole('option', { name: 'Large' }).click();
    await page.getByText('Changed.').waitFor();
    await answered(page, 2);
    assert.deepEqual(asked(theatre.server, 'threads.custom_action')[0].action, { type: 'resize', payload: { order: 1, size: 'l' } });
    await page.getByText('Gift').click();
    await page.waitForFunction(() => window.acted !== undefined);
    assert.deepEqual(await page.evaluate(() => window.acted), { type: 'gift', payload: { gift: true } });
  }, { script: 'widgets: { onAction: async (action) => { window.acted = action; } }' });
});

test('X04 Q07 while an answer runs: one with a stream is refused in words, one without replaces its item', async () => {
  const over = gate();
  const buttons = (label) => card([text(label), { type: 'Button', label: 'Ask', onClickAction: action('ask') }, { type: 'Button', label: 'Save', onClickAction: action('save', { streaming: false }) }]);
  await theatre.scene(
    async ({ send, base, say, keep }) => {
      send({ type: 'thread.item.done', item: keep({ type: 'widget', ...base('wgt'), widget: buttons('before') }) });
      await over.opened;
      await say('Over.');
    },
    async (page) => {
      const { state } = theatre.server;
      state.answers['threads.sync_custom_action'] = ({ params }, thread) => {
        const item = thread.items.find(({ id }) => id === params.item_id);
        return [200, { updated_item: { ...item, widget: buttons('after') } }];
      };
      await page.getByRole('button', { name: 'Ask' }).click();
      await page.getByRole('alert').getByText('The assistant is still answering.').waitFor();
      assert.deepEqual(asked(theatre.server, 'threads.custom_action'), []);
      const save = page.getByRole('button', { name: 'Save' });
      await save.click();
      await page.getByText('after').waitFor();
      assert.match(await focused(page), /w-button/, 'the same button, still focused');
      assert.deepEqual(asked(theatre.server, 'threads.sync_custom_action')[0].action, { type: 'save' });
      state.answers['threads.sync_custom_action'] = () => [409, 'The order is closed already.'];
      await save.click();
      await page.getByRole('alert').getByText('The order is closed already.').waitFor();
      over.open();
      await answered(page);
    },
  );
});

test('X07 Q06 an action that fails is said, and trying again is the action, not the message before it', async () => {
  let tries = 0;
  await theatre.scene(
    withAction(approval(), async ({ send, say }) => {
      tries += 1;
      if (tries === 1) send({ type: 'error', code: 'custom', message: 'The mail server is away.', allow_retry: true });
      else await say('Sent.');
    }),
    async (page) => {
      await answered(page);
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByText('The mail server is away.').waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByText('Sent.').waitFor();
      await answered(page, 3);
      assert.equal(asked(theatre.server, 'threads.custom_action').length, 2);
      assert.deepEqual(asked(theatre.server, 'threads.retry_after_item'), []);
      assert.equal(await page.getByText('The mail server is away.').count(), 0);
    },
  );
});

test('M04 sendCustomAction asks the server and resolves with the end of the answer', async () => {
  await theatre.scene(withAction(approval(), async ({ say }) => say('Thanks.')), async (page) => {
    await answered(page);
    await page.evaluate(() => window.chat.sendCustomAction({ type: 'thank', payload: { stars: 5 } }));
    await page.getByText('Thanks.').waitFor();
    const [{ action: sent, item_id: item }] = asked(theatre.server, 'threads.custom_action');
    assert.deepEqual([sent, item], [{ type: 'thank', payload: { stars: 5 } }, undefined]);
  });
});
