/**
 * What streaming costs, in counts instead of seconds: the same on every machine, so a regression is a
 * red test and not a slow afternoon. Every delta is drawn by itself, which is the worst case.
 */
import { describe, expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { lex } from '../../src/md/lexer';
import { MarkdownView } from '../../src/md/stream';
import { corpus } from '../browser/corpus.mjs';

const CONTEXT: RenderContext = { baseUri: 'https://app.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'To do' } };
const TEXT = corpus(20_000);

/** Where code stands between its fences. */
function fencesOf(text: string): [from: number, to: number][] {
  return [...text.matchAll(/^(```[^\n]*\n)[^]*?^```$/gm)].map(({ index, 0: whole, 1: opening = '' }) => [index + opening.length, index + whole.length - 3]);
}

/** The most that one delta of four characters cost, by the view's own counts and by what the document saw. */
function mostOf(text: string): { built: number; added: number; lexed: number; lexedInside: number; inside: number; builtEach: number; outlined: number } {
  const host = document.createElement('div');
  const view = new MarkdownView(host, CONTEXT);
  const observer = new MutationObserver(() => undefined);
  observer.observe(host, { childList: true });
  const fences = fencesOf(text);
  const most = { outlined: 0, built: 0, added: 0, lexed: 0, lexedInside: 0, inside: 0, builtEach: 0 };
  let before = { ...view.counters };
  for (let end = 4; end < text.length; end += 4) {
    view.render(text.slice(0, end), false);
    const lexed = view.counters.lexedCharacters - before.lexedCharacters;
    const isInside = fences.some(([from, to]) => end - 4 >= from && end <= to);
    most.inside += isInside ? 1 : 0;
    most.lexedInside = Math.max(most.lexedInside, isInside ? lexed : 0);
    most.lexed = Math.max(most.lexed, lexed);
    most.outlined = Math.max(most.outlined, view.counters.blocksOutlined - before.blocksOutlined);
    most.built = Math.max(most.built, view.counters.blocksBuilt - before.blocksBuilt);
    most.added = Math.max(most.added, observer.takeRecords().reduce((sum, { addedNodes }) => sum + addedNodes.length, 0));
    before = { ...view.counters };
  }
  most.builtEach = view.counters.blocksBuilt / view.counters.flushes;
  return most;
}

test('a delta builds at most two blocks and lexes at most 4,000 characters, inside a code fence none', () => {
  const most = mostOf(TEXT);
  expect(most.built).toBeLessThanOrEqual(2);
  expect(most.added).toBeLessThanOrEqual(2);
  expect(most.lexed).toBeLessThanOrEqual(4000);
  // The tail, and what of it has just become final.
  expect(most.outlined).toBeLessThanOrEqual(4);
  // The corpus has fences, and what comes inside them is appended as it is.
  expect(most.inside).toBeGreaterThan(1000);
  expect(most.lexedInside).toBe(0);
  // Far below one block a delta on average: what is finished is left alone.
  expect(most.builtEach).toBeLessThan(0.25);
});

test('code costs the same however long it is', () => {
  const most = mostOf(`Code:\n\n\`\`\`python\n${'value = compute(value) # and so on\n'.repeat(600)}\`\`\`\n\nDone.`);
  expect(most.inside).toBeGreaterThan(5000);
  expect(most.lexedInside).toBe(0);
  expect(most.lexed).toBeLessThanOrEqual(100);
  expect(most.built).toBeLessThanOrEqual(2);
});

describe('a long answer', () => {
  const LONG = corpus(150_000);
  const streamed = (text: string): { host: HTMLElement; view: MarkdownView } => {
    const host = document.createElement('div');
    const view = new MarkdownView(host, CONTEXT);
    for (let end = 600; end < text.length; end += 600) view.render(text.slice(0, end), false);
    view.render(text, false);
    return { host, view };
  };
  /** Its markup without the marks of what is far from the end, which one parse does not set. */
  const markup = (host: HTMLElement): string => {
    for (const node of host.querySelectorAll('[data-far]')) node.removeAttribute('data-far');
    host.normalize();
    return host.innerHTML; // eslint-disable-line no-restricted-properties -- read, never written
  };
  const whole = (text: string): string => {
    const host = document.createElement('div');
    new MarkdownView(host, CONTEXT).render(text, true);
    return markup(host);
  };

  test('is a long task for nobody when it ends: its final blocks are not parsed again', () => {
    const { host, view } = streamed(LONG);
    const before = { ...view.counters };
    view.render(LONG, true);
    expect(view.counters.lexerSteps - before.lexerSteps).toBeLessThan(stepsOf(LONG) / 20);
    expect(view.counters.blocksBuilt - before.blocksBuilt).toBeLessThanOrEqual(1);
    expect(markup(host)).toBe(whole(LONG));
  });

  test('ends in the DOM of one parse where its end changes what came before', () => {
    const late = `See [the docs][d].\n\n${LONG}\n\n[d]: https://docs.example\n`;
    const { host, view } = streamed(late);
    view.render(late, true);
    expect(host.querySelector('a')?.getAttribute('href')).toBe('https://docs.example/');
    expect(markup(host)).toBe(whole(late));
    // A text that is another one in the end.
    const other = `Not what was sent.\n\n${LONG}`;
    const changed = streamed(LONG);
    changed.view.render(other, true);
    expect(markup(changed.host)).toBe(whole(other));
    // A fence that never closes.
    const open = `${LONG.slice(0, LONG.lastIndexOf('```python'))}\`\`\`python\nx = 1\n`;
    const unclosed = streamed(open);
    unclosed.view.render(open, true);
    expect(markup(unclosed.host)).toBe(whole(open));
  });

  test('gives the browser few boxes to place, and those far from its end to skip', () => {
    const { host } = streamed(LONG);
    const blocks = host.querySelectorAll(':scope > :not(.block-group), .block-group > *').length;
    expect(blocks).toBeGreaterThan(250);
    expect(host.children.length).toBeLessThanOrEqual(64 + Math.ceil(blocks / 64));
    const far = [...host.children].filter((node) => node.hasAttribute('data-far'));
    expect(far.length).toBeGreaterThan(60);
    expect(host.lastElementChild?.hasAttribute('data-far')).toBe(false);
    // Shorter again: what is gone leaves no empty group behind.
    const again = document.createElement('div');
    const view = new MarkdownView(again, CONTEXT);
    view.render(LONG, true);
    expect(again.querySelectorAll('.block-group').length).toBeGreaterThan(2);
    view.render('Short.', true);
    expect(again.childNodes.length).toBe(1);
    expect(again.textContent).toBe('Short.');
  });
});

test('the end rebuilds nothing that was right', () => {
  const view = new MarkdownView(document.createElement('div'), CONTEXT);
  for (let end = 4; end < TEXT.length; end += 4) view.render(TEXT.slice(0, end), false);
  view.render(TEXT, false);
  const before = view.counters.blocksBuilt;
  view.render(TEXT, true);
  expect(view.counters.blocksBuilt - before).toBeLessThanOrEqual(1);
});

/** Text whose every character could begin or end something; each took seconds, or the whole stack. */
const SPITEFUL: Record<string, (length: number) => string> = {
  'emphasis inside words': (length) => repeat('_a', length),
  'stars alone': (length) => repeat('*', length),
  'stars after letters': (length) => repeat('a*', length),
  'stars before letters': (length) => repeat('*a', length),
  'emphasis in emphasis': (length) => repeat('***a** ', length),
  'strikes of two kinds': (length) => repeat('~~a ~b~ ', length),
  'underscores, stars and ticks': (length) => repeat('a_b*c`', length),
  'an address before its @': (length) => `a${repeat('.a', length)}@a`,
  'many addresses': (length) => repeat('a@', length),
  'an address that ends in brackets': (length) => `http://a.b/${repeat(')', length)}`,
  'brackets': (length) => repeat('[', length),
  'links without an end': (length) => repeat('[a](', length),
  'pictures without an end': (length) => repeat('![', length),
  'angle brackets': (length) => repeat('<', length),
  'tags': (length) => repeat('<b>', length),
  'comments without an end': (length) => repeat('<!--\n\n', length),
  'blocks of tags': (length) => repeat('<div>\n\n', length),
  'unfolded in unfolded': (length) => repeat('<details>', length),
  'unfolded, one after another': (length) => repeat('<details>\n\n', length),
  'documents without an end': (length) => repeat('```md\n```js\n```\n', length),
  'rows with pipes in code': (length) => `| a |\n|---|\n${repeat('| `a|b` |\n', length)}`,
  'ticks': (length) => repeat('`', length),
  'tildes': (length) => repeat('~', length),
  'runs of ticks that grow': (length) => Array.from({ length: Math.ceil(Math.sqrt(2 * length)) }, (_, index) => `a${'`'.repeat(index)}`).join(''),
  'dollars': (length) => repeat('$', length),
  'dollars in words': (length) => repeat('$a ', length),
  'formulas': (length) => repeat('$a$ ', length),
  'formulas without an end': (length) => repeat('\\(', length),
  'formulas of blocks': (length) => repeat('$$\na\n', length),
  'formulas of blocks without an end': (length) => repeat('\\[\n', length),
  'rows without a table': (length) => repeat('| a\n', length),
  'backslashes': (length) => repeat('\\*', length),
  'quotes': (length) => repeat('> ', length),
  'lists': (length) => repeat('1. ', length),
  'quotes and lists': (length) => repeat('> - ', length),
  'lists that go in': (length) => Array.from({ length: Math.ceil(Math.sqrt(length)) }, (_, index) => `${'  '.repeat(index)}- a\n`).join(''),
};

function repeat(unit: string, length: number): string {
  return unit.repeat(Math.ceil(length / unit.length));
}

function stepsOf(text: string): number {
  return lex(text).steps;
}

test.each(Object.entries(SPITEFUL))('%s cost no more than their length', (_, spell) => {
  const text = spell(60_000);
  expect(stepsOf(text)).toBeLessThanOrEqual(4_000_000 + 80 * text.length);
  // Ten times as long is at most about ten times as dear, beyond what every text may cost.
  expect(stepsOf(spell(200_000))).toBeLessThanOrEqual(4_000_000 + 80 * 210_000);
});

test('what is not lexed is shown as it came', () => {
  for (const text of ['_a'.repeat(30_000), `a${'.a'.repeat(30_000)}@a`, '*a'.repeat(20_000)]) {
    const host = document.createElement('div');
    new MarkdownView(host, CONTEXT).render(`**before**\n\n${text}\n\n**after**`, true);
    expect(host.children[1]?.textContent).toBe(text);
    expect(host.querySelectorAll('strong').length).toBe(2);
  }
});

test('no usual text comes near the bound', () => {
  // One paragraph of 6,000 characters, a marker in every 40.
  const paragraph = 'some words, then **bold** ones, a `word` of code, [a link](https://a.example) and plain words again. '.repeat(60);
  const host = document.createElement('div');
  new MarkdownView(host, CONTEXT).render(paragraph, true);
  expect(host.querySelectorAll('strong').length).toBe(60);
  expect(host.querySelectorAll('a').length).toBe(60);
  // An address with a long signature stays a link.
  const signed = `https://files.example/a.png?token=${'aB3.-_%3D'.repeat(200)}&expires=1`;
  const linked = document.createElement('div');
  new MarkdownView(linked, CONTEXT).render(`See ${signed}`, true);
  expect(linked.querySelector('a')?.href).toBe(signed);
  expect(stepsOf(TEXT)).toBeLessThan(1_000_000);
});
