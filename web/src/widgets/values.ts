/**
 * Reads the properties of a component. They come from a server and may be anything: what is not of the
 * expected kind counts as not there, so a wrong value never breaks a widget.
 */
import type { WidgetNode } from '../core/protocol';

export type Node = WidgetNode;

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

export function childrenOf(node: Node): Node[] {
  const { children } = node;
  if (Array.isArray(children)) return children.filter(isNode);
  return isNode(children) ? [children] : [];
}

/** A text; numbers are written out, because servers send them where the types ask for words. */
export function text(node: Node, key: string): string {
  const value = node[key];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

export function flag(node: Node, key: string): boolean {
  return node[key] === true;
}

/** A flag that is on unless it is switched off. */
export function flagOr(node: Node, key: string, fallback: boolean): boolean {
  const value = node[key];
  return typeof value === 'boolean' ? value : fallback;
}

export function count(node: Node, key: string): number | null {
  const value = node[key];
  return typeof value === 'number' && Number.isFinite(value) && value >= 1 ? Math.floor(value) : null;
}

export function word<T extends string>(node: Node, key: string, words: readonly T[]): T | null {
  return words.find((candidate) => candidate === node[key]) ?? null;
}

export function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

/** The most that is drawn of one widget. Beyond it the page would stand still, and nobody would read it. */
const MAX_NODES = 5000;
const MAX_DEPTH = 64;

/** What is known of a tree before it is drawn. */
export interface Survey {
  /** Names of fields that have a `Label`. */
  readonly labelled: ReadonlySet<string>;
}

/** Looks through a tree once; throws where it is larger than can be drawn. */
export function survey(root: Node): Survey {
  const labelled = new Set<string>();
  let nodes = 0;
  const visit = (node: Node, depth: number): void => {
    nodes += 1;
    if (nodes > MAX_NODES || depth > MAX_DEPTH) throw new Error(`A widget has ${MAX_NODES} components at most, ${MAX_DEPTH} in one another.`);
    if (node.type === 'Label') labelled.add(text(node, 'fieldName'));
    for (const child of childrenOf(node)) visit(child, depth + 1);
  };
  visit(root, 0);
  return { labelled };
}

const INTERACTIVE: ReadonlySet<string> = new Set(['Button', 'Input', 'Textarea', 'Select', 'DatePicker', 'Checkbox', 'RadioGroup']);

/** Whether something inside has controls of its own. */
export function hasControls(node: Node): boolean {
  return childrenOf(node).some((child) => INTERACTIVE.has(child.type) || record(child['editable']) !== null || hasControls(child));
}

/** Whether there are words in it, which are its name for those who hear it. */
export function hasWords(node: Node): boolean {
  return ['value', 'label', 'alt'].some((key) => typeof node[key] === 'string' && node[key].trim() !== '') || childrenOf(node).some(hasWords);
}
