// What somebody hostile could write, at every place where a text of a model, a server or a person is shown:
// nothing of it runs, becomes an element or an address, or asks anybody anything. Under the strictest policy.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered } from './harness.mjs';
import { gate, stage } from './scene.mjs';

const RUN = 'window.hacked=1';
const CORPUS = [
  `<img src=x onerror=${RUN}>`, `<script>${RUN}</script>`, `<svg/onload=${RUN}>`, `<svg><script>${RUN}</script></svg>`, `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<details open ontoggle=${RUN}>x</details>`, `<body onload=${RUN}>`, `<input autofocus onfocus=${RUN}>`, `<video><source onerror=${RUN}></video>`, `<math><mtext><table><mglyph><style><img src=x onerror=${RUN}></style></mglyph></table></mtext></math>`,
  `<style>@import 'https://tracker.example/s';</style>`, `<link rel=stylesheet href=https://tracker.example/l>`, `<meta http-equiv=refresh content="0;url=https://tracker.example/m">`, `<base href=https://tracker.example/>`, `<form action=javascript:${RUN}><button>go</button></form>`,
  `"><img src=x onerror=${RUN}>`, `' onmouseover='${RUN}`, `</textarea><img src=x onerror=${RUN}>`, `</title><script>${RUN}</script>`, `\u0000<img src=x onerror=${RUN}>`, `<<img src=x onerror=${RUN}>`, `<img src="x\`" onerror=${RUN}>`,
  `[a](javascript:${RUN})`, `[a](JaVaScRiPt:${RUN})`, `[a](java\tscript:${RUN})`, `[a](&#106;avascript:${RUN})`, `[a](\u0001javascript:${RUN})`, `[a](data:text/html,<script>${RUN}</script>)`, `[a](vbscript:${RUN})`, `[a](blob:https://x/y)`, `[a](file:///etc/passwd)`,
  `[a]: javascript:${RUN}\n\n[a]`, `<javascript:${RUN}>`, `![a](javascript:${RUN})`, `![a](https://tracker.example/i.png)`, `![a](data:image/svg+xml,<svg onload=${RUN}>)`, `![a](//tracker.example/i)`, `[![a](https://tracker.example/j)](javascript:${RUN})`,
  `$\\href{javascript:${RUN}}{x}$`, `$$\\includegraphics{https://tracker.example/t}$$`, `$\\class{x" onclick="${RUN}}{y}$`, `\\[\\htmlData{a=b}{x}\\]`,
  `\`\`\`html\n<script>${RUN}</script>\n\`\`\``, `\`\`\`"onmouseover=${RUN}\nx\n\`\`\``, `| <img src=x onerror=${RUN}> | b |\n|---|---|\n| [a](javascript:${RUN}) | c |`, `{{constructor.constructor('${RUN}')()}}`, `\${${RUN}}`, `__proto__`, `constructor`,
];

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

/** Everything in the element that could do something, in words. */
const dangers = (page) => page.evaluate(() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (/^(script|iframe|object|embed|link|meta|base|style|frame|foreignobject|animate|set)$/i.test(node.localName)) found.push(node.localName);
      for (const { name, value } of node.attributes) {
        if (/^on/i.test(name) || name === 'srcdoc') found.push(`${node.localName} ${name}`);
        if (/^(href|src|action|formaction|xlink:href|poster|data|background|ping|srcset)$/i.test(name)) {
          const shown = value.replace(/[\u0000-\u0020]/g, '').toLowerCase();
          if (/^(javascript|vbscript|file|blob):/.test(shown) || (/^data:/.test(shown) && !/^data:image\/(png|jpeg|gif|webp)/.test(shown))) found.push(`${node.localName} ${name}=${value.slice(0, 60)}`);
          if (node.localName === 'img' && shown.includes('tracker.example')) found.push(`image ${value}`);
        }
        if (name === 'style' && /url|expression|image-set/i.test(value)) found.push(`${node.localName} style=${value}`);
      }
    }
  };
  walk(window.chat.shadowRoot);
  return [...found, ...(window.hacked === undefined ? [] : ['it ran'])];
});

/** Until what was said is on the screen, and nothing of it changes any more: frames without a change, three in a row. */
const drawn = (page) => page.evaluate(() => new Promise((resolve) => {
  let quiet = 0;
  const observer = new MutationObserver(() => (quiet = 0));
  observer.observe(window.chat.shadowRoot, { childList: true, subtree: true, attributes: true, characterData: true });
  const look = () => {
    quiet += 1;
    if (quiet <= 3) return requestAnimationFrame(look);
    observer.disconnect();
    return resolve();
  };
  look();
}));

/** Shows each text in turn where `scene` puts it, and gives what there is to press a press. */
async function safe(scene, { script = '', presses = '.thread button, .thread summary, .thread a', shows = true } = {}) {
  await theatre.scene(async (stageHand) => {
    for (const text of CORPUS) await scene(stageHand, text);
  }, async (page) => {
    await answered(page);
    // What draws widgets and cards is loaded only now.
    if (shows) await page.waitForFunction(() => window.chat.shadowRoot.querySelector('.thread').innerText.length > 200);
    await drawn(page);
    assert.deepEqual(await dangers(page), []);
    await page.evaluate((selector) => {
      window.open = () => null;
      window.chat.shadowRoot.addEventListener('click', (event) => event.composedPath()[0].closest?.('a') && event.preventDefault());
      for (const node of window.chat.shadowRoot.querySelectorAll(selector)) {
        node.dispatchEvent(new MouseEvent('mouseover', { bubbles: true, composed: true }));
        if (!node.matches('.turn-actions *')) node.click();
      }
    }, presses);
    await drawn(page);
    assert.deepEqual(await dangers(page), []);
  }, { script });
}

test('as an answer', () => safe(({ say }, text) => say(text, [], 400)));

test('as an answer, letter by letter', () => safe(({ say }, text) => say(text, [], 3)));

test('as sources of an answer', () =>
  safe(({ say }, text) => say('A word', [
    { type: 'annotation', index: 2, source: { type: 'url', title: text, url: /javascript|data|https/.exec(text) === null ? 'https://example.com' : text.replace(/^.*?\(|\).*$/g, ''), attribution: text, description: text } },
    { type: 'annotation', index: 2, source: { type: 'file', title: text, filename: text } },
    { type: 'annotation', index: 4, source: { type: 'entity', id: text, title: text, icon: text, interactive: true, data: { text } } },
  ])));

test('as notice, progress, and error', () =>
  safe(({ send }, text) => {
    send({ type: 'progress_update', icon: text, text });
    send({ type: 'notice', level: text, title: text, message: text });
    send({ type: 'error', code: 'custom', message: text, allow_retry: true });
  }));

test('as steps: titles, contents, searches, files', () =>
  safe(({ send, base }, text) => {
    const tasks = [
      { type: 'custom', title: text, icon: text, content: text, status_indicator: 'complete' }, { type: 'thought', title: text, content: text, status_indicator: 'loading' },
      { type: 'web_search', title: text, title_query: text, queries: [text], sources: [{ type: 'url', title: text, url: text }], status_indicator: 'none' }, { type: 'file', title: text, sources: [{ type: 'file', title: text, filename: text }] }, { type: 'image', title: text },
    ];
    send({ type: 'thread.item.done', item: { type: 'workflow', ...base('wf'), workflow: { type: 'custom', tasks, expanded: true, summary: { title: text, icon: text } } } });
    for (const task of tasks) send({ type: 'thread.item.done', item: { type: 'task', ...base('t'), task } });
  }));

test('as widgets: every text, every address, every look', () =>
  safe(({ send, base }, text) => {
    const leaf = [
      { type: 'Text', value: text, color: text, size: text }, { type: 'Title', value: text }, { type: 'Markdown', value: text }, { type: 'Badge', label: text, color: text }, { type: 'Icon', name: text, color: text }, { type: 'Image', src: text, alt: text, background: text },
      { type: 'Button', label: text, iconStart: text, onClickAction: { type: text, handler: 'client' } }, { type: 'Input', name: text, placeholder: text, defaultValue: text, pattern: text, inputType: text }, { type: 'Textarea', name: text, defaultValue: text, pattern: text },
      { type: 'Select', name: text, placeholder: text, options: [{ value: text, label: text, description: text }] }, { type: 'Label', value: text, fieldName: text }, { type: 'Box', background: text, border: { size: 1, color: text, style: text }, width: text, padding: text, children: [] },
      { type: 'Chart', data: [{ x: text, y: 1 }], series: [{ type: 'bar', dataKey: 'y', label: text, color: text }], xAxis: 'x' }, { type: text, value: text },
    ];
    send({ type: 'thread.item.done', item: { type: 'widget', ...base('w'), widget: { type: 'Card', status: { text, favicon: text, icon: text }, background: text, confirm: { label: text, action: { type: text } }, children: leaf }, copy_text: text } });
  }, { presses: '.thread summary, .thread a' }));

test('as an image that was made, a tool of the page, and a question', () =>
  safe(({ send, base }, text) => {
    send({ type: 'thread.item.done', item: { type: 'generated_image', ...base('g'), image: { id: text, url: /tracker/.test(text) ? text : (/\((.*)\)/.exec(text)?.[1] ?? text) } } });
    send({ type: 'thread.item.done', item: { type: 'client_tool_call', ...base('c'), status: 'completed', call_id: text, name: text, arguments: { [text]: text } } });
    send({ type: 'thread.item.done', item: { type: 'structured_input', ...base('s'), status: 'answered', inputs: [{ type: 'multiple_choice', id: text, question: text, options: [{ label: text, value: text }], answer: { values: [text] } }] } });
    send({ type: text, item: { type: text, id: text } });
  }, { shows: false }));

test('as messages of a person: text, tags, a quotation, files', () =>
  safe(({ send, base }, text) => send({ type: 'thread.item.done', item: { type: 'user_message', ...base('u'), content: [{ type: 'input_text', text }, { type: 'input_tag', id: text, text, interactive: true, data: { text } }], quoted_text: text, attachments: [{ type: 'file', id: text, name: text, mime_type: text }, { type: 'image', id: text, name: text, mime_type: text, preview_url: /tracker/.test(text) ? null : (/\((.*)\)/.exec(text)?.[1] ?? text) }], inference_options: {} } })));

test('items without what they are made of are left out, and the rest of the answer is there', () =>
  theatre.scene(async ({ send, base, say }) => {
    for (const type of ['user_message', 'assistant_message', 'client_tool_call', 'widget', 'generated_image', 'structured_input', 'workflow', 'task', 'end_of_turn', 'constructor', '__proto__']) {
      for (const more of [{}, { content: null, inputs: null, workflow: null, task: null, widget: null, image: null }, { content: 7, inputs: 'x', workflow: 'x', task: 'x', widget: 'x', image: 'x' }, { content: [null], inputs: [null], workflow: { tasks: [null] }, task: [], widget: [], image: [] }, { content: [{}], inputs: [{}], workflow: { tasks: [{}] }, task: {}, widget: {}, image: {} }]) {
        send({ type: 'thread.item.done', item: { type, ...base('x'), ...more } });
      }
    }
    // Known events, known updates, nothing in them; and updates of an item that is there.
    const item = { type: 'workflow', ...base('w'), workflow: { type: 'custom', tasks: [] } };
    send({ type: 'thread.item.added', item });
    for (const value of [undefined, null, 7, [], {}]) {
      for (const type of ['thread.created', 'thread.updated', 'thread.item.added', 'thread.item.updated', 'thread.item.done', 'thread.item.removed', 'thread.item.replaced', 'stream_options', 'progress_update', 'notice', 'client_effect']) send({ type, item_id: item.id, item: value, thread: value, update: value, stream_options: value, text: value, message: value, name: value });
      for (const type of ['assistant_message.content_part.added', 'assistant_message.content_part.text_delta', 'assistant_message.content_part.annotation_added', 'assistant_message.content_part.done', 'widget.streaming_text.value_delta', 'widget.root.updated', 'widget.component.updated', 'workflow.task.added', 'workflow.task.updated', 'generated_image.updated']) send({ type: 'thread.item.updated', item_id: type.startsWith('assistant') ? 'new' : item.id, update: { type, content_index: 0, annotation_index: 0, task_index: 0, content: value, delta: value, annotation: value, widget: value, component: value, task: value, image: value } });
    }
    send({ type: 'notice', level: 'constructor', message: 'Still here.' });
    await say('And the answer.');
  }, async (page) => {
    await answered(page);
    await page.getByText('And the answer.').waitFor();
    await page.getByText('Still here.').waitFor();
    await page.getByPlaceholder('Message the AI').waitFor();
  }));

test('an answer and its steps keep their words where their sources are broken', () => {
  const broken = [null, 7, [], {}, { source: null }, { index: 3, source: {} }, { index: 3, source: { type: 'url' } }, { index: 3, source: { type: 'url', title: 7, url: 'https://a.example' } }, { index: 3, source: { type: 'constructor', title: 'x' } }, { index: 3, source: { type: 'entity', title: 'x' } }];
  const whole = { type: 'annotation', index: 3, source: { type: 'url', title: 'Whole', url: 'https://whole.example' } };
  return theatre.scene(async ({ send, base }) => {
    const answer = (text, annotations) => send({ type: 'thread.item.done', item: { type: 'assistant_message', ...base('m'), content: [{ type: 'output_text', text, annotations }] } });
    answer('One of nothing.', [null]);
    answer('One of a number.', 7);
    answer('One of a word.', 'x');
    answer('One of many.', [...broken, whole]);
    send({ type: 'thread.item.done', item: { type: 'task', ...base('t'), task: { type: 'web_search', title: 'Searched', sources: [...broken.map((entry) => entry?.source ?? entry), whole.source] } } });
  }, async (page) => {
    await answered(page);
    for (const words of ['One of nothing.', 'One of a number.', 'One of a word.', 'Searched']) await page.getByText(words).waitFor();
    await page.locator('.cite').getByText('whole.example').waitFor();
    assert.equal(await page.locator('.cite').count(), 1);
    assert.equal(await page.locator('.task .source').count(), 1);
    await page.getByRole('button', { name: 'Copy' }).waitFor();
    await page.locator('.sources summary').click();
    assert.equal(await page.locator('.sources .source').count(), 1);
  });
});

test('an item that could not be drawn is drawn once it is whole', () => {
  const whole = gate();
  return theatre.scene(async ({ send, base, say }) => {
    const item = { type: 'workflow', ...base('w') };
    send({ type: 'thread.item.done', item: { ...item, workflow: { type: 'custom', tasks: [], summary: 7 } } });
    await say('And the answer.');
    await whole.opened;
    send({ type: 'thread.item.replaced', item: { ...item, workflow: { type: 'custom', tasks: [], summary: { title: 'Whole now' } } } });
  }, async (page) => {
    await page.getByText('And the answer.').waitFor();
    assert.equal(await page.locator('.workflow').count(), 0);
    whole.open();
    await page.getByText('Whole now').waitFor();
  });
});

test('as titles: of the thread, in the history, in the question before a deletion', async () => {
  for (const text of CORPUS.filter((_, index) => index % 6 === 0)) {
    await theatre.scene(({ send, thread, say }) => {
      thread.title = text;
      send({ type: 'thread.updated', thread: { id: thread.id, title: text, created_at: thread.created_at, status: { type: 'active' } } });
      return say('x');
    }, async (page) => {
      await answered(page);
      await page.getByRole('button', { name: 'History', exact: true }).click();
      await page.locator('.history-open').waitFor();
      assert.deepEqual(await dangers(page), []);
      await page.getByRole('button', { name: /^Rename: / }).click();
      assert.equal(await page.locator('.rename .field').inputValue(), text.replace(/[\r\n]/g, ''));
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: /^Delete: / }).click();
      await page.getByRole('alertdialog').waitFor();
      assert.deepEqual(await dangers(page), []);
    });
  }
});

test('as reasons why a thread is locked or closed', async () => {
  for (const status of ['locked', 'closed']) {
    for (const reason of [CORPUS[0], CORPUS[1], CORPUS[22]]) {
      await theatre.scene(({ send, thread }) => {
        Object.assign(thread, { title: 't', status: { type: status, reason } });
        send({ type: 'thread.updated', thread: { id: thread.id, title: 't', created_at: thread.created_at, status: thread.status } });
      }, async (page) => {
        await answered(page);
        if (status === 'closed') await page.getByText(reason).waitFor();
        else assert.equal(await page.locator('textarea').getAttribute('placeholder'), reason);
        assert.deepEqual(await dangers(page), []);
      });
    }
  }
});

test('as names of files that are being attached, and refusals of the server', () =>
  theatre.scene(null, async (page) => {
    const names = CORPUS.map((text) => text.replace(/[/\u0000]/g, '').slice(0, 80));
    await page.evaluate((all) => window.chat.setComposerValue({ files: all.slice(0, 40).map((name) => new File(['x'], name, { type: 'text/plain' })) }), names);
    await page.locator('.draft').nth(5).waitFor();
    await page.locator('.draft.done, .draft.failed').nth(5).waitFor();
    assert.deepEqual(await dangers(page), []);
  }, { message: null, script: `api: { url: '/chatkit', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } }, composer: { attachments: { enabled: true, maxCount: 40 } }` }));
