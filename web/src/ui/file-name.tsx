/** A file's name that keeps its ending when there is no room for the whole. */
import type { JSX } from 'preact';

/** Longest ending that counts as one, with its dot. */
const MAX_ENDING = 8;

export function FileName({ name }: { readonly name: string }): JSX.Element {
  const dot = name.lastIndexOf('.');
  const cut = dot > 0 && name.length - dot <= MAX_ENDING ? dot : name.length;
  return (
    <span class="draft-name" dir="auto" title={name}>
      <span>{name.slice(0, cut)}</span>
      <span>{name.slice(cut)}</span>
    </span>
  );
}
