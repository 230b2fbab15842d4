// Which part of a very long list is drawn. Pure.

/** Browsers draw no element taller than some ten million pixels: longer lists are shown at a smaller scale. */
export const TALLEST = 8_000_000;

export interface Window { first: number; last: number; /** Pixels from the top of the list to the first row drawn. */ top: number; height: number }

/** The rows to draw. `margin`: rows beyond the edges. */
export function windowOf(rows: number, rowHeight: number, scrollTop: number, viewHeight: number, margin = 3): Window {
  const full = rows * rowHeight;
  const height = Math.min(full, TALLEST);
  if (rows === 0 || rowHeight <= 0) return { first: 0, last: 0, top: 0, height: 0 };
  const scrollable = Math.max(1, height - viewHeight);
  const share = Math.min(1, Math.max(0, scrollTop / scrollable));
  // In a list that fits, a pixel scrolled is a pixel; else the place is a share of the whole.
  const offset = full <= TALLEST ? Math.min(Math.max(0, scrollTop), Math.max(0, full - viewHeight)) : share * Math.max(0, full - viewHeight);
  const first = Math.max(0, Math.floor(offset / rowHeight) - margin);
  const last = Math.min(rows, Math.ceil((offset + viewHeight) / rowHeight) + margin);
  const top = full <= TALLEST ? first * rowHeight : Math.max(0, scrollTop - (offset - first * rowHeight));
  return { first, last, top, height };
}

/** Where to scroll so that a row is seen whole: no further than that takes. */
export function revealingRow(rows: number, rowHeight: number, scrollTop: number, viewHeight: number, row: number): number {
  const full = rows * rowHeight;
  const most = Math.max(0, full - viewHeight);
  const scrollable = Math.max(1, Math.min(full, TALLEST) - viewHeight);
  const scale = full > TALLEST ? most / scrollable : 1;
  const offset = Math.min(most, Math.max(0, scrollTop) * scale);
  const top = row * rowHeight;
  if (top < offset) return top / scale;
  return top + rowHeight > offset + viewHeight ? Math.min(most, top + rowHeight - viewHeight) / scale : scrollTop;
}

/** The pages that hold the elements first ..< last. */
export function pagesOf(first: number, last: number, size: number): number[] {
  const pages: number[] = [];
  if (last <= first) return pages;
  for (let page = Math.floor(first / size); page * size < last; page += 1) pages.push(page);
  return pages;
}
