/**
 * Emphasis beside Chinese, Japanese and Korean.
 *
 * CommonMark decides by blanks and punctuation whether a `**` opens or closes. These scripts put no blanks
 * between words, so `**注意：**正文` and `**「重要」**な` would keep their asterisks. Two changes mend it, for
 * `*` and `~~`; `_` stays what it is, since it is part of names:
 *
 * - punctuation of these scripts counts as a letter;
 * - other punctuation does not keep a run from opening or closing beside one of their characters.
 *
 * Only what is plain text in CommonMark becomes emphasis; text without such characters reads as before.
 */
import { Lexer } from 'marked';

/** By script where Unicode names one; the shared punctuation and the wide forms by range. */
const CJK_RANGES = [
  ...['Han', 'Hiragana', 'Katakana', 'Hangul', 'Bopomofo', 'Yi'].map((script) => `\\p{Script=${script}}`),
  String.raw`\u3001-\u303f\u3099-\u30ff\u3190-\u33ff\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffef\u{e0100}-\u{e01ef}`,
].join('');

const CJK = `[${CJK_RANGES}]`;
/** Inside `*` a tilde counts as a letter, inside `~~` it does not: as in marked's own rules. */
const punctuation = (letters: string): string => `(?!${letters}|${CJK})[\\p{P}\\p{S}]`;
const letter = (letters: string): string => `(?:[^\\s\\p{P}\\p{S}]|${letters}|${CJK})`;
/** A letter of a script that separates its words. */
const western = (letters: string): string => `(?:(?!${CJK})${letter(letters)})`;

/**
 * The rule by which marked looks for the end of emphasis. Its groups say what a run is: 1 and 2 close,
 * 3 and 4 open, 5 and 6 may do either.
 */
function closingRule(skip: string, run: string, marker: string, letters: string): RegExp {
  const mark = `(?!${marker})${punctuation(letters)}`;
  const either = letter(letters);
  const alphabetic = western(letters);
  const whole = `${run}(?!${marker})`;
  return new RegExp(
    [
      skip,
      `${mark}(${run})(?=\\s|$)`,
      `(?:${either}(?=${run}(?:\\s|$))|${alphabetic}(?=${whole}${mark}))(${whole})`,
      `(?:\\s(?=${run}${either})|${mark}(?=${run}${alphabetic}))(${run})`,
      `\\s(${whole})(?=${mark})`,
      `${mark}(${whole})(?=${mark}|${CJK})`,
      `(?:${either}(?=${run}${either})|${CJK}(?=${whole}${mark}))(${whole})`,
    ].join('|'),
    'gu',
  );
}

type InlineRules = typeof Lexer.rules.inline.gfm;

/** Marked's inline rules with these changes. Made when a text is first read: a page that shows none need not wait for them. */
export const inlineRules = once((): InlineRules => ({
  ...Lexer.rules.inline.gfm,
  emStrongLDelim: new RegExp(`^\\*+(?:((?!\\*)${punctuation('~')})|([^\\s*]))?|^_+(?:((?!_)(?!~)[\\p{P}\\p{S}])|([^\\s_]))?`, 'u'),
  emStrongRDelimAst: closingRule(String.raw`^[^_*]*?__[^_*]*?\*[^_*]*?(?=__)|[^*]+(?=[^*])`, String.raw`\*+`, String.raw`\*`, '~'),
  delLDelim: new RegExp(`^~~?(?:((?!~)${punctuation('~')})|[^\\s~])`, 'u'),
  delRDelim: closingRule('^[^~]+(?=[^~])', '~~?', '~', '(?!)'),
}));

const cjkAtEnd = once(() => new RegExp(`${CJK}$`, 'u'));

/** What a run is told of the character before it: nothing, as at the start of a line, beside these scripts. */
export function before(masked: string, position: number, character: string): string {
  return cjkAtEnd().test(masked.slice(Math.max(0, position - 2), position)) ? '' : character;
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
