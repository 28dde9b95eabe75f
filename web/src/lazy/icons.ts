/** Every icon of lucide, by the names that `lucide:…` uses. Loaded when the first such name is shown. */
import { icons, type IconNode } from 'lucide';

const NODES: Readonly<Record<string, unknown>> = icons;

/** The icon called `shopping-cart`, or `null` where there is none. */
export function lucideIcon(name: string): IconNode | null {
  if (!/^[a-z0-9-]{1,60}$/.test(name)) return null;
  const key = name.replace(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const node = Object.hasOwn(NODES, key) ? NODES[key] : undefined;
  return Array.isArray(node) ? (node as IconNode) : null;
}
