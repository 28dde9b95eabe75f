/**
 * Marked's lexer with a bound on its work. Markdown's inline rules look for the other end of every
 * marker, so text that is all markers costs the square of its length: 60 KB of `_a` took nine seconds.
 *
 * What a piece of text will cost is estimated before it is lexed, from its length and its markers; what
 * would cost too much is shown as plain text. The estimate only counts, so the same text looks the same
 * on every machine.
 */
import { type Hooks, Lexer, type Token, Tokenizer, type Tokens, type TokensList } from 'marked';
import { bareLink } from './bare-link';
import { before, inlineRules } from './emphasis';
import { documentFence } from './fence';
import { afterOther, blockFormulasIn, formulaAt, formulasIn, type Formula } from './formula';
import { isOnlyMarkup } from './html';
import { cellsOf } from './undecided-table';

/** Nobody nests quotes and lists like this to be read, and each level reads everything inside it again. */
const MAX_DEPTH = 20;
/** For one paragraph, cell or heading: two thousand characters that are all markers, or a usual 10,000. */
const MAX_INLINE_STEPS = 4_000_000;
/** For a whole text: so much in any case, and so much more with each of its characters. */
const BASE_STEPS = 4_000_000;
const STEPS_PER_CHARACTER = 50;

class StrictTokenizer extends Tokenizer {
  /** Up to where a paragraph may go: a formula on lines of its own ends it. */
  clip: (src: string) => string = (src) => src;

  /** A note (`[^1]: …`) is text: its first word is no address. */
  override def(src: string): Tokens.Def | undefined {
    return /^ {0,3}\[\^/.test(src) ? undefined : super.def(src);
  }

  /** More of the text may come. */
  isGrowing = false;
  /** One fence in a document, or one comment, has no end: the others are not looked through to the end of the text as well. */
  #isUnbalanced = false;
  #hasOpenComment = false;

  /** A document in a fence has fences of its own; while it grows, they are taken for closed and its end for not there yet. */
  override fences(src: string): Tokens.Code | undefined {
    const token = super.fences(src);
    const end = token === undefined || this.#isUnbalanced ? undefined : documentFence(src);
    this.#isUnbalanced ||= end === null;
    if (token === undefined || end === undefined || (end === null && !this.isGrowing)) return token;
    const raw = end === null ? src : src.slice(0, end);
    const lines = raw.replace(/\n$/, '').split('\n').slice(1, end === null ? undefined : -1);
    const indent = new RegExp(`^ {0,${src.search(/\S/)}}`);
    return { ...token, raw, text: lines.map((line) => line.replace(indent, '')).join('\n') };
  }

  /** HTML is read like a paragraph; of comments, and of what wraps other blocks, nothing is shown. */
  override html(src: string): Tokens.HTML | undefined {
    const details = this.#details(src);
    if (details !== undefined) return details;
    if (this.#hasOpenComment && /^ {0,3}<!--/.test(src)) return undefined;
    const token = super.html(src);
    if (token === undefined || token.pre) return token;
    // A comment without an end would take all of the rest with it.
    this.#hasOpenComment ||= /^\s*<!--(?![^]*-->)/.test(token.raw);
    const raw = this.#hasOpenComment ? (/^[^]*?(?=\n[ \t]*\n|$)/.exec(src)?.[0] ?? src) : token.raw;
    const text = raw.trim();
    const block: Token = isOnlyMarkup(text) ? { type: 'space', raw } : { type: 'paragraph', raw, text, tokens: this.lexer.inline(text) };
    return block as Tokens.HTML;
  }

  /** What can be unfolded: `<details>` up to its end, with what Markdown is in it. */
  #details(src: string): Tokens.HTML | undefined {
    const opening = /^ {0,3}<details\b[^>]*>/i.exec(src)?.[0];
    if (opening === undefined) return undefined;
    let depth = 0;
    let close: RegExpExecArray | undefined;
    for (const tag of src.matchAll(/<(\/?)details\b[^>]*>/gi)) {
      depth += tag[1] === '' ? 1 : -1;
      if (depth > 0) continue;
      close = tag;
      break;
    }
    const inner = src.slice(opening.length, close?.index);
    const [head = '', summary = ''] = /^\s*<summary\b[^>]*>\s*([^\n]*?)\s*(?:<\/summary>|\n|$)/i.exec(inner) ?? [];
    const { state } = this.lexer;
    const { top } = state;
    state.top = true;
    const tokens = this.lexer.blockTokens(inner.slice(head.length).replace(/^\s*\n/, ''), []);
    state.top = top;
    const raw = close === undefined ? src : src.slice(0, close.index + close[0].length);
    // One without an end hides nothing, unless its end may come.
    const details: DetailsToken = { type: 'details', raw, summary: this.lexer.inline(summary), tokens, isOpen: close === undefined && !this.isGrowing };
    return details as unknown as Tokens.HTML;
  }

  /** In a row with more cells than the table has columns, a pipe in code or in a formula is no border. */
  override table(src: string): Tokens.Table | undefined {
    const [whole, head = '', delimiter = ''] = this.rules.block.table.exec(src) ?? [];
    if (whole === undefined) return undefined;
    const columns = cellsOf(delimiter).length;
    const rows = whole.split('\n').map((row) => (cellsOf(row).length > columns ? withPipesAsText(row) : row));
    const escaped = rows.join('\n');
    if (escaped === whole || head === '') return super.table(src);
    const token = super.table(escaped);
    return token === undefined ? undefined : { ...token, raw: whole.replace(/\n+$/, '') };
  }

  /** A line of `=` in a formula underlines no heading. */
  override lheading(src: string): Tokens.Heading | undefined {
    return super.lheading(this.clip(src));
  }

  /** A version is no address: `lodash@4.17.21`. */
  override url(src: string): Tokens.Link | undefined {
    const link = super.url(src);
    return link !== undefined && /^mailto:.*\.\d+$/.test(link.href) ? undefined : link;
  }

  override emStrong(src: string, maskedSrc: string, prevChar = ''): Tokens.Em | Tokens.Strong | undefined {
    // Between numbers, stars multiply: `5*4*3` and `2**10`.
    if (/\d/.test(prevChar) && /^\*{1,2}\d/.test(src)) return undefined;
    return super.emStrong(src, maskedSrc, src.startsWith('*') ? before(maskedSrc, maskedSrc.length - src.length, prevChar) : prevChar);
  }

  /** Only two tildes strike through: "3~5 days, 100~200" is two ranges. */
  override del(src: string, maskedSrc: string, prevChar = ''): Tokens.Del | undefined {
    if (!src.startsWith('~~')) return undefined;
    return super.del(src, maskedSrc, before(maskedSrc, maskedSrc.length - src.length, prevChar));
  }
}

export interface DetailsToken {
  type: 'details';
  raw: string;
  summary: Token[];
  tokens: Token[];
  isOpen: boolean;
}

function withPipesAsText(row: string): string {
  let text = '';
  for (let index = 0; index < row.length; ) {
    const end = Math.min(formulaAt(row, index)?.end ?? afterOther(row, index), row.length);
    const piece = row.slice(index, end);
    text += piece.length > 1 && !piece.startsWith('\\|') ? piece.replace(/(?<!\\)\|/g, '\\|') : piece;
    index = end;
  }
  return text;
}

export interface FormulaToken {
  type: 'formula';
  raw: string;
  tex: string;
  display: boolean;
}

/** The formulas of one text. Marked hands over what is left of it: its length says where that begins. */
class Placed {
  readonly formulas: readonly Formula[];
  readonly #length: number;
  #next = 0;

  constructor(text: string, formulas: readonly Formula[]) {
    this.#length = text.length;
    this.formulas = formulas;
  }

  token(rest: string): FormulaToken | undefined {
    const formula = this.#from(rest);
    const at = this.#length - rest.length;
    if (formula?.start !== at) return undefined;
    return { type: 'formula', raw: rest.slice(0, formula.end - at), tex: formula.tex, display: formula.display };
  }

  /** How far it is to the next one. */
  ahead(rest: string): number | undefined {
    const formula = this.#from(rest);
    return formula === undefined ? undefined : formula.start - (this.#length - rest.length);
  }

  /** A text is read from its beginning to its end, so what was passed is passed for good. */
  #from(rest: string): Formula | undefined {
    const at = this.#length - rest.length;
    for (; ; this.#next += 1) {
      const formula = this.formulas[this.#next];
      if (formula === undefined || formula.start >= at) return formula;
    }
  }
}

export class BoundedLexer extends Lexer {
  /** Work done by the estimate; tests hold it to a limit. */
  steps = 0;
  /** Something was too dear and is shown plain: how much was left depends on all that came before. */
  isBounded = false;
  #left: number;
  #inlineLeft = 0;
  #blockDepth = 0;
  #inlineDepth = 0;
  /** Of the text that is being read now: lists and emphasis read what is inside them anew. */
  #blocks = new Placed('', []);
  #inline = new Placed('', []);

  constructor(length: number, isGrowing = false) {
    const tokenizer = new StrictTokenizer();
    tokenizer.isGrowing = isGrowing;
    super({ gfm: true, tokenizer });
    tokenizer.rules = { ...tokenizer.rules, inline: { ...inlineRules(), url: bareLink() } };
    this.#left = BASE_STEPS + STEPS_PER_CHARACTER * length;
    tokenizer.clip = (src) => src.slice(0, this.#blocks.ahead(src));
    this.options.extensions = {
      renderers: {},
      childTokens: {},
      block: [(src) => this.#blocks.token(src)],
      startBlock: [(src) => this.#blocks.ahead(src)],
      inline: [(src) => this.#inline.token(src)],
      startInline: [(src) => this.#inline.ahead(src)],
    };
    // The class of this name would bring what turns tokens into HTML.
    this.options.hooks = { emStrongMask: (masked: string) => this.#mask(masked) } as unknown as Hooks;
  }

  /** Stars and underscores in formulas end no emphasis, nor do stars between numbers. */
  #mask(whole: string): string {
    const masked = whole.replace(/(?<=\d)\*{1,2}(?=\d)/g, (stars) => 'a'.repeat(stars.length));
    let text = '';
    let last = 0;
    for (const { start, end } of this.#inline.formulas) {
      text += `${masked.slice(last, start)}[${'a'.repeat(end - start - 2)}]`;
      last = end;
    }
    return text + masked.slice(last);
  }

  override blockTokens(src: string, tokens?: Token[], clipped?: boolean): Token[];
  override blockTokens(src: string, tokens?: TokensList, clipped?: boolean): TokensList;
  override blockTokens(src: string, tokens: Token[] = [], clipped?: boolean): Token[] {
    if (this.#blockDepth > MAX_DEPTH) {
      tokens.push(plainBlock(src));
      return tokens;
    }
    this.steps += src.length;
    this.#blockDepth += 1;
    const outer = this.#blocks;
    this.#blocks = new Placed(src, blockFormulasIn(src));
    try {
      return super.blockTokens(src, tokens, clipped);
    } finally {
      this.#blockDepth -= 1;
      this.#blocks = outer;
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#inlineDepth === 0) this.#inlineLeft = Math.min(MAX_INLINE_STEPS, this.#left);
    const steps = inlineSteps(src);
    if (steps > this.#inlineLeft) {
      this.isBounded = true;
      tokens.push(plainText(src));
      return tokens;
    }
    this.steps += steps;
    this.#left -= steps;
    this.#inlineLeft -= steps;
    this.#inlineDepth += 1;
    const outer = this.#inline;
    this.#inline = new Placed(src, formulasIn(src));
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.#inlineDepth -= 1;
      this.#inline = outer;
    }
  }
}

/** A paragraph of text in which nothing means anything. */
function plainBlock(src: string): Token {
  return { type: 'paragraph', raw: src, text: src, tokens: [plainText(src)] };
}

function plainText(src: string): Token {
  return { type: 'text', raw: src, text: src, escaped: false };
}

/** How often a character is looked at, at worst. */
function inlineSteps(src: string): number {
  let markers = 1;
  let steps = 0;
  // The characters that an e-mail address may have before its `@`, which are tried from each of them.
  let local = 0;
  // The punctuation since the last blank, which is taken off the end of a bare address bit by bit.
  let word = 0;
  let punctuation = 0;
  // A pair such as `**` is looked for as one; longer runs are tried at each of their lengths.
  let run = 0;
  for (let index = 0; index < src.length; index += 1) {
    const code = src.charCodeAt(index);
    const kind = KINDS[code] ?? LETTER;
    run = index > 0 && src.charCodeAt(index - 1) === code ? run + 1 : 1;
    if (kind === BLANK) {
      steps += word * punctuation;
      word = 0;
      punctuation = 0;
      local = 0;
      continue;
    }
    word += 1;
    if (kind === AT) {
      steps += local * local;
      local = 0;
    } else local += 1;
    if ((kind & MARKER) !== 0) markers += run === 2 ? 0 : run === 3 ? 2 : 1;
    if ((kind & PUNCTUATION) !== 0) punctuation += 1;
  }
  return steps + word * punctuation + src.length * markers;
}

const LETTER = 0;
const MARKER = 1;
const PUNCTUATION = 2;
const BLANK = 4;
const AT = 8;

const KINDS: Readonly<Record<number, number>> = kinds([
  [' \t\n', BLANK],
  ['@', AT],
  ['[`<\\', MARKER],
  ['*_~', MARKER | PUNCTUATION],
  ['?!.,:;\'"()&', PUNCTUATION],
]);

function kinds(table: readonly (readonly [string, number])[]): Record<number, number> {
  return Object.fromEntries(table.flatMap(([characters, kind]) => Array.from(characters, (character) => [character.charCodeAt(0), kind])));
}
