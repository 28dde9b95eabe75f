/** T6–T8 references: where their marks stand, and what becomes of the Markdown around them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { unmarked, withMarks } from '../../src/md/marks';
import { MarkdownView } from '../../src/md/stream';
import { contentOf, draftOf, queryAt, tagOf, tagsIn } from '../../src/store/tags';

const context = (marks: boolean): RenderContext => ({
  baseUri: 'https://page.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'Open' },
  ...(marks ? { onMark: (group: number) => Object.assign(document.createElement('button'), { textContent: `[${group}]` }) } : {}),
});
function draw(text: string, positions: number[] | null): HTMLElement {
  const host = document.createElement('div');
  new MarkdownView(host, context(positions !== null)).render(positions === null ? text : withMarks(text, positions), true);
  return host;
}
/** The text with `|` where each position is. */
const at = (marked: string): string => marked.replace(/\u2E31[\u{F0000}-\u{FFFFD}]\u2E31/gu, '‸');

describe('a mark', () => {
  test.each([
    ['One two. Three', 8, 'One two.‸ Three'], ['One two. Three', 5, 'One two.‸ Three'], ['See https://a.example/b/c for it', 12, 'See https://a.example/b/c‸ for it'],
    ['one\n\ntwo', 5, 'one‸\n\ntwo'], ['# Title\n\ntext', 0, '# Title‸\n\ntext'], ['🎉🎉 party', 2, '🎉🎉‸ party'], ['end', 99, 'end‸'], ['end', -3, 'end‸'], ['end', Number.NaN, 'end‸'],
    ['```\ncode\n```\n\nafter', 12, '```\ncode\n```\n‸\nafter'], ['```\ncode\n```', 12, '```\ncode\n```\n\n‸'],
    ['| a | b |\n|---|---|\n| 1 | 2 |', 29, '| a | b |\n|---|---|\n| 1 | 2 ‸|'], ['text\n---', 8, 'text\n---\n\n‸'],
  ])('%j at %d', (text, position, expected) => {
    expect(at(withMarks(text, [position]))).toBe(expected);
  });

  test('several at one place stand in their order', () => {
    expect(draw('One. Two.', [4, 4, 9]).textContent).toBe('One.[0][1] Two.[2]');
  });

  test.each([
    ['**Note:** text', 8], ['a **bold** word', 8], ['a [link to](https://x.example/y) b', 6], ['`code with blanks` b', 7], ['- item one\n- item two', 6], ['> quoted words', 8],
  ])('leaves the Markdown of %j as it is', (text, position) => {
    const [plain, marked] = [draw(text, null), draw(text, [position])];
    expect(marked.querySelectorAll('button')).toHaveLength(1);
    expect(marked.querySelector('button')?.closest('a, code')).toBeNull();
    marked.querySelector('button')?.remove();
    marked.normalize();
    expect(marked.isEqualNode(plain)).toBe(true);
  });

  test('inside code stands behind it, and the code is as it was', () => {
    const host = draw('```js\nconst a = 1;\n```\n\ntext', [13]);
    expect(host.querySelector('pre')?.textContent).toBe('const a = 1;');
    expect(host.querySelectorAll('button:not(.code-copy)')).toHaveLength(1);
  });
});

test('whatever the text and the positions: no mark is left, none is lost, and the words are the same', () => {
  const texts = fc.array(fc.constantFrom('word', ' ', '\n', '\n\n', '**', '`', '```\n', '[a](https://x.example)', '- ', '| a | b |\n|---|---|\n', '# ', '> ', '🎉', '. ', '$x$', '<b>'), { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(fc.property(texts, fc.array(fc.nat({ max: 80 }), { maxLength: 5 }), (text, positions) => {
    const marked = withMarks(text, positions);
    expect(unmarked(marked).trimEnd()).toBe(text.trimEnd());
    const host = draw(text, positions);
    expect(host.textContent).not.toMatch(/[\u2E31\u{F0000}-\u{FFFFD}]/u);
    for (const node of host.querySelectorAll('a')) expect(decodeURIComponent(node.href)).not.toMatch(/[\u2E31\u{F0000}-\u{FFFFD}]/u);
  }), { numRuns: 500 });
});

test('marks that come with the end leave the blocks without one alone', () => {
  const host = document.createElement('div');
  const view = new MarkdownView(host, context(true));
  view.render('First block.\n\nSecond block.\n\nThird', false);
  const [first] = host.children;
  view.render(withMarks('First block.\n\nSecond block.\n\nThird one.', [27]), true);
  expect(host.children[0]).toBe(first);
  expect([...host.children].map(({ textContent }) => textContent)).toEqual(['First block.', 'Second block.[0]', 'Third one.']);
});

test('marks that come while the text grows end in what one parse gives, whatever the text and the moment', () => {
  const texts = fc.array(fc.constantFrom('word', ' ', '\n', '\n\n', '**', '`', '```\n', '[a](https://x.example)', '- ', '# ', '> ', '. '), { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(fc.property(texts, fc.array(fc.nat({ max: 90 }), { maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (text, given, step) => {
    const positions = given.toSorted((a, b) => a - b);
    const host = document.createElement('div');
    const view = new MarkdownView(host, context(true));
    let shown = '';
    for (let end = step; end < text.length; end += step) {
      const said = text.slice(0, end);
      const marked = withMarks(said, positions.filter((at) => said.includes('\n\n', at)));
      shown = marked.startsWith(shown.slice(0, view.settled)) ? marked : withMarks(said, []);
      view.render(shown, false);
      expect(host.textContent).not.toMatch(/[\u2E31\u{F0000}-\u{FFFFD}]/u);
    }
    view.render(withMarks(text, positions), true);
    expect(host.textContent).toBe(draw(text, positions).textContent);
  }), { numRuns: 400 });
}, 60_000);

describe('O088 tags in a draft', () => {
  const [ada, adaLong] = [tagOf({ id: '1', title: 'Ada', interactive: true, data: { mail: 'a' } }), tagOf({ id: '2', title: 'Ada Lovelace' })];

  test('become parts of the message, in the order of the text', () => {
    expect(contentOf(' Ask @Ada Lovelace and @Ada. ', [ada, adaLong])).toEqual([{ type: 'input_text', text: 'Ask ' }, adaLong.tag, { type: 'input_text', text: ' and ' }, ada.tag, { type: 'input_text', text: '.' }]);
    expect(contentOf('plain', [ada])).toEqual([{ type: 'input_text', text: 'plain' }]);
    expect(contentOf('', [])).toEqual([{ type: 'input_text', text: '' }]);
    expect(contentOf('@Ada', [ada])).toEqual([ada.tag]);
  });

  test('are gone with their text, and come back with a message that was not sent', () => {
    expect(tagsIn('Ask @Ad', [ada])).toEqual([]);
    expect(tagsIn('Ask @Ada', [ada])).toEqual([ada]);
    expect(draftOf(contentOf('Ask @Ada now', [ada]))).toEqual({ text: 'Ask @Ada now', tags: [{ ...ada, icon: null }] });
  });

  test.each([['@', 1, ''], ['hi @ad', 6, 'ad'], ['(@ad', 4, 'ad'], ['mail@ad', 7, null], ['@ad x', 5, null], ['@ad x', 3, 'ad']])('%j at %d searches for %j', (text, caret, query) => {
    expect(queryAt(text, caret)?.query ?? null).toBe(query);
  });
});
