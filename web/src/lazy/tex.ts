/** TeX as models write it: close to what TeX takes, and readable all the same. */

/** What these hold is text. */
const TEXT = /\\(?:text(?:bf|it|rm|sf|tt|normal)?|mbox)\{([^{}]*)\}/g;

/** In text, `_`, `%`, `#` and `&` are themselves; and behind a number, `%` is a percentage and no comment. */
export function mendedTex(tex: string): string {
  return tex
    .replace(TEXT, (whole) => whole.replace(/(?<!\\)[_%#&]/g, String.raw`\$&`))
    .replace(/(?<=\d)%/g, String.raw`\%`);
}
