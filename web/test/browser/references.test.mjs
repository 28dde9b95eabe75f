// References, entities, images, quotations and dictation (T6–T8, I02, I05, U03, U10, O082–O091, M06, Q16).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { answered, eventsOf } from './harness.mjs';
import { asked, focused, gate, stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const url = (title, address, more = {}) => ({ type: 'url', title, url: address, ...more });
const note = (index, source) => ({ type: 'annotation', index, source });
const ENTITY = { type: 'entity', id: 'order-7', title: 'Order A-1042', icon: 'cube', inline_label: 'A-1042', interactive: true, data: { id: '7' } };
const TEXT = 'The night train leaves at nine. It has [beds](https://example.com/beds) and a restaurant.';
const NOTES = [note(31, url('Timetable of the night train', 'https://www.rail.example/night', { description: 'Every evening from Paris.', timestamp: '2026-01-20' })), note(31, { type: 'file', title: 'Brochure', filename: 'brochure.pdf' }), note(TEXT.length, ENTITY), { type: 'annotation', source: url('Nowhere in particular', 'javascript:alert(1)') }];

test('T6 T7 I02 references stand in the text, open a card by press or by resting, and are listed below', async () => {
  for (const [scheme, width] of [['light', 1280], ['dark', 390]]) {
    await theatre.scene(async ({ say }) => say(TEXT, NOTES), async (page) => {
      await answered(page);
      const cites = page.locator('.cite');
      assert.deepEqual(await cites.allInnerTexts(), ['rail.example\n+1', 'A-1042']);
      const first = page.getByRole('button', { name: 'rail.example +1, Source: Timetable of the night train, Brochure' });
      await first.focus();
      await page.keyboard.press('Enter');
      const card = page.getByRole('dialog', { name: 'Sources' });
      await card.waitFor();
      assert.equal(await focused(page), 'source-card-list');
      assert.equal(await card.getByRole('link').getAttribute('href'), 'https://www.rail.example/night');
      for (const words of ['Every evening from Paris.', 'rail.example · 2026-01-20', 'brochure.pdf', 'Brochure']) await card.getByText(words, { exact: true }).waitFor();
      assert.deepEqual(await seriousFindings(page, scheme), []);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/cite-${scheme}.png` });
      await page.keyboard.press('Escape');
      await card.waitFor({ state: 'detached' });
      assert.match(await focused(page), /cite/);
      await first.hover();
      await card.waitFor();
      await page.mouse.move(5, 5);
      await card.waitFor({ state: 'detached' });
      await page.getByText('Sources', { exact: false }).first().click();
      assert.equal(await page.locator('.source-list .source').count(), 4);
      await page.getByRole('button', { name: 'Copy' }).click();
      assert.equal(await page.locator('.assistant-message a').count(), 1);
    }, { scheme, width });
  }
});

test('U03 a reference is shown as soon as its paragraph is over, and one of the last paragraph with the end', async () => {
  const [ended, over] = [gate(), gate()];
  const notes = [note(13, url('Clock', 'https://clock.example/')), note(30, url('Late', 'https://late.example/'))];
  const text = 'Nine o’clock.\n\nThe train is late today.';
  await theatre.scene(async ({ send, base, keep }) => {
    const item = { type: 'assistant_message', ...base('msg'), content: [] };
    const update = (value) => send({ type: 'thread.item.updated', item_id: item.id, update: value });
    const say = (delta) => update({ type: 'assistant_message.content_part.text_delta', content_index: 0, delta });
    const add = (at) => update({ type: 'assistant_message.content_part.annotation_added', content_index: 0, annotation_index: at, annotation: notes[at] });
    send({ type: 'thread.item.added', item });
    update({ type: 'assistant_message.content_part.added', content_index: 0, content: { type: 'output_text', text: '', annotations: [] } });
    say(text.slice(0, 13));
    add(0);
    await ended.opened;
    say(text.slice(13, 30));
    add(1);
    say(text.slice(30));
    await over.opened;
    send({ type: 'thread.item.done', item: keep({ ...item, content: [{ type: 'output_text', text, annotations: notes }] }) });
  }, async (page) => {
    await page.getByText('Nine o’clock.').waitFor();
    assert.equal(await page.locator('.cite').count(), 0, 'a line that grows is left alone');
    ended.open();
    const clock = page.locator('.cite').getByText('clock.example');
    await clock.waitFor();
    await page.getByText('late today.').waitFor();
    assert.equal(await page.locator('.cite').count(), 1);
    await page.locator('.cite').evaluate((node) => (node.marked = true));
    // It can be used while the answer goes on.
    await page.locator('.cite').click();
    await page.locator('.source-card').getByText('Clock', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    over.open();
    await page.locator('.cite').getByText('late.example').waitFor();
    assert.deepEqual(await page.locator('.cite').evaluateAll((all) => all.map((node) => node.marked === true)), [true, false], 'and is the same one afterwards');
    assert.equal(await page.locator('.assistant-message .markdown').innerText().then((words) => words.includes('\u2E31')), false);
  });
});

const ENTITIES = `entities: { onClick: (entity) => { (window.clicked ??= []).push(entity); }, onRequestPreview: async (entity) => { (window.previewed ??= []).push(entity.id); return { preview: { type: 'Basic', children: [{ type: 'Title', value: 'Preview of ' + entity.title }] } }; }, onTagSearch: async (query) => { (window.searched ??= []).push(query); return [{ id: 'p1', title: 'Ada Lovelace', group: 'People', icon: 'profile', interactive: true, data: { mail: 'ada@example.com' } }, { id: 'd1', title: 'Q2 Plan', group: 'Documents', icon: 'document' }, { id: 'p2', title: 'Alan Turing', group: 'People', icon: 'profile' }].filter(({ title }) => title.toLowerCase().includes(query.toLowerCase())); }, showComposerMenu: true }`;

test('T8 O090 O091 an entity has the preview that the page makes, asked for once, and tells of its click', async () => {
  await theatre.scene(async ({ say }) => say(TEXT, NOTES), async (page) => {
    await answered(page);
    await page.locator('.cite').nth(1).hover();
    await page.locator('.source-card .w-title').getByText('Preview of Order A-1042').waitFor();
    await page.locator('.source-card').getByRole('button', { name: 'Order A-1042' }).click();
    assert.deepEqual(await page.evaluate(() => window.clicked), [{ id: 'order-7', title: 'Order A-1042', icon: 'cube', interactive: true, data: { id: '7' } }]);
    await page.keyboard.press('Escape');
    await page.locator('.source-card').waitFor({ state: 'detached' });
    await page.mouse.move(5, 300);
    await page.locator('.cite').nth(1).click();
    await page.locator('.source-card .w-title').waitFor();
    assert.deepEqual(await page.evaluate(() => window.previewed), ['order-7']);
  }, { script: ENTITIES });
});

test('O088 O089 a tag is searched for with @, by keyboard, and leaves as a part of the message', async () => {
  await theatre.scene(async ({ say }) => say('Done.'), async (page) => {
    await page.getByRole('button', { name: 'Refer to something' }).click();
    await page.getByRole('option', { name: 'Q2 Plan' }).waitFor();
    assert.deepEqual(await page.getByRole('option').allInnerTexts(), ['Ada Lovelace', 'Alan Turing', 'Q2 Plan'], 'groups stand together');
    assert.deepEqual(await page.locator('.mention-group').allInnerTexts(), ['People', 'Documents']);
    await page.keyboard.type('ada');
    await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('[role=option]').length === 1);
    await page.keyboard.press('Enter');
    const field = page.getByPlaceholder('Message the AI');
    assert.equal(await field.inputValue(), '@Ada Lovelace ');
    await page.keyboard.type('please, and @');
    await page.getByRole('option', { name: 'Q2 Plan' }).click();
    assert.deepEqual(await page.locator('.composer-tags li').allInnerTexts(), ['Ada Lovelace', 'Q2 Plan']);
    assert.deepEqual(await seriousFindings(page, 'tags'), []);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/tags.png` });
    await page.getByRole('button', { name: 'Remove Q2 Plan' }).click();
    assert.notEqual(await focused(page), 'body');
    await page.keyboard.type('now');
    await page.keyboard.press('Enter');
    await answered(page);
    assert.deepEqual(asked(theatre.server, 'threads.create')[0].input.content, [{ type: 'input_tag', id: 'p1', text: 'Ada Lovelace', group: 'People', data: { mail: 'ada@example.com' }, interactive: true }, { type: 'input_text', text: ' please, and now' }]);
    await page.locator('.tag.live').getByText('Ada Lovelace').click();
    assert.equal((await page.evaluate(() => window.clicked))[0].id, 'p1');
    await page.getByPlaceholder('Message the AI').fill('mail me@');
    await page.waitForTimeout(300);
    assert.equal(await page.getByRole('option').count(), 0, 'an address is no tag');
  }, { script: ENTITIES, message: null });
});

test('O092 O093 O094 O095 a slash opens what can be done, own commands lead on, and the text is clean afterwards', async () => {
  const script = `composer: { tools: [{ id: 'web', label: 'Search the web', icon: 'globe' }] }, commands: { enabled: true, onSearch: async (query) => [{ id: 'order', label: 'Find an order', description: 'By its number', icon: 'cube', group: 'Shop' }].filter(({ label }) => label.toLowerCase().includes(query)), onSelect: async (command) => { (window.selected ??= []).push(command.id); if (command.id === 'order') return { type: 'menu', commands: [{ id: 'a1', label: 'A-1042' }, { id: 'none', label: 'Never mind' }] }; if (command.id === 'a1') return { type: 'entity', entity: { id: 'a1', title: 'A-1042' } }; } }`;
  await theatre.scene(async ({ say }) => say('Done.'), async (page) => {
    const field = page.getByPlaceholder('Message the AI');
    await field.focus();
    await page.keyboard.type('/');
    await page.getByRole('option', { name: /Find an order/ }).waitFor();
    assert.deepEqual(await page.getByRole('option').allInnerTexts(), ['Search the web', 'Find an order\nBy its number']);
    assert.deepEqual(await seriousFindings(page, 'commands'), []);
    await page.keyboard.press('Enter');
    assert.equal(await field.inputValue(), '');
    assert.deepEqual(await eventsOf(page, 'tool.change'), [{ toolId: 'web' }]);
    await page.keyboard.type('/ord');
    await page.getByRole('option', { name: /Find an order/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('option', { name: 'A-1042' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.composer-tags').getByText('A-1042').waitFor();
    assert.equal(await field.inputValue(), '@A-1042 ');
    assert.deepEqual(await page.evaluate(() => window.selected), ['order', 'a1']);
    await field.fill('/ord');
    await page.getByRole('option').click();
    await page.getByRole('option', { name: 'Never mind' }).click();
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('textarea').value === '');
    await field.fill('a /word');
    await page.waitForTimeout(250);
    assert.equal(await page.getByRole('option').count(), 0, 'a slash inside a text opens nothing');
    await field.fill('/ord');
    await page.getByRole('option').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('option').count(), 0);
    assert.equal(await field.inputValue(), '/ord');
  }, { script, message: null });
});

test('M06 a quotation and tags are set by the page, shown, and sent', async () => {
  await theatre.scene(async ({ say }) => say('Thanks.'), async (page) => {
    await page.evaluate(() => window.chat.setComposerValue({ reply: 'The night train leaves at nine.', content: [{ type: 'input_text', text: 'Is ' }, { type: 'input_tag', id: 't', text: 'this', data: {} }, { type: 'input_text', text: ' true?' }] }));
    await page.locator('.composer-quote').getByText('The night train leaves at nine.').waitFor();
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'Is @this true?');
    await page.getByRole('button', { name: 'Send message' }).click();
    await answered(page);
    const { input } = asked(theatre.server, 'threads.create')[0];
    assert.equal(input.quoted_text, 'The night train leaves at nine.');
    assert.deepEqual(input.content.map(({ type }) => type), ['input_text', 'input_tag', 'input_text']);
    await page.locator('.quoted').getByText('The night train leaves at nine.').waitFor();
    assert.equal(await page.locator('.composer-context').count(), 0);
    await page.evaluate(() => window.chat.setComposerValue({ reply: 'Another' }));
    await page.getByRole('button', { name: 'Remove the quotation' }).click();
    assert.equal(await page.locator('.composer-quote').count(), 0);
    assert.notEqual(await focused(page), 'body');
  }, { message: null });
});

test('I05 U10 an image gets clearer, says how far it is, and can be enlarged', async () => {
  const [half, done] = [gate(), gate()];
  await theatre.scene(async ({ send, base, keep }) => {
    const item = { type: 'generated_image', ...base('img'), image: null };
    send({ type: 'thread.item.added', item });
    await half.opened;
    send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'generated_image.updated', image: { id: 'i', url: PIXEL }, progress: 0.4 } });
    await done.opened;
    send({ type: 'thread.item.done', item: keep({ ...item, image: { id: 'i', url: PIXEL } }) });
    send({ type: 'thread.item.done', item: keep({ type: 'generated_image', ...base('img'), image: { id: 'x', url: 'data:text/html,x' } }) });
  }, async (page) => {
    await page.getByRole('img', { name: 'Creating an image' }).waitFor();
    const bar = page.getByRole('progressbar', { name: 'Creating an image' });
    assert.equal(await bar.getAttribute('aria-valuenow'), null);
    half.open();
    await page.locator('.image.partial img').waitFor();
    assert.equal(await bar.getAttribute('aria-valuenow'), '40');
    done.open();
    await answered(page);
    assert.equal(await bar.count(), 0);
    await page.getByText('The image cannot be shown.').waitFor();
    const open = page.getByRole('button', { name: 'Enlarge the image' });
    await open.click();
    const dialog = page.getByRole('dialog', { name: 'Generated image' });
    await dialog.waitFor();
    assert.equal(await dialog.getByRole('link', { name: 'Download' }).getAttribute('download'), '');
    assert.deepEqual(await seriousFindings(page, 'lightbox'), []);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.match(await focused(page), /image-open/);
  });
});

test('O082 O083 Q16 what is said is written behind the draft, or discarded, or refused in words', async () => {
  await theatre.scene(null, async (page) => {
    const { state } = theatre.server;
    state.answers['input.transcribe'] = () => [200, { text: ' and a return ticket ' }];
    await page.getByPlaceholder('Message the AI').fill('One ticket');
    await page.getByRole('button', { name: 'Dictate' }).click();
    await page.getByRole('timer', { name: 'Recording' }).waitFor();
    assert.deepEqual(await seriousFindings(page, 'dictation'), []);
    await page.waitForTimeout(1200);
    await page.getByRole('button', { name: 'Use the recording' }).click();
    await page.waitForFunction(() => window.chat.shadowRoot.querySelector('textarea').value === 'One ticket and a return ticket');
    const [{ audio_base64: audio, mime_type: type }] = asked(theatre.server, 'input.transcribe');
    assert.match(type, /^audio\/webm/);
    assert.equal(Buffer.from(audio, 'base64').subarray(0, 4).toString('hex'), '1a45dfa3', 'it is a WebM file');
    assert.notEqual(await focused(page), 'body');
    await page.getByRole('button', { name: 'Dictate' }).click();
    await page.getByRole('button', { name: 'Discard the recording' }).click();
    await page.getByRole('button', { name: 'Dictate' }).waitFor();
    assert.equal(asked(theatre.server, 'input.transcribe').length, 1);
    state.answers['input.transcribe'] = () => [413, 'The recording is too long.'];
    await page.getByRole('button', { name: 'Dictate' }).click();
    await page.waitForTimeout(1200);
    await page.getByRole('button', { name: 'Use the recording' }).click();
    await page.getByRole('alert').getByText('The recording is too long.').waitFor();
    await page.evaluate(() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }; });
    await page.getByRole('button', { name: 'Dictate' }).click();
    await page.getByRole('alert').getByText('The microphone cannot be used.').waitFor();
  }, { message: null, script: 'composer: { dictation: { enabled: true } }' });
});

test('E03 S10 an effect of the server reaches the page', async () => {
  await theatre.scene(async ({ send, say }) => {
    send({ type: 'client_effect', name: 'open_order', data: { id: 'A-1042' } });
    await say('Opened.');
  }, async (page) => {
    await answered(page);
    assert.deepEqual(await eventsOf(page, 'effect'), [{ name: 'open_order', data: { id: 'A-1042' } }]);
  });
});
