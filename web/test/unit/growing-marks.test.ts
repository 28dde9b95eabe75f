/** T6 U03 references while an answer grows: which wait, and what they cost. */
import { describe, expect, test } from 'vitest';
import { GrowingMarks } from '../../src/md/growing-marks';
import type { RenderContext } from '../../src/md/dom';
import { MarkdownView } from '../../src/md/stream';

const context: RenderContext = {
  baseUri: 'https://page.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'Open' },
  onMark: (group: number) => Object.assign(document.createElement('button'), { textContent: `[${group}]` }),
};
const at = (marked: string): string => marked.replace(/\u2E31[\u{F0000}-\u{FFFFD}]\u2E31/gu, '‸');
const groups = (...positions: number[]): { index: number }[] => positions.map((index) => ({ index }));

describe('a reference has ended', () => {
  test.each([
    ['with the blank line after its paragraph', 'One.\n\n', 4, 'One.‸\n\n'],
    ['before a list that follows its paragraph', 'One.\n\n- two', 4, 'One.‸\n\n- two'],
    ['not within a list that goes on', '- one\n\n- two', 5, '- one\n\n- two'],
    ['not within a numbered list that goes on', '1. one\n\n2. two', 6, '1. one\n\n2. two'],
    ['not within an item of several paragraphs', '- one\n\n  more', 5, '- one\n\n  more'],
    ['not in a later paragraph of an item', '- one\n\n  more\n\n- two', 13, '- one\n\n  more\n\n- two'],
    ['not while the next line may become an item', '- one\n\n-', 5, '- one\n\n-'],
    ['not while the next line may become a numbered item', '1. one\n\n2', 6, '1. one\n\n2'],
    ['not while nothing follows the list', '- one\n\n', 5, '- one\n\n'],
    ['with the line after the list', '- one\n\n- two\n\nEnd', 5, '- one‸\n\n- two\n\nEnd'],
    ['with a line that begins in bold after the list', '- one\n\n**E', 5, '- one‸\n\n**E'],
    ['with a line that begins with a year after the list', '- one\n\n2024 was', 5, '- one‸\n\n2024 was'],
    ['not before its paragraph is over, whatever came before', '🎉🎉🎉🎉🎉🎉\n\nWord', 12, '🎉🎉🎉🎉🎉🎉\n\nWord'],
    ['by characters, not by units', '🎉🎉🎉 one\n\ntwo', 7, '🎉🎉🎉 one‸\n\ntwo'],
  ])('%s', (_, text, index, expected) => {
    expect(at(new GrowingMarks().grow(text, groups(index), 0))).toBe(expected);
    // Letter by letter it is the same.
    const marks = new GrowingMarks();
    let marked = '';
    for (let end = 1; end <= text.length; end += 1) marked = marks.grow(text.slice(0, end), groups(index), 0);
    expect(at(marked)).toBe(expected);
  });
});

test('a loose list with references is not built anew with each letter', () => {
  const text = `${Array.from({ length: 12 }, (_, item) => `- item ${item} of a list with words enough`).join('\n\n')}\n\nAfter it.\n\nMore.`;
  const places = groups(...[...text.matchAll(/enough/g)].map((match) => match.index + 6));
  const host = document.createElement('div');
  const view = new MarkdownView(host, context);
  const marks = new GrowingMarks();
  for (let end = 1; end <= text.length; end += 1) view.render(marks.grow(text.slice(0, end), places.filter(({ index }) => index <= end), view.settled), false);
  expect(host.querySelectorAll('li button')).toHaveLength(12);
  // The list, its references, two paragraphs.
  expect(view.counters.blocksBuilt).toBeLessThanOrEqual(8);
});

test('a reference that comes too late costs once, waits for the end and holds no other up', () => {
  const first = 'First paragraph.\n\nSecond one.\n\nThird ';
  const view = new MarkdownView(document.createElement('div'), context);
  const marks = new GrowingMarks();
  view.render(marks.grow(first, [], view.settled), false);
  const late = groups(16);
  for (let turn = 1; turn <= 200; turn += 1) view.render(marks.grow(first + 'word '.repeat(turn), late, view.settled), false);
  expect(marks.passes).toBeLessThanOrEqual(2);
  const third = `${first}${'word '.repeat(200)}end.`;
  const both = groups(16, third.length);
  expect(at(marks.grow(`${third}\n\nFourth`, both, view.settled))).toBe(`${third}‸\n\nFourth`);
  expect(marks.shown).toEqual(groups(third.length));
});

test('another text begins anew', () => {
  const marks = new GrowingMarks();
  marks.grow('One.\n\nTwo', groups(4), 0);
  expect(at(marks.grow('Other.\n\nWords', groups(6), 6))).toBe('Other.‸\n\nWords');
});
