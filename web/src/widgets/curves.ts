/** Lines through points, as SVG paths: the curves that charts may ask for, by their usual names. */

export type Point = readonly [x: number, y: number];

const n = (value: number): string => String(Math.round(value * 100) / 100);
const p = ([x, y]: Point): string => `${n(x)},${n(y)}`;
const cubic = (a: Point, b: Point, to: Point): string => `C${p(a)} ${p(b)} ${p(to)}`;

/** The path of a curve, beginning with a move. Names that nobody knows are straight lines. */
export function curve(name: string, points: readonly Point[]): string {
  const [first] = points;
  if (first === undefined) return '';
  if (points.length < 3 && !/^(?:step|bump)/.test(name)) return straight(points);
  switch (name) {
    case 'step':
      return steps(points, 0.5);
    case 'stepBefore':
      return steps(points, 0);
    case 'stepAfter':
      return steps(points, 1);
    case 'bump':
    case 'bumpX':
      return pairs(points, ([ax, ay], [bx, by]) => cubic([(ax + bx) / 2, ay], [(ax + bx) / 2, by], [bx, by]));
    case 'bumpY':
      return pairs(points, ([ax, ay], [bx, by]) => cubic([ax, (ay + by) / 2], [bx, (ay + by) / 2], [bx, by]));
    case 'monotone':
    case 'monotoneX':
      return monotone(points);
    case 'monotoneY':
      // The same with the axes swapped.
      return monotone(points, true);
    case 'natural':
      return natural(points);
    case 'basis':
    case 'basisOpen':
      return basis(points, name === 'basis');
    case 'basisClosed':
      return `${basis([...points, ...points.slice(0, 3)], false)}Z`;
    case 'linearClosed':
      return `${straight(points)}Z`;
    default:
      return straight(points);
  }
}

/** The area between a curve and the one below it. */
export function area(name: string, top: readonly Point[], bottom: readonly Point[]): string {
  // Backwards, a step comes at the other end.
  const back = name === 'stepBefore' ? 'stepAfter' : name === 'stepAfter' ? 'stepBefore' : name.replace('Closed', '');
  return `${curve(name.replace('Closed', ''), top)}${curve(back, [...bottom].reverse()).replace('M', 'L')}Z`;
}

function straight(points: readonly Point[]): string {
  return `M${points.map(p).join('L')}`;
}

function pairs(points: readonly Point[], draw: (from: Point, to: Point) => string): string {
  let path = '';
  points.forEach((point, index) => {
    const before = points[index - 1];
    path += before === undefined ? `M${p(point)}` : draw(before, point);
  });
  return path;
}

function steps(points: readonly Point[], at: number): string {
  return pairs(points, ([ax, ay], [bx, by]) => {
    const x = ax + (bx - ax) * at;
    return `L${p([x, ay])}L${p([x, by])}L${p([bx, by])}`;
  });
}

/** Never beyond its points: the tangents of Fritsch and Carlson, in Steffen's form. */
function monotone(given: readonly Point[], isUpright = false): string {
  const points = isUpright ? given.map(([x, y]): Point => [y, x]) : given;
  const slope = (a: Point, b: Point): number => (b[0] === a[0] ? 0 : (b[1] - a[1]) / (b[0] - a[0]));
  const tangents = points.map((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (before === undefined || after === undefined) return null;
    const [h0, h1] = [point[0] - before[0], after[0] - point[0]];
    const [s0, s1] = [slope(before, point), slope(point, after)];
    const mean = h0 + h1 === 0 ? 0 : (s0 * h1 + s1 * h0) / (h0 + h1);
    return (Math.sign(s0) + Math.sign(s1)) * Math.min(Math.abs(s0), Math.abs(s1), 0.5 * Math.abs(mean));
  });
  const back = ([x, y]: Point): Point => (isUpright ? [y, x] : [x, y]);
  let path = '';
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (before === undefined) {
      path += `M${p(back(point))}`;
      return;
    }
    const third = (point[0] - before[0]) / 3;
    const own = slope(before, point);
    const out = tangents[index - 1] ?? (3 * own - (tangents[index] ?? own)) / 2;
    const into = tangents[index] ?? (3 * own - (tangents[index - 1] ?? own)) / 2;
    path += cubic(back([before[0] + third, before[1] + third * out]), back([point[0] - third, point[1] - third * into]), back(point));
  });
  return path;
}

/** A cubic spline without curvature at its ends. */
function natural(points: readonly Point[]): string {
  const [xs, ys] = [controls(points.map(([x]) => x)), controls(points.map(([, y]) => y))];
  let index = 0;
  return pairs(points, (_, to) => {
    const at = index++;
    return cubic([xs[0][at] ?? 0, ys[0][at] ?? 0], [xs[1][at] ?? 0, ys[1][at] ?? 0], to);
  });
}

/** The control points of a natural spline in one dimension: a tridiagonal system, solved forwards and back. */
function controls(values: readonly number[]): [number[], number[]] {
  const last = values.length - 1;
  const v = (index: number): number => values[index] ?? 0;
  const a: number[] = [0];
  const b: number[] = [2];
  const r: number[] = [v(0) + 2 * v(1)];
  for (let i = 1; i < last - 1; i += 1) [a[i], b[i], r[i]] = [1, 4, 4 * v(i) + 2 * v(i + 1)];
  [a[last - 1], b[last - 1], r[last - 1]] = [2, 7, 8 * v(last - 1) + v(last)];
  for (let i = 1; i < last; i += 1) {
    const m = (a[i] ?? 0) / (b[i - 1] ?? 1);
    b[i] = (b[i] ?? 0) - m;
    r[i] = (r[i] ?? 0) - m * (r[i - 1] ?? 0);
  }
  const first: number[] = [];
  first[last - 1] = (r[last - 1] ?? 0) / (b[last - 1] ?? 1);
  for (let i = last - 2; i >= 0; i -= 1) first[i] = ((r[i] ?? 0) - (first[i + 1] ?? 0)) / (b[i] ?? 1);
  const second = Array.from({ length: last }, (_, i) => (i === last - 1 ? (v(last) + (first[last - 1] ?? 0)) / 2 : 2 * v(i + 1) - (first[i + 1] ?? 0)));
  return [first, second];
}

/** A cubic B-spline; it begins and ends at the outer points where it `reaches` them. */
function basis(points: readonly Point[], reaches: boolean): string {
  const mix = (a: Point, b: Point, s: number): Point => [a[0] + (b[0] - a[0]) * s, a[1] + (b[1] - a[1]) * s];
  const knot = (a: Point, b: Point, c: Point): Point => [(a[0] + 4 * b[0] + c[0]) / 6, (a[1] + 4 * b[1] + c[1]) / 6];
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return '';
  const all = reaches ? [first, ...points, last] : points;
  let path = '';
  for (let i = 1; i + 1 < all.length; i += 1) {
    const [a, b, c] = [all[i - 1], all[i], all[i + 1]];
    if (a === undefined || b === undefined || c === undefined) continue;
    const to = knot(a, b, c);
    if (path === '') path = reaches ? `M${p(first)}L${p(to)}` : `M${p(to)}`;
    else path += cubic(mix(a, b, 1 / 3), mix(a, b, 2 / 3), to);
  }
  return reaches ? `${path}L${p(last)}` : path;
}
