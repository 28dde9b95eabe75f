/**
 * Where a code fence ends. CommonMark knows no fence inside another of the same length, so a document that a
 * model shows (` ```markdown `) would break off at the end of the first code in it. In such a fence, one that
 * names its language opens, and the next bare one closes that.
 */

const DOCUMENT = /^\s*(?:markdown|md|mdx)\b/i;
const LINE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`]*)$/;

export class Fence {
  readonly #run: string;
  readonly #isDocument: boolean;
  #inner = 0;

  /** `run`: the marks that open it; `info`: what stands behind them. */
  constructor(run: string, info: string) {
    this.#run = run;
    this.#isDocument = DOCUMENT.test(info);
  }

  /** Whether this line, the next one, ends it. */
  isEnd(line: string): boolean {
    const [, run = '', info = ''] = LINE.exec(line) ?? [];
    if (!run.startsWith(this.#run)) return false;
    if (info.trim() !== '') {
      if (this.#isDocument) this.#inner += 1;
      return false;
    }
    if (this.#inner === 0) return true;
    this.#inner -= 1;
    return false;
  }
}

/** Where the document in a fence at the start of a text ends, fences in it counted; `null` where it does not, `undefined` where there is none. */
export function documentFence(text: string): number | null | undefined {
  const [opening, run = '', info = ''] = /^ {0,3}(`{3,}(?!`)|~{3,}(?!~))([^`\n]*)\n/.exec(text) ?? [];
  if (opening === undefined || !DOCUMENT.test(info)) return undefined;
  const fence = new Fence(run, info);
  for (let start = opening.length; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const end = feed === -1 ? text.length : feed;
    if (fence.isEnd(text.slice(start, end))) return end;
    start = end + 1;
  }
  return null;
}
