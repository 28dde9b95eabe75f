/**
 * Markdown text to tokens: GitHub-flavoured, by marked's lexer. Only the lexer of that library is
 * used; tokens become DOM nodes in `dom.ts`, and no HTML string exists anywhere.
 */
import type { Links, Token, Tokens } from 'marked';
import { BoundedLexer } from './bounded-lexer';

export type { Links, Token, Tokens };

/** Inline HTML of these names, without attributes, is made a real element; all else stays text. */
const INLINE_TAGS: ReadonlySet<string> = new Set(['sub', 'sup', 'kbd', 'mark', 'u', 's', 'b', 'i', 'em', 'strong', 'del', 'ins']);

export interface ElementToken {
  type: 'element';
  raw: string;
  tag: string;
  tokens: Token[];
}

export interface Lexed {
  tokens: Token[];
  links: Links;
  /** The work that it took. */
  steps: number;
  isBounded: boolean;
}

/** Lexes a whole text. */
export function lex(source: string): Lexed {
  return read(source, Object.create(null) as Links);
}

/** Lexes the end of a text that grows, with the definitions of what came before: its own may be half received. */
export function lexTail(source: string, links: Readonly<Links>): Lexed {
  return read(source, new Proxy(Object.assign(Object.create(null) as Links, links), { set: () => true }));
}

function read(source: string, links: Links): Lexed {
  const lexer = new BoundedLexer(source.length);
  lexer.tokens.links = links;
  const tokens = lexer.lex(source);
  return { tokens, links, steps: lexer.steps, isBounded: lexer.isBounded };
}

/** The definitions in a block, those inside quotations and lists too. */
export function definitionsIn(token: Token): Tokens.Def[] {
  if (token.type === 'def') return [token as Tokens.Def];
  const { tokens = [], items = [] } = token as { tokens?: Token[]; items?: Token[] };
  return token.type === 'blockquote' || token.type === 'list' || token.type === 'list_item' ? [...tokens, ...items].flatMap(definitionsIn) : [];
}

export function isVisible(token: Token): boolean {
  return token.type !== 'space' && token.type !== 'def';
}

/** Inline tokens with paired allow-listed tags folded into one token each, so that one token is one node. */
export function foldInlineHtml(tokens: readonly Token[]): Token[] {
  if (!tokens.some(({ type }) => type === 'html')) return [...tokens];
  const folded: Token[] = [];
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) break;
    const tag = token.type === 'html' ? tagOf(token.raw) : null;
    if (tag === 'br') {
      folded.push({ type: 'br', raw: token.raw });
      continue;
    }
    const end = tag !== null && INLINE_TAGS.has(tag) ? closingIndex(tokens, index, tag) : -1;
    if (tag === null || end === -1) {
      folded.push(token);
      continue;
    }
    const inner = tokens.slice(index + 1, end);
    const raw = tokens.slice(index, end + 1).map((part) => part.raw).join('');
    const element: ElementToken = { type: 'element', raw, tag, tokens: foldInlineHtml(inner) };
    folded.push(element);
    index = end;
  }
  return folded;
}

function tagOf(raw: string): string | null {
  return /^<([a-z]+)\s*\/?>$/i.exec(raw)?.[1]?.toLowerCase() ?? null;
}

function closingIndex(tokens: readonly Token[], from: number, tag: string): number {
  const closing = `</${tag}>`;
  return tokens.findIndex((token, index) => index > from && token.type === 'html' && token.raw.toLowerCase() === closing);
}
