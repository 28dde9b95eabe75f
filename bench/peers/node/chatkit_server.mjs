// `chatkit-node-backend-sdk` on node:http, as its README shows it, with the README's kind of store: memory.
// UPSTREAM is the model's base URL, PORT where to listen; MODULES is the folder that holds node_modules.
// The model's name comes from the message's `inference_options`. No token is checked.
import http from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.MODULES}/package.json`);
const { ChatKitServer, Store } = require('chatkit-node-backend-sdk');
const { UPSTREAM, PORT } = process.env;

class MemoryStore extends Store {
  threads = new Map();
  items = new Map();

  page(rows, after, limit, order) {
    if (order === 'desc') rows.reverse();
    if (after) rows = rows.slice(rows.findIndex((row) => row.id === after) + 1);
    const data = rows.slice(0, limit);
    const more = rows.length > limit;
    return { data, has_more: more, after: more ? data.at(-1).id : null };
  }

  async loadThread(id) {
    const thread = this.threads.get(id);
    if (!thread) throw new Error(`no thread ${id}`);
    return structuredClone(thread);
  }
  async saveThread(thread) {
    this.threads.set(thread.id, structuredClone(thread));
  }
  async deleteThread(id) {
    this.threads.delete(id);
    this.items.delete(id);
  }
  async loadThreads(limit, after, order) {
    return this.page([...this.threads.values()], after, limit, order);
  }
  async loadThreadItems(id, after, limit, order) {
    return this.page([...(this.items.get(id)?.values() ?? [])], after, limit, order);
  }
  async addThreadItem(id, item) {
    if (!this.items.has(id)) this.items.set(id, new Map());
    this.items.get(id).set(item.id, item);
  }
  async saveItem(id, item) {
    await this.addThreadItem(id, item);
  }
  async loadItem(id, itemId) {
    return this.items.get(id).get(itemId);
  }
  async deleteThreadItem(id, itemId) {
    this.items.get(id)?.delete(itemId);
  }
  async saveAttachment() {}
  async loadAttachment(id) {
    throw new Error(`no attachment ${id}`);
  }
  async deleteAttachment() {}
}

async function* frames(body) {
  const decoder = new TextDecoder();
  let buffer = '';
  for await (const bytes of body) {
    buffer += decoder.decode(bytes, { stream: true });
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      yield buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
    }
  }
}

class Server extends ChatKitServer {
  async *respond(thread, message, context) {
    const text = message.content.map((part) => part.text ?? '').join('');
    const response = await fetch(`${UPSTREAM}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: message.inference_options.model,
        messages: [{ role: 'user', content: text }],
        stream: true,
      }),
    });
    const id = this.store.generateItemId('message', thread, context);
    const item = (content) => ({
      type: 'assistant_message',
      id,
      thread_id: thread.id,
      created_at: new Date().toISOString(),
      content,
    });
    yield { type: 'thread.item.added', item: item([]) };
    let answer = '';
    for await (const frame of frames(response.body)) {
      if (!frame.startsWith('data: {')) continue;
      const delta = JSON.parse(frame.slice(6)).choices[0].delta.content;
      if (!delta) continue;
      answer += delta;
      const update = { type: 'assistant_message.content_part.text_delta', content_index: 0, delta };
      yield { type: 'thread.item.updated', item_id: id, update };
    }
    yield { type: 'thread.item.done', item: item([{ type: 'output_text', text: answer, annotations: [] }]) };
  }
}

const server = new Server(new MemoryStore());

http
  .createServer(async (request, response) => {
    const body = [];
    for await (const bytes of request) body.push(bytes);
    try {
      const result = await server.process(Buffer.concat(body).toString(), {});
      if (result.isStreaming) {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
        for await (const bytes of result) response.write(bytes);
        response.end();
      } else {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(result.toJSON()));
      }
    } catch (error) {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  })
  .listen(Number(PORT), '127.0.0.1', 4096);
