// What is measured: each scenario is one page and one row of numbers. `bars.mjs` says which are wanted.
import { percentile, withPage } from './browser.mjs';
import { PEERS } from './build.mjs';
import { longThread } from './server.mjs';
import { longTaskFields, streamed } from './stream.mjs';
import { answer, difference, pieces } from './text.mjs';
import { traced } from './trace.mjs';

/** A processor four times slower than this one: about a telephone of the middle class. */
const SLOW = 4;
const ANSWER = pieces(answer(40_000));
const STEADY = pieces(answer(8_000));
const HALF = pieces(answer(20_000));
const SHORT = pieces(answer(4_000));
/** A megabyte in 10,000 pieces, so that it takes as long as the other answer. */
const LONG = pieces(answer(1_000_000), 100);
const ITEMS = 1000;
const ITEM_TEXT = answer(1_500);
/** How long another renderer may take; one that is so far behind is not worth waiting for. */
const PEER_SECONDS = 60;

/** The element's page, with the chat set up and at rest. */
async function withElement(server, { throttle }, measure) {
  return withPage(server.origin, { throttle }, async (browser) => {
    await browser.page.goto(`${server.origin}/element`);
    await browser.page.evaluate(() => window.start());
    // The second time: whatever waited for the browser to have nothing to do is done then.
    for (let times = 0; times < 2; times += 1) await browser.page.evaluate(() => new Promise((resolve) => window.requestIdleCallback(resolve)));
    return measure(browser);
  });
}

const fieldOf = (page) => page.getByPlaceholder('Message the AI');

/** Asks as a person does, and streams the answer to the element. */
async function ask(browser, server, load) {
  await fieldOf(browser.page).fill('go');
  return streamed(browser, server, { ...load, send: () => browser.page.keyboard.press('Enter') });
}

const toElement = (server, throttle, load) => withElement(server, { throttle }, (browser) => ask(browser, server, load));

/** Types a letter every eighth of a second until the answer is over. */
function typing(page, field) {
  return async (isOver) => {
    const words = 'some words that a person writes meanwhile ';
    let typed = '';
    await field.click();
    while (!isOver()) {
      const letter = words[typed.length % words.length];
      await page.keyboard.press(letter === ' ' ? 'Space' : letter);
      typed += letter;
      await new Promise((next) => setTimeout(next, 125));
    }
    return typed;
  };
}

async function measureTyping(server, load) {
  return withElement(server, { throttle: SLOW }, async (browser) => {
    const field = fieldOf(browser.page);
    let typed = '';
    const type = typing(browser.page, field);
    const row = await ask(browser, server, { ...load, meanwhile: async (isOver) => ((typed = await type(isOver)), {}) });
    const delays = await browser.page.evaluate(() => [...window.probe.interactions.values()]);
    const value = await field.inputValue();
    if (typed === '') browser.faults.push('no key was pressed while the answer came');
    if (value !== typed) browser.faults.push(`typed ${typed.length} letters, and ${value.length} stand in the field`);
    // The browser does not report what was painted within 16 ms.
    const all = [...delays, ...Array.from({ length: Math.max(0, typed.length - delays.length) }, () => 16)];
    return { ...row, keys: typed.length, inpP98: percentile(all, 0.98) };
  });
}

/** Scrolls up while the answer grows, and looks whether the view moves after that. */
async function measureScrolled(server, load, throttle) {
  return withElement(server, { throttle }, (browser) => ask(browser, server, {
    ...load,
    meanwhile: async () => {
      const { page, faults } = browser;
      // Something to scroll: the answer is more than a view long.
      await page.waitForFunction(() => window.probe.shown() > 1_500);
      await page.mouse.move(200, 300);
      for (let turn = 0; turn < 3; turn += 1) await page.mouse.wheel(0, -200);
      await new Promise((next) => setTimeout(next, 800));
      const distance = await page.evaluate(() => window.watchScroll());
      if (distance < 100) faults.push(`the view did not stay where it was scrolled to (${Math.round(distance)} px from the end)`);
      // Read when the answer is over, so the last frame counts as well.
      await page.waitForFunction(() => window.probe.finished !== null, null, { timeout: 120_000 });
      return { moved: await page.evaluate(() => window.moved) };
    },
  }));
}

async function measureThread(server) {
  const thread = longThread(ITEMS, ITEM_TEXT);
  server.state.threads.set(thread.id, thread);
  const last = `Answer ${ITEMS - 1}`;
  const slow = await withElement(server, { throttle: SLOW }, async ({ page }) => {
    const openMilliseconds = await page.evaluate((text) => window.openThread(text), last);
    // Code is coloured when there is time for it, and that counts too.
    await new Promise((next) => setTimeout(next, 2_000));
    return { openMilliseconds, openLongestTask: Math.max(0, ...await tasksOf(page)) };
  });
  const fast = await withElement(server, { throttle: 1 }, async ({ page, faults }) => {
    await page.evaluate((text) => window.openThread(text), last);
    await new Promise((next) => setTimeout(next, 1_000));
    await page.evaluate(() => (window.probe.started = performance.now()));
    await page.mouse.move(200, 300);
    const began = performance.now();
    while (!(await page.evaluate(() => window.firstLines().includes('Question 0')))) {
      if (performance.now() - began > 120_000) throw new Error('the beginning of the thread was not reached');
      for (let turn = 0; turn < 8; turn += 1) {
        await page.mouse.wheel(0, -1_500);
        await new Promise((next) => setTimeout(next, 30));
      }
    }
    const lines = await page.evaluate(() => window.firstLines());
    const wanted = Array.from({ length: ITEMS }, (_, index) => `${index % 2 === 0 ? 'Question' : 'Answer'} ${index}`);
    if (lines.join() !== wanted.join()) faults.push(`${lines.length} items are shown, not all ${ITEMS} in their order`);
    const shown = await page.evaluate(() => {
      const copy = [...window.chat.shadowRoot.querySelectorAll('.assistant-message .markdown')].at(-1).cloneNode(true);
      for (const node of copy.querySelectorAll('.code-bar, button')) node.remove();
      return copy.textContent;
    });
    const fault = difference(shown, `${last}\n\n${ITEM_TEXT}`);
    if (fault !== null) faults.push(fault);
    return { scrollSeconds: (performance.now() - began) / 1000, ...longTaskFields(await tasksOf(page)) };
  });
  return { ...fast, ...slow, requestsElsewhere: slow.requestsElsewhere + fast.requestsElsewhere, faults: [...slow.faults, ...fast.faults] };
}

const tasksOf = (page) => page.evaluate(() => window.probe.longTasks.filter(({ startTime, duration }) => startTime + duration >= window.probe.started).map(({ duration }) => duration));

/** What the script costs before anybody writes, and how soon the start screen is there for somebody who has been here before. */
async function measureStart(server) {
  return withPage(server.origin, { throttle: SLOW }, async ({ browser, page }) => {
    const [, trace] = await traced(browser, () => page.goto(`${server.origin}/element`));
    const evaluations = trace.filter(({ name, url }) => name === 'EvaluateScript' && url?.endsWith('/chatkit.js'));
    if (evaluations.length !== 1) throw new Error(`the trace has ${evaluations.length} evaluations of chatkit.js`);
    // What ran then is in the browser's cache, compiled: it writes that down a moment later.
    await page.evaluate(() => window.start());
    await page.waitForTimeout(1500);
    await page.goto('about:blank');
    await page.goto(`${server.origin}/element`);
    const { painted, ready } = await page.evaluate(() => window.start());
    return { evaluateMilliseconds: evaluations[0].dur / 1000, paintedMilliseconds: painted, readyMilliseconds: ready };
  });
}

async function measureCounters(server) {
  return withPage(server.origin, {}, async ({ page, faults }) => {
    await page.goto(`${server.origin}/counters`);
    const text = answer(20_000);
    const { shown, ...counts } = await page.evaluate((whole) => window.count(whole, 4), text);
    const fault = difference(shown, text);
    if (fault !== null) faults.push(fault);
    if (counts.insideFences < 100) faults.push('hardly a token came inside a fence: the text does not measure that');
    return counts;
  });
}

async function measurePeer(server, name, load) {
  return withPage(server.origin, { throttle: SLOW }, async (browser) => {
    await browser.page.goto(`${server.origin}/peer/${name}`);
    await browser.page.waitForFunction(() => window.begin !== undefined);
    return streamed(browser, server, { ...load, limitSeconds: PEER_SECONDS });
  });
}

/** Name → what it is, and a function from the server (and the size of the scripts) to a row. */
export const SCENARIOS = {
  counters: { about: 'what each token costs, in counts', run: measureCounters },
  start: { about: 'the script, the start screen, `chatkit.ready`; processor 4× slower', run: measureStart },
  answer: { about: '10,000 tokens at 400 a second, 4× slower', run: (server) => toElement(server, SLOW, { pieces: ANSWER, rate: 400 }) },
  steady: { about: '2,000 tokens at 100 a second, not slowed', run: (server) => toElement(server, 1, { pieces: STEADY, rate: 100 }) },
  typing: { about: 'the answer of 10,000 tokens, and somebody types, 4× slower', run: (server) => measureTyping(server, { pieces: ANSWER, rate: 400 }) },
  scrolled: { about: '5,000 tokens, and somebody scrolled up, 4× slower', run: (server) => measureScrolled(server, { pieces: HALF, rate: 400 }, SLOW) },
  thread: { about: `a thread of ${ITEMS} items: opened (4× slower), and scrolled to its beginning (not slowed)`, run: measureThread },
  'long-slow': { about: '1 MB in 10,000 pieces at 400 a second, 4× slower', run: (server) => toElement(server, SLOW, { pieces: LONG, rate: 400 }) },
  'long-fast': { about: 'the same, not slowed', run: (server) => toElement(server, 1, { pieces: LONG, rate: 400 }) },
  ...Object.fromEntries(Object.entries(PEERS).map(([name, { label }]) => [name, { about: `the same text through ${label}`, isPeer: true, run: (server) => measurePeer(server, name, { pieces: ANSWER, rate: 400 }) }])),
};

/** Checks and does not compare: texts, counts, requests. */
export const SMOKE = {
  counters: SCENARIOS.counters,
  start: SCENARIOS.start,
  answer: { about: '1,000 tokens', run: (server) => toElement(server, 1, { pieces: SHORT, rate: 400 }) },
  typing: { about: '1,000 tokens, and somebody types', run: (server) => measureTyping(server, { pieces: SHORT, rate: 400 }) },
  scrolled: { about: '1,000 tokens, and somebody scrolled up', run: (server) => measureScrolled(server, { pieces: SHORT, rate: 400 }, 1) },
};
