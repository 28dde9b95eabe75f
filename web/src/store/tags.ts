/** Tags in a message that is being written: they stand in its text as `@Title`, and leave as parts of their own. */
import type { Entity } from '@openai/chatkit';
import type { UserContent } from '../core/protocol';

type Tag = Extract<UserContent, { type: 'input_tag' }>;

export interface DraftTag {
  /** What stands for it in the text. */
  readonly label: string;
  readonly tag: Tag;
  readonly icon: string | null;
}

export function tagOf({ id, title, group, data, interactive, icon }: Entity): DraftTag {
  return {
    label: `@${title}`,
    icon: icon ?? null,
    tag: { type: 'input_tag', id, text: title, data: data ?? {}, interactive: interactive ?? false, ...(group === undefined ? {} : { group }) },
  };
}

/** The entity that the page's functions get for a tag. */
export function entityOf({ id, text, group, data, interactive }: Tag): Entity {
  return { id, title: text, interactive: interactive ?? false, data: (data ?? {}) as Record<string, string>, ...((group ?? null) === null ? {} : { group: group ?? '' }) };
}

/** A message's parts: the text between the tags, and the tags, in the order of the text. */
export function contentOf(text: string, tags: readonly DraftTag[]): UserContent[] {
  const parts: UserContent[] = [];
  const left = [...tags];
  let rest = text.trim();
  for (;;) {
    const next = first(rest, left);
    if (next === null) break;
    const { at, index } = next;
    const [found] = left.splice(index, 1);
    if (found === undefined) break;
    if (at > 0) parts.push({ type: 'input_text', text: rest.slice(0, at) });
    parts.push(found.tag);
    rest = rest.slice(at + found.label.length);
  }
  // Servers want something in `content` all the same.
  if (rest !== '' || parts.length === 0) parts.push({ type: 'input_text', text: rest });
  return parts;
}

/** The tag that comes first in a text; of two that begin there, the longer one. */
function first(text: string, tags: readonly DraftTag[]): { at: number; index: number } | null {
  let best: { at: number; index: number; length: number } | null = null;
  tags.forEach(({ label }, index) => {
    const at = text.indexOf(label);
    if (at !== -1 && (best === null || at < best.at || (at === best.at && label.length > best.length))) best = { at, index, length: label.length };
  });
  return best;
}

/** The tags that are still in a text. */
export function tagsIn(text: string, tags: readonly DraftTag[]): readonly DraftTag[] {
  const kept = tags.filter(({ tag }) => contentOf(text, tags).some((part) => part === tag));
  return kept.length === tags.length ? tags : kept;
}

/** A message's parts as they are written again. */
export function draftOf(content: readonly UserContent[]): { text: string; tags: DraftTag[] } {
  const tags = content.filter((part) => part.type === 'input_tag').map((tag): DraftTag => ({ label: `@${tag.text}`, tag, icon: null }));
  return { text: content.map((part) => (part.type === 'input_tag' ? `@${part.text}` : part.text)).join(''), tags };
}

/** What is being searched for at the caret: the word after the last `@`; `null` where there is none. */
export function queryAt(text: string, caret: number): { query: string; start: number } | null {
  const match = /(?:^|[\s([{"'“‘])@([^\s@]{0,60})$/u.exec(text.slice(0, caret));
  return match === null ? null : { query: match[1] ?? '', start: caret - (match[1] ?? '').length - 1 };
}
