// Where tiles and pictures go. Pure.

export interface Size { width: number; height: number }
export interface Rect extends Size { x: number; y: number }

/** The columns that make tiles of an aspect as large as possible in an area; tiles never get narrower than `least` pixels: then the page scrolls. */
export function bestColumns(count: number, area: Size, aspect: number, gap: number, least: number): number {
  if (count <= 1 || area.width <= 0 || area.height <= 0) return 1;
  const most = Math.max(1, Math.min(count, Math.floor((area.width + gap) / (least + gap))));
  let best = 1;
  let bestWidth = 0;
  for (let columns = 1; columns <= most; columns += 1) {
    const rows = Math.ceil(count / columns);
    const width = Math.min((area.width - gap * (columns - 1)) / columns, ((area.height - gap * (rows - 1)) / rows) * aspect);
    if (width > bestWidth + 0.5) {
      bestWidth = width;
      best = columns;
    }
  }
  return bestWidth < least ? most : best;
}

/** The rectangle of a picture of this aspect that is shown whole inside an area. */
export function contain(area: Size, aspect: number): Rect {
  if (area.width <= 0 || area.height <= 0 || !(aspect > 0)) return { x: 0, y: 0, width: Math.max(0, area.width), height: Math.max(0, area.height) };
  const width = Math.min(area.width, area.height * aspect);
  const height = width / aspect;
  return { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
}

/** A digital zoom: the picture is scaled about its upper left corner and moved by pixels of the view. */
export interface Zoom { scale: number; x: number; y: number }
export const NO_ZOOM: Zoom = { scale: 1, x: 0, y: 0 };
export const MOST_ZOOM = 12;

/** Keeps the view filled. */
export function bounded(zoom: Zoom, view: Size): Zoom {
  const scale = Math.min(MOST_ZOOM, Math.max(1, zoom.scale));
  const within = (value: number, size: number) => Math.min(0, Math.max(size - size * scale, value));
  return { scale, x: within(zoom.x, view.width) + 0, y: within(zoom.y, view.height) + 0 };
}

/** Zooms by a factor about a point of the view, which stays where it is. */
export function zoomAt(zoom: Zoom, factor: number, point: { x: number; y: number }, view: Size): Zoom {
  const scale = Math.min(MOST_ZOOM, Math.max(1, zoom.scale * factor));
  const ratio = scale / zoom.scale;
  return bounded({ scale, x: point.x - (point.x - zoom.x) * ratio, y: point.y - (point.y - zoom.y) * ratio }, view);
}

/** A list in which some elements have another order among themselves: they keep the places that they had, the others stay where they are. */
export function placed<T>(list: readonly T[], order: readonly T[]): T[] {
  const some = new Set(order);
  let next = 0;
  return list.map((element) => some.has(element) ? order[next++]! : element);
}

/** A list in which one element has another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const copy = [...list];
  const [element] = copy.splice(from, 1);
  if (element !== undefined) copy.splice(Math.max(0, Math.min(copy.length, to)), 0, element);
  return copy;
}
