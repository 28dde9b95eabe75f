// The server of the measurements: a ChatKit backend that answers with a given text at a given pace, the
// same text as a plain stream for the other renderers, and the pages of both. It never waits for a slow
// reader, as a model would not either.
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { paced } from './pace.mjs';

const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.json': 'application/json' };
/** What a release's own addresses carry: a second visit takes the script from the browser's cache. */
const CACHED = 'public, max-age=31536000, immutable';

/** `folders`: an address's first part → the folder its files are in. `pages`: address → HTML. */
export async function startServer({ folders, pages }) {
  const state = {
    /** What is streamed next: `{ pieces, rate }`. */
    stream: { pieces: [], rate: 400 },
    /** Milliseconds the last stream took to leave, to see whether this side kept the pace. */
    sentMilliseconds: 0,
    threads: new Map(),
  };
  let count = 0;
  const nextId = (prefix) => `${prefix}_${String((count += 1)).padStart(8, '0')}`;
  const now = () => new Date().toISOString();

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error) => {
      process.stderr.write(`${request.url}: ${error.stack}\n`);
      response.destroy();
    });
  });

  async function answer(request, response) {
    const { pathname } = new URL(request.url, 'http://x');
    if (request.method === 'GET') return pathname === '/stream' ? plain(response) : file(pathname, response);
    const call = JSON.parse(await bodyOf(request));
    const thread = state.threads.get(call.params?.thread_id);
    switch (call.type) {
      case 'threads.create':
        return turn(call, response);
      case 'threads.get_by_id':
        return json(response, { ...bare(thread), items: { data: thread.items.slice(0, 20), has_more: thread.items.length > 20 } });
      case 'items.list':
        return json(response, page(thread.items, call.params));
      case 'threads.list':
        return json(response, { data: [], has_more: false });
      default:
        return json(response, {});
    }
  }

  async function file(pathname, response) {
    const [, first = ''] = pathname.split('/');
    if (pages.has(pathname)) return response.writeHead(200, { 'content-type': TYPES['.html'] }).end(pages.get(pathname));
    const isNamed = first !== '' && folders.has(first);
    const folder = isNamed ? folders.get(first) : folders.get('');
    const inside = isNamed ? pathname.slice(first.length + 1) : pathname;
    const content = await readFile(join(folder, normalize(inside))).catch(() => null);
    if (content === null) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(pathname)] ?? 'application/octet-stream', 'cache-control': CACHED });
    return response.end(content);
  }

  /** `data: {"delta": "…"}`, one event a token: less to read than the element has. */
  async function plain(response) {
    const send = streaming(response);
    const { pieces, rate } = state.stream;
    state.sentMilliseconds = await paced(pieces, rate, (delta) => send({ delta }), () => !response.destroyed);
    response.end();
  }

  /** A new conversation whose answer is the text of the moment, in the events of the protocol. */
  async function turn({ params }, response) {
    const send = streaming(response);
    const { pieces, rate } = state.stream;
    const thread = { id: nextId('thr'), title: 'Measured', created_at: now(), status: { type: 'active' }, items: [] };
    state.threads.set(thread.id, thread);
    send({ type: 'thread.created', thread: bare(thread) });
    const base = (prefix) => ({ id: nextId(prefix), thread_id: thread.id, created_at: now() });
    const { content, quoted_text, inference_options } = params.input;
    send({ type: 'thread.item.done', item: { type: 'user_message', ...base('msg'), content, attachments: [], quoted_text, inference_options } });
    const item = { type: 'assistant_message', ...base('msg'), content: [] };
    const update = (value) => send({ type: 'thread.item.updated', item_id: item.id, update: value });
    send({ type: 'thread.item.added', item });
    update({ type: 'assistant_message.content_part.added', content_index: 0, content: { type: 'output_text', text: '', annotations: [] } });
    const delta = (text) => update({ type: 'assistant_message.content_part.text_delta', content_index: 0, delta: text });
    state.sentMilliseconds = await paced(pieces, rate, delta, () => !response.destroyed);
    const whole = { type: 'output_text', text: pieces.join(''), annotations: [] };
    update({ type: 'assistant_message.content_part.done', content_index: 0, content: whole });
    send({ type: 'thread.item.done', item: { ...item, content: [whole] } });
    response.end();
  }

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A thread of `count` items, questions and answers in turn. */
export function longThread(count, text) {
  const created_at = new Date().toISOString();
  const items = Array.from({ length: count }, (_, index) => {
    const base = { id: `i${index}`, thread_id: 'thr_long', created_at };
    return index % 2 === 0
      ? { type: 'user_message', ...base, content: [{ type: 'input_text', text: `Question ${index}` }], attachments: [], inference_options: {} }
      : { type: 'assistant_message', ...base, content: [{ type: 'output_text', text: `Answer ${index}\n\n${text}`, annotations: [] }] };
  });
  return { id: 'thr_long', title: 'Long', created_at, status: { type: 'active' }, items };
}

function streaming(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
  response.socket.setNoDelay(true);
  return (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);
}

function json(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const bare = ({ id, title, created_at, status }) => ({ id, title, created_at, status });

function page(items, { order, after, limit }) {
  const all = order === 'desc' ? items.toReversed() : items;
  const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  const data = all.slice(from, from + limit);
  return { data, has_more: from + data.length < all.length, after: data.at(-1)?.id };
}
