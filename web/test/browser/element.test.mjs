// The element in a real browser against real HTTP: the three doors, the turn, the views, the events.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { corpus } from './corpus.mjs';
import { addPage, answered, eventsOf, launch, ready, say } from './harness.mjs';
import { startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer(), await launch()];
  addPage(server, '/custom', `chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev', fetch: (url, init) => { (window.calls ??= []).push([url, init]); return fetch(url, init); } }, threadItemActions: { feedback: true, retry: true }, onClientTool: ({ name, params }) => window.tool(name, params), startScreen: { greeting: 'Hello there', prompts: [{ label: 'Begin', prompt: 'hello from a prompt', icon: 'sparkle' }] } }); window.tool = (name, params) => ({ title: document.title, name, params });`);
  addPage(server, '/hosted', `window.asked = []; chat.setOptions({ api: { async getClientSecret(current) { window.asked.push(current); const response = await fetch(current ? '/api/chatkit/refresh' : '/api/chatkit/start', { method: 'POST', body: JSON.stringify({ currentClientSecret: current }) }); return (await response.json()).client_secret; } } });`);
  addPage(server, '/public', `chat.setOptions({ api: { clientToken: new URLSearchParams(location.search).get('token') } });`);
  addPage(server, '/domain', `chat.setOptions({ api: { url: '/chatkit', domainKey: new URLSearchParams(location.search).get('key') } });`);
});
after(async () => {
  await browser.close();
  await server.close();
});

/** Opens a page, runs the test, and fails it on any script error. */
async function visit(path, run) {
  const context = await browser.newContext({ viewport: { width: 420, height: 720 } });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  server.state.requests.length = 0;
  server.state.refuse = null;
  try {
    await page.goto(server.origin + path);
    await ready(page);
    await run(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
  }
}
const operations = () => server.state.requests.filter(({ body }) => body.type !== undefined).map(({ body }) => body.type);

test('Q01 Q02 S01 S05 E05 E06 E09 custom door: a first message makes a thread and an answer, a second one goes on', () =>
  visit('/custom', async (page) => {
    await page.getByRole('heading', { name: 'Hello there' }).waitFor();
    await say(page, 'good day');
    await answered(page);
    assert.equal(await page.locator('.assistant-message .markdown').innerText(), 'You said: good day');
    const names = (await page.evaluate(() => window.events.map(([name]) => name))).filter((name) => name !== 'log');
    assert.deepEqual(names, ['ready', 'response.start', 'thread.change', 'response.end']);
    const { headers, body } = server.state.requests.at(-1);
    assert.equal(headers['accept'], 'text/event-stream');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['accept-language'], 'en-US');
    assert.deepEqual(body.params.input, { content: [{ type: 'input_text', text: 'good day' }], attachments: [], quoted_text: '', inference_options: {} });
    const [[url, init]] = await page.evaluate(() => window.calls.map(([url, init]) => [url, { ...init, signal: null }]));
    assert.equal(url, `${server.origin}/chatkit`);
    assert.equal(typeof init.body, 'string');
    await say(page, 'and again');
    await answered(page, 2);
    assert.deepEqual(operations(), ['threads.create', 'threads.add_user_message']);
  }));

test('nothing moves when the chat appears', () =>
  visit('/custom', async (page) => {
    const shifts = await page.evaluate(async () => {
      const seen = [];
      const observer = new PerformanceObserver((list) => seen.push(...list.getEntries()));
      observer.observe({ type: 'layout-shift', buffered: true });
      for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      return [...seen, ...observer.takeRecords()].map(({ value }) => value);
    });
    assert.deepEqual(shifts, []);
  }));

test('formulas are drawn, and a wrong one is its source', () =>
  visit('/custom', async (page) => {
    await say(page, 'formulas');
    await answered(page);
    await page.locator('.formula math').nth(3).waitFor();
    const { displays, sources, boxes, attributes } = await page.evaluate(() => {
      const places = [...window.chat.shadowRoot.querySelectorAll('.formula')];
      const drawn = places.map((place) => place.querySelector('math')).filter((math) => math !== null);
      return {
        displays: drawn.map((math) => math.getAttribute('display')),
        sources: places.filter((place) => place.querySelector('math') === null).map((place) => place.textContent),
        boxes: drawn.map((math) => math.getBoundingClientRect()).map(({ width, height }) => width > 5 && height > 5),
        attributes: [...new Set(drawn.flatMap((math) => [math, ...math.querySelectorAll('*')]).flatMap((node) => node.getAttributeNames()))],
      };
    });
    assert.deepEqual(displays, [null, null, 'block', 'block']);
    assert.deepEqual(boxes, [true, true, true, true]);
    assert.equal(sources.length, 3);
    assert.equal(sources[0], '$\\nonsense{x}$');
    assert.ok(!attributes.some((name) => /^on|href|src|id/.test(name)), attributes.join());
    assert.match(await page.locator('.assistant-message .markdown').innerText(), /for \$5 and \$10:/);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  }));

test('without their part, formulas are their source, and the console says why', () =>
  visit('/custom', async (page) => {
    const said = [];
    page.on('console', (message) => said.push(message.text()));
    await page.route('**/chatkit/formula.js*', (route) => route.abort());
    await say(page, 'formulas');
    await answered(page);
    await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.formula').length === 7);
    assert.equal(await page.locator('.formula').first().innerText(), '\\(E=mc^2\\)');
    assert.equal(said.filter((text) => text.includes('formulas could not be loaded')).length, 1, said.join('\n'));
  }));

test('a prompt of the start screen is sent at once', () =>
  visit('/custom', async (page) => {
    await page.getByRole('button', { name: 'Begin' }).click();
    await answered(page);
    await page.getByText('You said: hello from a prompt').waitFor();
  }));

test('O006 hosted door: secret on mount, renewed after a 401, one replay', () =>
  visit('/hosted', async (page) => {
    await page.waitForFunction(() => window.asked.length === 1);
    await say(page, 'one');
    await answered(page);
    server.expireAll();
    await say(page, 'two');
    await answered(page, 2);
    await page.getByText('You said: two').waitFor();
    const asked = await page.evaluate(() => window.asked);
    assert.equal(asked.length, 2);
    assert.equal(asked[0], null);
    assert.match(asked[1], /^ek_/);
    const markup = await page.evaluate(() => document.documentElement.outerHTML + window.chat.shadowRoot.querySelector('.root').outerHTML + JSON.stringify(window.events) + JSON.stringify({ ...localStorage, ...sessionStorage }) + location.href);
    assert.ok(!/ek_[0-9a-f]/.test(markup), 'the secret is nowhere but in memory');
  }));

test('public door: a visitor chats, and keeps the cookie', () =>
  visit('/public?token=pk_test_visitor', async (page) => {
    await say(page, 'hello');
    await answered(page);
    await page.getByText('You said: hello').waitFor();
    const cookies = await page.context().cookies();
    assert.equal(cookies.find(({ name }) => name === 'visitor')?.httpOnly, true);
    assert.equal(server.state.requests.filter(({ path }) => path === '/api/chatkit/visitor').length, 1);
  }));

test('public door: a person reads one sentence, and the developer the command', () =>
  visit('/public?token=pk_test_elsewhere', async (page) => {
    const said = [];
    page.on('console', (message) => said.push([message.type(), message.text()]));
    await page.reload();
    const alert = page.getByRole('alert');
    await alert.getByText('this chat is not open to the page http://shop.example').waitFor();
    const command = 'vestibule token create --origin http://shop.example --env test';
    const developer = alert.getByText('For the developer of this page');
    assert.equal(await alert.getByText(command).isVisible(), false);
    await developer.click();
    await alert.getByText(command).waitFor();
    const spoken = said.filter(([type, text]) => type === 'error' && text.includes('<openai-chatkit>'));
    assert.equal(spoken.length, 1, JSON.stringify(said));
    for (const part of [command, 'the public token is not for the origin http://shop.example']) assert.ok(spoken[0][1].includes(part), spoken[0][1]);
    assert.match((await eventsOf(page, 'error'))[0].error, /^RequestError: this chat is not open/);
    assert.equal(await page.getByPlaceholder('Message the AI').count(), 0);
  }));

test('a page the server does not know is told so, though it cannot read the refusal itself', async () => {
  const chat = await startServer();
  chat.state.closedToPages = true;
  try {
    for (const [door, api] of [['public', `{ clientToken: 'pk_test_visitor' }`], ['secret', `{ getClientSecret: async () => (await (await fetch('${chat.origin}/api/chatkit/start', { method: 'POST', headers: { authorization: 'Bearer x' } })).json()).client_secret }`]]) {
      addPage(server, `/foreign-${door}`, `chat.setOptions({ api: ${api} });`);
      const page = server.state.pages.get(`/foreign-${door}`);
      page.html = page.html.replace('src="/chatkit.js"', `src="${chat.origin}/chatkit.js"`);
      await visit(`/foreign-${door}`, async (visited) => {
        const alert = visited.getByRole('alert');
        await alert.getByText(`not open to the page ${server.origin}`).waitFor();
        await alert.getByText('For the developer of this page').click();
        const command = door === 'public' ? 'token create --origin' : 'domain add';
        await alert.getByText(`vestibule ${command} ${server.origin}`).waitFor();
        await alert.getByText('registered: https://app.example').waitFor();
      });
    }
  } finally {
    await chat.close();
  }
});

test('what somebody began before there was a way to the server is not undone by the first thread', async () => {
  addPage(server, '/slow-secret', `const secret = new Promise((go) => (window.go = go)); chat.setOptions({ api: { async getClientSecret() { await secret; return (await (await fetch('/api/chatkit/start', { method: 'POST' })).json()).client_secret; } }, initialThread: 'thr_first' });`);
  const thread = () => server.state.threads.set('thr_first', { id: 'thr_first', title: 'The first', created_at: new Date().toISOString(), status: { type: 'active' }, items: [{ type: 'user_message', id: 'u1', thread_id: 'thr_first', created_at: new Date().toISOString(), content: [{ type: 'input_text', text: 'from before' }], attachments: [], inference_options: {} }] });
  await visit('/slow-secret', async (page) => {
    thread();
    await page.getByRole('button', { name: 'History' }).click();
    await page.evaluate(() => window.go());
    await page.locator('.history-open').getByText('The first').waitFor();
    await page.locator('.bubble').getByText('from before').waitFor({ state: 'attached' });
    assert.equal(await page.locator('.history').count(), 1, 'the list stays open');
  });
  await visit('/slow-secret', async (page) => {
    thread();
    await say(page, 'hello');
    await page.evaluate(() => window.go());
    await answered(page);
    assert.deepEqual(await page.locator('.bubble').allInnerTexts(), ['hello']);
  });
});

test('what getClientSecret throws is read at load, in its words, and tried again', async () => {
  addPage(server, '/signed-out', `window.asked = 0; chat.setOptions({ api: { async getClientSecret() { window.asked += 1; if (window.asked < 2) throw new Error('Please sign in to chat.'); return (await (await fetch('/api/chatkit/start', { method: 'POST' })).json()).client_secret; } } });`);
  await visit('/signed-out', async (page) => {
    const alert = page.getByRole('alert');
    await alert.getByText('Please sign in to chat.').waitFor();
    assert.deepEqual((await eventsOf(page, 'error')).map(({ error }) => error), ['Error: Please sign in to chat.']);
    await alert.getByRole('button', { name: 'Try again' }).click();
    await alert.waitFor({ state: 'detached' });
    await say(page, 'hello');
    await answered(page);
    assert.equal(await page.evaluate(() => window.asked), 2);
  });
});

test('a secret that is none: the person reads a sentence, the developer what is wrong', async () => {
  addPage(server, '/no-secret', `chat.setOptions({ api: { getClientSecret: async () => undefined } });`);
  await visit('/no-secret', async (page) => {
    const said = [];
    page.on('console', (message) => said.push(message.text()));
    await page.reload();
    await page.getByRole('alert').getByText('The chat could not start.').waitFor();
    assert.equal(said.filter((text) => text.includes('api.getClientSecret must resolve to the client secret')).length, 1, said.join());
  });
});

test('what a fetch of the page throws is read at load and after a message, in its words', async () => {
  addPage(server, '/no-session', `chat.setOptions({ initialThread: 'thr_1', api: { url: '/chatkit', domainKey: 'x', fetch: () => { throw 'Your session has ended.'; } } });`);
  await visit('/no-session', async (page) => {
    await page.getByRole('alert').getByText('Your session has ended.').waitFor();
    await page.getByRole('button', { name: 'New chat' }).click();
    await say(page, 'hello');
    await page.getByRole('alert').getByText('Your session has ended.').waitFor();
    await page.getByRole('button', { name: 'History' }).click();
    await page.locator('.history').getByText('Your session has ended.').waitFor();
  });
});

test('a line that is down is said at load', async () => {
  addPage(server, '/offline', `chat.setOptions({ api: { getClientSecret: () => fetch('http://127.0.0.1:9/').then((response) => response.text()) } });`);
  await visit('/offline', async (page) => {
    await page.getByRole('alert').getByText('cannot be reached').waitFor();
  });
});

test('O004 E02 domain key: refused in words, and accepted', async () => {
  await visit('/domain?key=dk_live_bad', async (page) => {
    await page.getByRole('alert').getByText(`not open to the page ${server.origin}`).waitFor();
    assert.match((await eventsOf(page, 'error'))[0].error, /^DomainRefusedError/);
    await assert.rejects(page.evaluate(() => window.chat.sendUserMessage({ text: 'x' })), /not open to the page/);
  });
  await visit('/domain?key=dk_test_good', async (page) => {
    await say(page, 'hello');
    await answered(page);
  });
  await visit('/domain?key=domain_pk_localhost_dev', async (page) => {
    await say(page, 'hello');
    await answered(page);
    assert.deepEqual(server.state.requests.map(({ path }) => path), ['/chatkit']);
  });
});

test('Stop closes the connection and keeps what was written', () =>
  visit('/custom', async (page) => {
    const closed = server.state.closed;
    await say(page, 'endless');
    await page.getByText('word word word').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Send message' }).waitFor();
    await answered(page);
    assert.match(await page.locator('.assistant-message').innerText(), /word word/);
    const deadline = Date.now() + 5000;
    while (server.state.closed === closed && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(server.state.closed, closed + 1);
    await say(page, 'next');
    await answered(page, 2);
  }));

test('S11 Q05 an error in the stream is shown with Retry, which answers again', () =>
  visit('/custom', async (page) => {
    await say(page, 'error');
    await answered(page);
    await page.getByRole('alert').getByText('The model is out of credit.').waitFor();
    await page.locator('.notice').getByRole('button', { name: 'Try again' }).click();
    await answered(page, 2);
    assert.deepEqual(operations(), ['threads.create', 'threads.retry_after_item']);
    assert.equal(await page.locator('.user-message').count(), 1);
    assert.equal(await page.locator('.assistant-message').count(), 1);
  }));

test('a refused message stays, says why, and is sent again on request', () =>
  visit('/custom', async (page) => {
    server.state.refuse = { status: 429, message: 'Too many messages this minute. Wait a little.', times: 1 };
    await say(page, 'hello');
    await page.getByRole('alert').getByText('Too many messages').waitFor();
    await page.getByText('hello', { exact: true }).waitFor();
    await page.locator('.notice').getByRole('button', { name: 'Try again' }).click();
    await answered(page);
    assert.equal(await page.locator('.user-message').count(), 1);
    assert.equal((await eventsOf(page, 'response.start')).length, 1);
  }));

test('a 500 of something in between is not repeated and not shown raw', () =>
  visit('/custom', async (page) => {
    server.state.refuse = { status: 502, times: 1 };
    await say(page, 'hello');
    await page.getByRole('alert').getByText('could not answer').waitFor();
    assert.equal(operations().length, 1);
  }));

test('O036 Q03 I03 client tools: the page runs them and the turn goes on', () =>
  visit('/custom', async (page) => {
    await say(page, 'tool');
    await answered(page);
    await page.getByText('The page answered: {"title":"Test page","name":"get_page_title","params":{"short":true}}').waitFor();
    assert.deepEqual(operations(), ['threads.create', 'threads.add_client_tool_output']);
    assert.deepEqual([(await eventsOf(page, 'response.start')).length, (await eventsOf(page, 'response.end')).length], [1, 1]);
    await page.evaluate(() => (window.tool = () => { throw new Error('no title here'); }));
    await say(page, 'tool');
    await answered(page, 2);
    await page.getByText('The page answered: {"error":"no title here"}').waitFor();
  }));

test('E13 effects, unknown events, widgets and unknown items', () =>
  visit('/custom', async (page) => {
    await say(page, 'effect');
    await answered(page);
    assert.deepEqual(await eventsOf(page, 'effect'), [{ name: 'confetti', data: { pieces: 3 } }]);
    await say(page, 'widget');
    await answered(page, 2);
    await page.locator('.widget .w-text', { hasText: 'Hello' }).waitFor();
    const logs = (await eventsOf(page, 'log')).map(({ name, data }) => `${name} ${data.type ?? ''}`);
    assert.ok(logs.includes('stream.event.unknown event.of.the.future'));
    assert.ok(logs.includes('item.unknown hologram'));
  }));

test('S09 S12 progress, notices, workflows and sources', () =>
  visit('/custom', async (page) => {
    await say(page, 'progress');
    await page.getByText('Looking through your tasks').first().waitFor();
    await answered(page);
    assert.equal(await page.locator('.progress').count(), 0);
    await say(page, 'notice');
    await answered(page, 2);
    await page.getByText('Almost used up').waitFor();
    await say(page, 'workflow');
    await answered(page, 3);
    await page.getByText('Compared two plans').waitFor();
    await page.getByRole('button', { name: 'Compared the plans' }).click();
    assert.equal(await page.getByText('Compared two plans').count(), 0);
    await say(page, 'markdown');
    await answered(page, 4);
    await page.getByText('Sources').click();
    assert.equal(await page.locator('a.source').getAttribute('href'), 'https://example.com/docs');
  }));

test('Q08 Q09 Q14 Q15 E07 E08 E10 E11 history: list, open, rename, delete', () =>
  visit('/custom', async (page) => {
    await say(page, 'alpha conversation');
    await answered(page);
    await page.getByRole('button', { name: 'New chat' }).click();
    await page.getByRole('heading', { name: 'Hello there' }).waitFor();
    assert.deepEqual((await eventsOf(page, 'thread.change')).at(-1), { threadId: null });
    await say(page, 'beta conversation');
    await answered(page, 2);
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: 'alpha conversation', exact: true }).click();
    await page.getByText('You said: alpha conversation').waitFor();
    assert.equal(await page.getByText('You said: beta conversation').count(), 0);
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: 'Rename: alpha conversation' }).click();
    await page.getByLabel('Title').fill('Alpha renamed');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Alpha renamed', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Delete: beta conversation' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByRole('button', { name: 'beta conversation', exact: true }).waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Back to the conversation' }).waitFor({ state: 'detached' });
    assert.equal(await page.locator('.header-title').innerText(), 'Alpha renamed');
    const { id } = [...server.state.threads.values()].find(({ title }) => title === 'Alpha renamed');
    const asked = (type) => server.state.requests.filter(({ body }) => body.type === type).map(({ body }) => body.params);
    assert.deepEqual(asked('threads.list')[0], { limit: 30, order: 'desc' });
    assert.deepEqual(asked('threads.get_by_id'), [{ thread_id: id }]);
    assert.deepEqual(asked('threads.update'), [{ thread_id: id, title: 'Alpha renamed' }]);
    assert.deepEqual(asked('threads.delete').map(({ thread_id: gone }) => gone === id), [false]);
    assert.deepEqual([await eventsOf(page, 'thread.load.start'), await eventsOf(page, 'thread.load.end')], [[{ threadId: id }], [{ threadId: id }]]);
    const loads = [...(await eventsOf(page, 'thread.load.start')), ...(await eventsOf(page, 'thread.load.end'))];
    assert.equal(loads.length, 2);
    assert.deepEqual([(await eventsOf(page, 'history.open')).length, (await eventsOf(page, 'history.close')).length], [2, 2]);
  }));

test('M07 M08 O038 methods: the history opens without a header, and closes', () =>
  visit('/custom', async (page) => {
    await say(page, 'gamma conversation');
    await answered(page);
    const entry = page.getByRole('button', { name: 'gamma conversation', exact: true });
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, header: { enabled: false } }));
    assert.equal(await page.evaluate(() => window.chat.showHistory()), undefined);
    await entry.waitFor();
    assert.equal(await page.evaluate(() => window.chat.hideHistory()), undefined);
    await entry.waitFor({ state: 'detached' });
    await page.getByText('You said: gamma conversation').waitFor();
    // What is closed already is not closed again.
    await page.evaluate(() => window.chat.hideHistory());
    assert.deepEqual([(await eventsOf(page, 'history.open')).length, (await eventsOf(page, 'history.close')).length], [1, 1]);
  }));

test('Q11 feedback and retry below an answer', () =>
  visit('/custom', async (page) => {
    await say(page, 'hello');
    await answered(page);
    await page.getByRole('button', { name: 'Good response' }).click();
    await page.locator('button[aria-pressed=true]').waitFor();
    const feedback = server.state.requests.at(-1).body;
    assert.equal(feedback.type, 'items.feedback');
    assert.equal(feedback.params.kind, 'positive');
    assert.equal(feedback.params.item_ids.length, 1);
    await page.locator('.turn-actions').getByRole('button', { name: 'Try again' }).click();
    await answered(page, 2);
    assert.equal(server.state.requests.at(-1).body.type, 'threads.retry_after_item');
  }));

test('T9 T10 T11 S02 active, locked and closed threads', () =>
  visit('/custom', async (page) => {
    await say(page, 'lock');
    await answered(page);
    assert.equal(await page.getByPlaceholder('Waiting for approval').isDisabled(), true);
    await page.getByRole('button', { name: 'New chat' }).click();
    await say(page, 'close');
    await answered(page, 2);
    await page.getByText('This case is solved.').waitFor();
    assert.equal(await page.locator('textarea').count(), 0);
  }));

test('M03 Q10 a long thread opens at its end and pages upwards without jumping', () =>
  visit('/custom', async (page) => {
    const items = Array.from({ length: 95 }, (_, index) => ({
      type: index % 2 === 0 ? 'user_message' : 'assistant_message', id: `i${index}`, thread_id: 'thr_long', created_at: new Date().toISOString(),
      content: [{ type: index % 2 === 0 ? 'input_text' : 'output_text', text: `Item number ${index}` }], inference_options: {},
    }));
    server.state.threads.set('thr_long', { id: 'thr_long', title: 'Long', created_at: new Date().toISOString(), status: { type: 'active' }, items });
    await page.evaluate(() => window.chat.setThreadId('thr_long'));
    await page.getByText('Item number 94').waitFor();
    assert.ok(await page.getByText('Item number 94').isVisible());
    assert.equal(await page.getByText('Item number 10', { exact: true }).count(), 0);
    for (let tries = 0; tries < 20 && (await page.getByText('Item number 0', { exact: true }).count()) === 0; tries += 1) {
      await page.locator('.thread').evaluate((view) => new Promise((resolve) => { view.scrollTop = 0; view.dispatchEvent(new Event('scroll')); requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
      await page.waitForFunction(() => window.chat.shadowRoot.querySelector('.older') === null);
    }
    assert.equal(await page.locator('.user-message, .assistant-message').count(), 95);
    server.state.threads.delete('thr_long');
  }));

test('real heights coming in late move nothing: the end stays the end, and what is read stays put', () =>
  visit('/custom', async (page) => {
    const text = corpus(1500);
    const items = Array.from({ length: 60 }, (_, index) => ({
      type: index % 2 === 0 ? 'user_message' : 'assistant_message', id: `t${index}`, thread_id: 'thr_tall', created_at: new Date().toISOString(),
      content: [{ type: index % 2 === 0 ? 'input_text' : 'output_text', text: index % 2 === 0 ? `Question ${index}` : text }], inference_options: {},
    }));
    server.state.threads.set('thr_tall', { id: 'thr_tall', title: 'Tall', created_at: new Date().toISOString(), status: { type: 'active' }, items });
    await page.evaluate(() => window.chat.setThreadId('thr_tall'));
    const frames = (count) => page.evaluate((n) => new Promise((resolve) => { const step = (left) => (left === 0 ? resolve() : requestAnimationFrame(() => step(left - 1))); step(n); }), count);
    await frames(6);
    const distance = await page.locator('.thread').evaluate((view) => Math.round(view.scrollHeight - view.scrollTop - view.clientHeight));
    assert.ok(distance < 4, `the thread opens ${distance} px from its end`);
    // One real turn of the wheel says that a reader is there; the steps after it are exact.
    await page.locator('.thread').hover();
    await page.mouse.wheel(0, -10);
    await frames(30);
    const moves = await page.evaluate(async () => {
      const view = window.chat.shadowRoot.querySelector('.thread');
      const found = [];
      for (let step = 0; step < 150 && view.scrollTop > 200; step += 1) {
        const middle = view.getBoundingClientRect().top + view.clientHeight / 4;
        const seen = [...view.querySelectorAll('.markdown > *, .bubble')].find((node) => node.getBoundingClientRect().top > middle);
        const before = seen.getBoundingClientRect().top;
        view.scrollTop -= 200;
        for (let frame = 0; frame < 4; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
        found.push(Math.round(seen.getBoundingClientRect().top - before - 200));
      }
      return found;
    });
    assert.ok(moves.length > 20, `${moves.length} steps`);
    const worst = Math.max(...moves.map(Math.abs));
    assert.ok(worst < 4, `moved by ${moves.join(' ')} px`);
    server.state.threads.delete('thr_tall');
  }));

test('the last word of an answer that grows is shown when it is whole, or when nothing more comes for a moment', () =>
  visit('/custom', async (page) => {
    // The moment is over when the test says so.
    await page.evaluate(() => {
      const { setTimeout } = window;
      window.setTimeout = (job, ms, ...rest) => (ms === 250 ? setTimeout(() => (window.waiting = job), 0) : setTimeout(job, ms, ...rest));
    });
    const go = [];
    const gates = [0, 1].map((index) => new Promise((resolve) => (go[index] = resolve)));
    server.state.play = async ({ send, base }) => {
      const item = { type: 'assistant_message', ...base('msg'), content: [] };
      const update = (type, value) => send({ type: 'thread.item.updated', item_id: item.id, update: { type: `assistant_message.content_part.${type}`, content_index: 0, ...value } });
      send({ type: 'thread.item.added', item });
      update('added', { content: { type: 'output_text', text: '', annotations: [] } });
      update('text_delta', { delta: 'A **whole** wo' });
      await gates[0];
      update('text_delta', { delta: 'rd, and mo' });
      await gates[1];
      send({ type: 'thread.item.done', item: { ...item, content: [{ type: 'output_text', text: 'A **whole** word, and more', annotations: [] }] } });
    };
    const shown = () => page.evaluate(() => window.chat.shadowRoot.querySelector('.assistant-message .markdown').textContent);
    const waiting = () => page.waitForFunction(() => window.waiting !== undefined);
    await say(page, 'play');
    await page.locator('.markdown').getByText('whole').waitFor();
    await waiting();
    assert.equal(await shown(), 'A whole');
    await page.evaluate(() => { const job = window.waiting; window.waiting = undefined; job(); });
    await page.locator('.markdown').getByText('A whole wo', { exact: true }).waitFor();
    go[0]();
    await page.locator('.markdown').getByText('word').waitFor();
    await waiting();
    assert.equal(await shown(), 'A whole word, and');
    go[1]();
    await answered(page);
    assert.equal(await shown(), 'A whole word, and more');
    server.state.play = null;
  }));

test('what a long answer leaves behind is a part of its own from the start', () =>
  visit('/custom', async (page) => {
    server.state.play = ({ say: answer }) => answer(Array.from({ length: 80 }, (_, index) => `Paragraph ${index}.`).join('\n\n'), [], 200);
    await say(page, 'play');
    await answered(page);
    const groups = await page.evaluate(() => [...window.chat.shadowRoot.querySelectorAll('.block-group')].map((group) => [group.hasAttribute('data-far'), getComputedStyle(group).contain]));
    assert.deepEqual(groups, [[false, 'style']]);
    server.state.play = null;
  }));

test('M14 methods: queued before options, refused while busy, named when not there yet', () =>
  visit('/custom', async (page) => {
    const refusal = await page.evaluate(async () => {
      const running = window.chat.sendUserMessage({ text: 'endless' });
      await new Promise((resolve) => window.chat.addEventListener('chatkit.response.start', resolve, { once: true }));
      const errors = [];
      for (const call of [() => window.chat.sendUserMessage({ text: 'x' }), () => window.chat.setThreadId(null), () => window.chat.fetchUpdates(), () => window.chat.sendCustomAction({ type: 'x' })]) await call().catch((error) => errors.push(error.name));
      await window.chat.focusComposer();
      await window.chat.setComposerValue({ text: 'draft' });
      window.chat.shadowRoot.querySelector('button[aria-label=Stop]').click();
      await running;
      await window.chat.setThreadId(null);
      await window.chat.sendAction({ type: 'x' }).catch((error) => errors.push(error.name));
      return errors;
    });
    assert.deepEqual(refusal, ['BusyError', 'BusyError', 'BusyError', 'BusyError', 'IntegrationError']);
    assert.equal(await page.getByPlaceholder('Message the AI').inputValue(), 'draft');
    const queued = await page.evaluate(async () => {
      const late = document.createElement('openai-chatkit');
      const calling = late.sendUserMessage({ text: 'queued' });
      document.querySelector('main').append(late);
      late.setOptions({ api: { url: '/chatkit', domainKey: 'x' } });
      await calling;
      return late.shadowRoot.querySelector('.assistant-message').textContent;
    });
    assert.match(queued, /You said: queued/);
  }));

test('M01 O008 O062 setOptions: a change keeps thread, draft and focus; a wrong one throws; another partner starts anew', () =>
  visit('/custom', async (page) => {
    await say(page, 'hello');
    await answered(page);
    await page.getByPlaceholder('Message the AI').fill('half a thou');
    const outcome = await page.evaluate(() => {
      const field = window.chat.shadowRoot.querySelector('textarea');
      const answer = window.chat.shadowRoot.querySelector('.assistant-message');
      window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, theme: 'dark', composer: { placeholder: 'Ask' } });
      let thrown = null;
      try {
        window.chat.setOptions({ api: { url: '/chatkit', getClientSecret() {} } });
      } catch (error) {
        thrown = error.name;
      }
      return new Promise((resolve) => requestAnimationFrame(() => resolve({
        sameField: window.chat.shadowRoot.querySelector('textarea') === field, sameAnswer: window.chat.shadowRoot.querySelector('.assistant-message') === answer,
        focused: window.chat.shadowRoot.activeElement === field, draft: field.value, placeholder: field.placeholder, scheme: window.chat.shadowRoot.querySelector('.app').dataset.scheme, thrown,
      })));
    });
    assert.deepEqual(outcome, { sameField: true, sameAnswer: true, focused: true, draft: 'half a thou', placeholder: 'Ask', scheme: 'dark', thrown: 'IntegrationError' });
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit?other', domainKey: 'local-dev' } }));
    await page.getByRole('heading', { name: 'What can I help with today?' }).waitFor();
  }));

test('the composer: Enter sends, Shift+Enter does not, nothing empty is sent', () =>
  visit('/custom', async (page) => {
    const field = page.getByPlaceholder('Message the AI');
    await field.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    assert.equal(await field.inputValue(), 'one\ntwo');
    await field.dispatchEvent('compositionstart');
    await page.keyboard.press('Enter');
    await field.dispatchEvent('compositionend');
    assert.equal(operations().length, 0);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 0)));
    await field.fill('one\ntwo');
    await page.keyboard.press('Enter');
    await answered(page);
    assert.equal(await field.inputValue(), '');
    assert.equal(server.state.requests.at(-1).body.params.input.content[0].text, 'one\ntwo');
  }));

test('the new message goes to the top, and the end of the answer does not move it', () =>
  visit('/custom', async (page) => {
    await say(page, 'long');
    await answered(page);
    await say(page, 'hello');
    const top = () => page.locator('.user-message').last().evaluate((node) => Math.round(node.getBoundingClientRect().top - node.getRootNode().querySelector('.thread').getBoundingClientRect().top));
    await page.getByText('You said: hello').waitFor();
    const during = await top();
    assert.ok(during >= 0 && during < 40, `at the top: ${during}`);
    await answered(page, 2);
    assert.equal(await top(), during);
  }));

test('O099 autoScroll follows the end, and lets go of a reader who scrolled up', () =>
  visit('/custom', async (page) => {
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, thread: { autoScroll: true } }));
    const distance = () => page.locator('.thread').evaluate((view) => Math.round(view.scrollHeight - view.scrollTop - view.clientHeight));
    await say(page, 'long');
    await answered(page);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.ok((await distance()) < 4, 'at the end');
    await say(page, 'long');
    await page.getByText('Paragraph 12 ').nth(1).waitFor();
    const before = await page.locator('.thread').evaluate((view) => {
      view.scrollTop -= 400;
      view.dispatchEvent(new Event('scroll'));
      return view.scrollTop;
    });
    await answered(page, 2);
    assert.equal(await page.locator('.thread').evaluate((view) => view.scrollTop), before);
    await page.getByRole('button', { name: 'Scroll to the latest message' }).waitFor();
  }));

test('O099 the first small step up is enough, and a wheel that has not moved anything yet', () =>
  visit('/custom', async (page) => {
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, thread: { autoScroll: true } }));
    for (const [index, isWheel] of [false, true].entries()) {
      await say(page, 'long');
      await page.getByText('Paragraph 12 ').nth(index).waitFor();
      const before = await page.locator('.thread').evaluate((view, wheels) => {
        if (wheels) view.dispatchEvent(new WheelEvent('wheel', { deltaY: -120, bubbles: true }));
        else {
          view.scrollTop -= 20;
          view.dispatchEvent(new Event('scroll'));
        }
        return view.scrollTop;
      }, isWheel);
      await answered(page, index + 1);
      assert.equal(await page.locator('.thread').evaluate((view) => view.scrollTop), before, isWheel ? 'the wheel' : 'the step');
    }
  }));

/** An answer in parts of some deltas each; all but the first wait until they may `go`. */
function inParts(parts) {
  const go = [];
  const gates = parts.map((_, index) => (index === 0 ? undefined : new Promise((resolve) => (go[index] = resolve))));
  const play = async ({ send, base, pause }) => {
    const item = { type: 'assistant_message', ...base('msg'), content: [] };
    const update = (type, value) => send({ type: 'thread.item.updated', item_id: item.id, update: { type: `assistant_message.content_part.${type}`, content_index: 0, ...value } });
    send({ type: 'thread.item.added', item });
    update('added', { content: { type: 'output_text', text: '', annotations: [] } });
    for (const [index, deltas] of parts.entries()) {
      await gates[index];
      for (const delta of deltas) {
        update('text_delta', { delta });
        await pause();
      }
    }
    send({ type: 'thread.item.done', item: { ...item, content: [{ type: 'output_text', text: parts.flat().join(''), annotations: [] }] } });
  };
  return { play, go };
}

test('O099 the end is followed in the frame that shows it, and when rows above it need fewer lines', () =>
  visit('/custom', async (page) => {
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, thread: { autoScroll: true } }));
    const words = (count) => 'some words that say a thing about this '.repeat(count).split(' ').slice(0, count).join(' ');
    const rows = (count) => `| ${words(11)} | yes |\n`.repeat(count);
    const { play, go } = inParts([
      [`| first | second |\n|---|---|\n| short | ${words(20)} |\n${rows(40)}`],
      // The wide row comes with others, in one frame.
      [`| ${words(90)} | no |\n${rows(30)}`],
    ]);
    server.state.play = play;
    await say(page, 'play');
    await page.waitForFunction(() => window.chat.shadowRoot.querySelectorAll('.markdown tr').length === 42);
    const before = await page.evaluate(async () => {
      for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
      const view = window.chat.shadowRoot.querySelector('.thread');
      // What is observed last is what is painted.
      window.distances = [];
      new ResizeObserver(() => window.distances.push(Math.round(view.scrollHeight - view.scrollTop - view.clientHeight))).observe(view.querySelector('.thread-inner'));
      return { top: view.scrollTop, row: view.querySelectorAll('.markdown tr')[2].offsetHeight };
    });
    assert.ok(before.top > 500, `${before.top} px are above the view`);
    go[1]();
    await answered(page);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const row = await page.locator('.markdown tr').nth(2).evaluate((node) => node.offsetHeight);
    assert.ok(row < before.row, `a row of ${before.row} px became one of ${row} px`);
    const distances = await page.evaluate(() => window.distances);
    assert.ok(distances.length > 1, 'it grew');
    assert.deepEqual([...new Set(distances)], [0]);
    server.state.play = null;
  }));

test('O099 what the browser scrolls by itself is no step of the reader', () =>
  visit('/custom', async (page) => {
    await page.evaluate(() => window.chat.setOptions({ api: { url: '/chatkit', domainKey: 'local-dev' }, thread: { autoScroll: true } }));
    const paragraphs = (from, to) => Array.from({ length: to - from }, (_, index) => `Paragraph ${from + index} of an answer.\n\n`);
    const { play, go } = inParts([paragraphs(0, 40), paragraphs(40, 60)]);
    server.state.play = play;
    await say(page, 'play');
    await page.getByText('Paragraph 39 ').waitFor();
    const distance = await page.evaluate(async () => {
      const frames = async () => {
        for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
      };
      const inside = (selector) => window.chat.shadowRoot.querySelector(selector);
      inside('.user-message').style.marginBottom = '200px';
      await frames();
      // As much above the view less as below it more: its content is as high as before, which nothing observes.
      const before = inside('.thread').scrollHeight;
      inside('.user-message').style.marginBottom = '100px';
      inside('.markdown > :last-child').style.paddingBottom = '100px';
      await frames();
      return [inside('.thread').scrollHeight - before, inside('.thread').scrollHeight - inside('.thread').scrollTop - inside('.thread').clientHeight];
    });
    assert.deepEqual(distance, [0, 0]);
    go[1]();
    await answered(page);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.equal(await page.locator('.thread').evaluate((view) => Math.round(view.scrollHeight - view.scrollTop - view.clientHeight)), 0);
    server.state.play = null;
  }));

test('what is read in an answer that grows is left as it is until it is out of view', () =>
  visit('/custom', async (page) => {
    const blocks = (from, to) => Array.from({ length: to - from }, (_, index) => `- Point ${from + index} of a list\n- and another one\n\nA paragraph of its own that goes on for a line or two.\n\n`);
    const { play, go } = inParts([blocks(0, 20), blocks(20, 100), blocks(100, 110)]);
    server.state.play = play;
    const shown = (index) => page.getByText(`Point ${index} of a list`, { exact: true }).waitFor();
    const frames = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))));
    /** How many are skipped while they are out of view, and how many of those are in view. */
    const far = () => page.evaluate(() => {
      const places = [...window.chat.shadowRoot.querySelectorAll('[data-far]')].map((node) => node.getBoundingClientRect());
      return { all: places.length, inView: places.filter(({ top, bottom }) => bottom > 0 && top < window.innerHeight).length };
    });
    await say(page, 'play');
    await shown(19);
    await page.evaluate(() => (window.chat.shadowRoot.querySelector('.thread').scrollTop = 300));
    await frames();
    await page.evaluate(() => {
      window.shifts = [];
      const began = performance.now();
      new PerformanceObserver((list) => window.shifts.push(...list.getEntries().filter(({ startTime }) => startTime > began).map(({ value }) => value))).observe({ type: 'layout-shift' });
    });
    go[1]();
    await shown(99);
    await frames();
    assert.deepEqual(await page.evaluate(() => window.shifts), []);
    const during = await far();
    assert.ok(during.all > 40, `${during.all} are far behind`);
    assert.equal(during.inView, 0);
    await page.locator('.thread').evaluate((view) => (view.scrollTop = view.scrollHeight));
    await frames();
    go[2]();
    await answered(page);
    assert.ok((await far()).all > during.all + 5, 'what was read is skipped like the rest');
    server.state.play = null;
  }));

test('280 pixels are enough', () =>
  visit('/custom', async (page) => {
    await page.setViewportSize({ width: 280, height: 480 });
    const fits = () => page.evaluate(() => {
      const root = window.chat.shadowRoot;
      return [document.documentElement, ...root.querySelectorAll('.app, .body, .thread, .start, .history, .composer')].every((node) => node.scrollWidth <= node.clientWidth + 1);
    });
    assert.ok(await fits(), 'start');
    for (const [index, text] of ['markdown', 'workflow', 'notice', 'error'].entries()) {
      await say(page, text);
      await answered(page, index + 1);
      assert.ok(await fits(), text);
    }
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: /^Delete/ }).first().click();
    assert.ok(await fits(), 'history');
  }));

test('E04 a deep link is an event', () =>
  visit('/custom', async (page) => {
    await say(page, 'dangerous');
    await answered(page);
    await page.getByRole('button', { name: 'ok', exact: true }).click();
    assert.deepEqual(await eventsOf(page, 'deeplink'), [{ name: 'task', data: { id: '7' } }]);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  }));

test('removal from the page stops the answer; a move does not', () =>
  visit('/custom', async (page) => {
    await say(page, 'endless');
    await page.getByText('word word').waitFor();
    await page.evaluate(() => { const box = document.createElement('div'); box.style.height = '100%'; document.querySelector('main').append(box); box.append(window.chat); });
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.equal((await eventsOf(page, 'response.end')).length, 0);
    const ended = await page.evaluate(async () => {
      const end = new Promise((resolve) => window.chat.addEventListener('chatkit.response.end', () => resolve(true), { once: true }));
      window.chat.remove();
      return end;
    });
    assert.equal(ended, true);
  }));
