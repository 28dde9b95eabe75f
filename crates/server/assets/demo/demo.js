// The demo page's script: a sign-in by click, and three chat elements, one for each door.
// What a real app does with its own login stands in `getToken`.

const byId = (id) => document.getElementById(id);
/** Who is signed in, and their token with its end in Unix seconds. */
let person = null;
let token = null;
const darkScheme = matchMedia('(prefers-color-scheme: dark)');

async function json(url, init) {
  const response = await fetch(url, init);
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
  if (!token || token.expires_at - 30 < Date.now() / 1000) token = await post('/dev/token', { user: person.id });
  return token.token;
}

/** What both doors behind a login are given; visitors may send files only where `uploads.visitors` says so. */
const signedIn = { composer: { attachments: { enabled: true } } };

function say(door, text) {
  byId(`state-${door}`).textContent = text;
}

function show(door, options) {
  const chat = byId(`chat-${door}`);
  chat.hidden = false;
  chat.setOptions({
    theme: { colorScheme: darkScheme.matches ? 'dark' : 'light' },
    threadItemActions: { feedback: true, retry: true },
    header: { title: { text: `Door ${door}` } },
    startScreen: {
      greeting: 'What would you like to try?',
      prompts: [
        { label: 'What can you show?', prompt: 'help' },
        { label: 'Show me a table', prompt: 'table' },
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
            current ? '/api/chatkit/refresh' : '/api/chatkit/start',
            current ? { currentClientSecret: current } : {},
            { authorization: `Bearer ${await getToken()}` },
          );
          const end = new Date(answer.expires_at * 1000).toLocaleTimeString();
          say(1, `Open for ${person.name}: the secret ${answer.client_secret.slice(0, 9)}… lives until ${end}.`);
          return answer.client_secret;
        },
      },
    });
  },
  2: (config) => {
    say(2, 'Open to everybody: this browser is an anonymous visitor, known by a cookie that scripts cannot read.');
    show(2, { api: { clientToken: config.public_token } });
  },
  3: (config) => {
    say(3, `Open for ${person.name}: each request carries a token that ends after a quarter of an hour.`);
    show(3, {
      ...signedIn,
      api: {
        url: new URL('/api/chat', location.href).href,
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
function renew(door) {
  const chat = byId(`chat-${door}`);
  const fresh = document.createElement('openai-chatkit');
  fresh.id = chat.id;
  fresh.hidden = true;
  chat.replaceWith(fresh);
}

function signIn(next, config) {
  person = next;
  token = null;
  sessionStorage.setItem('person', next?.id ?? '');
  for (const button of byId('choices').children) {
    button.setAttribute('aria-pressed', String(button.dataset.user === (next?.id ?? '')));
  }
  for (const door of [1, 3]) {
    renew(door);
    if (next) openers[door](config);
    else say(door, 'Sign in above to open this door.');
  }
}

function choice(label, user, config) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.dataset.user = user?.id ?? '';
  button.addEventListener('click', () => signIn(user, config));
  return button;
}

async function start() {
  const config = await json('/demo/config.json');
  if (!customElements.get('openai-chatkit')) {
    // The script is deferred before this module: when the name is unknown now, it did not load.
    byId('notice').hidden = false;
    byId('notice').textContent = 'The chat element is not part of this build. Run `make web`, then build the server again.';
    return;
  }
  if (config.public_token) {
    byId('token-2').textContent = config.public_token;
    openers[2](config);
  } else {
    say(2, 'Closed: make a token with `vestibule token create --origin https://your.app`, and name it as pages.public_token.');
  }
  if (config.domain_key) byId('key-3').textContent = config.domain_key;
  if (config.users.length === 0) {
    for (const door of [1, 3]) say(door, "This door opens with your own app's login; it has no sign-in of its own.");
    return;
  }
  byId('people').hidden = false;
  const people = config.users.map((user) => choice(user.name, user, config));
  byId('choices').append(...people, choice('Nobody', null, config));
  // Who comes for the first time finds all three doors open, as the first of the two people.
  const stored = sessionStorage.getItem('person');
  const known = stored === null ? config.users[0] : config.users.find((user) => user.id === stored);
  signIn(known ?? null, config);
}

start().catch((error) => {
  byId('notice').hidden = false;
  byId('notice').textContent = `This page could not start: ${error.message}.`;
});
