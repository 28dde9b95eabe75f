// Takes the pictures and holds them against the ones that are kept. Kept beside them is who made them: another major
// version of Chromium draws letters and lines a little differently, and a comparison would say nothing.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { AT_THE_LAUNCHER, JOURNEYS } from './journeys.mjs';
import { isMadeOf, packed } from './pack.mjs';

const KEPT = new URL('snapshots/', import.meta.url);
/** What was different is put here, and kept out of the repository. */
export const FAILED = new URL('failed/', import.meta.url);
const MAKER = new URL('snapshots/chromium.txt', import.meta.url);

/** How far two colours may be apart, from 0 to 1: less than a person sees, and more than rounding makes. */
const COLOUR_TOLERANCE = 0.02;
/** How many pixels may be further apart; the edges of letters and curves are not counted. */
const MOST_PIXELS = 12;

export const VIEWS = [390, 768, 1280].flatMap((width) => ['light', 'dark'].map((scheme) => ({ width, scheme })));
const WIDGETS_SHOWN_ALONE = new Set(['An order', 'A form', 'A list', 'A chart']);
/** What stands still in the middle has nothing to unfold. */
const WITHIN_ITS_WINDOW = new Set(['Streaming', 'A long message']);
/** A journey is told once for each width: its colours are those of the scene. */
const schemeOf = (width) => (width === 390 ? 'dark' : 'light');

const fileOf = (name, { width, scheme }) => `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.${width}.${scheme}.png`;
const majorOf = (version) => version.split('.')[0];

export const madeBy = () => readFile(MAKER, 'utf8').then((text) => text.trim(), () => null);
/** Why pictures of this Chromium cannot be compared with the kept ones; `null` where they can. */
export function obstacleTo(kept, version) {
  if (kept === null) return 'there are no snapshots yet: npm run snapshots -- --update';
  if (majorOf(kept) === majorOf(version)) return null;
  return `the snapshots were made by Chromium ${majorOf(kept)}, and this is Chromium ${majorOf(version)}, which draws differently: npm run snapshots -- --update`;
}

/** Everything there is to photograph in a window, each as `{ file, picture }`; `only` chooses by name. */
export async function* pictures(studio, view, only = () => true) {
  const window = await studio.window(view);
  try {
    await window.gallery();
    for (const { name, isWidget } of await window.scenes()) {
      if ((isWidget && !WIDGETS_SHOWN_ALONE.has(name)) || !only(name)) continue;
      await window.show(name);
      if (!WITHIN_ITS_WINDOW.has(name)) await window.unfold();
      yield { name, file: fileOf(name, view), picture: await window.picture() };
    }
    if (view.scheme !== schemeOf(view.width)) return;
    for (const { name, scene, act, choices } of JOURNEYS.filter((journey) => only(journey.name))) {
      await window.show(scene, act, choices);
      yield { name, file: fileOf(name, view), picture: await window.picture() };
    }
    for (const { name, act } of AT_THE_LAUNCHER.filter((journey) => only(journey.name))) {
      await window.shop(act);
      yield { name, file: fileOf(name, view), picture: await window.picture() };
    }
  } finally {
    await window.close();
  }
}

/** What is different, in words; `null` where nothing is. What was seen, and where it differs, is put into `failed/`, if it is to be kept. */
export async function difference(file, picture, { keep = true } = {}) {
  const put = keep ? putAside : (words) => words;
  const kept = await readFile(new URL(file, KEPT)).catch(() => null);
  if (kept === null) return put(`${file} is new: npm run snapshots -- --update`, file, picture);
  if (isMadeOf(kept, picture)) return null;
  const [before, now] = [PNG.sync.read(kept), PNG.sync.read(picture)];
  if (before.width !== now.width || before.height !== now.height) return put(`${file} is ${now.width} × ${now.height} and was ${before.width} × ${before.height}`, file, picture);
  const marks = new PNG({ width: now.width, height: now.height });
  const count = pixelmatch(before.data, now.data, marks.data, now.width, now.height, { threshold: COLOUR_TOLERANCE });
  if (count <= MOST_PIXELS) return null;
  return put(`${file} differs in ${count} pixels, of which ${MOST_PIXELS} may`, file, picture, PNG.sync.write(marks));
}

async function putAside(words, file, picture, marks = null) {
  await mkdir(FAILED, { recursive: true });
  const seen = new URL(file.replace(/png$/, 'actual.png'), FAILED);
  await writeFile(seen, picture);
  if (marks === null) return `${words}: see ${seen.pathname}`;
  const diff = new URL(file.replace(/png$/, 'diff.png'), FAILED);
  await writeFile(diff, marks);
  return `${words}: see ${seen.pathname} and ${diff.pathname}`;
}

/** Compares all; gives the differences, in words, and how many pictures there were. */
export async function compareAll(studio) {
  await rm(FAILED, { recursive: true, force: true });
  const [differences, seen] = [[], new Set()];
  await inTwoWindows(async (view) => {
    // Whatever a busy machine drew too late is drawn right the second time; a change is there both times.
    const again = new Set();
    for await (const { name, file, picture } of pictures(studio, view)) {
      seen.add(file);
      if ((await difference(file, picture, { keep: false })) !== null) again.add(name);
    }
    if (again.size === 0) return;
    for await (const { file, picture } of pictures(studio, view, (name) => again.has(name))) {
      const words = await difference(file, picture);
      if (words !== null) differences.push(words);
    }
  });
  for (const file of await kept()) if (!seen.has(file)) differences.push(`${file} is kept, and nothing is photographed for it: npm run snapshots -- --update`);
  return { differences: differences.toSorted(), count: seen.size };
}

/** Makes all anew. */
export async function keepAll(studio) {
  await rm(FAILED, { recursive: true, force: true });
  await rm(KEPT, { recursive: true, force: true });
  await mkdir(KEPT, { recursive: true });
  let [count, bytes] = [0, 0];
  await inTwoWindows(async (view) => {
    for await (const { file, picture } of pictures(studio, view)) {
      const small = packed(picture);
      await writeFile(new URL(file, KEPT), small);
      count += 1;
      bytes += small.length;
    }
  });
  await writeFile(MAKER, `${studio.version}\n`);
  return { count, bytes };
}

const kept = async () => (await readdir(KEPT)).filter((file) => file.endsWith('.png'));

/** Light and dark at the same time. */
async function inTwoWindows(run) {
  await Promise.all(['light', 'dark'].map(async (scheme) => {
    for (const view of VIEWS) if (view.scheme === scheme) await run(view);
  }));
}
