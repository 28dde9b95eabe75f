// Answers that broke, and refusals: what a person reads about them, and what only a developer does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPage, answered, eventsOf, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

let server;
let browser;

before(async () => {
  [server, browser] = [await startServer({ slow: 0 }), await launch()];
  const actions = 'threadItemActions: { feedback: true, retry: true }';
  addPage(server, '/chat', `chat.setOptions({ api: { url: '/chatkit' }, ${actions} });`);
  addPage(server, '/public', `chat.setOptions({ api: { clientToken: 'pk_test_elsewhere' } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

async function visit(path, run) {
  const context = await browser.newContext({ viewport: { width: 390, height: 720 } });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const said = [];
  page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  server.state.refuse = null;
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page, said);
  } finally {
    await context.close();
  }
}

test('a broken answer can be tried again in one place and is not judged', () =>
  visit('/chat', async (page) => {
    await say(page, 'error now');
    await answered(page);
    await page.locator('.notice.danger').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 1);
    assert.equal(await page.getByRole('button', { name: /response$/ }).count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Copy' }).count(), 1, 'what was written can be copied');
  }));

test('the error of an earlier turn stays where it happened', () =>
  visit('/chat', async (page) => {
    await say(page, 'error now');
    await answered(page);
    await say(page, 'hello');
    await answered(page, 2);
    const first = page.locator('.turn').first();
    await first.getByText('The model is out of credit.').waitFor();
    assert.equal(await page.locator('.turn').last().locator('.notice').count(), 0);
    assert.equal(await first.getByRole('button', { name: 'Try again' }).count(), 1);
    assert.equal(await first.getByRole('button', { name: /response$/ }).count(), 0);
    assert.equal(await page.getByRole('button', { name: /response$/ }).count(), 2, 'the answer that is there can be judged');
    await first.getByRole('button', { name: 'Try again' }).click();
    await answered(page, 3);
    assert.equal(await page.getByText('The model is out of credit.').count(), 1, 'said once more, by the new attempt alone');
  }));

test('a command is one line, however narrow the page', () =>
  visit('/public', async (page) => {
    await page.getByText('For the developer of this page').click();
    const command = page.locator('.refusal pre');
    assert.equal(await command.innerText(), 'vestibule token create --origin http://shop.example --env test');
    const { height, line } = await command.evaluate((node) => {
      const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(node);
      return { height: node.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom), line: parseFloat(lineHeight) };
    });
    assert.ok(height < line * 1.8, `${height} px, lines of ${line}`);
  }));

for (const [code, status, words] of [
  ['missing_credentials', 401, 'this address needs a server key as `Authorization: Bearer`'],
  ['door_closed', 403, 'the operator opens it with `doors.custom.enabled`'],
  ['unknown_path', 404, 'there is nothing at this address; check the path'],
]) {
  test(`words for developers go to the console and to nobody else: ${code}`, () =>
    visit('/chat', async (page, said) => {
      server.state.refuse = { status, message: words, code };
      await say(page, 'hello');
      await page.getByRole('alert').getByText('The owner of this page can change it.').waitFor();
      assert.equal(await page.getByText(words).count(), 0);
      assert.ok(said.some((line) => line.includes('<openai-chatkit>') && line.includes(words)), JSON.stringify(said));
      assert.ok((await eventsOf(page, 'error')).some(({ error }) => error.includes(words)));
    }));
}
