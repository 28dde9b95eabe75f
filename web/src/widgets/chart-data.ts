/** What a chart shows, as numbers: rows, series, stacks and the scale they need. */
import { record, text, type Node } from './values';

export interface Series {
  readonly type: 'bar' | 'area' | 'line';
  readonly key: string;
  readonly label: string;
  readonly color: unknown;
  readonly curve: string;
  /** Series of one stack stand on each other; a series without has a stack of its own. */
  readonly stack: string;
  /** For each row where its piece begins and ends; `null`: it has no value there. */
  readonly spans: readonly (readonly [from: number, to: number] | null)[];
  readonly values: readonly (number | null)[];
}

export interface ChartData {
  readonly categories: readonly string[];
  readonly series: readonly Series[];
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  readonly hasAxis: boolean;
}

/** Beyond these nobody could tell one from another, and a page would stand still. */
const MAX_ROWS = 1000;
const MAX_SERIES = 24;

export function chartData(node: Node): ChartData {
  const rows = (Array.isArray(node['data']) ? node['data'] : []).slice(0, MAX_ROWS).map(record).filter((row) => row !== null);
  const axis = record(node['xAxis']);
  const axisKey = axis === null ? text(node, 'xAxis') : wordOf(axis['dataKey']);
  const names = record(axis?.['labels']);
  const categories = rows.map((row) => {
    const value = wordOf(row[axisKey]);
    return names !== null && Object.hasOwn(names, value) ? wordOf(names[value]) : value;
  });
  const tops = new Map<string, { up: number[]; down: number[] }>();
  const given = (Array.isArray(node['series']) ? node['series'] : []).slice(0, MAX_SERIES).map(record).filter((one) => one !== null);
  const series = given.flatMap((one, index): Series[] => {
    const { type, dataKey } = one;
    if ((type !== 'bar' && type !== 'area' && type !== 'line') || typeof dataKey !== 'string') return [];
    const values = rows.map((row) => numberOf(row[dataKey]));
    const stack = typeof one['stack'] === 'string' && type !== 'line' ? `${type} ${one['stack']}` : `#${index}`;
    const top = tops.get(stack) ?? { up: rows.map(() => 0), down: rows.map(() => 0) };
    tops.set(stack, top);
    const spans = values.map((value, row): readonly [number, number] | null => {
      if (value === null) return null;
      const pile = value < 0 ? top.down : top.up;
      const from = pile[row] ?? 0;
      pile[row] = from + value;
      return [from, from + value];
    });
    const curve = typeof one['curveType'] === 'string' ? one['curveType'] : 'natural';
    return [{ type, key: dataKey, label: typeof one['label'] === 'string' ? one['label'] : dataKey, color: one['color'], curve, stack, spans, values }];
  });
  const ends = series.flatMap(({ type, spans }) => spans.flatMap((span) => (span === null ? [] : type === 'line' ? [span[1]] : [...span])));
  const isLines = series.every(({ type }) => type === 'line');
  const [least, most] = [Math.min(...ends, isLines ? Infinity : 0), Math.max(...ends, isLines ? -Infinity : 0)];
  const ticks = niceTicks(Number.isFinite(least) ? least : 0, Number.isFinite(most) ? most : 1);
  return { categories, series, ticks, low: ticks[0] ?? 0, high: ticks.at(-1) ?? 1, hasAxis: axis?.['hide'] !== true };
}

/** Round numbers around a range, about four steps of it. */
export function niceTicks(low: number, high: number): number[] {
  // A flat line stands in the middle of something.
  const [from, to] = low === high ? [Math.min(0, low), Math.max(0, high) || 1] : [low, high];
  const rough = (to - from) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? 10 * power;
  const first = Math.floor(from / step + 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;
  return Number.isFinite(number) ? number : null;
}

