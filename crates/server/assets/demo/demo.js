// The demo page's script: a sign-in by click, and three chats, one for each door, of which one is shown.
// What a real app does with its own login stands in `getToken`.
import { codeOf } from './code.js';
import { listen, SITE, wireView } from './wire.js';

const byId = (id) => document.getElementById(id);
const DOORS = [1, 2, 3];
/** Who is signed in, and their token with its end in Unix seconds. */
let person = null;
let token = null;
let config = null;
let door = 1;
const darkScheme = matchMedia('(prefers-color-scheme: dark)');

/** What each door is for, and its way from the page to the chat. */
const WAYS = {
  1: ['For apps with a login', ['Once', 'your page shows its user’s token to /api/chatkit/start'], ['Gets', 'a client secret that lives for an hour and renews itself'], ['Chats', 'with the secret alone; your token never travels again']],
  2: ['For public chats, without a login', ['Holds', 'a public token that works on your origins only'], ['Becomes', 'a visitor of its own, known by a cookie no script can read'], ['Chats', 'within the visitor’s quotas; threads survive a reload']],
  3: ['For tools that act as the user', ['Calls', 'your address with your own fetch: any header, any check'], ['Proves', 'who it is with the user’s JWT on every request'], ['Chats', 'in your element or in OpenAI’s official one']],
};

/** Asks an address below the site's. */
async function json(url, init) {
  const response = await fetch(new URL(url, SITE), init);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error?.message ?? `the server answered ${response.status}`);
  return body;
}

function post(url, body, headers = {}) {
  return json(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** The signed-in person's token; a new one shortly before the old one ends. */
async function getToken() {
  if (!person) throw new Error('nobody is signed in');
  if (!token || token.expires_at - 30 < Date.now() / 1000) token = await post('dev/token', { user: person.id });
  return token.token;
}

/** What both doors behind a login are given; visitors may send files only where `uploads.visitors` says so. */
const signedIn = { composer: { attachments: { enabled: true } } };

function say(at, text) {
  byId(`state-${at}`).textContent = text;
}

/** The options of each chat, kept so that a change of the colour scheme can set them again. */
const shown = new Map();

function show(at, options) {
  shown.set(at, options);
  const chat = byId(`chat-${at}`);
  chat.hidden = false;
  chat.setOptions({
    theme: { colorScheme: darkScheme.matches ? 'dark' : 'light' },
    threadItemActions: { feedback: true, retry: true },
    // A reload comes back to the conversation.
    history: { reopen: true },
    startScreen: {
      greeting: 'What would you like to try?',
      prompts: [
        { label: 'What can you show?', prompt: 'help', icon: 'lightbulb' },
        { label: 'Show me a widget', prompt: 'widget', icon: 'cube' },
        { label: 'Show me a table', prompt: 'table', icon: 'chart' },
      ],
    },
    ...options,
  });
}

const openers = {
  1: () => {
    show(1, {
      ...signedIn,
      api: {
        async getClientSecret(current) {
          const answer = await post(
            current ? 'api/chatkit/refresh' : 'api/chatkit/start',
            current ? { currentClientSecret: current } : {},
            { authorization: `Bearer ${await getToken()}` },
          );
          const end = new Date(answer.expires_at * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
          say(1, `The secret ${answer.client_secret.slice(0, 9)}… lives until ${end}.`);
          return answer.client_secret;
        },
      },
    });
  },
  2: () => {
    say(2, 'This browser is an anonymous visitor, known by a cookie that scripts cannot read.');
    show(2, { api: { clientToken: config.public_token } });
  },
  3: () => {
    say(3, 'Each request carries a token that ends after a quarter of an hour.');
    show(3, {
      ...signedIn,
      api: {
        url: new URL('api/chat', SITE).href,
        domainKey: config.domain_key ?? 'local-dev',
        uploadStrategy: { type: 'two_phase' },
        async fetch(url, init) {
          return fetch(url, { ...init, headers: { ...init?.headers, authorization: `Bearer ${await getToken()}` } });
        },
      },
    });
  },
};

/** Another person gets new elements: nothing of the former one stays in memory or on the screen. */
function renew(at) {
  shown.delete(at);
  const chat = byId(`chat-${at}`);
  const fresh = document.createElement('openai-chatkit');
  fresh.id = chat.id;
  fresh.hidden = true;
  chat.replaceWith(fresh);
}

/** A door is opened when it is first looked at: what happens on the wire then can be watched. */
function open() {
  if (shown.has(door)) return;
  if (door === 2) {
    if (config.public_token) openers[2]();
    else say(2, 'Closed: make a token with `vestibule token create --origin https://your.app`, and name it as pages.public_token.');
  } else if (person) openers[door]();
  else say(door, config.users.length === 0 ? "This door opens with your own app's login; it has no sign-in of its own." : 'Sign in to open this door.');
}

function signIn(next) {
  person = next;
  token = null;
  sessionStorage.setItem('person', next?.id ?? '');
  for (const button of byId('choices').children) {
    button.setAttribute('aria-pressed', String(button.dataset.user === (next?.id ?? '')));
  }
  for (const at of [1, 3]) renew(at);
  open();
}

function choice(label, user) {
  const button = document.createElement('button');
  button.type = 'button';
  // The first name is enough to tell two people apart, on a phone too.
  button.textContent = label.split(' ')[0];
  button.title = label;
  button.dataset.user = user?.id ?? '';
  button.addEventListener('click', () => {
    // The conversation that a reload would come back to is the former person's.
    for (const key of Object.keys(sessionStorage)) if (/^vestibule\.thread .*(?<! token)$/.test(key)) sessionStorage.removeItem(key);
    signIn(user);
  });
  return button;
}

// --- The doors as tabs ---

const wire = wireView({ list: byId('wire'), empty: byId('wire-empty'), scroll: byId('wire-scroll') });

function choose(next, { focus = false } = {}) {
  door = next;
  history.replaceState(null, '', `#door-${door}`);
  for (const at of DOORS) {
    const tab = byId(`tab-${at}`);
    tab.setAttribute('aria-selected', String(at === door));
    tab.tabIndex = at === door ? 0 : -1;
    byId(`door-${at}`).hidden = at !== door;
    if (focus && at === door) tab.focus();
  }
  // Who visits is nobody in particular.
  byId('people').hidden = door === 2 || config === null || config.users.length === 0;
  const [title, ...steps] = WAYS[door];
  byId('way-title').textContent = title;
  byId('way').replaceChildren(...steps.map(([head, rest]) => {
    const step = document.createElement('li');
    const bold = document.createElement('b');
    bold.textContent = head;
    step.append(bold, rest);
    return step;
  }));
  wire.show(door);
  showCode();
  if (config !== null) open();
}

for (const at of DOORS) {
  const tab = byId(`tab-${at}`);
  tab.addEventListener('click', () => choose(at));
  tab.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const target = event.key === 'Home' ? 1 : event.key === 'End' ? 3 : step === undefined ? null : ((door - 1 + step + 3) % 3) + 1;
    if (target === null) return;
    event.preventDefault();
    choose(target, { focus: true });
  });
}
addEventListener('hashchange', () => choose(doorInAddress()));

function doorInAddress() {
  return Number(/^#door-([123])$/.exec(location.hash)?.[1] ?? 1);
}

// --- The code, and what a narrow screen shows ---

let kind = 'react';

function showCode() {
  const facts = { origin: SITE.href.replace(/\/$/, ''), token: config?.public_token ?? 'pk_live_…', domainKey: config?.domain_key ?? 'dk_live_…' };
  byId('code').textContent = codeOf(door, kind, facts);
  for (const button of document.querySelectorAll('[data-kind]')) button.setAttribute('aria-pressed', String(button.dataset.kind === kind));
}
for (const button of document.querySelectorAll('[data-kind]')) {
  button.addEventListener('click', () => {
    kind = button.dataset.kind;
    showCode();
  });
}

byId('copy').addEventListener('click', async ({ currentTarget: button }) => {
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(byId('code').textContent);
  } catch {
    // No permission, or no https: the text is marked instead, for the person's own keys.
    getSelection().selectAllChildren(byId('code'));
    said = 'Selected';
  }
  button.textContent = said;
  setTimeout(() => (button.textContent = 'Copy'), 1600);
});

byId('wire-clear').addEventListener('click', () => wire.clear());

for (const button of document.querySelectorAll('.views [data-view]')) {
  button.addEventListener('click', () => {
    document.body.dataset.view = button.dataset.view;
    for (const other of document.querySelectorAll('.views [data-view]')) other.setAttribute('aria-pressed', String(other === button));
  });
}

darkScheme.addEventListener('change', () => {
  for (const [at, options] of shown) show(at, options);
});

async function start() {
  choose(doorInAddress());
  config = await json('demo/config.json');
  if (!customElements.get('openai-chatkit')) {
    // The script is deferred before this module: when the name is unknown now, it did not load.
    byId('notice').hidden = false;
    byId('notice').textContent = 'The chat element is not part of this build. Run `make web`, then build the server again.';
    return;
  }
  listen((call) => wire.take(call));
  // The gallery is there for those who develop.
  byId('to-gallery').hidden = config.users.length === 0;
  byId('choices').append(...config.users.map((user) => choice(user.name, user)), ...(config.users.length > 0 ? [choice('Nobody', null)] : []));
  // Who comes for the first time finds all three doors open, as the first of the two people.
  const stored = sessionStorage.getItem('person');
  const known = stored === null ? config.users[0] : config.users.find((user) => user.id === stored);
  if (config.users.length > 0) signIn(known ?? null);
  choose(door);
}

start().catch((error) => {
  byId('notice').hidden = false;
  byId('notice').textContent = `This page could not start: ${error.message}.`;
});
