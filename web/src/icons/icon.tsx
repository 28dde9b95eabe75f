/** An icon, by ChatKit name or by the node list of lucide. Always decoration: the control has the name. */
import { Dot, type IconNode } from 'lucide';
import { createContext, h, type JSX } from 'preact';
import { useContext } from 'preact/hooks';
import { FILLED, ICONS } from './names';

export interface IconProps {
  readonly of: IconNode | string;
  /** Edge length in pixels. */
  readonly size?: number;
  readonly filled?: boolean;
}

/** Where names like `lucide:rocket` are looked up; `null` until its part is loaded. */
export const Lucide = createContext<((name: string) => IconNode | null) | null>(null);

export function Icon({ of, size = 18, filled = false }: IconProps): JSX.Element {
  const lookup = useContext(Lucide);
  const nodes = typeof of === 'string' ? nodesOf(of, lookup) : of;
  const fill = filled || (typeof of === 'string' && FILLED.has(of));
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={fill ? 'currentColor' : 'none'}
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {nodes.map(([tag, attributes], index) => h(tag, { ...attributes, key: index }))}
    </svg>
  );
}

/** Nothing is drawn in its place until it is known what the name means, so that nothing flashes. */
function nodesOf(name: string, lookup: ((name: string) => IconNode | null) | null): IconNode {
  if (name.startsWith('lucide:')) return lookup === null ? [] : (lookup(name.slice('lucide:'.length)) ?? Dot);
  return (Object.hasOwn(ICONS, name) ? ICONS[name] : undefined) ?? Dot;
}
