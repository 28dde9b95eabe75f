/**
 * The streaming Markdown view: text that grows becomes DOM that grows.
 *
 * All but the last two top-level blocks are final and never touched again, so selections, copy
 * buttons and scroll positions inside them survive. An open code fence is not lexed at all; its text
 * is appended. When the text is complete, one full parse reconciles what an early look got wrong
 * (late link definitions, lists that turn loose). A definition counts once it is final, too: half an
 * address is another address.
 */
import { buildBlock, codeFrame, codeText, CodeWriter, patchBlock, type RenderContext } from './dom';
import { Fence } from './fence';
import { definitionsIn, isVisible, lex, lexTail, type Lexed, type Links, type Token } from './lexer';
import { isMarked, placeMarks, unmarked } from './marks';
import { outline, type Open } from './outline';
import { Places } from './places';
import { repairTail } from './repair';

interface Block {
  token: Token;
  node: Node;
}

interface OpenFence {
  readonly reader: Fence;
  readonly writer: CodeWriter;
  readonly node: HTMLElement;
  readonly info: string;
  /** Where the fence's block begins in the text. */
  readonly blockStart: number;
  /** Where its code begins. */
  readonly codeStart: number;
  /** Up to where code was appended. */
  written: number;
  /** Start of the line that is not yet complete. */
  lineStart: number;
}

/** Work done, as integers: tests hold these to a limit on any machine. */
export interface Counters {
  flushes: number;
  lexedCharacters: number;
  /** What the lexer did, as `BoundedLexer` counts it. */
  lexerSteps: number;
  blocksBuilt: number;
  /** Blocks whose headings were looked at. */
  blocksOutlined: number;
}

const TAIL_BLOCKS = 2;
/** At the end, a text longer than this is parsed from its tail on: what is final would be a long task to parse again. */
const PARSED_AGAIN = 64_000;

export class MarkdownView {
  readonly counters: Counters = { flushes: 0, lexedCharacters: 0, lexerSteps: 0, blocksBuilt: 0, blocksOutlined: 0 };
  readonly #places: Places;
  readonly #context: RenderContext;
  #text = '';
  /** Where the tail, the part that is still lexed, begins. */
  #base = 0;
  /** How many blocks come before the tail. */
  #stable = 0;
  #blocks: Block[] = [];
  #links = noLinks();
  /** A block was built from a text that cost too much: one parse of the whole decides what it looks like. */
  #isBounded = false;
  #fence: OpenFence | null = null;
  /** The headings that the tail stands under. */
  #above: Open = [];
  /** A heading came since the levels were set. */
  #isOutlined = true;

  constructor(host: HTMLElement, context: RenderContext) {
    this.#places = new Places(host);
    this.#context = context;
  }

  /** How much of the text is final: what comes before this place is not looked at again until the end. */
  get settled(): number {
    return this.#fence === null ? this.#base : this.#text.length;
  }

  /** Shows `text`; cheap when it continues the text of the last call. `complete` says nothing will follow. */
  render(text: string, complete: boolean): void {
    const next = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
    // The last parse compares block by block, so marks that come with the end leave the others alone.
    if (!complete && !next.startsWith(this.#text) && !next.startsWith(this.#text.slice(0, this.settled))) this.#restart();
    // Marks that come with the end shift what is behind them.
    const mayKeep = complete && next.startsWith(this.#text.slice(0, this.#base));
    this.#text = next;
    this.#places.leaveBehind(this.#stable);
    this.counters.flushes += 1;
    if (complete) this.#finish(mayKeep);
    else if (this.#fence === null || this.#continueFence(this.#fence)) this.#renderTail();
    if (!this.#isOutlined) this.#outline(this.#blocks.slice(this.#stable));
    this.#isOutlined = true;
  }

  #restart(): void {
    this.#places.clear();
    this.#base = 0;
    this.#stable = 0;
    this.#blocks = [];
    this.#links = noLinks();
    this.#isBounded = false;
    this.#above = [];
    this.#fence = null;
  }

  #renderTail(): void {
    const source = copied(this.#text.slice(this.#base));
    const repaired = repairTail(source);
    this.counters.lexedCharacters += repaired.length;
    const tokens = this.#count(lexTail(repaired, this.#links));
    this.#show(tokens, this.#stable);
    const last = tokens.at(-1);
    if (last?.type === 'code' && this.#openFence(tokens, last)) return;
    this.#commit(tokens.slice(0, -TAIL_BLOCKS));
  }

  /** Makes the blocks from `from` on those of `tokens`, touching only what differs. */
  #show(tokens: readonly Token[], from: number): void {
    const visible = tokens.filter(isVisible);
    visible.forEach((token, index) => {
      const block = this.#blocks[from + index];
      if (block === undefined) {
        this.#add(token);
      } else if (block.token.raw !== token.raw || block.token.type !== token.type) {
        if (!this.#patch(block, token)) this.#replace(block, token);
        block.token = token;
      }
    });
    this.#shorten(from + visible.length);
  }

  /** Changes a block in place, where that can be: a mark is put into nodes that are new. */
  #patch(block: Block, token: Token): boolean {
    return !isMarked(block.token.raw) && !isMarked(token.raw) && patchBlock(block.node, block.token, token, this.#context);
  }

  #add(token: Token): void {
    const node = this.#build(token);
    this.#places.append(node, this.#blocks.length);
    this.#blocks.push({ token, node });
  }

  #shorten(length: number): void {
    for (const { node } of this.#blocks.splice(length).reverse()) this.#places.remove(node);
  }

  #build(token: Token): Node {
    this.counters.blocksBuilt += 1;
    const node = buildBlock(token, this.#context);
    // What grows inside a quotation or a list is not built anew, so those count as well.
    if (token.type === 'heading' || token.type === 'blockquote' || token.type === 'details' || token.type === 'list') this.#isOutlined = false;
    if (this.#context.onMark !== undefined) placeMarks(node, token.raw, this.#context.onMark);
    return node;
  }

  #replace(block: Block, token: Token): void {
    const node = this.#build(token);
    this.#places.replace(block.node, node);
    block.node = node;
    block.token = token;
  }

  /** Declares tokens at the start of the tail final. */
  #commit(tokens: readonly Token[]): void {
    const before = this.#stable;
    this.#settle(tokens);
    this.#above = this.#outline(this.#blocks.slice(before, this.#stable));
  }

  #outline(blocks: readonly Block[]): Open {
    this.counters.blocksOutlined += blocks.length;
    return outline(blocks.map(({ node }) => node), this.#above);
  }

  #settle(tokens: readonly Token[]): void {
    for (const token of tokens) {
      // A lexer that rewrote its input would shift everything after: then the tail just stays longer.
      if (!this.#text.startsWith(token.raw, this.#base)) return;
      this.#base += token.raw.length;
      if (isVisible(token)) this.#stable += 1;
      // Only a definition that is whole counts: half an address is another address.
      for (const { tag, href, title } of definitionsIn(token)) this.#links[tag] ??= { href, title };
    }
  }

  #count({ tokens, steps, isBounded }: Lexed): Token[] {
    this.counters.lexerSteps += steps;
    this.#isBounded ||= isBounded;
    return tokens;
  }

  // --- Open code fence ---

  /** Switches to appending if the last token is a fence that has not been closed. */
  #openFence(tokens: readonly Token[], last: Token): boolean {
    // The look ahead keeps a long run from being tried at each of its lengths.
    const opening = /^ {0,3}(`{3,}(?!`)|~{3,}(?!~))([^\n]*)\n/.exec(last.raw);
    if (opening === null) return false;
    const [line, fence = '', info = ''] = opening;
    if (isClosed(last.raw.slice(line.length), new Fence(fence, info))) return false;
    this.#commit(tokens.slice(0, -1));
    const block = this.#blocks[this.#stable];
    if (block === undefined || !this.#text.startsWith(line, this.#base)) return false;
    const node = codeFrame(info.trim(), this.#context);
    const code = node.querySelector('code');
    if (code === null) return false;
    this.#places.replace(block.node, node);
    block.node = node;
    // Only a closed fence has text to compare; one that never closes is rebuilt at the end.
    block.token = { type: 'code', raw: '', text: '' };
    const codeStart = this.#base + line.length;
    this.#fence = {
      reader: new Fence(fence, info),
      writer: new CodeWriter(code),
      node,
      info,
      blockStart: this.#base,
      codeStart,
      written: codeStart,
      lineStart: codeStart,
    };
    this.#continueFence(this.#fence);
    return true;
  }

  /** Appends what came; `true` when the fence was closed and normal rendering goes on. */
  #continueFence(fence: OpenFence): boolean {
    for (;;) {
      const end = this.#text.indexOf('\n', fence.lineStart);
      if (end === -1) break;
      if (fence.reader.isEnd(this.#text.slice(fence.lineStart, end))) {
        this.#closeFence(fence, end);
        return true;
      }
      fence.lineStart = end + 1;
    }
    // A last line that may turn out to be the end of the fence waits.
    const open = this.#text.slice(fence.lineStart);
    const mayBeEnd = /^ {0,3}[`~]* *$/.test(open);
    this.#writeFence(fence, mayBeEnd ? fence.lineStart : this.#text.length);
    codeText.set(fence.node, unmarked(this.#text.slice(fence.codeStart)));
    return false;
  }

  /** The last newline waits too, because it belongs to the code only if more code follows. */
  #writeFence(fence: OpenFence, end: number): void {
    const until = end > fence.codeStart && this.#text.charAt(end - 1) === '\n' ? end - 1 : end;
    if (until <= fence.written) return;
    // A reference inside code stands above it, once the text is whole.
    fence.writer.append(unmarked(this.#text.slice(fence.written, until)));
    fence.written = until;
  }

  #closeFence(fence: OpenFence, end: number): void {
    this.#writeFence(fence, fence.lineStart);
    const text = copied(this.#text.slice(fence.codeStart, Math.max(fence.codeStart, fence.lineStart - 1)));
    codeText.set(fence.node, unmarked(text));
    this.#context.onCode?.(fence.node);
    const block = this.#blocks[this.#stable];
    if (block !== undefined) {
      const raw = copied(this.#text.slice(fence.blockStart, end));
      block.token = { type: 'code', raw: isMarked(raw) ? '' : raw, lang: fence.info.trim(), text };
    }
    this.#base = end;
    this.#stable += 1;
    this.#fence = null;
  }

  // --- The end ---

  #finish(mayKeep: boolean): void {
    this.#fence = null;
    this.#isOutlined = false;
    const isLong = mayKeep && this.#base > PARSED_AGAIN && !this.#isBounded;
    const lexed = lex(isLong ? this.#text.slice(this.#base) : this.#text);
    const hasLinks = Object.keys(lexed.links).length > 0 || Object.keys(this.#links).length > 0;
    if (isLong && !hasLinks) this.#reconcile(lexed, this.#stable, false);
    else this.#reconcile(isLong ? lex(this.#text) : lexed, 0, hasLinks);
    this.#stable = 0;
    this.#base = 0;
    this.#above = [];
  }

  /** Makes the blocks from `from` on what one parse made of their text. */
  #reconcile(lexed: Lexed, from: number, hasLinks: boolean): void {
    const visible = this.#count(lexed).filter(isVisible);
    visible.forEach((token, index) => {
      const block = this.#blocks[from + index];
      if (block === undefined) {
        this.#add(token);
        return;
      }
      // A definition that came late may have turned any bracket before it into a link.
      const mayLink = hasLinks && token.raw.includes('[');
      const mayChange = mayLink || this.#isBounded || isUnfolded(token);
      // What is selected or unfolded in the last block, which the end has made longer, stays so.
      if (!mayChange && (isSameBlock(block.token, token) || this.#patch(block, token))) {
        block.token = token;
        return;
      }
      const node = this.#build(token);
      if (!node.isEqualNode(block.node)) {
        this.#places.replace(block.node, node);
        block.node = node;
      }
      block.token = token;
    });
    this.#shorten(from + visible.length);
  }
}

/**
 * The same characters with memory of their own. A part of a string keeps the whole string alive in V8,
 * so the blocks of a long answer would keep the text of every frame that one of them was made in.
 */
function copied(part: string): string {
  return ` ${part}`.slice(1);
}

/** Without a prototype: a label may have any name. */
function noLinks(): Links {
  return Object.create(null) as Links;
}

/** Compares the raw text, except for blank lines at the end; lists may become loose late. */
function isSameBlock(left: Token, right: Token): boolean {
  if (left.type !== right.type || left.raw.replace(/\n+$/, '') !== right.raw.replace(/\n+$/, '')) return false;
  if (left.type === 'code') return (left as { text?: string }).text === (right as { text?: string }).text;
  return true;
}

/** What has no end is unfolded, once it cannot come any more. */
function isUnfolded(token: Token): boolean {
  if (!/<details/i.test(token.raw)) return false;
  const { isOpen = false, tokens = [], items = [] } = token as { isOpen?: boolean; tokens?: Token[]; items?: Token[] };
  return isOpen || [...tokens, ...items].some(isUnfolded);
}

function isClosed(code: string, fence: Fence): boolean {
  return code.split('\n').some((line) => fence.isEnd(line));
}
