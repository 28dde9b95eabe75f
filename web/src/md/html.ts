/**
 * HTML that models write into Markdown. Some tags become elements, never with an attribute but the address of a
 * link or a picture; comments and wrappers go away; whatever else looks like a tag is text, as `List<String>` is.
 */
import type { Token, Tokens } from 'marked';

export interface ElementToken {
  type: 'element';
  raw: string;
  tag: string;
  tokens: Token[];
}

/** Elements in a line. */
const INLINE = 'sub|sup|kbd|mark|u|s|b|i|em|strong|del|ins|code|small|q|var|samp|abbr|span|font';
/** Elements that lines are in. */
const BLOCK = 'p|div|center|ul|ol|li|table|thead|tbody|tr|th|td|blockquote';
const TAG = /^<(\/?)([a-z][a-z\d]*)(?=[\s/>])[^]*>$/i;
const isInline = new RegExp(`^(?:${INLINE})$`);
const isBlock = new RegExp(`^(?:${BLOCK})$`);
const MARKUP = new RegExp(`<!--[^]*?-->|</?(?:details|summary|section|article|header|footer|main|figure|${BLOCK})\\b[^<>]*>`, 'gi');

/** Whether a piece of HTML is only comments, and wrappers around other blocks. */
export function isOnlyMarkup(html: string): boolean {
  return html.replace(MARKUP, '').trim() === '';
}

/** The tag that a text of the end of a stream leaves open here, as what closes it. */
export function closingTag(tag: string): string | null {
  const [, slash, name = ''] = TAG.exec(tag) ?? [];
  return slash === '' && isInline.test(name.toLowerCase()) ? `</${name}>` : null;
}

/** Inline tokens with paired tags folded into one token each, so that one token is one node. */
export function foldInlineHtml(tokens: readonly Token[], inBlock = false): Token[] {
  if (!inBlock && !tokens.some(({ type }) => type === 'html')) return [...tokens];
  const folded: Token[] = [];
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) break;
    const { raw } = token;
    if (token.type !== 'html') folded.push(token);
    else if (!raw.startsWith('<!--')) {
      const [, slash, name = ''] = TAG.exec(raw) ?? [];
      const tag = name.toLowerCase();
      const end = slash === '' ? closingIndex(tokens, index, tag) : -1;
      if (tag === 'br' || tag === 'hr') folded.push({ type: tag, raw });
      else if (tag === 'img') folded.push({ type: 'image', raw, href: attribute(raw, 'src'), text: attribute(raw, 'alt') });
      else if (end !== -1 && (tag === 'a' || isInline.test(tag) || isBlock.test(tag))) {
        const whole = tokens.slice(index, end + 1).map((part) => part.raw).join('');
        const inner = foldInlineHtml(tokens.slice(index + 1, end), isBlock.test(tag));
        folded.push(tag === 'a' ? ({ type: 'link', raw: whole, href: attribute(raw, 'href'), tokens: inner }) : { type: 'element', raw: whole, tag, tokens: inner });
        index = end;
      } else folded.push(token);
    }
  }
  return folded.map((token, index) => (token.type === 'text' ? trimmed(token as Tokens.Text, breaks(folded[index - 1], inBlock), breaks(folded[index + 1], inBlock)) : token));
}

/** Whether a line ends here without a line break. */
function breaks(beside: Token | undefined, inBlock: boolean): boolean {
  if (beside === undefined) return inBlock;
  return beside.type === 'br' || beside.type === 'hr' || (beside.type === 'element' && isBlock.test((beside as ElementToken).tag));
}

/** A line break of the source beside one that there is anyway would be an empty line. */
function trimmed(token: Tokens.Text, atStart: boolean, atEnd: boolean): Token {
  let { text } = token;
  if (atStart) text = text.replace(/^\s*\n\s*/, '');
  if (atEnd) text = text.replace(/\s*\n\s*$/, '');
  // What it is compared by says what is shown.
  return text === token.text ? token : { ...token, raw: text, text };
}

function attribute(tag: string, name: string): string {
  const [, double, single, bare] = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag) ?? [];
  return double ?? single ?? bare ?? '';
}

function closingIndex(tokens: readonly Token[], from: number, tag: string): number {
  let depth = 0;
  return tokens.findIndex(({ type, raw }, index) => {
    if (index < from || type !== 'html') return false;
    const [, slash, name = ''] = TAG.exec(raw) ?? [];
    if (name.toLowerCase() === tag) depth += slash === '' ? 1 : -1;
    return depth === 0;
  });
}
