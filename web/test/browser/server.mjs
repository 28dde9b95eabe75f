// A scripted ChatKit server for the browser tests: real HTTP, real event streams, threads in memory.
// What a message says decides what happens (`markdown`, `tool`, `error`, …), so each test reads as
// what a person would type. The journeys against the Rust server live in `e2e/`.
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { answerAttachments, answerFiles, newFiles, shown } from './uploads.mjs';

const DIST = new URL('../../dist/', import.meta.url);

/** The policy of a page that allows nothing it does not need. */
export const STRICT_CSP = [
  "default-src 'none'", "script-src 'self'", "connect-src 'self'", "img-src 'self' data:", "style-src 'none'",
  "require-trusted-types-for 'script'", "trusted-types 'none'",
].join('; ');

export const MARKDOWN = `## A short tour

Some **bold**, some *italic*, some \`inline code\`, and a [link](https://example.com/docs).

1. First
2. Second
   - nested **deep**
   - nested again

\`\`\`python
def greet(name):
    return f"Hello, {name}!"
\`\`\`

| Plan | Price |
|------|------:|
| Free | 0 € |
| Team | 12 € |

> A quotation, to end with.

- [x] done
- [ ] open
`;

const DANGEROUS = `<img src=x onerror="window.hacked=1"> <script>window.hacked=2</script>

[click](javascript:window.hacked=3) [data](data:text/html,<script>1</script>) ![x](https://tracker.example/p.png)

<svg onload=window.hacked=4></svg> [ok](chatkit-link://task?id=7)
`;

/** Formulas of every kind, one that is wrong, and one that would like to do something. */
export const FORMULAS = String.raw`Energy \(E=mc^2\) and $\sqrt{x_1 * x_2}$, for $5 and $10:

\[
\begin{pmatrix} \frac{a}{b} & \cancel{c} \\ \boxed{d} & \textcolor{red}{e} \end{pmatrix}
= \sum_{i=1}^{n} \widehat{abc}
\]

$$\begin{aligned} a &= b \\ c &= d \tag{1} \end{aligned}$$

Wrong: $\nonsense{x}$. Not allowed: $\href{javascript:window.hacked=5}{x}$ and $\style{background:url(https://tracker.example/f)}{x}$.
`;

let counter = 0;
const nextId = (prefix) => `${prefix}_${String((counter += 1)).padStart(8, '0')}`;
const now = () => new Date().toISOString();

export async function startServer({ slow = 4 } = {}) {
  const state = {
    threads: new Map(), requests: [], closed: 0, secrets: new Map(), issued: 0, refuse: null, slow, visitors: 0,
    /** Pages the test serves: path → { html, csp }. Scripts: path → text. */
    pages: new Map(), scripts: new Map(),
    files: newFiles(),
    /** A `Runs`: answers belong to the server, as Vestibule's do. `null`: to the connection, as elsewhere. */
    runs: null,
    /** What `play` answers, and every request of the stream that is no message: an async function of `{ send, say, base, pause, thread, call }`. */
    play: null,
    /** What JSON requests answer that the table below does not know: by operation, a function of the call. */
    answers: {},
  };

  const issue = (seconds = 600) => {
    state.issued += 1;
    const expires = Math.floor(Date.now() / 1000) + seconds;
    const secret = `ek_${String(state.issued).padStart(8, '0')}_00${Buffer.from(JSON.stringify({ expires_at: expires })).toString('base64')}`;
    state.secrets.set(secret, true);
    return { client_secret: secret, expires_in: seconds, expires_at: expires };
  };

  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://x');
    const body = await read(request);
    const json = (status, value, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    const fail = (status, message, code = null, headers = {}, details = undefined) => json(status, { error: { message, type: 'invalid_request_error', param: null, code, details } }, headers);

    if (await answerFiles(state, { request, url, body, json, fail, response })) return;
    if (request.method === 'GET') {
      if (url.pathname === '/chatkit.js' || /^\/chatkit\/[\w/-]+\.js$/.test(url.pathname)) {
        response.writeHead(200, { 'content-type': 'text/javascript', 'access-control-allow-origin': '*' });
        return response.end(await readFile(new URL(url.pathname.slice(1), DIST)));
      }
      if (state.scripts.has(url.pathname)) {
        response.writeHead(200, { 'content-type': 'text/javascript' });
        return response.end(state.scripts.get(url.pathname));
      }
      const page = state.pages.get(url.pathname);
      if (page === undefined) return fail(404, 'No such page.');
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...(page.csp ? { 'content-security-policy': page.csp } : {}) });
      return response.end(page.html);
    }

    const open = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type' };
    if (request.method === 'OPTIONS') {
      // Only the address that explains refusals answers pages of other origins.
      response.writeHead(204, url.pathname === '/v1/chatkit/domain_keys/verify' ? open : {});
      return response.end();
    }
    const call = body.length === 0 ? {} : JSON.parse(body);
    state.requests.push({ path: url.pathname, headers: request.headers, body: call });
    switch (url.pathname) {
      case '/api/chatkit/start':
        return json(200, issue());
      case '/api/chatkit/refresh':
        return json(200, issue());
      case '/api/chatkit/visitor':
        if (request.headers.authorization !== 'Bearer pk_test_visitor') return fail(403, 'this chat is not open to the page http://shop.example yet', 'origin_not_allowed', {}, { reason: 'the public token is not for the origin http://shop.example', next: 'run the command', command: 'vestibule token create --origin http://shop.example --env test' });
        state.visitors += 1;
        return json(200, issue(), { 'set-cookie': 'visitor=v1; HttpOnly; SameSite=Lax; Path=/' });
      case '/v1/chatkit/domain_keys/verify':
        if (call.domain_key === 'dk_test_good' || (call.domain_key === undefined && !state.closedToPages)) return json(200, { verified: true }, open);
        return fail(400, `this chat is not open to the page ${call.domain} yet`, 'domain_not_verified', open, {
          next: 'run the command',
          command: call.client_token === undefined ? `vestibule domain add ${call.domain} --env live` : `vestibule token create --origin ${call.domain} --env test`,
          registered: ['https://app.example'],
        });
      case '/v1/chatkit/conversation': {
        const secret = (request.headers.authorization ?? '').replace('Bearer ', '');
        if (!state.secrets.get(secret)) return fail(401, 'The client secret has expired. Ask for a new one.', 'client_secret_expired');
        break;
      }
      case '/chatkit':
        break;
      default:
        return fail(404, 'No such address.');
    }
    if (state.refuse !== null) {
      const { status, message, code = 'refused', headers = {}, times = Infinity } = state.refuse;
      state.refuse = times > 1 ? { ...state.refuse, times: times - 1 } : null;
      return message === undefined ? response.writeHead(status, headers).end('<html>Bad gateway</html>') : fail(status, message, code, headers);
    }
    return answer(state, call, request, response, json, fail);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    state, origin, issue,
    expireAll: () => state.secrets.clear(),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function metadata(thread) {
  const { items, ...rest } = thread;
  return rest;
}

async function answer(state, call, request, response, json, fail) {
  const { type, params } = call;
  const thread = params?.thread_id === undefined ? null : state.threads.get(params.thread_id);
  if (params?.thread_id !== undefined && thread === undefined) return fail(404, 'This conversation does not exist.', 'thread_not_found');
  if (state.runs?.answer(call, thread, { request, response, json, fail })) return;
  switch (type) {
    case 'threads.list': {
      const all = [...state.threads.values()].reverse().map(metadata);
      const from = params.after === undefined ? 0 : all.findIndex(({ id }) => id === params.after) + 1;
      const data = all.slice(from, from + params.limit);
      return json(200, { data, has_more: from + data.length < all.length, after: data.at(-1)?.id });
    }
    case 'threads.get_by_id':
      return json(200, { ...metadata(thread), items: { data: thread.items.slice(0, 20), has_more: thread.items.length > 20 } });
    case 'items.list': {
      const all = params.order === 'desc' ? [...thread.items].reverse() : thread.items;
      const from = params.after === undefined ? 0 : all.findIndex(({ id }) => id === params.after) + 1;
      const data = all.slice(from, from + params.limit);
      return json(200, { data, has_more: from + data.length < all.length, after: data.at(-1)?.id });
    }
    case 'threads.update':
      thread.title = params.title;
      return json(200, metadata(thread));
    case 'threads.delete':
      state.threads.delete(thread.id);
      return json(200, {});
    case 'items.feedback':
      return json(200, {});
    case 'attachments.create':
    case 'attachments.delete':
      return answerAttachments(state, call, json);
    default:
      if (Object.hasOwn(state.answers, type)) {
        const [status, value] = await state.answers[type](call, thread);
        return status === 200 ? json(200, value) : fail(status, value);
      }
      return stream(state, call, thread, response);
  }
}

/** Stores an item, in the place of the one with its id. */
function keep(thread, item) {
  const index = thread.items.findIndex(({ id }) => id === item.id);
  if (index === -1) thread.items.push(item);
  else thread.items[index] = item;
  return item;
}

async function stream(state, call, known, response) {
  const { type, params } = call;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
  response.socket.setNoDelay(true);
  let open = true;
  response.on('close', () => {
    if (!response.writableFinished) state.closed += 1;
    open = false;
  });
  const pause = (ms = state.slow) => new Promise((resolve) => setTimeout(resolve, ms));
  const send = (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);

  let thread = known;
  let said = '';
  if (type === 'threads.create' || type === 'threads.add_user_message') {
    said = params.input.content.map((part) => part.text).join('');
    if (thread === null) {
      thread = { id: nextId('thr'), title: null, created_at: now(), status: { type: 'active' }, items: [] };
      state.threads.set(thread.id, thread);
      send({ type: 'thread.created', thread: metadata(thread) });
    }
    const item = { type: 'user_message', id: nextId('msg'), thread_id: thread.id, created_at: now(), content: params.input.content, attachments: params.input.attachments.map((id) => shown(state.files.stored.get(id))), quoted_text: params.input.quoted_text, inference_options: params.input.inference_options };
    thread.items.push(item);
    send({ type: 'thread.item.done', item });
  } else if (type === 'threads.retry_after_item') {
    const index = thread.items.findIndex(({ id }) => id === params.item_id);
    thread.items.splice(index + 1);
    said = thread.items[index].content.map((part) => part.text).join('');
  } else if (type === 'threads.add_client_tool_output') {
    const call_ = thread.items.at(-1);
    call_.status = 'completed';
    said = `tool result ${JSON.stringify(params.result)}`;
  }
  send({ type: 'stream_options', stream_options: { allow_cancel: true } });

  const base = (prefix) => ({ id: nextId(prefix), thread_id: thread.id, created_at: now() });
  const say = async (text, annotations = [], step = 6) => {
    const item = { type: 'assistant_message', ...base('msg'), content: [] };
    send({ type: 'thread.item.added', item });
    const update = (value) => send({ type: 'thread.item.updated', item_id: item.id, update: value });
    update({ type: 'assistant_message.content_part.added', content_index: 0, content: { type: 'output_text', text: '', annotations: [] } });
    for (let from = 0; from < text.length && open; from += step) {
      update({ type: 'assistant_message.content_part.text_delta', content_index: 0, delta: text.slice(from, from + step) });
      await pause();
    }
    if (!open) return;
    const content = { type: 'output_text', text, annotations };
    update({ type: 'assistant_message.content_part.done', content_index: 0, content });
    thread.items.push({ ...item, content: [content] });
    send({ type: 'thread.item.done', item: { ...item, content: [content] } });
  };

  const word = said === '' && state.play !== null ? 'play' : said.split(' ')[0].toLowerCase();
  switch (word) {
    case 'play':
      await state.play({ send, say, base, pause, thread, call, keep: (item) => keep(thread, item) });
      break;
    case 'markdown':
      await say(MARKDOWN, [
        { type: 'annotation', index: 10, source: { type: 'url', title: 'The docs', url: 'https://example.com/docs', attribution: 'example.com' } },
        { type: 'annotation', index: 12, source: { type: 'file', title: 'Price list', filename: 'prices.pdf' } },
      ]);
      break;
    case 'formulas':
      await say(FORMULAS);
      break;
    case 'dangerous':
      await say(DANGEROUS);
      break;
    case 'long':
      await say(Array.from({ length: 60 }, (_, index) => `Paragraph ${index} of a long answer that needs room to scroll.`).join('\n\n'), [], 40);
      break;
    case 'endless':
      await say('word '.repeat(20_000), [], 5);
      break;
    case 'corpus':
      await say(state.corpus, [], 4);
      break;
    case 'error':
      await say('This begins well');
      send({ type: 'error', code: 'custom', message: 'The model is out of credit. Ask the owner of this site.', allow_retry: true });
      break;
    case 'notice':
      send({ type: 'notice', level: 'warning', title: 'Almost used up', message: '90 of **100** messages are used. [Upgrade](https://example.com)' });
      await say('Here you are.');
      break;
    case 'progress':
      send({ type: 'progress_update', icon: 'search', text: 'Looking through your tasks' });
      await pause(state.progressPause ?? 400);
      await say('You have two tasks.');
      break;
    case 'effect':
      send({ type: 'client_effect', name: 'confetti', data: { pieces: 3 } });
      send({ type: 'event.of.the.future', payload: 1 });
      await say('Done.');
      break;
    case 'tool': {
      if (said.startsWith('tool result')) {
        await say(`The page answered: ${said.slice(12)}`);
        break;
      }
      const item = { type: 'client_tool_call', ...base('tc'), status: 'pending', call_id: 'c1', name: 'get_page_title', arguments: { short: true } };
      thread.items.push(item);
      send({ type: 'thread.item.done', item });
      break;
    }
    case 'workflow': {
      const item = { type: 'workflow', ...base('wf'), workflow: { type: 'custom', tasks: [], expanded: true } };
      send({ type: 'thread.item.added', item });
      const tasks = [
        { type: 'web_search', status_indicator: 'loading', title: 'Searching for prices', queries: ['plan prices'], sources: [{ type: 'url', title: 'Prices', url: 'https://example.com/prices' }] },
        { type: 'custom', status_indicator: 'complete', title: 'Compared two plans', content: 'The **Team** plan fits.' },
      ];
      for (const [index, task] of tasks.entries()) {
        send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'workflow.task.added', task_index: index, task } });
        await pause(30);
      }
      tasks[0] = { ...tasks[0], status_indicator: 'complete' };
      send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'workflow.task.updated', task_index: 0, task: tasks[0] } });
      const done = { ...item, workflow: { ...item.workflow, tasks, summary: { title: 'Compared the plans', icon: 'search' } } };
      thread.items.push(done);
      send({ type: 'thread.item.done', item: done });
      await say('Take the Team plan.');
      break;
    }
    case 'widget': {
      const item = { type: 'widget', ...base('wgt'), widget: { type: 'Card', children: [{ type: 'Text', value: 'Hello' }] }, copy_text: 'Hello from a **widget**' };
      thread.items.push(item);
      send({ type: 'thread.item.done', item });
      send({ type: 'thread.item.done', item: { type: 'hologram', ...base('h') } });
      break;
    }
    case 'lock':
      thread.status = { type: 'locked', reason: 'Waiting for approval' };
      send({ type: 'thread.updated', thread: metadata(thread) });
      break;
    case 'close':
      thread.status = { type: 'closed', reason: 'This case is solved.' };
      send({ type: 'thread.updated', thread: metadata(thread) });
      break;
    default:
      await say(`You said: ${said}`);
  }
  if (!open) return;
  if (thread.title === null) {
    thread.title = said.slice(0, 40);
    send({ type: 'thread.updated', thread: metadata(thread) });
  }
  response.end();
}
