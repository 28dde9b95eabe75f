// The methods of the element (M02–M13), as a page calls them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered, eventsOf, say } from './harness.mjs';
import { asked, stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const hello = ({ say: answer }) => answer('An answer.');

test('M02 focusComposer puts the focus into the text field, moves no page, and nothing else takes it', () =>
  theatre.scene(hello, async (page) => {
    await page.evaluate(() => document.body.prepend(Object.assign(document.createElement('div'), { style: 'height: 3000px' })));
    assert.equal(await page.evaluate(() => document.activeElement.localName), 'body', 'not by itself');
    assert.equal(await page.evaluate(() => window.chat.focusComposer()), undefined);
    await page.waitForFunction(() => window.chat.shadowRoot.activeElement?.localName === 'textarea');
    assert.equal(await page.evaluate(() => scrollY), 0);
  }, { message: null }));

test('M05 sendUserMessage takes text or content, a quotation, attachments, tool and model, and may begin a new thread', () =>
  theatre.scene(hello, async (page) => {
    const stored = { type: 'file', id: 'file_9', name: 'a.txt', mime_type: 'text/plain' };
    theatre.server.state.files.stored.set('file_9', stored);
    await page.getByPlaceholder('Message the AI').fill('a draft');
    await page.evaluate((attachment) => window.chat.sendUserMessage({ text: 'play', reply: 'what was said', attachments: [attachment], toolChoice: { id: 'web' }, model: 'deep' }), stored);
    const [first] = asked(theatre.server, 'threads.create');
    assert.deepEqual(first.input, { content: [{ type: 'input_text', text: 'play' }], attachments: ['file_9'], quoted_text: 'what was said', inference_options: { tool_choice: { id: 'web' }, model: 'deep' } });
    // What the message says of tool and model is not what the person chose.
    await page.getByRole('button', { name: 'Model: Fast' }).waitFor();
    assert.equal(await page.locator('.chip[aria-pressed=true]').count(), 0);
    assert.deepEqual(await eventsOf(page, 'tool.change'), []);
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'a draft');
    await page.evaluate(() => window.chat.sendUserMessage({ content: [{ type: 'input_text', text: 'play with ' }, { type: 'input_tag', id: 'a1', text: '@Ann' }] }));
    const [second] = asked(theatre.server, 'threads.add_user_message');
    assert.deepEqual(second.input.content, [{ type: 'input_text', text: 'play with ' }, { type: 'input_tag', id: 'a1', text: '@Ann', data: {} }]);
    await page.evaluate(() => window.chat.sendUserMessage({ text: 'play', newThread: true }));
    assert.equal(asked(theatre.server, 'threads.create').length, 2);
    assert.equal(await page.locator('.user-message').count(), 1);
    const refused = await page.evaluate(() => window.chat.sendUserMessage({ text: '  ' }).catch(({ name }) => name));
    assert.equal(refused, 'IntegrationError');
  }, { message: null, script: `composer: { tools: [{ id: 'web', label: 'Web', icon: 'globe' }], models: [{ id: 'fast', label: 'Fast' }, { id: 'deep', label: 'Deep' }] }` }));

test('M09 fetchUpdates shows what the server has by now, and keeps draft, focus and place', () =>
  theatre.scene(({ say: answer }) => answer('Line.\n\n'.repeat(40), [], 400), async (page) => {
    await answered(page);
    await page.getByPlaceholder('Message the AI').fill('half a thou');
    const [thread] = theatre.server.state.threads.values();
    thread.items.push({ type: 'assistant_message', id: 'later', thread_id: thread.id, created_at: new Date().toISOString(), content: [{ type: 'output_text', text: 'Said elsewhere.', annotations: [] }] });
    thread.title = 'Named elsewhere';
    const top = await page.locator('.thread').evaluate((view) => (view.scrollTop = 40));
    assert.equal(await page.evaluate(() => window.chat.fetchUpdates()), undefined);
    await page.getByText('Said elsewhere.').waitFor({ state: 'attached' });
    await page.getByRole('heading', { name: 'Named elsewhere' }).waitFor();
    assert.equal(await page.locator('.thread').evaluate((view) => view.scrollTop), top);
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'half a thou');
    assert.equal(await page.evaluate(() => window.chat.shadowRoot.activeElement?.localName), 'textarea');
    assert.equal(await page.locator('.user-message').count(), 1, 'nothing is there twice');
  }));

test('M10 M11 M12 M13 listeners hear the events of the element and those of any other, until they are removed', () =>
  theatre.scene(hello, async (page) => {
    await page.evaluate(() => {
      window.heard = [];
      window.onEnd = (event) => window.heard.push([event.type, event instanceof CustomEvent, event.target === window.chat, event.bubbles, event.composed]);
      window.onClick = () => window.heard.push(['click']);
      window.chat.addEventListener('chatkit.response.end', window.onEnd);
      window.chat.addEventListener('click', window.onClick);
    });
    await say(page, 'play');
    await answered(page);
    await page.evaluate(() => window.chat.click());
    assert.deepEqual(await page.evaluate(() => window.heard), [['chatkit.response.end', true, true, true, true], ['click']]);
    await page.evaluate(() => {
      window.chat.removeEventListener('chatkit.response.end', window.onEnd);
      window.chat.removeEventListener('click', window.onClick);
    });
    await say(page, 'play');
    await answered(page, 2);
    await page.evaluate(() => window.chat.click());
    assert.equal((await page.evaluate(() => window.heard)).length, 2);
  }, { message: null }));
