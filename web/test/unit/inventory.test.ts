// @vitest-environment node
/**
 * `test/inventory.json` lists what the published types and the protocol promise: options, methods, events,
 * requests, items, widgets with every property. Each row has a test that names it, and the list is whole.
 */
import { expect, test } from 'vitest';
import { ROWS, namedIds, naming, triedProperties, WIDGETS } from './inventory-rows.mjs';
import inventory from '../inventory.json';
import { optionPaths, tagType, widgetProperties } from './type-paths.mjs';

test('every row is named by a test', () => {
  expect(ROWS.filter(({ id }) => naming(id).length === 0).map(({ id, name }) => `${id} ${name}`)).toEqual([]);
});

test('a test that names a row asserts something', () => {
  const silent = ROWS.flatMap(({ id }) => naming(id)).filter(({ body }) => !/\bassert\b|\bexpect\(|\.waitFor\(|\bcheck\w*\(/.test(body));
  expect(silent.map(({ title }) => title)).toEqual([]);
});

test('no test names a row that is none', () => {
  const ids = new Set(ROWS.map(({ id }) => id));
  expect(namedIds().filter((id) => !ids.has(id))).toEqual([]);
});

test('every property of every widget is tried', () => {
  const missing = WIDGETS.flatMap(({ type, props }) => props.filter((name) => !triedProperties(type).includes(name)).map((name) => `${type}.${name}`));
  expect(missing).toEqual([]);
});

test('the published types have no option, event, method or property that is not listed', () => {
  expect([...optionPaths()].toSorted()).toEqual(Object.values(inventory.options).toSorted());
  const listed = Object.fromEntries(WIDGETS.filter(({ type }) => type !== 'Chart').map(({ type, props }) => [type, [...props].toSorted()]));
  expect(widgetProperties()).toEqual(listed);
}, 60_000);

test('R08 the tag has its type where the file that says so is listed by its path, and nowhere else', () => {
  expect(tagType([])).toBe('none');
  expect(tagType(['dom-augment.d.ts'])).toBe('OpenAIChatKit');
}, 60_000);
