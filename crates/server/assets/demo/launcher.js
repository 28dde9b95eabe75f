// The launcher's example page: the same bubble by each of the three doors.

const byId = (id) => document.getElementById(id);
const scheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
let token = null;

/** Where the server is: it may be a part of a site. */
const SITE = new URL('..', import.meta.url);
const site = SITE.href.replace(/\/$/, '');

async function post(url, body, headers = {}) {
  const response = await fetch(new URL(url, SITE), { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `the server answered ${response.status}`);
  return answer;
}

const config = await (await fetch(new URL('config.json', import.meta.url))).json();

/** The token of the first development user; a real app asks its own login. */
async function getToken() {
  if (!token || token.expires_at - 30 < Date.now() / 1000) token = await post('dev/token', { user: config.users[0].id });
  return token.token;
}

const DOORS = {
  token: {
    api: () => ({ clientToken: config.public_token }),
    code: () => `<script src="${site}/chatkit/launcher.js" async></script>
<vestibule-launcher client-token="${config.public_token ?? 'pk_live_…'}"></vestibule-launcher>`,
  },
  secret: {
    api: () => ({
      getClientSecret: async (current) =>
        (await post(`api/chatkit/${current ? 'refresh' : 'start'}`, current ? { currentClientSecret: current } : {}, { authorization: `Bearer ${await getToken()}` })).client_secret,
    }),
    code: () => `<script src="${site}/chatkit/launcher.js"></script>
<vestibule-launcher id="launcher"></vestibule-launcher>
<script>
  document.getElementById('launcher').setOptions({
    api: { getClientSecret: (current) => yourBackend.clientSecret(current) },
  });
</script>`,
  },
  endpoint: {
    api: () => ({
      url: new URL('../api/chat', import.meta.url).href,
      domainKey: config.domain_key ?? 'local-dev',
      fetch: async (url, init) => fetch(url, { ...init, headers: { ...init?.headers, authorization: `Bearer ${await getToken()}` } }),
    }),
    code: () => `<script src="${site}/chatkit/launcher.js"></script>
<vestibule-launcher id="launcher"></vestibule-launcher>
<script>
  document.getElementById('launcher').setOptions({
    api: {
      url: '${site}/api/chat',
      domainKey: '${config.domain_key ?? 'dk_live_…'}',
      fetch: async (url, init) =>
        fetch(url, { ...init, headers: { ...init.headers, Authorization: \`Bearer \${await yourUsersJwt()}\` } }),
    },
  });
</script>`,
  },
};

let launcher = null;

/** Another door is another person: a new launcher. */
function choose(door) {
  launcher?.remove();
  launcher = document.createElement('vestibule-launcher');
  launcher.setAttribute('position', document.querySelector('[name=position]:checked').value);
  document.body.append(launcher);
  launcher.setOptions({
    api: DOORS[door].api(),
    theme: { colorScheme: scheme },
    header: { title: { text: 'Ask us' } },
    startScreen: { greeting: 'How can we help?', prompts: [{ label: 'What can you show?', prompt: 'help', icon: 'lightbulb' }] },
  });
  byId('code').textContent = DOORS[door].code();
}

for (const radio of document.querySelectorAll('[name=door]')) {
  const isThere = radio.value === 'token' ? config.public_token !== null : config.users.length > 0;
  radio.disabled = !isThere;
  radio.addEventListener('change', () => choose(radio.value));
}
for (const radio of document.querySelectorAll('[name=position]')) radio.addEventListener('change', () => launcher.setAttribute('position', radio.value));
byId('open').addEventListener('click', () => void launcher.open());
byId('say').addEventListener('click', () => launcher.say('Any questions? I am here.'));
byId('badge').addEventListener('click', () => (launcher.badge += 1));
byId('copy').addEventListener('click', async ({ currentTarget: button }) => {
  await navigator.clipboard.writeText(byId('code').textContent).then(() => (button.textContent = 'Copied'), () => getSelection().selectAllChildren(byId('code')));
  setTimeout(() => (button.textContent = 'Copy'), 1600);
});
for (const name of ['launcher.open', 'launcher.close', 'launcher.message', 'launcher.badge']) {
  document.addEventListener(name, ({ detail }) => {
    const line = document.createElement('li');
    line.textContent = detail === null ? name : `${name} ${JSON.stringify(detail)}`;
    document.querySelector('#events .empty')?.remove();
    byId('events').prepend(line);
    while (byId('events').children.length > 8) byId('events').lastElementChild.remove();
  });
}

const first = [...document.querySelectorAll('[name=door]')].find(({ disabled }) => !disabled);
if (first !== undefined) {
  first.checked = true;
  await customElements.whenDefined('vestibule-launcher');
  choose(first.value);
}
