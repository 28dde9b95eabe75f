// The rows of `test/inventory.json`, and which tests name them.
import { readdirSync, readFileSync } from 'node:fs';
import { HANDS } from '../browser/widget-hands.mjs';
import { PROPS } from '../browser/widget-props.mjs';

const inventory = JSON.parse(readFileSync(new URL('../inventory.json', import.meta.url), 'utf8'));

export const ROWS = Object.entries(inventory).flatMap(([group, rows]) => Object.entries(rows).map(([id, row]) => ({ group, id, name: typeof row === 'string' ? row : row.type })));
export const WIDGETS = Object.values(inventory.widgets);

/** One test, up to the next one: its title is a string, whatever it is called with. */
const TEST = /^\s*(?:test|it)(?:\.each\(.*?\))?\(\s*(['"`])((?:\\.|(?!\1).)*)\1|^ {2}\]\)\((['"`])((?:\\.|(?!\3).)*)\3/gm;

function testsOf(source) {
  const starts = [...source.matchAll(TEST)];
  return starts.map((start, index) => ({ title: start[2] ?? start[4], body: source.slice(start.index, starts[index + 1]?.index) }));
}

const tests = ['unit', 'browser'].flatMap((folder) => {
  const place = new URL(`../${folder}/`, import.meta.url);
  return readdirSync(place).filter((file) => /\.test\.(?:mjs|ts)$/.test(file)).flatMap((file) => testsOf(readFileSync(new URL(file, place), 'utf8')));
});

/** The tests whose title has the id as a word of its own. */
export const naming = (id) => tests.filter(({ title }) => title.split(/[^\w]+/).includes(id));

/** Everything in titles that looks like an id. */
export const namedIds = () => tests.flatMap(({ title }) => title.match(/\b(?:O\d{3}|[MERQSUIWX]\d{2}|T\d{1,2})\b/g) ?? []);

/** The properties of a component that some test sets and looks at. */
export function triedProperties(type) {
  const hands = Object.keys(HANDS).map((name) => [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)]);
  return [...Object.keys(PROPS[type]?.props ?? {}), ...hands.filter(([of]) => of === type).map(([, name]) => name), 'key', 'id'];
}
