/** The parts of widgets that are arithmetic: values, looks, payloads, days, charts and curves. */
import { describe, expect, test } from 'vitest';
import { readAction } from '../../src/store/widget-actions';
import { addDays, addMonths, dayOf, firstDayOf, today, weeksOf } from '../../src/widgets/calendar';
import { chartData, niceTicks } from '../../src/widgets/chart-data';
import { area, curve, type Point } from '../../src/widgets/curves';
import { merged } from '../../src/widgets/fields';
import { border, block, color, edges, length, safeValue, space } from '../../src/widgets/style';
import { count, hasWords, survey, type Node } from '../../src/widgets/values';

describe('values for CSS', () => {
  test.each(['url(x)', 'URL (x)', 'image-set("x" 1x)', 'u\\72l(x)', 'red; background: x', 'src("x")', 'x'.repeat(301), ''])('%s is left out', (value) => {
    expect(safeValue(value)).toBeNull();
  });

  test('numbers are pixels for sizes and units for spacing', () => {
    expect([length(12), length('2rem'), length(Number.NaN), length({})]).toEqual(['12px', '2rem', null, null]);
    expect([space(2), space('2px'), space(null)]).toEqual(['calc(var(--ck-unit) * 2)', '2px', null]);
  });

  test('a single edge wins over its axis', () => {
    expect(edges({ x: '1px', left: '2px', y: '3px' })).toEqual({ left: '2px', right: '1px', top: '3px', bottom: '3px' });
    expect(border({ x: 1, left: { size: 2, color: 'strong', style: 'dotted' } }, 'light')).toMatchObject({ borderRight: '1px solid var(--ck-line)', borderLeft: expect.stringMatching(/^2px dotted color-mix/) as string });
    expect(border({ size: -1 }, 'light')).toEqual({});
  });

  test('colours: tokens, steps, one for each scheme, and CSS', () => {
    expect(color('secondary', 'text', 'light')).toBe('var(--ck-quiet)');
    expect(color('surface', 'background', 'light')).toBe('var(--ck-bg)');
    expect(color('blue-500', 'text', 'light')).toMatch(/^oklch\(0\.63 0\.\d+ 257\)$/);
    expect(color('gray-0', 'text', 'light')).toBe('oklch(1 0.000 0)');
    expect(color({ light: 'red', dark: 'blue' }, 'text', 'dark')).toBe('blue');
    expect([color('constructor', 'text', 'light'), color(7, 'text', 'light'), color({ light: 3 }, 'text', 'light')]).toEqual(['constructor', null, null]);
  });

  test('a size is both sides, and one of them can differ', () => {
    expect(block({ type: 'Box', size: 10, width: '50%', radius: 'lg', aspectRatio: '16 / 9', margin: 1 })).toEqual({ height: '10px', width: '50%', borderRadius: 'calc(10px * var(--ck-round))', aspectRatio: '16 / 9', marginLeft: 'calc(var(--ck-unit) * 1)', marginRight: 'calc(var(--ck-unit) * 1)', marginTop: 'calc(var(--ck-unit) * 1)', marginBottom: 'calc(var(--ck-unit) * 1)' });
  });

  test('counts are whole and above nothing', () => {
    expect([2.7, 0, -1, '3', null].map((n) => count({ type: 'x', n }, 'n'))).toEqual([2, null, null, null, null]);
  });

  test('a tree that is too large or too deep is refused', () => {
    let deep: Node = { type: 'Box' };
    for (let depth = 0; depth < 80; depth += 1) deep = { type: 'Box', children: [deep] };
    expect(() => survey(deep)).toThrow(/in one another/);
    expect(() => survey({ type: 'Box', children: Array.from({ length: 6000 }, () => ({ type: 'Text' })) })).toThrow();
    expect([...survey({ type: 'Card', children: [{ type: 'Label', fieldName: 'mail' }] }).labelled]).toEqual(['mail']);
  });
});

describe('X05 the payload of an action in a form', () => {
  const errors: Error[] = [];
  const merge = (payload: unknown, values: [string, unknown][]): unknown => merged(payload, values, (error) => errors.push(error));

  test('gets the values by name, and dots nest', () => {
    expect(merge({ id: 7 }, [['mail', 'a@b'], ['todo.title', 'x'], ['todo.done', true]])).toEqual({ id: 7, mail: 'a@b', todo: { title: 'x', done: true } });
    expect(merge(undefined, [['a', '1']])).toEqual({ a: '1' });
  });

  test('keeps what it has, and says so', () => {
    errors.length = 0;
    const payload = { id: 7, todo: 'text' };
    expect(merge(payload, [['id', 'x'], ['todo.title', 'y'], ['ok', 1]])).toEqual({ id: 7, todo: 'text', ok: 1 });
    expect(errors.map(({ message }) => /“(.+)”/.exec(message)?.[1])).toEqual(['id', 'todo.title']);
    expect(payload).toEqual({ id: 7, todo: 'text' });
  });

  test('reaches no prototype', () => {
    const result = merge({}, [['__proto__.polluted', 1], ['constructor.prototype.polluted', 1]]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(JSON.stringify(result)).toBe('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
  });
});

test('X09 an action is read with its defaults, and only what is one', () => {
  expect(readAction({ type: 'save' })).toEqual({ type: 'save', handler: 'server', loadingBehavior: 'auto', streaming: true });
  expect(readAction({ type: 'save', payload: { a: 1 }, handler: 'client', loadingBehavior: 'container', streaming: 'false' })).toEqual({ type: 'save', payload: { a: 1 }, handler: 'client', loadingBehavior: 'container', streaming: false });
  expect([null, 'x', {}, { type: '' }, { type: 7 }].map(readAction)).toEqual([null, null, null, null, null]);
});

describe('W26 days', () => {
  test('are read from dates and datetimes, as they are written', () => {
    expect(['2026-01-23', '2026-01-23T23:59:59.5-08:00', '2026-01-23 10:00', '2026-02-30', 'x', ''].map(dayOf)).toEqual(['2026-01-23', '2026-01-23', '2026-01-23', null, null, null]);
  });

  test('months keep to their ends, over years', () => {
    expect([addMonths('2026-01-31', 1), addMonths('2024-01-31', 1), addMonths('2026-01-15', -1), addMonths('2026-12-31', 2)]).toEqual(['2026-02-28', '2024-02-29', '2025-12-15', '2027-02-28']);
    expect(addDays('2026-03-28', 2)).toBe('2026-03-30');
    expect(today(new Date(2026, 0, 2, 23, 59))).toBe('2026-01-02');
  });

  test('weeks begin where the language says', () => {
    expect(weeksOf('2026-11-15', 1)[0]?.[0]).toBe('2026-10-26');
    expect(weeksOf('2026-11-15', 7)[0]?.[0]).toBe('2026-11-01');
    expect(weeksOf('2026-11-15', 1).at(-1)?.[6]).toBe('2026-12-06');
    expect(firstDayOf('no such language')).toBe(1);
  });
});

describe('W30 charts', () => {
  const node = (more: object): Node => ({ type: 'Chart', data: [{ m: 'a', x: 3, y: '2' }, { m: 'b', x: -1 }], xAxis: 'm', series: [], ...more });

  test('stacks stand on each other, below zero too, and a gap is no zero', () => {
    const { series, categories, low, high } = chartData(node({ series: [{ type: 'bar', dataKey: 'x', stack: 's' }, { type: 'bar', dataKey: 'y', stack: 's', label: 'Y' }] }));
    expect(categories).toEqual(['a', 'b']);
    expect(series.map(({ spans }) => spans)).toEqual([[[0, 3], [0, -1]], [[3, 5], null]]);
    expect(series.map(({ label }) => label)).toEqual(['x', 'Y']);
    expect(low).toBeLessThanOrEqual(-1);
    expect(high).toBeGreaterThanOrEqual(5);
  });

  test('labels of the axis take the place of values, and what is no series is left out', () => {
    expect(chartData(node({ xAxis: { dataKey: 'm', labels: { a: 'Alpha' }, hide: true } }))).toMatchObject({ categories: ['Alpha', 'b'], hasAxis: false });
    expect(chartData(node({ series: [null, 7, { type: 'pie', dataKey: 'x' }, { type: 'bar' }] })).series).toEqual([]);
    expect(chartData({ type: 'Chart' }).categories).toEqual([]);
  });

  test.each([[0, 320], [-5, 5], [0, 0], [7, 7], [0.001, 0.009], [-1e9, 3e9]])('ticks from %d to %d are few, round and around them', (low, high) => {
    const ticks = niceTicks(low, high);
    expect(ticks.length).toBeGreaterThan(1);
    expect(ticks.length).toBeLessThan(9);
    expect(ticks[0]).toBeLessThanOrEqual(low);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(high);
  });

  const points: Point[] = [[0, 0], [10, 20], [20, 10], [30, 10], [40, 30]];
  const CURVES = ['basis', 'basisClosed', 'basisOpen', 'bumpX', 'bumpY', 'bump', 'linear', 'linearClosed', 'natural', 'monotoneX', 'monotoneY', 'monotone', 'step', 'stepBefore', 'stepAfter'];
  test.each(CURVES)('%s is a path of finite numbers, for any number of points', (name) => {
    for (let length = 0; length <= points.length; length += 1) {
      for (const path of [curve(name, points.slice(0, length)), length === 0 ? '' : area(name, points.slice(0, length), points.slice(0, length).map(([x]) => [x, 50] as const))]) {
        expect(path).not.toMatch(/NaN|Infinity|undefined/);
        if (length > 0) expect(path.startsWith('M')).toBe(true);
        expect(path.split('M').length).toBeLessThan(3);
      }
    }
  });

  test('a monotone curve goes through its points and never beyond them', () => {
    const path = curve('monotoneX', points);
    for (const [x, y] of points) expect(path).toContain(`${x},${y}`);
    const ys = [...path.matchAll(/,(-?[\d.]+)/g)].map(([, y]) => Number(y));
    expect(Math.min(...ys)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ys)).toBeLessThanOrEqual(30);
  });

  test('a natural spline of a straight line is the line', () => {
    const numbers = [...curve('natural', [[0, 0], [10, 10], [20, 20], [30, 30]]).matchAll(/(-?[\d.]+),(-?[\d.]+)/g)];
    expect(numbers.length).toBe(10);
    for (const [, x, y] of numbers) expect(Math.abs(Number(x) - Number(y))).toBeLessThan(0.02);
  });
});

test('a row is named by the words in it, however deep', () => {
  const row = (...children: Node[]): Node => ({ type: 'ListViewItem', children });
  expect(hasWords(row({ type: 'Col', children: [{ type: 'Text', value: 'Lisbon' }] }))).toBe(true);
  expect(hasWords(row({ type: 'Image', src: 'x', alt: 'A tram' }))).toBe(true);
  expect([hasWords(row()), hasWords(row({ type: 'Icon', name: 'star' })), hasWords(row({ type: 'Text', value: ' ' })), hasWords(row({ type: 'Image', src: 'x', alt: 7 }))]).toEqual([false, false, false, false]);
});
