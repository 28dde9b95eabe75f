/**
 * Colours finished code blocks when the browser has time. The colouring itself is a separate file;
 * if it cannot be loaded, code stays plain and nothing else changes.
 */
import { whenIdle } from '../core/idle';
import { adoptAround } from '../theme/adopt';
import { codeText, LINES_PER_GROUP } from './dom';

/** A piece of code and what it is in its language. */
export interface Span {
  readonly text: string;
  readonly scope: string | null;
}

/** The part that knows the languages, and the sheet with its colours. */
interface Highlighter {
  readonly highlight: (code: string, language: string) => Span[] | null;
  readonly css: string;
}

/** Longer code is not worth a long task. */
const MAX_CHARACTERS = 60_000;

/** A function that colours code blocks; `load` fetches the part that knows the languages. */
export function lazyHighlighter(load: () => Promise<Highlighter>, failed: () => void): (block: HTMLElement) => void {
  let loading: Promise<Highlighter | null> | null = null;
  return (block) => {
    whenIdle(() => {
      const code = block.querySelector('code');
      const text = codeText.get(block) ?? '';
      const language = code?.dataset['language']?.toLowerCase();
      if (code === null || language === undefined || !block.isConnected || text === '' || text.length > MAX_CHARACTERS) return;
      loading ??= load().catch(() => {
        failed();
        return null;
      });
      void loading.then((part) => {
        const spans = block.isConnected && codeText.get(block) === text ? part?.highlight(text, language) : null;
        if (part === null || !spans) return;
        adoptAround(block, part.css);
        code.replaceChildren(...groupsOf(spans));
      });
    });
  };
}

/** The same line groups that plain code has. */
function groupsOf(spans: readonly Span[]): HTMLElement[] {
  const groups: HTMLElement[] = [];
  let lines = 0;
  const current = (): HTMLElement => {
    if (groups.length * LINES_PER_GROUP <= lines) {
      const group = document.createElement('span');
      group.className = 'lines';
      groups.push(group);
    }
    return groups.at(-1) ?? document.createElement('span');
  };
  for (const { text, scope } of spans) {
    for (const piece of text.split(/(?<=\n)/)) {
      if (piece === '') continue;
      current().append(scope === null ? piece : scoped(piece, scope));
      if (piece.endsWith('\n')) lines += 1;
    }
  }
  return groups;
}

/** `title.function` gets the class of `title`: the sheet has one colour for each. */
function scoped(text: string, scope: string): HTMLElement {
  const span = document.createElement('span');
  span.className = `hl-${scope.replace(/[^a-z_-].*$/i, '')}`;
  span.textContent = text;
  return span;
}
