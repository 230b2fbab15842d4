// The next or the last event before a time, however far away: the timeline is asked for more and more at once, and where it only counts
// events, for the stretch in which one is. Pure.
import { HOUR, type Span } from './geometry';
import type { Facts } from './lanes';

/** Milliseconds looked through first. */
const FIRST = 2 * HOUR;
/** How much more is looked through when nothing was there. */
const GROWTH = 12;
/** Milliseconds looked through at most at once. */
const MOST = 366 * 24 * HOUR;
/** Questions at most. */
const ROUNDS = 24;

/** The begin of the nearest event beyond `from`, milliseconds; null when there is none until `latest`, or back to the first footage. */
export async function nearestEvent(ask: (range: Span) => Promise<Facts>, from: number, direction: 1 | -1, latest: number): Promise<number | null> {
  const forward = direction > 0;
  let edge = from;
  let reach = FIRST;
  let growth = FIRST;
  for (let round = 0; round < ROUNDS; round += 1) {
    const range = forward ? { start: edge, end: Math.min(latest, edge + reach) } : { start: Math.max(0, edge - reach), end: edge };
    if (range.end - range.start < 1) return null;
    const facts = await ask(range);
    const lanes = [...facts.lanes.values()];
    const far = forward ? range.end : range.start;
    const isExact = lanes.every((lane) => lane.marks !== null);
    const found = isExact ? lanes.flatMap((lane) => lane.marks ?? []).map((mark) => mark.start).filter((start) => forward ? start > range.start && start <= range.end : start < range.end && start >= range.start) : [];
    if (found.length > 0) return forward ? Math.min(...found) : Math.max(...found);
    const counted = isExact ? [] : lanes.flatMap((lane) => lane.counts).map((share) => ({ start: Math.max(range.start, share.start), end: Math.min(range.end, share.end) })).filter((share) => share.end > share.start);
    if (counted.length > 0) {
      const near = forward ? Math.min(...counted.map((share) => share.start)) : Math.max(...counted.map((share) => share.end));
      const ends = counted.filter((share) => forward ? share.start === near : share.end === near).map((share) => forward ? share.end : share.start);
      const end = forward ? Math.min(...ends) : Math.max(...ends);
      // What is as small as it was and is still only counted is taken as it is.
      if (near === edge && Math.abs(end - near) >= reach) return forward ? near : end;
      edge = near;
      reach = Math.abs(end - near);
      continue;
    }
    if (!forward) {
      const firsts = lanes.map((lane) => lane.first).filter((first): first is number => first !== null);
      if (firsts.length === 0 || far <= Math.min(...firsts)) return null;
    } else if (far >= latest) return null;
    edge = far;
    growth = Math.min(MOST, growth * GROWTH);
    reach = growth;
  }
  return null;
}
