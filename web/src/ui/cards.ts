/** The one card that may be open beside something: about sources, or about an entity of the page. */
import type { Entity } from '@openai/chatkit';
import type { Annotation, EntitySource, Source } from '../core/protocol';

export interface CardRequest {
  readonly anchor: HTMLElement;
  readonly sources: readonly Source[];
  /** Opened by a press, and not by a pointer that passes: it gets the focus. */
  readonly isHeld: boolean;
}

/** References at one place are shown together. */
export interface Group {
  readonly index: number;
  readonly sources: readonly Source[];
}

/** In the order of the text, so that a reference keeps its number while later ones come. */
export function groupsOf(annotations: readonly Annotation[]): Group[] {
  const groups = new Map<number, Source[]>();
  for (const { index, source } of annotations) {
    if (typeof index !== 'number') continue;
    const known = groups.get(index);
    if (known === undefined) groups.set(index, [source]);
    else known.push(source);
  }
  return [...groups].map(([index, sources]) => ({ index, sources })).sort((a, b) => a.index - b.index);
}

/** What the button of a reference says: short, because it stands in a sentence. */
export function shortName(source: Source): string {
  switch (source.type) {
    case 'url':
      return (source.attribution ?? '') !== '' ? (source.attribution ?? '') : (hostOf(source.url) ?? source.title);
    case 'file':
      return source.title === '' ? source.filename : source.title;
    case 'entity':
      return (source.inline_label ?? '') !== '' ? (source.inline_label ?? '') : source.title;
  }
}

export function hostOf(address: string): string | null {
  try {
    const { hostname } = new URL(address);
    return hostname === '' ? null : hostname.replace(/^www\./, '');
  } catch {
    return null;
  }
}

export function entityOfSource({ id, title, icon, interactive, group, data }: EntitySource): Entity {
  return { id, title, interactive: interactive ?? false, data: (data ?? {}) as Record<string, string>, ...((icon ?? null) === null ? {} : { icon: icon ?? '' }), ...((group ?? null) === null ? {} : { group: group ?? '' }) };
}

/** What each reference button stands for; the buttons are no nodes of Preact's. */
export const citedBy = new WeakMap<Element, readonly Source[]>();

/** The button of a reference. */
export function citeButton({ sources }: Group, label: (title: string) => string): HTMLButtonElement | null {
  const [first] = sources;
  if (first === undefined) return null;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'cite';
  const name = document.createElement('span');
  name.textContent = shortName(first);
  button.append(name);
  if (sources.length > 1) {
    const more = document.createElement('span');
    more.className = 'cite-more';
    more.textContent = `+${sources.length - 1}`;
    button.append(' ', more);
  }
  // What is seen is part of what is heard, so that somebody can say it to a computer.
  button.setAttribute('aria-label', `${button.textContent}, ${label(sources.map(({ title }) => title).join(', '))}`);
  button.setAttribute('aria-haspopup', 'dialog');
  citedBy.set(button, sources);
  return button;
}
