// @vitest-environment node
/** What is documented is there, and what is there is documented: options of ours, custom properties, parts. */
import { expect, test } from 'vitest';
import { readOptions } from '../../src/element/options';
import type { OwnOptions } from '../../src/element/own-options';
import { themeProperties } from '../../src/theme/palette';
import { PARTS, PROPERTIES } from '../../src/theme/public';
import { sourceOf } from './source-files.mjs';

const page = { language: 'en', baseUri: 'https://shop.example/' };

test('every option of ours is one that the element reads', () => {
  const own: Required<OwnOptions> = {
    api: { clientToken: 'pk_test_x', baseUrl: 'https://chat.example' },
    header: { leftAction: { label: 'Menu' }, rightAction: { label: 'Close' } },
    history: { reopen: true, showExport: false },
    aiNotice: { enabled: true, text: 'A machine answers.' },
  };
  const header = { leftAction: { icon: 'menu', onClick: () => undefined, ...own.header.leftAction }, rightAction: { icon: 'close', onClick: () => undefined, ...own.header.rightAction } };
  const unknown: string[] = [];
  const options = readOptions({ ...own, header }, page, (path) => unknown.push(path));
  const onSignIn = (): void => undefined;
  expect(readOptions({ api: { getClientSecret: () => Promise.resolve('x'), ...({ onSignIn } satisfies OwnOptions['api']) } }, page, (path) => unknown.push(path)).onSignIn).toBeTypeOf('function');
  expect(unknown).toEqual([]);
  expect(options).toMatchObject({ api: own.api, header: { leftAction: { label: 'Menu' }, rightAction: { label: 'Close' } }, history: own.history, aiNotice: { text: 'A machine answers.' } });
});

test('without a word about it, people are told that this is an AI; words of a notice that is off are known', () => {
  const read = (aiNotice: unknown): unknown => readOptions({ api: { clientToken: 'pk_test_x' }, aiNotice }, page, (path) => expect(path).toBe('nothing')).aiNotice;
  expect([read(undefined), read({}), read({ text: 'A bot.' }), read({ enabled: false, text: 'A bot.' })]).toEqual([{ text: null }, { text: null }, { text: 'A bot.' }, null]);
  expect(() => read({ text: 7 })).toThrow('options.aiNotice.text must be a string');
});

test('every custom property does something, and every one that does is documented', () => {
  const theme = readOptions({ api: { clientToken: 'pk_test_x' }, theme: { typography: { fontFamily: 'A', fontFamilyMono: 'B' } } }, page, () => undefined).theme;
  const ofTheme = Object.keys(themeProperties(theme, () => true)).map((name) => name.replace('--ck-', '--chatkit-'));
  const ofSheets = [...sourceOf(/\.css$/).matchAll(/var\((--chatkit-[\w-]+)/g)].map(([, name]) => name ?? '');
  expect(Object.keys(PROPERTIES).toSorted()).toEqual([...new Set([...ofTheme, ...ofSheets])].toSorted());
});

test('every part is there, and every one that is there is documented', () => {
  const found = [...sourceOf(/\.tsx$/).matchAll(/\bpart="([\w-]+)"/g)].map(([, name]) => name ?? '');
  expect(Object.keys(PARTS).toSorted()).toEqual([...new Set(found)].toSorted());
});
