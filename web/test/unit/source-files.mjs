// The element's sources as text, for tests that hold documentation to them.
import { readFileSync, readdirSync } from 'node:fs';

const SOURCE = new URL('../../src/', import.meta.url);

/** All files of a kind in one text; without the launcher, which is another element. */
export function sourceOf(kind) {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((name) => kind.test(name) && !name.startsWith('launcher'))
    .map((name) => readFileSync(new URL(name, SOURCE), 'utf8'))
    .join('\n');
}
