// What the chats send and what comes back, as it happens. The page's `fetch` is wrapped before the first chat
// opens; every answer is read twice, once by the chat and once here. Credentials are shortened before
// anything is kept.

/** The most that is kept, so that a page left open does not grow for ever. */
const MAX_CALLS = 40;
const MAX_EVENTS = 150;
const MAX_CHARACTERS = 4000;

/** Credentials of every kind, to their first characters. */
export function redacted(text) {
  return text
    .replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, 'eyJ… (a JWT)')
    .replaceAll(/\b((?:ek|sk|pk|dk)_(?:(?:live|test)_)?\w{4})[\w+/=.-]*/g, '$1…');
}

const shortened = (text) => (text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}\n… ${text.length - MAX_CHARACTERS} more characters` : text);

/** JSON as people read it; anything else as it is. */
function pretty(text) {
  try {
    return shortened(redacted(JSON.stringify(JSON.parse(text), null, 2)));
  } catch {
    return shortened(redacted(text));
  }
}

/** Where the server is: it may be a part of a site. */
export const SITE = new URL('..', import.meta.url);

/** The door that a request belongs to; `null` for what is no chat's. */
function doorReader() {
  /** Which door each client secret came through; the secrets stay in this function. */
  const doors = new Map();
  return {
    of(path, headers) {
      if (path === '/api/chatkit/start' || path === '/api/chatkit/refresh') return 1;
      if (path === '/api/chatkit/visitor') return 2;
      if (path === '/api/chat' || path === '/v1/chatkit/domain_keys/verify') return 3;
      const secret = (headers.authorization ?? '').replace(/^Bearer /, '');
      return doors.get(secret) ?? null;
    },
    learn(door, secret) {
      doors.set(secret, door);
    },
  };
}

/**
 * Begins to listen. `onCall(call)` is told of each request, and again whenever something of it changes:
 * `{ id, door, method, path, operation, headers, body, status, kind, took, isLive, events, answer }`.
 */
export function listen(onCall) {
  const original = globalThis.fetch;
  const doors = doorReader();
  let count = 0;
  globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const headers = Object.fromEntries(new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined)));
    const path = url.pathname.slice(SITE.pathname.length - 1);
    const door = url.href.startsWith(SITE.href) ? doors.of(path, headers) : null;
    if (door === null) return original(input, init);
    const sent = typeof init?.body === 'string' ? init.body : '';
    const call = {
      id: (count += 1), door, method: init?.method ?? 'GET', path, operation: operationOf(sent),
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, redacted(value)])),
      body: sent === '' ? '' : pretty(sent), status: null, kind: '', took: null, isLive: true, events: [], answer: '',
    };
    const begun = performance.now();
    onCall(call);
    const end = (changes) => onCall(Object.assign(call, { took: performance.now() - begun, isLive: false }, changes));
    try {
      const response = await original(input, init);
      Object.assign(call, { status: response.status, kind: response.headers.get('content-type') ?? '', took: performance.now() - begun });
      onCall(call);
      void read(response.clone(), call, onCall, (text) => {
        const secret = secretIn(text);
        if (secret !== null) doors.learn(door, secret);
      }).then(end, () => end({ answer: 'The connection was closed by the page.' }));
      // The chat may use a secret as soon as it has the answer; by then its door has to be known.
      if (/^\/api\/chatkit\//.test(path)) {
        const secret = secretIn(await response.clone().text());
        if (secret !== null) doors.learn(door, secret);
      }
      return response;
    } catch (error) {
      end({ answer: redacted(String(error)) });
      throw error;
    }
  };
}

function operationOf(body) {
  try {
    return String(JSON.parse(body).type ?? '');
  } catch {
    return '';
  }
}

function secretIn(text) {
  try {
    return JSON.parse(text).client_secret ?? null;
  } catch {
    return null;
  }
}

/** Reads an answer to its end; gives what changed by it. */
async function read(response, call, onCall, learn) {
  if (!call.kind.startsWith('text/event-stream')) {
    const text = await response.text();
    learn(text);
    return { answer: pretty(text) };
  }
  let rest = '';
  for await (const chunk of chunksOf(response.body.pipeThrough(new TextDecoderStream()))) {
    const frames = (rest + chunk).split(/\r?\n\r?\n/);
    rest = frames.pop() ?? '';
    for (const frame of frames) note(call, frame);
    onCall(call);
  }
  return {};
}

/** Not every browser has `for await` over a stream itself. */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** One frame of a stream. What comes many times in a row, as words of an answer do, is one line with a count. */
function note(call, frame) {
  const data = frame.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart()).join('\n');
  if (data === '') return;
  let event;
  try {
    event = JSON.parse(data);
  } catch {
    event = { type: 'not JSON', data };
  }
  const name = event.update === undefined ? String(event.type) : `${event.type} ${event.update.type}`;
  const delta = event.update?.delta;
  const last = call.events.at(-1);
  if (last?.name === name && delta !== undefined) {
    last.count += 1;
    last.text = (last.text + delta).slice(-MAX_CHARACTERS);
    return;
  }
  if (call.events.length < MAX_EVENTS) call.events.push({ name, count: 1, text: delta ?? '', brief: briefOf(event), data: pretty(data) });
  else call.isCut = true;
}

/** What an event says, in one line. */
function briefOf({ type: _, item_id, thread, item, update, ...others }) {
  const { type: __, ...changed } = update ?? {};
  const said = [
    thread?.id, thread?.title, item?.type, item?.id, item_id,
    item?.content?.map(({ text }) => text).join(' '),
    ...[changed, others].filter((fields) => Object.keys(fields).length > 0).map((fields) => JSON.stringify(fields)),
  ];
  return redacted(said.filter((part) => typeof part === 'string' && part !== '').join(' · '));
}

// --- How it looks ---

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Draws the calls of one door at a time into a list. */
export function wireView({ list, empty, scroll }) {
  const calls = [];
  let door = 1;
  /** What a person opened or closed stays so. */
  const decided = new Set();
  const waiting = new Set();
  let isScheduled = false;

  function frame(call) {
    if (call.view !== undefined) return call.view;
    const details = element('details', { className: 'call' });
    const summary = element('summary', {});
    const inside = element('div', { className: 'inside' });
    details.append(summary, inside);
    summary.addEventListener('click', () => decided.add(call.id));
    call.view = element('li', {}, details);
    return call.view;
  }

  function draw(call) {
    const details = frame(call).firstElementChild;
    const [summary, inside] = details.children;
    details.classList.toggle('live', call.isLive);
    const ok = call.status !== null && call.status < 400;
    const answer = element('span', { className: 'answer' });
    if (call.status !== null) answer.append(element('span', { className: ok ? 'ok' : 'bad', textContent: String(call.status) }), ` ${Math.round(call.took)} ms`);
    else answer.append(call.isLive ? '…' : 'no answer');
    const what = call.operation === '' ? [] : [' ', element('span', { className: 'what', textContent: call.operation })];
    summary.replaceChildren(element('span', { className: 'path' }, element('b', { textContent: call.method }), ` ${call.path}`, ...what), answer);
    if (!details.open && decided.has(call.id)) return;
    const headers = Object.entries(call.headers).filter(([name]) => name !== 'accept-language' && name !== 'content-type');
    inside.replaceChildren(
      element('dl', {}, ...headers.flatMap(([name, value]) => [element('dt', { textContent: name }), element('dd', { textContent: value })])),
      ...(call.body === '' ? [] : [element('pre', { textContent: call.body, tabIndex: 0 })]),
      ...call.events.map((event) => {
        const row = element('div', { className: 'event', title: event.data }, element('span', { className: 'name', textContent: event.name.replace('assistant_message.content_part.', '') }));
        if (event.count > 1) row.append(element('span', { className: 'count', textContent: `×${event.count}` }));
        row.append(element('span', { className: 'brief', textContent: (event.text || event.brief).replaceAll(/\s+/g, ' ').slice(0, 300) }));
        return row;
      }),
      ...(call.isCut === true ? [element('div', { className: 'event', textContent: '… more events' })] : []),
      ...(call.answer === '' ? [] : [element('pre', { textContent: call.answer, tabIndex: 0 })]),
    );
  }

  function flush() {
    isScheduled = false;
    const follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    for (const call of waiting) draw(call);
    waiting.clear();
    const shown = calls.filter((call) => call.door === door);
    empty.hidden = shown.length > 0;
    const newest = shown.at(-1);
    for (const call of shown) if (!decided.has(call.id)) frame(call).firstElementChild.open = call === newest;
    if (list.children.length !== shown.length || list.lastElementChild !== newest?.view) list.replaceChildren(...shown.map((call) => frame(call)));
    if (follows) scroll.scrollTop = scroll.scrollHeight;
  }

  function schedule() {
    if (isScheduled) return;
    isScheduled = true;
    // A hidden tab has no frames, and needs none.
    requestAnimationFrame(flush);
  }

  return {
    take(call) {
      if (!calls.includes(call)) calls.push(call);
      if (calls.length > MAX_CALLS) calls.shift();
      waiting.add(call);
      schedule();
    },
    show(next) {
      door = next;
      schedule();
    },
    clear() {
      for (let index = calls.length - 1; index >= 0; index -= 1) if (calls[index].door === door) calls.splice(index, 1);
      schedule();
    },
  };
}
