// What the chat looks like, held against pictures that are kept (`compare.mjs`), and that a change is found.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compareAll, difference, madeBy, obstacleTo, pictures } from './compare.mjs';
import { openStudio } from './studio.mjs';

let studio;
let obstacle;
before(async () => {
  studio = await openStudio();
  obstacle = obstacleTo(await madeBy(), studio.version);
});
after(() => studio.close());

/** The differences of one picture, with a change to the chat's own style. */
async function changed(css, name, view) {
  const found = [];
  for await (const { file, picture } of pictures(studio, { ...view, css }, (candidate) => candidate === name)) found.push(await difference(file, picture, { keep: false }));
  assert.equal(found.length, 1, `${name} is photographed once`);
  return found[0];
}

test('every state looks as it did', async (t) => {
  if (obstacle !== null) return t.skip(obstacle);
  const { differences, count } = await compareAll(studio);
  assert.ok(count > 150, `${count} pictures`);
  assert.deepEqual(differences, []);
});

const A_LITTLE = [
  ['nothing', '', null],
  ['the colour of a message', '.bubble { background: #eeeeee !important; }', /differs in \d+ pixels, of which 12 may/],
  ['a pixel of padding', '.bubble { padding-block: 10px !important; }', /differs in \d+ pixels|is \d+ × \d+/],
  ['the weight of a title', '.header-title { font-weight: 500 !important; }', /differs in \d+ pixels/],
];
for (const [what, css, expected] of A_LITTLE) {
  test(`a change of ${what} is ${expected === null ? 'no difference' : 'found'}`, async (t) => {
    if (obstacle !== null) return t.skip(obstacle);
    const words = await changed(css, 'Steps', { width: 390, scheme: 'light' });
    if (expected === null) assert.equal(words, null);
    else assert.match(String(words), expected);
  });
}

test('another Chromium is a reason to skip, and is named; without pictures there is one as well', () => {
  assert.equal(obstacleTo('156.0.1.2', '156.9.8.7'), null);
  assert.match(obstacleTo('156.0.1.2', '157.0.0.0'), /made by Chromium 156, and this is Chromium 157/);
  assert.match(obstacleTo(null, '157.0.0.0'), /no snapshots yet/);
});
