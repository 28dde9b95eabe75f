// Files in a real browser: choosing, pasting, dropping, uploading by each way, sending, and what goes wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seriousFindings } from './axe.mjs';
import { addPage, answered, eventsOf, launch, ready, say } from './harness.mjs';
import { STRICT_CSP, startServer } from './server.mjs';
import { newFiles, PNG } from './uploads.mjs';

let server;
let browser;
const IMAGE = { name: 'flag.png', mimeType: 'image/png', buffer: PNG };
const NOTES = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('milk, bread') };
const LIMITS = `attachments: { enabled: true, maxCount: 3, maxSize: { 'image/*': 1024 * 1024, '*': 1024 }, accept: { 'image/*': ['.png'], 'text/plain': ['.txt'] } }`;

before(async () => {
  [server, browser] = [await startServer({ slow: 1 }), await launch()];
  const custom = (more) => `{ url: '/chatkit', domainKey: 'x', fetch(url, init) { (window.calls ??= []).push([url, init.body instanceof Blob || init.body instanceof FormData]); return fetch(url, { ...init, headers: { ...init.headers, Authorization: 'Bearer of-the-page' } }); }, ${more} }`;
  const page = (path, api, more = '', settings = {}) => addPage(server, path, `chat.setOptions({ api: ${api}, composer: { ${LIMITS} } ${more} });`, settings);
  page('/hosted', `{ async getClientSecret(current) { (window.asked ??= []).push(current); return (await (await fetch('/api/chatkit/start', { method: 'POST' })).json()).client_secret; } }`);
  page('/direct', custom(`uploadStrategy: { type: 'direct', uploadUrl: '/upload' }`));
  page('/phases', custom(`uploadStrategy: { type: 'two_phase' }`));
  page('/strict', `{ url: '/chatkit', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }`, '', { csp: STRICT_CSP });
  page('/dark', `{ url: '/chatkit', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }`, `, theme: { colorScheme: 'dark' }`);
  page('/nowhere', `{ url: '/chatkit' }`);
  addPage(server, '/off', `chat.setOptions({ api: { url: '/chatkit', uploadStrategy: { type: 'two_phase' } } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(path, run) {
  const context = await browser.newContext({ viewport: { width: 420, height: 720 } });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => /Content Security Policy|Trusted|violates/i.test(message.text()) && problems.push(message.text()));
  server.state.requests.length = 0;
  server.state.files = newFiles();
  delete server.state.bytesOrigin;
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}

const choose = (page, ...files) => page.locator('input[type=file]').setInputFiles(files);
const chip = (page, name) => page.locator('.draft', { hasText: name });
const isDone = (page, name) => page.locator('.draft.done', { hasText: name }).waitFor();
const toast = (page) => page.locator('.toast');
const lastInput = () => server.state.requests.findLast(({ body }) => body.params?.input !== undefined).body.params.input;
const paths = () => server.state.requests.map(({ path, body }) => body.type ?? path);

/** Holds uploads back until the returned function is called. */
function holdUploads() {
  let release;
  server.state.files.hold = new Promise((resolve) => (release = resolve));
  return () => {
    server.state.files.hold = null;
    release();
  };
}

/** A drag of files from outside, step by step. */
async function drag(page, types, files) {
  const transfer = await page.evaluateHandle((all) => {
    const data = new DataTransfer();
    for (const { name, mimeType, text } of all) data.items.add(new File([text], name, { type: mimeType }));
    return data;
  }, files);
  for (const type of types) await page.locator('.thread, .start').first().dispatchEvent(type, { dataTransfer: transfer });
}

test('hosted door: an image and a text are uploaded with the secret, sent, and seen again', () =>
  visit('/hosted', async (page) => {
    const release = holdUploads();
    await choose(page, IMAGE, NOTES);
    const bar = page.getByRole('progressbar', { name: 'Uploading flag.png' });
    await bar.waitFor();
    await page.locator('.draft-bar[aria-valuenow="100"]').first().waitFor();
    await page.getByPlaceholder('Message the AI').fill('what is this?');
    assert.equal(await page.getByRole('button', { name: 'Send message' }).isDisabled(), true);
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('.user-message').count(), 0, 'Enter waits as well');
    release();
    await isDone(page, 'flag.png');
    await isDone(page, 'notes.txt');
    await page.locator('.draft canvas:not([hidden])').waitFor();
    await page.keyboard.press('Enter');
    await answered(page);
    assert.deepEqual(lastInput().attachments, ['file1', 'file2']);
    assert.equal(await page.locator('.draft').count(), 0);
    await page.locator('.attachment-file', { hasText: 'notes.txt' }).waitFor();
    const picture = page.getByRole('img', { name: 'Attachment flag.png' });
    await page.waitForFunction((image) => image.complete && image.naturalWidth === 32, await picture.elementHandle());
    assert.deepEqual(server.state.files.deleted, []);
    assert.deepEqual(server.state.files.stored.get('file1').bytes, PNG);

    // A secret that was refused is renewed, and the file goes on.
    server.expireAll();
    await choose(page, NOTES);
    await isDone(page, 'notes.txt');
    assert.equal((await page.evaluate(() => window.asked)).length, 2);
  }));

test('files alone are a message', () =>
  visit('/direct', async (page) => {
    assert.equal(await page.getByRole('button', { name: 'Send message' }).isDisabled(), true);
    await choose(page, NOTES);
    await isDone(page, 'notes.txt');
    await page.getByRole('button', { name: 'Send message' }).click();
    await answered(page);
    assert.deepEqual(lastInput(), { content: [{ type: 'input_text', text: '' }], attachments: ['file1'], quoted_text: '', inference_options: {} });
    assert.equal(await page.locator('.user-message .bubble').count(), 0);
    const calls = await page.evaluate(() => window.calls.filter(([, isFile]) => isFile));
    assert.deepEqual(calls, [[`${server.origin}/upload`, true]], "the page's fetch uploads to the page's origin");
  }));

test("O005 Q12 T12 two phases: the bytes go where the server says, with the page's fetch on its own origin only", async () => {
  await visit('/phases', async (page) => {
    await choose(page, IMAGE);
    await isDone(page, 'flag.png');
    assert.deepEqual(paths().slice(-2), ['attachments.create', '/bytes/file1']);
    const { headers } = server.state.requests.at(-1);
    assert.deepEqual([headers['x-signed'], headers['content-type'], headers.authorization], ['yes', 'image/png', 'Bearer of-the-page']);
    assert.deepEqual(server.state.files.stored.get('file1').bytes, PNG);
  });
  const { default: http } = await import('node:http');
  const seen = [];
  const store = http.createServer((request, response) => {
    const open = { 'access-control-allow-origin': server.origin, 'access-control-allow-methods': 'PUT', 'access-control-allow-headers': 'x-signed, content-type' };
    if (request.method !== 'OPTIONS') seen.push(request.headers);
    request.resume().on('end', () => response.writeHead(request.method === 'OPTIONS' ? 204 : 200, open).end());
  });
  await new Promise((resolve) => store.listen(0, '127.0.0.1', resolve));
  try {
    await visit('/phases', async (page) => {
      server.state.bytesOrigin = `http://127.0.0.1:${store.address().port}`;
      await choose(page, NOTES);
      await isDone(page, 'notes.txt');
      assert.deepEqual([seen.length, seen[0]['x-signed'], seen[0].authorization], [1, 'yes', undefined]);
    });
  } finally {
    store.closeAllConnections();
    store.close();
  }
});

test('Q13 removing: deletes what was stored, stops what is under way, and keeps the focus', () =>
  visit('/direct', async (page) => {
    await choose(page, IMAGE, NOTES);
    await isDone(page, 'flag.png');
    await isDone(page, 'notes.txt');
    await page.getByRole('button', { name: 'Remove flag.png' }).press('Enter');
    await chip(page, 'flag.png').waitFor({ state: 'detached' });
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.ariaLabel === 'Remove notes.txt');
    await page.locator('[role=status]', { hasText: 'flag.png was removed.' }).waitFor({ state: 'attached' });
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.tagName === 'TEXTAREA');
    while (server.state.files.deleted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(server.state.files.deleted, ['file1', 'file2']);

    const release = holdUploads();
    await choose(page, NOTES);
    const failed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/upload'));
    await page.getByRole('button', { name: 'Remove notes.txt' }).click();
    await failed;
    release();
    assert.equal(await page.locator('.draft').count(), 0);
    assert.deepEqual(await eventsOf(page, 'error'), []);
  }));

test('what breaks a rule is not added, and says why', () =>
  visit('/direct', async (page) => {
    for (const [files, words] of [
      [[{ ...NOTES, name: 'program.exe', mimeType: 'application/x-msdownload' }], 'This kind of file cannot be attached here: program.exe. Allowed: .png, .txt'],
      [[{ ...NOTES, name: 'long.txt', buffer: Buffer.alloc(1025, 'a') }], 'Larger than 1 kB: long.txt'],
      [[{ ...NOTES, name: 'one.exe', mimeType: 'x/y' }, { ...NOTES, name: 'two.exe', mimeType: 'x/y' }], 'cannot be attached here: one.exe, two.exe. Allowed'],
      [[NOTES, NOTES, NOTES, NOTES], 'Files in one message: 3 at most. Left out: notes.txt'],
    ]) {
      await choose(page, ...files);
      await toast(page).getByText(words).waitFor();
    }
    assert.equal(await page.locator('.draft').count(), 3);
    const overlap = await page.evaluate(() => {
      const box = (selector) => window.chat.shadowRoot.querySelector(selector).getBoundingClientRect();
      return box('.toast').bottom > box('.composer').top;
    });
    assert.equal(overlap, false, 'the message does not cover the files');
  }));

test('a refusal of the server is shown in its words; another attempt may follow where it makes sense', () =>
  visit('/direct', async (page) => {
    server.state.files.refuse = { status: 400, message: 'File uploads are disabled for this session.', code: 'chatkit.file_upload_disabled' };
    await choose(page, NOTES);
    await chip(page, 'notes.txt').getByText('File uploads are disabled for this session.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Upload notes.txt again' }).count(), 0);
    await page.getByText('To send, remove the file that failed.', { exact: true }).waitFor({ state: 'attached' });
    assert.match((await eventsOf(page, 'error'))[0].error, /^RequestError: File uploads are disabled/);
    await page.getByRole('button', { name: 'Remove notes.txt' }).click();

    server.state.files.refuse = { status: 500, message: 'The disk is full.', code: null };
    await choose(page, NOTES);
    await page.getByPlaceholder('Message the AI').fill('hello');
    await chip(page, 'notes.txt').getByText('The disk is full.').waitFor();
    const send = page.getByRole('button', { name: 'Send message' });
    assert.equal(await send.isDisabled(), true);
    assert.equal(await send.evaluate((button) => button.getRootNode().getElementById(button.getAttribute('aria-describedby')).textContent), 'To send, remove the file that failed, or upload it again.');
    server.state.files.refuse = null;
    await page.getByRole('button', { name: 'Upload notes.txt again' }).click();
    await isDone(page, 'notes.txt');
    await send.click();
    await answered(page);
  }));

test('files are dropped anywhere, with a sign where', () =>
  visit('/direct', async (page) => {
    const files = [{ name: 'a.txt', mimeType: 'text/plain', text: 'one' }];
    await drag(page, ['dragenter', 'dragover'], files);
    await page.getByText('Drop files to attach them').waitFor();
    await drag(page, ['dragleave'], files);
    await page.getByText('Drop files to attach them').waitFor({ state: 'detached' });
    await drag(page, ['dragenter', 'dragover', 'drop'], files);
    await isDone(page, 'a.txt');
    assert.equal(await page.getByText('Drop files to attach them').count(), 0);
  }));

test('what is under way when the element moves out of the page goes on when it is back', () =>
  visit('/direct', async (page) => {
    const release = holdUploads();
    await choose(page, NOTES);
    await page.locator('.draft.uploading').waitFor();
    await page.evaluate(async () => {
      const { parentNode } = window.chat;
      window.chat.remove();
      await new Promise((resolve) => setTimeout(resolve));
      parentNode.append(window.chat);
    });
    release();
    await isDone(page, 'notes.txt');
    assert.equal(paths().filter((path) => path === '/upload').length, 2);
    assert.deepEqual(await eventsOf(page, 'error'), []);
  }));

test('a picture is pasted; text with a picture beside it stays text', () =>
  visit('/direct', async (page) => {
    const paste = (withText) =>
      page.getByPlaceholder('Message the AI').evaluate((field, text) => {
        const data = new DataTransfer();
        data.items.add(new File(['x'], 'image.png', { type: 'image/png' }));
        if (text) data.setData('text/plain', 'a cell');
        const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        field.dispatchEvent(event);
        return event.defaultPrevented;
      }, withText);
    assert.equal(await paste(true), false);
    assert.equal(await page.locator('.draft').count(), 0);
    assert.equal(await paste(false), true);
    await isDone(page, 'image.png');
  }));

test('O063 O064 off, or without a way to the server: no button, no drop, and a word to the developer', async () => {
  for (const path of ['/off', '/nowhere']) {
    await visit(path, async (page) => {
      assert.equal(await page.getByRole('button', { name: 'Attach files' }).count(), 0);
      assert.equal(await page.locator('input[type=file]').count(), 0);
      await drag(page, ['dragenter', 'dragover'], [{ name: 'a.txt', mimeType: 'text/plain', text: 'one' }]);
      assert.equal(await page.getByText('Drop files to attach them').count(), 0);
      const missing = (await eventsOf(page, 'log')).filter(({ name }) => name === 'attachments.strategy.missing');
      assert.equal(missing.length, path === '/nowhere' ? 1 : 0);
      const error = await page.evaluate(() => window.chat.setComposerValue({ files: [new File(['x'], 'a.txt')] }).catch(({ name }) => name));
      assert.equal(error, 'IntegrationError');
    });
  }
});

test('setComposerValue and sendUserMessage take files and attachments', () =>
  visit('/direct', async (page) => {
    const attachment = { type: 'file', id: 'file1', name: 'theirs.txt', mime_type: 'text/plain' };
    server.state.files.stored.set('file1', attachment);
    await page.evaluate(async (given) => {
      await window.chat.setComposerValue({ text: 'look', attachments: [given], files: [new File(['x'], 'ours.txt', { type: 'text/plain' })] });
    }, attachment);
    await isDone(page, 'theirs.txt');
    await isDone(page, 'ours.txt');
    const picture = { type: 'image', id: 'file2', name: 'photo.png', mime_type: 'image/png' };
    await page.evaluate((given) => window.chat.setComposerValue({ attachments: given }), [attachment, picture]);
    await isDone(page, 'photo.png');
    assert.equal(await page.locator('.draft img').count(), 0, 'a picture without an address is not looked for');
    const error = await page.evaluate(() => window.chat.setComposerValue({ text: 'changed', attachments: [{ id: 1 }] }).catch(({ name }) => name));
    assert.equal(error, 'IntegrationError');
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'look', 'nothing changes when something is wrong');
    await page.evaluate(() => window.chat.setComposerValue({ files: [new File(['x'], 'a.zip', { type: 'application/zip' })] }));
    await toast(page).getByText('a.zip').waitFor();
    await page.keyboard.press('Escape');
    await page.evaluate(() => window.chat.setComposerValue({ attachments: [] }));
    assert.equal(await page.locator('.draft').count(), 0);
    await page.evaluate((given) => window.chat.sendUserMessage({ attachments: [given] }), attachment);
    assert.deepEqual(lastInput().attachments, ['file1']);
    await page.locator('.attachment-file', { hasText: 'theirs.txt' }).waitFor();
  }));

test('a draft with files stays when the thread changes, and goes when the server does', () =>
  visit('/direct', async (page) => {
    await say(page, 'hello');
    await answered(page);
    await choose(page, NOTES);
    await isDone(page, 'notes.txt');
    await page.getByRole('button', { name: 'New chat' }).click();
    await isDone(page, 'notes.txt');
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/elsewhere', uploadStrategy: { type: 'two_phase' } }, composer: { attachments: { enabled: true } } }));
    await page.locator('.draft').waitFor({ state: 'detached' });
    assert.deepEqual(server.state.files.deleted, []);
  }));

test('a picture whose address has ended is shown by its name', () =>
  visit('/direct', async (page) => {
    const attachment = { type: 'image', id: 'x', name: 'old.png', mime_type: 'image/png', preview_url: '/files/gone' };
    server.state.files.stored.set('x', { ...attachment, bytes: Buffer.from('no picture') });
    await page.evaluate((given) => window.chat.sendUserMessage({ text: 'hello', attachments: [given] }), attachment);
    await page.locator('.attachment-file', { hasText: 'old.png' }).waitFor();
  }));

test('strict policy: a whole visit with files and no violation', () =>
  visit('/strict', async (page) => {
    await choose(page, IMAGE, NOTES);
    await isDone(page, 'flag.png');
    await page.locator('.draft canvas:not([hidden])').waitFor();
    await page.getByRole('button', { name: 'Send message' }).click();
    await answered(page);
    await page.getByRole('img', { name: 'Attachment flag.png' }).waitFor();
  }));

for (const path of ['/direct', '/dark']) {
  test(`axe finds nothing serious (${path})`, () =>
    visit(path, async (page) => {
      const release = holdUploads();
      await choose(page, IMAGE, NOTES);
      await page.locator('.draft-bar').first().waitFor();
      assert.deepEqual(await seriousFindings(page, 'uploading'), []);
      release();
      await isDone(page, 'flag.png');
      server.state.files.refuse = { status: 400, message: 'no, this cannot be taken.', code: null };
      await choose(page, NOTES);
      await page.locator('.draft.failed').waitFor();
      await choose(page, { ...NOTES, name: 'a.exe', mimeType: 'x/y' });
      await toast(page).waitFor();
      assert.deepEqual(await seriousFindings(page, 'failed'), []);
      await page.locator('.draft.failed').getByRole('button', { name: /^Remove/ }).click();
      await page.getByRole('button', { name: 'Send message' }).click();
      await answered(page);
      assert.deepEqual(await seriousFindings(page, 'sent'), []);
    }));
}

test('right to left: the remove button is at the end of its file', () =>
  visit('/direct', async (page) => {
    await page.evaluate(() => (window.chat.shadowRoot.querySelector('.app').dir = 'rtl'));
    await choose(page, NOTES);
    await isDone(page, 'notes.txt');
    const isLeft = await page.evaluate(() => {
      const box = (selector) => window.chat.shadowRoot.querySelector(selector).getBoundingClientRect();
      return box('.draft-remove').left < box('.thumb').left && box('.attach').left > box('.send').left;
    });
    assert.equal(isLeft, true);
  }));
