/**
 * Bars, areas and lines as SVG of our own: it takes its colours from the theme, needs no library, and
 * says its numbers to screen readers as a table.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { useLocale, useUi } from '../ui/context';
import { chartData, type ChartData, type Series } from './chart-data';
import { area, curve, type Point } from './curves';
import { useScheme } from './scope';
import { block, color, namedColor, type Scheme } from './style';
import type { ComponentProps } from './tree';
import { flag, flagOr, type Node } from './values';

/** The order in which series get their colours. */
const ORDER = ['blue', 'purple', 'orange', 'green', 'red', 'yellow', 'pink'];
const PAD = { top: 8, right: 8, bottom: 6 };
const LABEL_HEIGHT = 22;
const GAPS = { bar: 4, category: 0.28 };

export function Chart({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const locale = useLocale();
  const scheme = useScheme();
  const data = useMemo(() => chartData(node), [node]);
  const box = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const at = useSignal<number | null>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {};
      if (Math.abs(width - size.peek().width) > 0.5 || Math.abs(height - size.peek().height) > 0.5) size.value = { width, height };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const colors = data.series.map((series, index) => seriesColor(series, index, scheme));
  const number = (value: number): string => formatNumber(value, locale, false);
  const isTold = flagOr(node, 'showTooltip', true);
  const point = (clientX: number): void => {
    const frame = box.current?.getBoundingClientRect();
    if (frame === undefined || !isTold) return;
    const left = gutterOf(data, node, locale);
    const share = (clientX - frame.left - left) / (frame.width - left - PAD.right);
    at.value = share < 0 || share > 1 ? null : Math.min(data.categories.length - 1, Math.floor(share * data.categories.length));
  };
  const step = (by: number): void => {
    const most = data.categories.length - 1;
    at.value = at.value === null ? (by > 0 ? 0 : most) : Math.min(most, Math.max(0, at.value + by));
  };
  const row = at.value;
  return (
    <figure class="w-chart" style={block(node)}>
      <div
        ref={box}
        class="w-plot"
        role="group"
        tabIndex={isTold ? 0 : undefined}
        aria-label={t('widget.chart')}
        onPointerMove={(event) => point(event.clientX)}
        onPointerLeave={() => (at.value = null)}
        onBlur={() => (at.value = null)}
        onKeyDown={(event) => {
          if (!isTold || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return;
          event.preventDefault();
          step(event.key === 'ArrowRight' ? 1 : -1);
        }}
      >
        {size.value.width > 0 && <Plot node={node} data={data} colors={colors} {...size.value} at={row} locale={locale} />}
        {row !== null && isTold && <Tooltip data={data} row={row} colors={colors} left={gutterOf(data, node, locale)} width={size.value.width} number={number} />}
      </div>
      {flagOr(node, 'showLegend', true) && data.series.length > 0 && (
        <figcaption class="w-legend" aria-hidden="true">
          {data.series.map(({ label }, index) => (
            <span key={index}>
              <i style={{ background: colors[index] ?? '' }} />
              {label}
            </span>
          ))}
        </figcaption>
      )}
      <table class="visually-hidden">
        <thead>
          <tr>
            <td />
            {data.series.map(({ label }, index) => (
              <th key={index} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.categories.map((category, index) => (
            <tr key={index}>
              <th scope="row">{category}</th>
              {data.series.map(({ values }, column) => (
                <td key={column}>{values[index] == null ? '–' : number(values[index] ?? 0)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

function seriesColor({ color: given }: Series, index: number, scheme: Scheme): string {
  const name = typeof given === 'string' ? namedColor(given, scheme) : null;
  return name ?? color(given, 'text', scheme) ?? namedColor(ORDER[index % ORDER.length] ?? 'blue', scheme) ?? 'currentColor';
}

/** The room that the numbers at the side take. */
function gutterOf(data: ChartData, node: Node, locale: string): number {
  if (!flag(node, 'showYAxis')) return PAD.right;
  return 12 + 7.2 * Math.max(...data.ticks.map((tick) => formatNumber(tick, locale, true).length));
}

interface PlotProps {
  readonly node: Node;
  readonly data: ChartData;
  readonly colors: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly at: number | null;
  readonly locale: string;
}

function Plot({ node, data, colors, width, height, at, locale }: PlotProps): JSX.Element {
  const { categories, series, low, high, ticks, hasAxis } = data;
  const left = gutterOf(data, node, locale);
  const bottom = height - PAD.bottom - (hasAxis ? LABEL_HEIGHT : 0);
  const inner = Math.max(1, width - left - PAD.right);
  const band = inner / Math.max(1, categories.length);
  const x = (row: number): number => left + band * (row + 0.5);
  const y = (value: number): number => bottom - ((value - low) / (high - low)) * Math.max(1, bottom - PAD.top);
  const bars = [...new Set(series.filter(({ type }) => type === 'bar').map(({ stack }) => stack))];
  const barGap = pixels(node['barGap'], GAPS.bar);
  const room = Math.max(1, band - pixels(node['barCategoryGap'], band * GAPS.category));
  const bar = Math.min(64, Math.max(1, (room - barGap * (bars.length - 1)) / Math.max(1, bars.length)));
  const group = bar * bars.length + barGap * (bars.length - 1);
  // Labels that would overlap are left out, evenly.
  const widest = Math.max(1, ...categories.map(({ length }) => Math.min(length, 14))) * 6.6 + 10;
  const every = Math.max(1, Math.ceil(widest / band));
  const tops = topsOf(series);
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {ticks.map((tick) => (
        <g key={tick}>
          <line class={tick === 0 ? 'w-zero' : 'w-grid'} x1={left} x2={width - PAD.right} y1={y(tick)} y2={y(tick)} />
          {flag(node, 'showYAxis') && (
            <text class="w-tick" x={left - 8} y={y(tick)} text-anchor="end" dominant-baseline="central">
              {formatNumber(tick, locale, true)}
            </text>
          )}
        </g>
      ))}
      {at !== null && <rect class="w-hover" x={left + band * at} y={PAD.top} width={band} height={Math.max(0, bottom - PAD.top)} />}
      {series.map((one, index) => {
        const fill = colors[index] ?? 'currentColor';
        if (one.type === 'bar') {
          const place = bars.indexOf(one.stack);
          return one.spans.map((span, row) => {
            if (span === null || span[0] === span[1]) return null;
            const [a, b] = [y(span[0]), y(span[1])];
            return <path key={`${index} ${row}`} fill={fill} d={barPath(x(row) - group / 2 + place * (bar + barGap), Math.min(a, b), bar, Math.abs(a - b), tops.get(`${one.stack} ${row} ${span[1] < 0}`) === index ? Math.sign(span[1] - span[0]) : 0)} />;
          });
        }
        return runsOf(one, x, y).map(({ top, floor }, run) => (
          <g key={`${index} ${run}`}>
            {one.type === 'area' && <path fill={fill} fill-opacity="0.28" d={area(one.curve, top, floor)} />}
            {top.length === 1 ? <circle cx={top[0]?.[0]} cy={top[0]?.[1]} r="3" fill={fill} /> : <path class="w-line" stroke={fill} d={curve(one.curve, top)} />}
          </g>
        ));
      })}
      {at !== null && series.map((one, index) => (one.type === 'bar' || one.spans[at] == null ? null : <circle key={index} class="w-dot" cx={x(at)} cy={y(one.spans[at][1])} r="4" fill={colors[index]} />))}
      {hasAxis &&
        categories.map((category, row) =>
          row % every === 0 ? (
            <text key={row} class="w-tick" x={x(row)} y={bottom + 16} text-anchor="middle">
              {category.length > 14 ? `${category.slice(0, 13)}…` : category}
            </text>
          ) : null,
        )}
    </svg>
  );
}

/** Which series is the outermost of its pile, so that only its end is round. */
function topsOf(series: readonly Series[]): Map<string, number> {
  const tops = new Map<string, number>();
  series.forEach(({ type, stack, spans }, index) => {
    if (type === 'bar') spans.forEach((span, row) => span !== null && span[0] !== span[1] && tops.set(`${stack} ${row} ${span[1] < 0}`, index));
  });
  return tops;
}

/** `end`: 1 rounds the upper end, -1 the lower one, 0 none. */
function barPath(x: number, y: number, width: number, height: number, end: number): string {
  const r = Math.min(4, width / 2, height);
  const n = (value: number): number => Math.round(value * 100) / 100;
  const [l, t, w, h] = [n(x), n(y), n(width), n(height)];
  if (end > 0) return `M${l},${n(t + h)}v${n(r - h)}q0,${-r} ${r},${-r}h${n(w - 2 * r)}q${r},0 ${r},${r}v${n(h - r)}z`;
  if (end < 0) return `M${l},${t}v${n(h - r)}q0,${r} ${r},${r}h${n(w - 2 * r)}q${r},0 ${r},${-r}v${n(r - h)}z`;
  return `M${l},${t}h${w}v${h}h${-w}z`;
}

/** The pieces of a line between the places where it has no value. */
function runsOf({ spans }: Series, x: (row: number) => number, y: (value: number) => number): { top: Point[]; floor: Point[] }[] {
  const runs: { top: Point[]; floor: Point[] }[] = [];
  let open = false;
  spans.forEach((span, row) => {
    if (span !== null) {
      if (!open) runs.push({ top: [], floor: [] });
      runs.at(-1)?.top.push([x(row), y(span[1])]);
      runs.at(-1)?.floor.push([x(row), y(span[0])]);
    }
    open = span !== null;
  });
  return runs;
}

function pixels(value: unknown, fallback: number): number {
  return typeof value === 'number' && value >= 0 ? value : fallback;
}

interface TooltipProps {
  readonly data: ChartData;
  readonly row: number;
  readonly colors: readonly string[];
  readonly left: number;
  readonly width: number;
  readonly number: (value: number) => string;
}

function Tooltip({ data, row, colors, left, width, number }: TooltipProps): JSX.Element {
  const middle = left + ((width - left - PAD.right) / Math.max(1, data.categories.length)) * (row + 0.5);
  const isLate = middle > width / 2;
  return (
    <div class={isLate ? 'w-tooltip late' : 'w-tooltip'} style={{ left: `${middle}px` }} role="status">
      <strong>{data.categories[row]}</strong>
      {data.series.map(({ label, values }, index) =>
        values[row] == null ? null : (
          <span key={index}>
            <i style={{ background: colors[index] ?? '' }} />
            {label} <b>{number(values[row] ?? 0)}</b>
          </span>
        ),
      )}
    </div>
  );
}

function formatNumber(value: number, locale: string, isShort: boolean): string {
  const options: Intl.NumberFormatOptions = isShort ? { notation: 'compact', maximumFractionDigits: 2 } : { maximumFractionDigits: 3 };
  try {
    return new Intl.NumberFormat(locale, options).format(value);
  } catch {
    return new Intl.NumberFormat('en', options).format(value);
  }
}
