/** Which files may be attached: by kind, size and number. */
import { describe, expect, test } from 'vitest';
import { acceptAttribute, kindsOf, sortOut, type AttachmentRules, type FileFacts } from '../../src/core/limits';
import { readOptions } from '../../src/element/options';
import { formatBytes } from '../../src/i18n/bytes';

const MB = 1024 * 1024;
const file = (name: string, type = '', size = 1): FileFacts => ({ name, type, size });

function rules(attachments: object): AttachmentRules {
  const page = { language: 'en', baseUri: 'https://app.example/' };
  return readOptions({ api: { url: '/chatkit' }, composer: { attachments: { enabled: true, ...attachments } } }, page, (path) => {
    throw new Error(`${path} is not known`);
  }).composer.attachments;
}

describe('the kind', () => {
  test.each([
    [file('a.png', 'image/png'), true],
    [file('a.PNG', 'IMAGE/PNG; x=y'), true],
    [file('notes.md', ''), true],
    [file('NOTES.MD', 'text/markdown'), true],
    [file('a.csv', 'application/vnd.ms-excel'), true],
    [file('a.zip', 'application/zip'), false],
    [file('imagepng', ''), false],
    [file('md', ''), false],
  ])('%j: %s', (given, isTaken) => {
    const { taken, refused } = sortOut([given], 0, rules({ accept: { 'image/*': [], 'text/markdown': ['.md'], 'text/csv': ['CSV'] } }));
    expect(taken).toEqual(isTaken ? [given] : []);
    expect(refused).toEqual(isTaken ? [] : [{ because: 'type', name: given.name }]);
  });

  test('is free where nothing is said', () => {
    for (const accept of [undefined, {}, { '*/*': [] }]) expect(sortOut([file('a.zip', 'application/zip')], 0, rules({ accept })).refused).toEqual([]);
  });

  test('is named by its endings, else by its own word', () => {
    expect(kindsOf(rules({ accept: { 'image/*': [], 'application/pdf': [], 'text/plain': ['txt', '.TXT', 'log'] } }).accept)).toEqual(['image', 'pdf', '.txt', '.log']);
    expect(kindsOf(null)).toEqual([]);
  });

  test('is told to the file dialog', () => {
    expect(acceptAttribute(rules({ accept: { 'image/*': [], 'text/csv': ['csv', '.TSV'] } }).accept)).toBe('image/*,text/csv,.csv,.tsv');
    expect(acceptAttribute(rules({}).accept)).toBeUndefined();
  });
});

describe('the size', () => {
  test.each([
    [undefined, 'image/png', 100 * MB],
    [5, 'image/png', 5],
    [{ 'image/*': 4, 'image/png': 3, '*': 2 }, 'image/png', 3],
    [{ 'image/*': 4, '*': 2 }, 'image/gif', 4],
    [{ 'image/*': 4, '*': 2 }, 'text/plain', 2],
    [{ 'image/*': 4, '': 2 }, 'text/plain', 2],
    [{ 'image/*': 4 }, 'text/plain', 100 * MB],
    [{ 'Image/PNG': 4 }, 'image/png', 4],
  ])('%j lets %s have %i bytes', (maxSize, type, limit) => {
    const settled = rules({ maxSize });
    expect(sortOut([file('a', type, limit)], 0, settled).refused).toEqual([]);
    expect(sortOut([file('a', type, limit + 1)], 0, settled).refused).toEqual([{ because: 'size', name: 'a', limit }]);
  });

  test('is written as people read it', () => {
    expect([0, 1023, 1024, 1.5 * MB, 100 * MB, 2048 * MB].map((bytes) => formatBytes(bytes, 'en'))).toEqual(['0 bytes', '1,023 bytes', '1 kB', '1.5 MB', '100 MB', '2 GB']);
    expect(formatBytes(1.5 * MB, 'not a locale')).toBe('1.5 MB');
  });
});

describe('the number', () => {
  const three = ['a', 'b', 'c'].map((name) => file(name));

  test('counts what is attached already', () => {
    expect(sortOut(three, 2, rules({ maxCount: 4 }))).toEqual({ taken: three.slice(0, 2), refused: [{ because: 'count', name: 'c', limit: 4 }] });
    expect(sortOut(three, 0, rules({ maxCount: 4 })).refused).toEqual([]);
  });

  test('is not used up by files that are refused', () => {
    const { taken } = sortOut([file('x', 'image/png', 9), ...three], 0, rules({ maxCount: 3, maxSize: 5 }));
    expect(taken).toEqual(three);
  });
});
