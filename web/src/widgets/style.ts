/**
 * The looks of a component as CSS. Values come from a server, so they are set through the CSSOM, which
 * takes one value of one property and nothing else, and whatever could load an address is left out.
 */
import { record, type Node } from './values';

export type Css = Record<string, string>;
export type Scheme = 'light' | 'dark';

/** Functions that fetch something, and the escape that could spell one. */
const FETCHES = /\\|(?:url|src|image|image-set|cross-fade|element|paint|attr)\s*\(/i;
const MAX_LENGTH = 300;

/** A CSS value that loads nothing; whether it means anything is for the browser to say. */
export function safeValue(value: string): string | null {
  return value === '' || value.length > MAX_LENGTH || FETCHES.test(value) || value.includes(';') ? null : value;
}

/** Pixels, or CSS. */
export function length(value: unknown): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}px` : null;
  return typeof value === 'string' ? safeValue(value) : null;
}

/** Units of spacing, or CSS. */
export function space(value: unknown): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? `calc(var(--ck-unit) * ${value})` : null;
  return typeof value === 'string' ? safeValue(value) : null;
}

// --- Colours ---

type Use = 'text' | 'background' | 'border';

const TOKENS: Readonly<Record<Use, Readonly<Record<string, string>>>> = {
  text: {
    prose: 'var(--ck-text)', primary: 'var(--ck-text)', emphasis: 'var(--ck-text)', secondary: 'var(--ck-quiet)', tertiary: 'var(--ck-faint)',
    success: 'var(--w-success)', warning: 'var(--w-warning)', danger: 'var(--w-danger)',
  },
  background: {
    surface: 'var(--ck-bg)', 'surface-secondary': 'var(--ck-soft)', 'surface-tertiary': 'var(--ck-softer)',
    'surface-elevated': 'var(--ck-raised)', 'surface-elevated-secondary': 'var(--ck-soft)',
  },
  border: { default: 'var(--ck-line)', subtle: 'color-mix(in oklab, var(--ck-line) 55%, transparent)', strong: 'color-mix(in oklab, var(--ck-quiet) 55%, var(--ck-line))' },
}; // prettier-ignore

/** OKLCH hue and strongest chroma of the named colours. */
const HUES: Readonly<Record<string, readonly [hue: number, chroma: number]>> = {
  gray: [0, 0], red: [25, 0.21], orange: [55, 0.17], yellow: [90, 0.16], green: [150, 0.16], blue: [257, 0.19], purple: [300, 0.2], pink: [352, 0.2],
};
const STEPS: Readonly<Record<number, number>> = {
  0: 1, 25: 0.985, 50: 0.97, 75: 0.955, 100: 0.935, 150: 0.91, 200: 0.88, 250: 0.84, 300: 0.8, 350: 0.76, 400: 0.72, 450: 0.67, 500: 0.63,
  550: 0.58, 600: 0.54, 650: 0.5, 700: 0.46, 750: 0.42, 800: 0.38, 850: 0.34, 900: 0.29, 925: 0.26, 950: 0.23, 975: 0.2, 1000: 0.16,
}; // prettier-ignore

/** `blue-500` and its kind. */
function primitive(name: string): string | null {
  const [, color = '', step = ''] = /^([a-z]+)-(\d{1,4})$/.exec(name) ?? [];
  const lightness = STEPS[Number(step)];
  const hue = Object.hasOwn(HUES, color) ? HUES[color] : undefined;
  if (lightness === undefined || hue === undefined) return null;
  // Very light and very dark colours hold little of their hue.
  const chroma = hue[1] * Math.max(0.06, 1 - Math.abs(lightness - 0.62) / 0.42);
  return `oklch(${lightness} ${chroma.toFixed(3)} ${hue[0]})`;
}

/** A colour of a chart by its name: readable on both schemes. */
export function namedColor(name: string, scheme: Scheme): string | null {
  const hue = Object.hasOwn(HUES, name) ? HUES[name] : undefined;
  return hue === undefined ? null : `oklch(${scheme === 'dark' ? 0.72 : 0.6} ${hue[1].toFixed(3)} ${hue[0]})`;
}

/** A token, a named step, any CSS colour, or one for each scheme; `null` for what is none of them. */
export function color(value: unknown, use: Use, scheme: Scheme): string | null {
  const byScheme = record(value);
  const given = byScheme === null ? value : byScheme[scheme];
  if (typeof given !== 'string') return null;
  const tokens = TOKENS[use];
  const token = Object.hasOwn(tokens, given) ? tokens[given] : undefined;
  return token ?? primitive(given) ?? safeValue(given);
}

// --- Boxes ---

export const RADII: Readonly<Record<string, string>> = {
  '2xs': '2px', xs: '4px', sm: '6px', md: '8px', lg: '10px', xl: '12px', '2xl': '16px', '3xl': '20px', '4xl': '24px', full: '9999px', '100%': '100%', none: '0',
};

export function radius(value: unknown): string | null {
  return typeof value === 'string' && Object.hasOwn(RADII, value) ? `calc(${RADII[value]} * var(--ck-round))` : null;
}

const EDGES = { top: 'Top', right: 'Right', bottom: 'Bottom', left: 'Left' } as const;
type Edge = keyof typeof EDGES;
/** Later names win: a single edge over its axis. */
const AXES: Readonly<Record<string, readonly Edge[]>> = { x: ['left', 'right'], y: ['top', 'bottom'], top: ['top'], right: ['right'], bottom: ['bottom'], left: ['left'] };

/** What an inset gives each edge. */
export function edges(value: unknown): Partial<Record<Edge, string>> {
  const byEdge = record(value);
  const all = byEdge ?? { x: value, y: value };
  const found: Partial<Record<Edge, string>> = {};
  for (const [name, targets] of Object.entries(AXES)) {
    const size = space(all[name]);
    if (size !== null) for (const edge of targets) found[edge] = size;
  }
  return found;
}

export function inset(property: 'padding' | 'margin', value: unknown): Css {
  return Object.fromEntries(Object.entries(edges(value)).map(([edge, size]) => [`${property}${EDGES[edge as Edge]}`, size]));
}

const LINES: ReadonlySet<unknown> = new Set(['solid', 'dashed', 'dotted', 'double', 'groove', 'ridge', 'inset', 'outset']);

function line(value: unknown, scheme: Scheme): string | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? `${value}px solid var(--ck-line)` : null;
  const border = record(value);
  if (border === null || typeof border['size'] !== 'number' || !(border['size'] >= 0)) return null;
  const style = LINES.has(border['style']) ? String(border['style']) : 'solid';
  return `${border['size']}px ${style} ${color(border['color'], 'border', scheme) ?? 'var(--ck-line)'}`;
}

export function border(value: unknown, scheme: Scheme): Css {
  const whole = line(value, scheme);
  if (whole !== null) return { border: whole };
  const byEdge = record(value);
  const css: Css = {};
  if (byEdge === null) return css;
  for (const [name, targets] of Object.entries(AXES)) {
    const edge = line(byEdge[name], scheme);
    if (edge !== null) for (const target of targets) css[`border${EDGES[target]}`] = edge;
  }
  return css;
}

export function background(value: unknown, scheme: Scheme): Css {
  const found = color(value, 'background', scheme);
  return found === null ? {} : { background: found };
}

/** Sizes of a block. */
export function block(node: Node): Css {
  const css: Css = {};
  const set = (property: string, value: string | null): void => {
    if (value !== null) css[property] = value;
  };
  for (const [all, height, width] of [['size', 'height', 'width'], ['minSize', 'minHeight', 'minWidth'], ['maxSize', 'maxHeight', 'maxWidth']] as const) {
    set(height, length(node[all]));
    set(width, length(node[all]));
    set(height, length(node[height]));
    set(width, length(node[width]));
  }
  const ratio = node['aspectRatio'];
  set('aspectRatio', typeof ratio === 'number' && ratio > 0 ? String(ratio) : typeof ratio === 'string' ? safeValue(ratio) : null);
  const flex = node['flex'];
  set('flex', typeof flex === 'number' && Number.isFinite(flex) ? String(flex) : typeof flex === 'string' ? safeValue(flex) : null);
  set('borderRadius', radius(node['radius']));
  return { ...css, ...inset('margin', node['margin']) };
}

export const ALIGN: Readonly<Record<string, string>> = { start: 'flex-start', center: 'center', end: 'flex-end', baseline: 'baseline', stretch: 'stretch' };
const JUSTIFY: Readonly<Record<string, string>> = { start: 'flex-start', center: 'center', end: 'flex-end', between: 'space-between', around: 'space-around', evenly: 'space-evenly', stretch: 'stretch' };

function lookUp(table: Readonly<Record<string, string>>, value: unknown): string | null {
  return typeof value === 'string' && Object.hasOwn(table, value) ? (table[value] ?? null) : null;
}

/** How a container lays out its children, without its sizes. */
export function flow(node: Node, defaults: { readonly direction: 'row' | 'col'; readonly align?: string; readonly gap?: number }): Css {
  const said = node['direction'];
  const direction = said === 'row' || said === 'col' || said === 'column' ? said : defaults.direction;
  const css: Css = { display: 'flex', flexDirection: direction === 'row' ? 'row' : 'column' };
  const align = lookUp(ALIGN, node['align']) ?? defaults.align;
  const justify = lookUp(JUSTIFY, node['justify']);
  const gap = space(node['gap'] ?? defaults.gap);
  if (align !== undefined) css['alignItems'] = align;
  if (justify !== null) css['justifyContent'] = justify;
  if (gap !== null) css['gap'] = gap;
  const { wrap } = node as { wrap?: unknown };
  if (wrap === 'wrap' || wrap === 'wrap-reverse' || wrap === 'nowrap') css['flexWrap'] = wrap;
  return css;
}

/** Everything a container can be told. */
export function container(node: Node, defaults: { readonly direction: 'row' | 'col'; readonly align?: string; readonly gap?: number }, scheme: Scheme): Css {
  return { ...flow(node, defaults), ...inset('padding', node['padding']), ...border(node['border'], scheme), ...background(node['background'], scheme), ...block(node) };
}

const WEIGHTS: Readonly<Record<string, string>> = { normal: '400', medium: '500', semibold: '600', bold: '700' };

/** Colour, weight and alignment of a text. */
export function textLook(node: Node, scheme: Scheme): Css {
  const css: Css = {};
  const tint = color(node['color'], 'text', scheme);
  const weight = lookUp(WEIGHTS, node['weight']);
  const align = node['textAlign'];
  if (tint !== null) css['color'] = tint;
  if (weight !== null) css['fontWeight'] = weight;
  if (align === 'start' || align === 'center' || align === 'end') css['textAlign'] = align;
  return css;
}
