import { describe, expect, test } from 'vitest';
import { endOfWords } from '../../src/md/whole-words';
import { corpus } from '../browser/corpus.mjs';

/** What is shown after each piece of a text that comes in pieces of `step` characters. */
function shownOf(text: string, step: number): string[] {
  const seen: string[] = [];
  let shown = 0;
  for (let end = step; end < text.length + step; end += step) {
    const said = text.slice(0, end);
    shown = endOfWords(said, shown);
    seen.push(said.slice(0, shown));
  }
  return seen;
}

describe('of a text that grows', () => {
  test('a word is shown when it is whole', () => {
    expect(shownOf('One answer, then', 3)).toEqual(['One', 'One', 'One', 'One answer,', 'One answer,', 'One answer,']);
    const text = corpus(5000);
    expect(shownOf(text, 4).filter((said) => /\S$/.test(said) && /^\S/.test(text.slice(said.length)))).toEqual([]);
    // What follows a word without a blank goes to the next line with it.
    expect(endOfWords('see **bold**', 0)).toBe('see'.length);
    expect(endOfWords('see it\u00a0here', 0)).toBe('see'.length);
  });

  test('blanks wait for what follows them, lines do not', () => {
    expect(endOfWords('**one** ', 0)).toBe('**one**'.length);
    expect(endOfWords('- one\n  ', 0)).toBe('- one\n'.length);
    expect(endOfWords('```\n\n', 0)).toBe('```\n\n'.length);
  });

  test('its first word is not waited for', () => {
    expect(endOfWords('Hel', 0)).toBe(3);
  });

  test('nothing that was shown is hidden again', () => {
    expect(endOfWords('half a wo', Infinity)).toBe(9);
    expect(endOfWords('half a word', 9)).toBe(11);
    expect(endOfWords('half a word and', 11)).toBe(11);
    expect(endOfWords('half a word and', 12)).toBe(12);
    expect(endOfWords('other', 12)).toBe(5);
  });

  test('addresses and scripts without blanks are not waited for', () => {
    const address = `https://example.com/${'a'.repeat(40)}`;
    expect(endOfWords(`see ${address.slice(0, 48)}`, 0)).toBe(3);
    expect(endOfWords(`see ${address}`, 0)).toBe(4 + address.length);
    expect(endOfWords('答案是 四十二', 0)).toBe(7);
    expect(endOfWords('คำตอบ คือ', 0)).toBe(9);
    expect(endOfWords('ответ это сорок', 0)).toBe(9);
  });
});
