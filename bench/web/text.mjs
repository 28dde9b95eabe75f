// The answers that are streamed, and what must stand on the page when they are over. A renderer that
// loses, doubles or garbles text is fast for nothing, so every run ends with a comparison to the letter.
import { Lexer } from 'marked';
import { corpus } from '../../web/test/browser/corpus.mjs';

/** The last words of every answer: once they are painted, the answer is. */
export const ENDING = 'So this answer ends with seventeen silent swans.';

/** An answer of exactly `length` characters: whole sections of the corpus, filled up with prose. */
export function answer(length) {
  const long = corpus(length + 8_000);
  const cut = long.lastIndexOf('## Section', Math.max(0, length - ENDING.length - 200));
  let text = long.slice(0, Math.max(0, cut));
  const room = length - text.length - ENDING.length - 2;
  const words = 'here the answer goes on in plain words so that it is as long as it has to be ';
  // Paragraphs of about 700 characters, as the corpus has them.
  const filling = words.repeat(Math.ceil(room / words.length) + 1).replace(/(.{700}\S*) /g, '$1\n\n').slice(0, room - 1).trimEnd();
  text += `${filling}${'.'.repeat(Math.max(0, room - filling.length))}\n\n${ENDING}`;
  return text;
}

/** The pieces of a text as a model sends them. */
export function pieces(text, size = 4) {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size));
}

/** The letters that a reader must see of a Markdown text: its words without markers and blanks. */
export function letters(markdown) {
  return lettersOf(new Lexer({ gfm: true }).lex(markdown)).replace(/\s+/g, '');
}

function lettersOf(tokens) {
  return tokens.map((token) => {
    if (token.type === 'list') return lettersOf(token.items);
    if (token.type === 'table') return [...token.header, ...token.rows.flat()].map((cell) => lettersOf(cell.tokens)).join(' ');
    if (token.type === 'space' || token.type === 'def') return '';
    return token.tokens === undefined ? (token.text ?? '') : lettersOf(token.tokens);
  }).join(' ');
}

/** `null` when the page shows the text and nothing else, otherwise where it first differs. */
export function difference(shown, markdown) {
  const wanted = letters(markdown);
  const seen = shown.replace(/\s+/g, '');
  if (seen === wanted) return null;
  let at = 0;
  while (at < wanted.length && wanted[at] === seen[at]) at += 1;
  const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40));
  return `the text differs at letter ${at} of ${wanted.length} (${seen.length} are shown): ${around(wanted)} became ${around(seen)}`;
}
