/**
 * What streaming costs, in counts instead of seconds: the same on every machine, so a regression is a
 * red test and not a slow afternoon. Every delta is drawn by itself, which is the worst case.
 */
import { expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { lex } from '../../src/md/lexer';
import { MarkdownView } from '../../src/md/stream';
import { corpus } from '../browser/corpus.mjs';

const CONTEXT: RenderContext = { baseUri: 'https://app.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'To do' } };
const TEXT = corpus(20_000);

test('a delta builds at most two blocks and lexes at most 4,000 characters', () => {
  const view = new MarkdownView(document.createElement('div'), CONTEXT);
  let mostBuilt = 0;
  let mostLexed = 0;
  let before = { ...view.counters };
  let deltas = 0;
  for (let end = 4; end < TEXT.length; end += 4) {
    view.render(TEXT.slice(0, end), false);
    mostBuilt = Math.max(mostBuilt, view.counters.blocksBuilt - before.blocksBuilt);
    mostLexed = Math.max(mostLexed, view.counters.lexedCharacters - before.lexedCharacters);
    before = { ...view.counters };
    deltas += 1;
  }
  expect(mostBuilt).toBeLessThanOrEqual(2);
  expect(mostLexed).toBeLessThanOrEqual(4000);
  // Far below one block a delta on average: what is finished is left alone.
  expect(view.counters.blocksBuilt / deltas).toBeLessThan(0.25);
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
