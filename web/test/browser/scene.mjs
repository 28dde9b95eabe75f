// Opens a page, lets the scripted server play a scene, and fails on any script error or blocked content.
import assert from 'node:assert/strict';
import { addPage, launch, ready, say } from './harness.mjs';
import { startServer, STRICT_CSP } from './server.mjs';
import { newFiles } from './uploads.mjs';

/** A server and a browser for one file of tests. */
export async function stage(options = {}) {
  const [server, browser] = [await startServer({ slow: 0 }), await launch()];
  let pages = 0;
  return {
    server,
    close: async () => {
      await browser.close();
      await server.close();
    },
    /** Plays `play` after a message and hands the page over. `script` are more options, as source. */
    async scene(play, run, { script = '', width = 420, height = 720, scheme = 'light', message = 'play', before = '', ...context } = {}) {
      const path = `/scene-${(pages += 1)}`;
      addPage(server, path, `${before}; chat.setOptions({ api: { url: '/chatkit', domainKey: 'x' }, theme: { colorScheme: '${scheme}' }${script === '' ? '' : `, ${script}`}, ...options });`.replace(', ...options', options.script === undefined ? '' : `, ${options.script}`), { csp: STRICT_CSP, head: '<meta name="viewport" content="width=device-width, initial-scale=1">' });
      Object.assign(server.state, { play, answers: {}, refuse: null, files: newFiles() });
      server.state.requests.length = 0;
      server.state.threads.clear();
      const opened = await browser.newContext({ viewport: { width, height }, ...context });
      const page = await opened.newPage();
      page.setDefaultTimeout(8000);
      const errors = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (line) => {
        if (/Content Security Policy|Trusted/i.test(line.text())) errors.push(line.text());
      });
      const strangers = [];
      page.on('request', (request) => {
        if (!request.url().startsWith(server.origin) && !request.url().startsWith('data:') && !request.url().startsWith('blob:')) strangers.push(request.url());
      });
      try {
        await page.goto(server.origin + path);
        await ready(page);
        if (message !== null) await say(page, message);
        await run(page);
        assert.deepEqual(errors, []);
        assert.deepEqual(strangers, []);
      } finally {
        await opened.close();
      }
    },
  };
}

/** Where the focus is: inside the element, or nowhere. */
export const focused = (page) => page.evaluate(() => window.chat.shadowRoot.activeElement?.className ?? (document.activeElement === document.body ? 'body' : ''));

/** A promise and what settles it: a scene waits for the test. */
export function gate() {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { opened, open };
}

/** The parameters of the last request of an operation. */
export const asked = (server, type) => server.state.requests.filter(({ body }) => body.type === type).map(({ body }) => body.params);
