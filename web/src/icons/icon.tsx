/** An icon, by ChatKit name or by the node list of lucide. Always decoration: the control has the name. */
import { Dot, type IconNode } from 'lucide';
import { h, type JSX } from 'preact';
import { FILLED, ICONS } from './names';

export interface IconProps {
  readonly of: IconNode | string;
  /** Edge length in pixels. */
  readonly size?: number;
  readonly filled?: boolean;
}

export function Icon({ of, size = 18, filled = false }: IconProps): JSX.Element {
  const nodes = typeof of === 'string' ? (Object.hasOwn(ICONS, of) ? ICONS[of] : undefined) ?? Dot : of;
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
