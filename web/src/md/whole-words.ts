/**
 * Up to where a text that grows is shown. A word that grows at the end of a line comes to be too long for it, and
 * would jump to the next one under the reader's eyes; so a word is shown when it is whole.
 */

/** So long may nothing come before what is there of a word is shown. */
export const WORD_WAITS_MS = 250;

/** Longer ones are addresses, which break where they are. */
const LONGEST = 48;
/**
 * The last word and the blanks before it, which have no place in a line until something follows them. Letters behind
 * these are of scripts that break lines between any two.
 */
const LAST_WORD = /[ \t]*([!-\u0dff\u2018-\u201d]*)$/;

/** Where to end, when it was `shown` up to there before: nothing that was shown is hidden again. */
export function endOfWords(text: string, shown: number): number {
  const [held = '', word = ''] = LAST_WORD.exec(text.slice(-LONGEST - 2)) ?? [];
  const start = text.length - word.length;
  // The first word of a text has its line to itself.
  if (start === 0 || start < shown || word.length > LONGEST) return text.length;
  return Math.max(shown, text.length - held.length);
}
