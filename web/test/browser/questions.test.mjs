// Structured input (I06, Q04): questions in place of the text field, answered, in own words, skipped.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { answered } from './harness.mjs';
import { asked, focused, gate, stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const INPUTS = [
  { type: 'multiple_choice', id: 'city', question: 'Which city?', options: [{ value: 'Lisbon' }, { value: 'Porto' }] },
  { type: 'multiple_choice', id: 'days', question: 'Which days suit you?', multiple: true, options: [{ value: 'Friday' }, { value: 'Saturday' }, { value: 'Sunday' }] },
  { type: 'freeform', id: 'note', question: 'Anything else?', description: 'What we should know.' },
];
/** Asks after the message, and goes on after the answers. */
const asks = (inputs, then = ({ say }) => say('Thank you.')) => async (scene) => {
  const { send, base, say, keep, call } = scene;
  if (call.type === 'threads.add_structured_input') return then(scene);
  await say('I have questions.');
  send({ type: 'thread.item.done', item: keep({ type: 'structured_input', ...base('sin'), status: 'pending', inputs }) });
};

test('I06 Q04 chosen, several chosen, and in own words; then they stand in the conversation', async () => {
  for (const [scheme, width] of [['light', 1280], ['dark', 390]]) {
    await theatre.scene(asks(INPUTS), async (page) => {
      await answered(page);
      const form = page.getByRole('form', { name: 'Questions of the assistant' });
      await form.waitFor();
      assert.equal(await page.getByPlaceholder('Message the AI').count(), 0);
      assert.notEqual(await focused(page), 'body');
      assert.deepEqual(await seriousFindings(page, scheme), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/questions-${scheme}.png` });
      await form.getByText('Porto').click();
      await form.getByText('Friday').click();
      await form.getByText('Sunday').click();
      await form.getByLabel('Something else: Which days suit you?').fill('any Monday');
      await form.getByRole('button', { name: 'Send answers' }).click();
      await form.getByRole('alert').getByText('Answer this question or skip it.').waitFor();
      assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement.closest('fieldset').dataset.question), 'note');
      await page.keyboard.type('A quiet room');
      await page.keyboard.press('Enter');
      await page.getByText('Thank you.').waitFor();
      await answered(page, 2);
      const [{ input, item_id: item }] = asked(theatre.server, 'threads.add_structured_input');
      assert.match(item, /^sin/);
      assert.deepEqual(input, { status: 'answered', answers: { city: { values: ['Porto'], skipped: false }, days: { values: ['Friday', 'Sunday', 'any Monday'], skipped: false }, note: { values: ['A quiet room'], skipped: false } } });
      await page.getByPlaceholder('Message the AI').waitFor();
      assert.notEqual(await focused(page), 'body');
      assert.deepEqual(await page.locator('.answers dd').allInnerTexts(), ['Porto', 'Friday, Sunday, any Monday', 'A quiet room']);
      assert.deepEqual(await seriousFindings(page, scheme), []);
    }, { scheme, width });
  }
});

test('I06 own words take the place of a single choice, and one question can be skipped', async () => {
  await theatre.scene(asks(INPUTS.slice(0, 2)), async (page) => {
    const form = page.getByRole('form');
    await form.getByText('Lisbon').click();
    await form.getByLabel('Something else: Which city?').fill('Faro');
    assert.equal(await form.getByRole('radio', { name: 'Lisbon' }).isChecked(), false);
    await form.getByRole('button', { name: 'Skip: Which days suit you?' }).click();
    await form.getByRole('button', { name: 'Send answers' }).click();
    await page.getByText('Thank you.').waitFor();
    assert.deepEqual(asked(theatre.server, 'threads.add_structured_input')[0].input.answers, { city: { values: ['Faro'], skipped: false }, days: { values: [], skipped: true } });
    assert.deepEqual(await page.locator('.answers dd').allInnerTexts(), ['Faro', 'Skipped']);
  });
});

test('I06 all of it can be skipped, and the draft is still there', async () => {
  await theatre.scene(asks(INPUTS), async (page) => {
    await page.getByRole('form').waitFor();
    await page.evaluate(() => window.chat.setComposerValue({ text: 'half a thought' }));
    await page.getByRole('button', { name: 'Skip all' }).click();
    await page.getByText('Thank you.').waitFor();
    assert.equal(asked(theatre.server, 'threads.add_structured_input')[0].input.status, 'skipped');
    assert.deepEqual(await page.locator('.answers dd').allInnerTexts(), ['Skipped', 'Skipped', 'Skipped']);
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'half a thought');
  });
});

test('I06 answers that the server does not take stay where they are, and are sent again', async () => {
  let tries = 0;
  const play = asks(INPUTS.slice(0, 1), async ({ send, say }) => {
    tries += 1;
    if (tries === 1) send({ type: 'error', code: 'custom', message: 'Not now.', allow_retry: true });
    else await say('Thank you.');
  });
  await theatre.scene(play, async (page) => {
    await page.getByText('Porto').click();
    await page.getByRole('button', { name: 'Send answers' }).click();
    await page.getByText('Not now.').waitFor();
    assert.equal(await page.getByRole('radio', { name: 'Porto' }).isChecked(), true);
    await page.getByRole('button', { name: 'Send answers' }).click();
    await page.getByText('Thank you.').waitFor();
    assert.equal(asked(theatre.server, 'threads.add_structured_input').length, 2);
  });
});

test('I06 questions that a later message has passed over are shown as not answered', async () => {
  await theatre.scene(async ({ send, base, keep, say }) => {
    send({ type: 'thread.item.done', item: keep({ type: 'structured_input', ...base('sin'), inputs: INPUTS.slice(0, 1) }) });
    send({ type: 'thread.item.done', item: keep({ type: 'user_message', ...base('msg'), content: [{ type: 'input_text', text: 'never mind' }], attachments: [], inference_options: {} }) });
    await say('All right.');
  }, async (page) => {
    await answered(page);
    assert.deepEqual(await page.locator('.answers dd').allInnerTexts(), ['Not answered']);
    await page.getByPlaceholder('Message the AI').waitFor();
  });
});

test('I06 the first questions keep the focus while what draws them is loaded', async () => {
  const loaded = gate();
  await theatre.scene(asks(INPUTS), async (page) => {
    await page.route('**/chatkit/questions.js*', async (route) => {
      await loaded.opened;
      await route.continue();
    });
    await page.getByPlaceholder('Message the AI').fill('play');
    await page.keyboard.press('Enter');
    await page.getByRole('status', { name: 'Loading' }).waitFor();
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('.composer.skeleton'));
    loaded.open();
    await page.getByRole('form').waitFor();
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.matches('input[type=radio][value=Lisbon]'));
    await page.keyboard.press('Space');
    assert.equal(await page.getByRole('radio', { name: 'Lisbon' }).isChecked(), true);
  }, { message: null });
});

test('I06 without their part, questions are shown and answered in words', async () => {
  const said = [];
  await theatre.scene(asks(INPUTS), async (page) => {
    page.on('console', (line) => said.push(line.text()));
    await page.route('**/chatkit/questions.js*', (route) => route.abort());
    await page.getByPlaceholder('Message the AI').fill('play');
    await page.keyboard.press('Enter');
    await answered(page);
    await page.locator('dl.answers').waitFor();
    assert.ok((await page.locator('dl.answers dt').count()) > 0);
    await page.getByPlaceholder('Message the AI').fill('In my own words');
    await page.getByRole('button', { name: 'Send message' }).waitFor();
    assert.equal(said.filter((line) => line.includes('questions could not be loaded')).length, 1, said.join('\n'));
  }, { message: null });
});
