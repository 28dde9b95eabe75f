/**
 * What streaming costs, in counts instead of seconds: the same on every machine, so a regression is a
 * red test and not a slow afternoon. Every delta is drawn by itself, which is the worst case.
 */
import { expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
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
