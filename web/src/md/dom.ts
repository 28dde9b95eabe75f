/**
 * Tokens to DOM nodes, and the in-place change from one token to its longer successor. The invariant
 * everything here keeps: one visible token is exactly one node, so a position in a token list is a
 * position among a node's children.
 */
import type { DetailsToken, FormulaToken } from './bounded-lexer';
import { decodeEntities } from './entities';
import { foldInlineHtml, type ElementToken } from './html';
import { isVisible, type Token, type Tokens } from './lexer';
import { unmarked } from './marks';
import { deeplinkOf, safeImage, safeLink } from './safe-url';

export interface RenderContext {
  /** Base of relative links: the page's. */
  readonly baseUri: string;
  readonly allowedImageDomains: readonly string[] | null;
  readonly labels: { readonly copy: string; readonly done: string; readonly open: string };
  /** Called with each code block whose text is complete. */
  readonly onCode?: (block: HTMLElement) => void;
  /** Called with the place of each formula, which shows its source until then. */
  readonly onFormula?: (place: HTMLElement, tex: string, display: boolean) => void;
  /** Makes what stands for a reference (`marks.ts`). */
  readonly onMark?: (group: number) => Node | null;
}

/** Lines of code per element: layout of one ever-growing text node is quadratic. */
export const LINES_PER_GROUP = 40;

function element<K extends keyof HTMLElementTagNameMap>(tag: K, className?: string): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (className !== undefined) node.className = className;
  return node;
}

// --- Blocks ---

export function buildBlock(token: Token, context: RenderContext, loose = true): Node {
  switch (token.type) {
    case 'paragraph':
      return withInline(element('p'), tokensOf(token), context);
    case 'text':
      return withInline(loose ? element('p') : element('span'), inlineOfText(token as Tokens.Text), context);
    case 'heading':
      return withInline(headingElement((token as Tokens.Heading).depth), tokensOf(token), context);
    case 'code':
      return buildCode(token as Tokens.Code, context);
    case 'blockquote':
      return withBlocks(element('blockquote'), tokensOf(token), context);
    case 'details':
      return buildDetails(token as DetailsToken, context);
    case 'hr':
      return element('hr');
    case 'list':
      return buildList(token as Tokens.List, context);
    case 'table':
      return buildTable(token as Tokens.Table, context);
    case 'checkbox':
      return buildCheckbox((token as Tokens.Checkbox).checked, context);
    case 'formula':
      return buildFormula(element('div', 'formula'), token as FormulaToken, context);
    default: {
      // Scripts and the like, and whatever a newer lexer brings: shown as text.
      const paragraph = element('p');
      paragraph.append(document.createTextNode(token.raw.trimEnd()));
      return paragraph;
    }
  }
}

function withBlocks<T extends HTMLElement>(parent: T, tokens: readonly Token[], context: RenderContext, loose = true): T {
  for (const token of tokens) if (isVisible(token)) parent.append(buildBlock(token, context, loose));
  return parent;
}

/** Its level is its place in the outline (`outline.ts`), whatever the model counted. */
function headingElement(depth: number): HTMLElement {
  const heading = element('div', `h${Math.min(depth, 6)}`);
  heading.setAttribute('role', 'heading');
  return heading;
}

/** The text behind each code block's copy button. */
export const codeText = new WeakMap<Element, string>();

function buildCode(token: Tokens.Code, context: RenderContext): HTMLElement {
  const block = codeFrame((token.lang ?? '').trim(), context);
  const code = block.querySelector('code');
  const text = unmarked(token.text);
  if (code !== null) new CodeWriter(code).append(text);
  codeText.set(block, text);
  context.onCode?.(block);
  return block;
}

/** An empty code block: a bar with the language and a copy button, and a scrollable body. */
export function codeFrame(info: string, context: RenderContext): HTMLElement {
  const language = /^[\w+#.-]{1,30}/.exec(info)?.[0] ?? '';
  const block = element('div', 'code-block');
  const bar = element('div', 'code-bar');
  const name = element('span');
  name.textContent = language;
  const copy = element('button', 'code-copy');
  copy.type = 'button';
  copy.textContent = context.labels.copy;
  copy.dataset['copy'] = 'code';
  bar.append(name, copy);
  const body = element('pre');
  // A scrollable area must be reachable by keyboard.
  body.tabIndex = 0;
  const code = element('code');
  if (language !== '') code.dataset['language'] = language;
  body.append(code);
  block.append(bar, body);
  return block;
}

/** Appends text to a code element, a new line group every so many lines. */
export class CodeWriter {
  readonly #code: HTMLElement;
  #text: Text | null = null;
  #lines = 0;

  constructor(code: HTMLElement) {
    this.#code = code;
  }

  append(text: string): void {
    let start = 0;
    while (start < text.length) {
      const feed = text.indexOf('\n', start);
      const end = feed === -1 ? text.length : feed + 1;
      this.#node().appendData(text.slice(start, end));
      if (feed !== -1) {
        this.#lines += 1;
        if (this.#lines % LINES_PER_GROUP === 0) this.#text = null;
      }
      start = end;
    }
  }

  #node(): Text {
    if (this.#text === null) {
      const group = element('span', 'lines');
      this.#text = document.createTextNode('');
      group.append(this.#text);
      this.#code.append(group);
    }
    return this.#text;
  }
}

function buildDetails(token: DetailsToken, context: RenderContext): HTMLElement {
  const details = element('details');
  details.open = token.isOpen;
  // Without one, the browser has a word for it.
  if (token.summary.length > 0) details.append(withInline(element('summary'), token.summary, context));
  details.append(withBlocks(element('div'), token.tokens, context));
  return details;
}

function buildList(token: Tokens.List, context: RenderContext): HTMLElement {
  const list = token.ordered ? element('ol') : element('ul');
  if (list instanceof HTMLOListElement && typeof token.start === 'number' && token.start !== 1) list.start = token.start;
  for (const item of token.items) list.append(buildListItem(item, context));
  return list;
}

function buildListItem(item: Tokens.ListItem, context: RenderContext): HTMLElement {
  const node = element('li', item.task ? 'task-item' : undefined);
  return withBlocks(node, item.tokens, context, item.loose);
}

function buildCheckbox(checked: boolean, { labels }: RenderContext): HTMLElement {
  const box = element('input');
  box.type = 'checkbox';
  box.checked = checked;
  box.toggleAttribute('checked', checked);
  box.disabled = true;
  box.setAttribute('aria-label', checked ? labels.done : labels.open);
  return box;
}

function buildTable(token: Tokens.Table, context: RenderContext): HTMLElement {
  const scroller = element('div', 'table-scroll');
  scroller.tabIndex = 0;
  const table = element('table');
  const head = element('thead');
  head.append(buildRow(token.header, 'th', context));
  const body = element('tbody');
  for (const row of token.rows) body.append(buildRow(row, 'td', context));
  table.append(head, body);
  scroller.append(table);
  return scroller;
}

function buildRow(cells: readonly Tokens.TableCell[], tag: 'th' | 'td', context: RenderContext): HTMLElement {
  const row = element('tr');
  for (const cell of cells) {
    const node = withInline(element(tag), cell.tokens, context);
    if (cell.align !== null) node.className = `align-${cell.align}`;
    row.append(node);
  }
  return row;
}

function buildFormula<T extends HTMLElement>(place: T, token: FormulaToken, { onFormula }: RenderContext): T {
  place.textContent = unmarked(token.raw.trim());
  onFormula?.(place, unmarked(token.tex), token.display);
  return place;
}

// --- Inline ---

function inlineOfText(token: Tokens.Text): Token[] {
  return token.tokens ?? [token];
}

function withInline<T extends HTMLElement>(parent: T, tokens: readonly Token[], context: RenderContext): T {
  for (const token of foldInlineHtml(tokens)) parent.append(buildInline(token, context));
  return parent;
}

export function buildInline(token: Token, context: RenderContext): Node {
  switch (token.type) {
    case 'text':
      if (token.tokens !== undefined) return withInline(element('span'), token.tokens, context);
      return document.createTextNode(decodeEntities((token as Tokens.Text).text));
    case 'escape':
      return document.createTextNode((token as Tokens.Escape).text);
    case 'strong':
    case 'em':
    case 'del':
      return withInline(element(token.type), tokensOf(token), context);
    case 'codespan': {
      const code = element('code', 'inline-code');
      code.textContent = unmarked((token as Tokens.Codespan).text);
      return code;
    }
    case 'br':
    case 'hr':
      return element(token.type);
    case 'link':
      return buildLink(token as Tokens.Link, context);
    case 'image':
      return buildImage(token as Tokens.Image, context);
    case 'element': {
      const { tag, tokens } = token as ElementToken;
      const node = withInline(document.createElement(tag), tokens, context);
      if (tag === 'code') node.className = 'inline-code';
      return node;
    }
    case 'checkbox':
      return buildCheckbox((token as Tokens.Checkbox).checked, context);
    case 'formula':
      return buildFormula(element('span', 'formula'), token as FormulaToken, context);
    default:
      return document.createTextNode(token.raw);
  }
}

function buildLink(token: Tokens.Link, context: RenderContext): HTMLElement {
  const href = unmarked(token.autolink === true ? token.href : decodeEntities(token.href));
  if (deeplinkOf(href) !== null) {
    const button = withInline(element('button', 'deeplink'), token.tokens, context);
    button.type = 'button';
    button.dataset['deeplink'] = href;
    return button;
  }
  // An address that is not there would be that of the page.
  const target = href === '' ? null : safeLink(href, context.baseUri);
  if (target === null) return withInline(element('span'), token.tokens, context);
  return withInline(anchor(target), token.tokens, context);
}

function anchor(href: string): HTMLAnchorElement {
  const link = element('a');
  link.href = href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  return link;
}

function buildImage(token: Tokens.Image, context: RenderContext): Node {
  const source = unmarked(decodeEntities(token.href));
  const allowed = safeImage(source, context.baseUri, context.allowedImageDomains);
  if (allowed !== null) {
    const image = element('img');
    image.src = allowed;
    image.alt = unmarked(decodeEntities(token.text));
    image.referrerPolicy = 'no-referrer';
    image.loading = 'lazy';
    return image;
  }
  // Not loaded by itself; the person may open it.
  const label = unmarked(decodeEntities(token.text)) || 'image';
  const target = safeLink(source, context.baseUri);
  const node = target === null ? element('span') : anchor(target);
  node.classList.add('image-link');
  node.textContent = label;
  return node;
}

// --- Change in place ---

/** Changes `node`, built from `before`, into what `after` would build. `false`: it has to be replaced. */
export function patchBlock(node: Node, before: Token, after: Token, context: RenderContext): boolean {
  if (before.type !== after.type || !(node instanceof HTMLElement)) return false;
  switch (after.type) {
    case 'paragraph':
      patchInline(node, tokensOf(before), tokensOf(after), context);
      return true;
    case 'text':
      patchInline(node, inlineOfText(before as Tokens.Text), inlineOfText(after as Tokens.Text), context);
      return true;
    case 'heading':
      if ((before as Tokens.Heading).depth !== (after as Tokens.Heading).depth) return false;
      patchInline(node, tokensOf(before), tokensOf(after), context);
      return true;
    case 'blockquote':
      patchBlocks(node, tokensOf(before), tokensOf(after), context, true);
      return true;
    case 'details':
      return patchDetails(node, before as DetailsToken, after as DetailsToken, context);
    case 'list':
      return patchList(node, before as Tokens.List, after as Tokens.List, context);
    case 'table':
      return patchTable(node, before as Tokens.Table, after as Tokens.Table, context);
    default:
      return false;
  }
}

/** What is inside grows; whether somebody has unfolded it stays. */
function patchDetails(node: HTMLElement, before: DetailsToken, after: DetailsToken, context: RenderContext): boolean {
  const body = node.lastElementChild;
  if (!(body instanceof HTMLElement) || before.isOpen !== after.isOpen || rawOf(before.summary) !== rawOf(after.summary)) return false;
  patchBlocks(body, before.tokens, after.tokens, context, true);
  return true;
}

function rawOf(tokens: readonly Token[]): string {
  return tokens.map(({ raw }) => raw).join('');
}

function tokensOf(token: Token): Token[] {
  return (token as Tokens.Generic).tokens ?? [];
}

function patchBlocks(parent: HTMLElement, before: readonly Token[], after: readonly Token[], context: RenderContext, loose: boolean): void {
  const old = before.filter(isVisible);
  const next = after.filter(isVisible);
  next.forEach((token, index) => {
    const known = old[index];
    const child = parent.childNodes[index];
    if (known === undefined || child === undefined) parent.append(buildBlock(token, context, loose));
    else if (known.raw === token.raw && known.type === token.type) return;
    else if (!patchBlock(child, known, token, context)) child.replaceWith(buildBlock(token, context, loose));
  });
  trim(parent, next.length);
}

function patchInline(parent: HTMLElement, before: readonly Token[], after: readonly Token[], context: RenderContext): void {
  const old = foldInlineHtml(before);
  const next = foldInlineHtml(after);
  next.forEach((token, index) => {
    const known = old[index];
    const child = parent.childNodes[index];
    if (known === undefined || child === undefined) parent.append(buildInline(token, context));
    else if (known.raw === token.raw && known.type === token.type) return;
    else if (child instanceof Text && isPlainText(known) && isPlainText(token)) setText(child, token);
    else child.replaceWith(buildInline(token, context));
  });
  trim(parent, next.length);
}

function isPlainText(token: Token): boolean {
  return token.type === 'text' && token.tokens === undefined;
}

/** Appending keeps a selection alive and costs less than a new text. */
function setText(node: Text, token: Token): void {
  const text = decodeEntities((token as Tokens.Text).text);
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

function patchList(node: HTMLElement, before: Tokens.List, after: Tokens.List, context: RenderContext): boolean {
  if (before.ordered !== after.ordered || before.start !== after.start) return false;
  after.items.forEach((item, index) => {
    const known = before.items[index];
    const child = node.children[index];
    if (known === undefined || !(child instanceof HTMLElement)) node.append(buildListItem(item, context));
    else if (known.loose !== item.loose || known.task !== item.task) child.replaceWith(buildListItem(item, context));
    else if (known.raw !== item.raw) patchBlocks(child, known.tokens, item.tokens, context, item.loose);
  });
  trim(node, after.items.length);
  return true;
}

function patchTable(node: HTMLElement, before: Tokens.Table, after: Tokens.Table, context: RenderContext): boolean {
  const body = node.querySelector('tbody');
  if (body === null || !sameCells(before.header, after.header)) return false;
  after.rows.forEach((row, index) => {
    const known = before.rows[index];
    const child = body.children[index];
    if (known === undefined || child === undefined) body.append(buildRow(row, 'td', context));
    else if (!sameCells(known, row)) child.replaceWith(buildRow(row, 'td', context));
  });
  trim(body, after.rows.length);
  return true;
}

function sameCells(left: readonly Tokens.TableCell[], right: readonly Tokens.TableCell[]): boolean {
  return left.length === right.length && left.every((cell, index) => cell.text === right[index]?.text && cell.align === right[index].align);
}

function trim(parent: Node, length: number): void {
  while (parent.childNodes.length > length) parent.lastChild?.remove();
}
