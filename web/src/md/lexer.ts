/**
 * Markdown text to tokens: GitHub-flavoured, by marked's lexer. Only the lexer of that library is
 * used; tokens become DOM nodes in `dom.ts`, and no HTML string exists anywhere.
 */
import type { Links, Token, Tokens } from 'marked';
import { BoundedLexer } from './bounded-lexer';

export type { Links, Token, Tokens };

export interface Lexed {
  tokens: Token[];
  links: Links;
  /** The work that it took. */
  steps: number;
  isBounded: boolean;
}

/** Lexes a whole text. */
export function lex(source: string): Lexed {
  return read(source, Object.create(null) as Links, false);
}

/** Lexes the end of a text that grows, with the definitions of what came before: its own may be half received. */
export function lexTail(source: string, links: Readonly<Links>): Lexed {
  return read(source, new Proxy(Object.assign(Object.create(null) as Links, links), { set: () => true }), true);
}

function read(source: string, links: Links, isGrowing: boolean): Lexed {
  const lexer = new BoundedLexer(source.length, isGrowing);
  lexer.tokens.links = links;
  const tokens = lexer.lex(source);
  return { tokens, links, steps: lexer.steps, isBounded: lexer.isBounded };
}

/** The definitions in a block, those inside quotations, lists and `<details>` too. */
export function definitionsIn(token: Token): Tokens.Def[] {
  if (token.type === 'def') return [token as Tokens.Def];
  const { tokens = [], items = [] } = token as { tokens?: Token[]; items?: Token[] };
  return token.type === 'blockquote' || token.type === 'details' || token.type === 'list' || token.type === 'list_item' ? [...tokens, ...items].flatMap(definitionsIn) : [];
}

export function isVisible(token: Token): boolean {
  return token.type !== 'space' && token.type !== 'def';
}
