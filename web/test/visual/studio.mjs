// Where the pictures are taken: the real gallery (`crates/server/assets/demo`) with the element of `dist/`, so dressed
// that a picture depends on the sources alone: fonts of packages, a clock that stands, no motion, no caret, and
// answers that stop in the middle of themselves at the same word each time.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { launch } from '../browser/harness.mjs';

const DIST = new URL('../../dist/', import.meta.url);
const DEMO = new URL('../../../crates/server/assets/demo/', import.meta.url);
const PACKAGES = new URL('../../node_modules/', import.meta.url);
const FONTS = {
  'inter.woff2': '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2',
  'inter-italic.woff2': '@fontsource-variable/inter/files/inter-latin-wght-italic.woff2',
  'inter-ext.woff2': '@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2',
  'mono.woff2': '@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2',
  'arabic.woff2': '@fontsource-variable/noto-sans-arabic/files/noto-sans-arabic-arabic-standard-normal.woff2',
  'math.woff2': '@fontsource/noto-sans-math/files/noto-sans-math-latin-400-normal.woff2',
};
const face = (family, file, more = '') => `@font-face { font-family: "${family}"; src: url("/fonts/${file}"); font-weight: 100 900; ${more} }`;
/** The gallery without its own frame: the chat has the whole window. */
const DRESS = `
${face('Studio', 'inter.woff2')} ${face('Studio', 'inter-italic.woff2', 'font-style: italic;')}
${face('Studio Wide', 'inter-ext.woff2')} ${face('Studio Arabic', 'arabic.woff2')} ${face('Studio Mono', 'mono.woff2')} ${face('Cambria Math', 'math.woff2')}
body { display: block; min-height: 0; } header, nav, pre { display: none; }
main { display: block; height: 100%; padding: 0; } .frame { height: 100%; border: 0; border-radius: 0; }
openai-chatkit, vestibule-launcher { --chatkit-font: "Studio", "Studio Wide", "Studio Arabic"; --chatkit-mono: "Studio Mono"; --launcher-font: "Studio"; caret-color: transparent; }`;
/** A word of the answers that stream comes at once, until this many of them are there; then nothing more comes. */
const WORDS = 40;
const TIMER = 'setTimeout(done, ms);';
const STANDING_TIMER = `if (ms <= 1000 && (window.steps = (window.steps ?? 0) + 1) <= ${WORDS}) done();`;
const NOW = new Date('2026-11-29T12:00:00Z');
const SHOP = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A shop</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/dress.css"><script src="/chatkit/launcher.js" defer></script></head><body><main><vestibule-launcher></vestibule-launcher></main></body></html>`;

const TYPES = { js: 'text/javascript', json: 'application/json', css: 'text/css', svg: 'image/svg+xml', html: 'text/html; charset=utf-8', woff2: 'font/woff2' };
const pageOf = async (name) => (await readFile(new URL(name, DEMO), 'utf8')).replace('</head>', '<link rel="stylesheet" href="/dress.css"></head>');

/** What is at an address; `null` where nothing is. */
async function at(path) {
  if (path === '/chatkit/gallery') return ['html', await pageOf('gallery.html')];
  if (path === '/shop') return ['html', SHOP];
  if (path === '/dress.css') return ['css', DRESS];
  const ending = path.split('.').at(-1);
  if (path === '/demo/gallery.js') {
    const script = await readFile(new URL('gallery.js', DEMO), 'utf8');
    if (!script.includes(TIMER)) throw new Error(`gallery.js has no “${TIMER}” any more, which is where streaming is made to stand still`);
    return [ending, script.replace(TIMER, STANDING_TIMER)];
  }
  if (path.startsWith('/demo/')) return [ending, await readFile(new URL(path.slice(6), DEMO))];
  if (path.startsWith('/fonts/')) return [ending, await readFile(new URL(FONTS[path.slice(7)], PACKAGES))];
  if (path === '/chatkit.js' || /^\/chatkit\/[\w/-]+\.js(on)?$/.test(path)) return [ending, await readFile(new URL(path.slice(1), DIST))];
  return null;
}

/** `POST /v1/chatkit/domain_keys/verify`, which is all that the gallery asks a server for: the key of the scene about a refusal is none. */
async function verify(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const isRefused = body.includes('dk_test_none');
  response.writeHead(isRefused ? 400 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(isRefused ? REFUSAL : { verified: true }));
}
const REFUSAL = { error: { message: 'this chat is not open to the page http://shop.example yet', code: 'domain_not_verified', type: 'invalid_request_error', param: null } };

/** A browser and a server for pictures. */
export async function openStudio() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://studio');
    if (request.method === 'POST') {
      void verify(request, response);
      return;
    }
    at(pathname).then((found) => {
      if (found === null) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': TYPES[found[0]] }).end(found[1]);
    }, (error) => response.writeHead(500).end(String(error)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await launch(['--font-render-hinting=none', '--disable-lcd-text', '--force-color-profile=srgb', '--hide-scrollbars']);
  return {
    version: browser.version(),
    /**
     * A window of a width and a colour scheme; up to 500 pixels wide, it is a telephone's. `css` is put into each chat,
     * to see whether a change is found.
     */
    async window({ width, height = 700, scheme, css = '' }) {
      const isPhone = width <= 500;
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: 'en-US', timezoneId: 'UTC', hasTouch: isPhone, isMobile: isPhone });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      await page.clock.setFixedTime(NOW);
      return new Window(page, origin, css, { width, height });
    },
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class Window {
  page;
  #origin;
  #css;
  #size;
  #pending = new Set();
  constructor(page, origin, css, size) {
    this.page = page;
    this.#origin = origin;
    this.#css = css;
    this.#size = size;
    page.on('request', (request) => this.#pending.add(request));
    for (const over of ['requestfinished', 'requestfailed']) page.on(over, (request) => this.#pending.delete(request));
  }

  async gallery() {
    await this.page.goto(`${this.#origin}/chatkit/gallery`);
    await this.page.waitForFunction(() => document.querySelector('nav button[aria-current]') !== null);
  }

  /** The scenes that the gallery offers, in its order. `isWidget`: one widget of the protocol, which “All components” shows as well. */
  scenes() {
    return this.page.locator('nav button').evaluateAll((all) => all.map(({ dataset }) => ({ name: dataset.name, isWidget: dataset.kind === 'widget' })));
  }

  /** Shows a scene and waits until it stands. `act` is what a person does in it. */
  async show(name, act = null, choices = {}) {
    await this.page.setViewportSize(this.#size);
    await this.page.mouse.move(0, 0);
    await this.page.evaluate(([wanted, chosen]) => {
      window.steps = 0;
      for (const select of document.querySelectorAll('header select')) {
        const first = select.options[0].value;
        if (select.id !== 'scheme') select.value = chosen[select.id] ?? first;
      }
      [...document.querySelectorAll('nav button')].find(({ dataset }) => dataset.name === wanted).click();
    }, [name, choices]);
    await this.#dress();
    await this.settle();
    if (act === null) return;
    await act(this.page);
    await this.settle();
  }

  /** The page of a shop with the launcher. */
  async shop(act) {
    await this.page.setViewportSize(this.#size);
    await this.page.mouse.move(0, 0);
    await this.page.goto(`${this.#origin}/shop`);
    await this.page.waitForFunction(() => customElements.get('vestibule-launcher') !== undefined);
    await act(this.page);
    await this.settle();
  }

  /** Everything at once: the window is as high as what is in the conversation. */
  async unfold(most = 8000) {
    const more = await this.page.evaluate(() => {
      const view = document.querySelector('openai-chatkit').shadowRoot.querySelector('.thread');
      return view === null ? 0 : view.scrollHeight - view.clientHeight;
    });
    if (more <= 0) return;
    await this.page.setViewportSize({ ...this.#size, height: Math.min(most, this.#size.height + more) });
    await this.settle();
  }

  picture() {
    return this.page.screenshot({ animations: 'disabled', caret: 'hide', scale: 'css' });
  }

  /** Waits until nothing is loaded and nothing has changed for some frames. */
  async settle() {
    for (let calm = 0; calm < 3;) {
      const changed = await this.page.evaluate(async () => {
        const root = (document.querySelector('openai-chatkit') ?? document.querySelector('vestibule-launcher')).shadowRoot;
        const looks = () => `${root.innerHTML.length} ${root.textContent} ${[...root.querySelectorAll('img')].map(({ complete }) => complete)} ${document.fonts.status}`;
        const before = looks();
        for (let frame = 0; frame < 3; frame += 1) await new Promise((next) => requestAnimationFrame(next));
        return looks() !== before || document.fonts.status !== 'loaded';
      });
      calm = changed || this.#pending.size > 0 ? 0 : calm + 1;
    }
  }

  async #dress() {
    // A blur is drawn tile by tile, and not the same each time.
    const still = '* { caret-color: transparent !important; } .generated-image { filter: none !important; transition: none !important; }';
    await this.page.evaluate((css) => {
      const { shadowRoot } = document.querySelector('openai-chatkit');
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadowRoot.adoptedStyleSheets = [...shadowRoot.adoptedStyleSheets, sheet];
    }, `${still} ${this.#css}`);
  }

  close() {
    return this.page.context().close();
  }
}
