// The timeline's arithmetic: times (milliseconds since 1970 UTC) and pixels. Pure.

export interface View { start: number; end: number }
export interface Span { start: number; end: number }

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** The least and the most that is seen at once. */
export const SHORTEST = SECOND;
export const LONGEST = 5 * 366 * DAY;

export const lengthOf = (view: Span): number => view.end - view.start;
export const xOf = (view: View, width: number, time: number): number => ((time - view.start) / lengthOf(view)) * width;
export const timeOf = (view: View, width: number, x: number): number => view.start + (x / Math.max(1, width)) * lengthOf(view);

/** Zooms about a time that stays where it is; a factor above 1 shows less. The end does not run far ahead of `latest`. */
export function zoomed(view: View, factor: number, at: number, latest: number): View {
  const length = Math.min(LONGEST, Math.max(SHORTEST, lengthOf(view) / factor));
  const share = (at - view.start) / lengthOf(view);
  return held({ start: at - share * length, end: at + (1 - share) * length }, latest);
}

export function panned(view: View, by: number, latest: number): View { return held({ start: view.start + by, end: view.end + by }, latest); }

/** Half of what is seen may lie in the future, so that the present can stand in the middle. */
export function held(view: View, latest: number): View {
  const length = lengthOf(view);
  const most = latest + length / 2;
  return view.end > most ? { start: most - length, end: most } : view;
}

/** Moved just as far as is needed to see a time, with some room around it. */
export function revealing(view: View, time: number, room = 0.1): View {
  const length = lengthOf(view);
  if (time < view.start + length * room) return { start: time - length * room, end: time + length * (1 - room) };
  if (time > view.end - length * room) return { start: time - length * (1 - room), end: time + length * room };
  return view;
}

const steps = [
  SECOND / 10, SECOND / 5, SECOND / 2, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 365 * DAY,
];

/** The distance of marks such that their labels have so many pixels. */
export function tickStep(view: View, width: number, pixels: number): number {
  const least = (lengthOf(view) / Math.max(1, width)) * pixels;
  return steps.find((step) => step >= least) ?? 365 * DAY;
}

/** Where marks stand: on round readings of the clock. `offset`: milliseconds that the clock is ahead of UTC at a time. */
export function ticks(view: View, step: number, offset: (time: number) => number): number[] {
  const marks: number[] = [];
  if (step >= 30 * DAY) {
    const months = step >= 365 * DAY ? 12 : step >= 91 * DAY ? 3 : 1;
    const first = new Date(view.start + offset(view.start));
    let month = Math.floor(first.getUTCMonth() / months) * months;
    const year = first.getUTCFullYear();
    for (let count = 0; count < 400; count += 1, month += months) {
      const local = Date.UTC(year, month, 1);
      const time = local - offset(local);
      if (time > view.end) break;
      if (time >= view.start) marks.push(time);
    }
    return marks;
  }
  // Steps up to an hour are laid on UTC shifted by the offset of the place, longer ones on the days of the clock, where a day may have 23 hours.
  let local = Math.floor((view.start + offset(view.start)) / step) * step;
  for (let count = 0; count < 400; count += 1, local += step) {
    let time = local - offset(local);
    time = local - offset(time);
    if (time > view.end) break;
    if (time >= view.start && time !== marks[marks.length - 1]) marks.push(time);
  }
  return marks;
}

/** Spans as rectangles of pixels; those that touch on the screen are one, and every one is seen. */
export function pixelSpans(spans: readonly Span[], view: View, width: number, least = 1): { x: number; width: number }[] {
  const found: { x: number; width: number }[] = [];
  for (const span of spans) {
    if (span.end < view.start || span.start > view.end) continue;
    const from = Math.max(0, xOf(view, width, span.start));
    const to = Math.min(width, Math.max(xOf(view, width, span.end), from + least));
    const last = found[found.length - 1];
    if (last && from <= last.x + last.width + 0.5) last.width = Math.max(last.width, to - last.x);
    else found.push({ x: from, width: to - from });
  }
  return found;
}

/** The first element that begins at or after a value, in a list ordered by it. */
export function lowerBound<T>(list: readonly T[], value: number, of: (element: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(list[middle]!) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
