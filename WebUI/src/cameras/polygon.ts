// Polygons on a picture, in fractions of its width and height from the upper left corner. Pure.

export type Point = readonly [number, number];
export type Polygon = readonly Point[];

/** What the server takes at most. */
export const MOST_POLYGONS = 64;
export const MOST_POINTS = 128;

const round = (value: number): number => Math.round(Math.min(1, Math.max(0, value)) * 10_000) / 10_000;
export const clamped = ([x, y]: Point): Point => [round(x), round(y)];

/** Reads masks as the server answers them: JSON text of `[{"points": [[x, y], …]}, …]`; what is none of these is left out. */
export function parseMasks(text: unknown): Polygon[] {
  let value: unknown = text;
  if (typeof text === 'string') {
    try { value = text.trim() ? JSON.parse(text) : []; } catch { return []; }
  }
  if (!Array.isArray(value)) return [];
  const polygons: Polygon[] = [];
  for (const element of value as unknown[]) {
    const points = (element as { points?: unknown } | null)?.points;
    if (!Array.isArray(points)) continue;
    const corners = (points as unknown[]).filter((point): point is [number, number] =>
      Array.isArray(point) && point.length === 2 && (point as unknown[]).every((number) => typeof number === 'number' && Number.isFinite(number)));
    if (corners.length >= 3) polygons.push(corners.map(clamped));
  }
  return polygons;
}

export function masksText(polygons: readonly Polygon[]): string {
  return JSON.stringify(polygons.map((points) => ({ points })));
}

/** Twice the signed area. */
function doubleArea(polygon: Polygon): number {
  let sum = 0;
  for (let at = 0; at < polygon.length; at += 1) {
    const [x, y] = polygon[at]!;
    const [nextX, nextY] = polygon[(at + 1) % polygon.length]!;
    sum += x * nextY - nextX * y;
  }
  return sum;
}

/** The share of the picture that it covers, 0…1. */
export const area = (polygon: Polygon): number => Math.abs(doubleArea(polygon)) / 2;

export function movePoint(polygon: Polygon, index: number, to: Point): Polygon {
  return polygon.map((point, at) => at === index ? clamped(to) : point);
}

/** The whole polygon moved as far as it stays on the picture. */
export function movePolygon(polygon: Polygon, dx: number, dy: number): Polygon {
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  const within = (delta: number, values: number[]) => Math.max(-Math.min(...values), Math.min(1 - Math.max(...values), delta));
  const byX = within(dx, xs);
  const byY = within(dy, ys);
  return polygon.map(([x, y]) => clamped([x + byX, y + byY]));
}

/** What an area begins as that is drawn without a pointer. */
export const startingPolygon: Polygon = [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]];

/** A new corner behind the one of this index. */
export function insertPoint(polygon: Polygon, after: number, point: Point): Polygon {
  if (polygon.length >= MOST_POINTS) return polygon;
  return [...polygon.slice(0, after + 1), clamped(point), ...polygon.slice(after + 1)];
}

/** Without a corner; a triangle keeps its three. */
export function removePoint(polygon: Polygon, index: number): Polygon {
  return polygon.length <= 3 ? polygon : polygon.filter((_, at) => at !== index);
}

export function middle([ax, ay]: Point, [bx, by]: Point): Point { return [(ax + bx) / 2, (ay + by) / 2]; }

/** Whether a point lies inside (even-odd rule). */
export function contains(polygon: Polygon, [px, py]: Point): boolean {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at, at += 1) {
    const [ax, ay] = polygon[at]!;
    const [bx, by] = polygon[before]!;
    if ((ay > py) !== (by > py) && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

const turn = ([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number => Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));

function cross(a: Point, b: Point, c: Point, d: Point): boolean {
  return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}

/** Whether no two sides cross. */
export function isSimple(polygon: Polygon): boolean {
  const count = polygon.length;
  for (let first = 0; first < count; first += 1) {
    for (let second = first + 2; second < count; second += 1) {
      if (first === 0 && second === count - 1) continue;
      if (cross(polygon[first]!, polygon[(first + 1) % count]!, polygon[second]!, polygon[(second + 1) % count]!)) return false;
    }
  }
  return true;
}

/** Whether it can be a mask: three corners or more that span an area. */
export const isUsable = (polygon: Polygon): boolean => polygon.length >= 3 && area(polygon) > 1e-5;
