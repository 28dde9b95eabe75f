// The gallery: one chat, and a server inside the page that answers with the scene that is chosen. The chat is the
// real one, by the door of a custom endpoint; only its `fetch` never leaves the page.
import { SCENES, THREADS, widgetScenes } from './gallery-scenes.js';

const byId = (id) => document.getElementById(id);
const widgets = await (await fetch(new URL('../chatkit/gallery.json', import.meta.url))).json();
const GROUPS = [widgetScenes(widgets), ...SCENES];
let scene = null;
/** Ends what the scene before still does. */
let leaving = new AbortController();

const json = (status, value) => new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
const never = (signal) => new Promise((_, stop) => signal?.addEventListener('abort', () => stop(new DOMException('stopped', 'AbortError'))));

/** What the server inside the page answers. */
async function answer(shown, init) {
  const { type, params } = JSON.parse(init.body);
  switch (type) {
    case 'threads.list':
      return shown.threads === null ? json(500, { error: { message: 'The list is not there.' } }) : json(200, { data: shown.threads ?? THREADS, has_more: false });
    case 'threads.get_by_id':
      if (shown.never) return never(init.signal);
      if (shown.gone) return json(404, { error: { message: 'This conversation is gone.', code: 'not_found' } });
      return json(200, { id: params.thread_id, title: shown.name, created_at: THREADS[0].created_at, status: shown.status ?? { type: 'active' }, items: { data: shown.items ?? [], has_more: false } });
    case 'attachments.create': {
      const { status, message } = shown.refuse?.(params.name) ?? {};
      if (status !== undefined) return json(status, { error: { message } });
      return json(200, { id: `file_${params.name}`, type: params.mime_type.startsWith('image/') ? 'image' : 'file', name: params.name, mime_type: params.mime_type, upload_descriptor: { url: '../chatkit/gallery', method: 'PUT' } });
    }
    case 'items.list':
      return json(200, { data: shown.items ?? [], has_more: false });
    case 'threads.create':
    case 'threads.add_user_message':
    case 'threads.retry_after_item':
      return shown.play === undefined ? stream(echo, params, init.signal) : stream(shown.play, params, init.signal);
    default:
      return type.startsWith('threads.') && !['threads.update', 'threads.delete'].includes(type) ? stream(async () => undefined, params, init.signal) : json(200, {});
  }
}

const echo = async ({ send }) => send({ type: 'notice', level: 'info', message: 'Nobody answers in the gallery.' });

async function stream(play, params, signal) {
  const encoder = new TextEncoder();
  const { signal: left } = leaving;
  const created_at = new Date().toISOString();
  const thread = { id: 'gallery', title: scene.name, created_at, status: { type: 'active' } };
  // A scene may fail before anything is sent, as a server that is not there, or a page whose login has ended.
  let fails = null;
  const body = new ReadableStream({
    start(controller) {
      const send = (event) => !left.aborted && !signal?.aborted && controller.enqueue(encoder.encode(`data: ${JSON.stringify(event)}\n\n`));
      const wait = (ms) => new Promise((done, stop) => {
        setTimeout(done, ms);
        left.addEventListener('abort', () => stop(left.reason));
        signal?.addEventListener('abort', () => stop(signal.reason));
      });
      send({ type: 'thread.created', thread });
      if (params.input !== undefined) send({ type: 'thread.item.done', item: { type: 'user_message', id: `m_${created_at}`, thread_id: 'gallery', created_at, content: params.input.content, attachments: [], inference_options: {} } });
      send({ type: 'stream_options', stream_options: { allow_cancel: true } });
      play({ send, wait }).then(() => controller.close(), (error) => {
        fails = error;
        try {
          controller.error(error);
        } catch {
          // The chat closed it.
        }
      });
    },
  });
  await Promise.resolve();
  await Promise.resolve();
  if (fails !== null) throw fails;
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

const value = (id) => byId(id).value;

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const shown = scene;
  const chat = document.createElement('openai-chatkit');
  byId('frame').replaceChildren(chat);
  byId('frame').classList.toggle('narrow', value('width') === 'narrow');
  byId('source').textContent = JSON.stringify(shown.source ?? shown.items ?? shown.options ?? shown.status ?? null, null, 2) ?? '';
  const isLoaded = shown.items !== undefined || shown.never || shown.gone;
  chat.setOptions({
    // A key that is none is asked about at the real server, and refused by it.
    api: { url: new URL('../chatkit/gallery', import.meta.url).href, domainKey: shown.refusal ? 'dk_test_none' : '', uploadStrategy: { type: 'two_phase' }, fetch: async (_, init) => (init.method === 'PUT' ? new Response(null, { status: 204 }) : answer(shown, init)), ...(shown.signIn === undefined ? {} : { onSignIn: shown.signIn }) },
    locale: value('locale'),
    theme: { colorScheme: value('scheme'), radius: value('radius'), density: value('density') },
    threadItemActions: { feedback: true, retry: true },
    widgets: { onAction: async () => undefined },
    ...(isLoaded ? { initialThread: 'gallery' } : {}),
    ...shown.options,
  });
  if (shown.play !== undefined) void chat.sendUserMessage({ text: shown.name }).catch(() => undefined);
  void shown.then?.(chat);
}

function choose(next) {
  scene = next;
  history.replaceState(null, '', `#${encodeURIComponent(next.name)}`);
  for (const button of document.querySelectorAll('nav button')) {
    if (button.dataset.name === next.name) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  void show();
}

for (const [group, scenes] of GROUPS) {
  const head = document.createElement('li');
  head.className = 'group';
  head.textContent = group;
  byId('scenes').append(head);
  for (const entry of scenes) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = entry.name;
    button.dataset.name = entry.name;
    if (entry.source !== undefined) button.dataset.kind = 'widget';
    button.addEventListener('click', () => choose(entry));
    item.append(button);
    byId('scenes').append(item);
  }
}
for (const select of document.querySelectorAll('select')) select.addEventListener('change', () => void show());
byId('scheme').value = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';

await customElements.whenDefined('openai-chatkit');
const asked = decodeURIComponent(location.hash.slice(1));
const all = GROUPS.flatMap(([, scenes]) => scenes);
choose(all.find(({ name }) => name === asked) ?? all[0]);
