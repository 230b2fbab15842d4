// What a player of stored footage fetches next. Pure; times are milliseconds since 1970 UTC.
import type { PlaybackIndex } from '../core/types';
import { lowerBound } from './geometry';

/** A fragment of a stored file: from one key frame to the next. */
export interface Piece {
  start: number; end: number; url: string; offset: number; size: number; initLength: number; codecs: string; run: number; width: number; height: number;
  /** Seconds: decode time of its first picture in the file. */
  mediaStart: number;
}

export function pieces(index: PlaybackIndex): Piece[] {
  const all: Piece[] = [];
  for (const segment of index.segments) {
    for (const fragment of segment.fragments) {
      const start = Date.parse(fragment.start);
      all.push({
        start, end: start + fragment.duration * 1000, url: segment.url, offset: fragment.offset, size: fragment.size, initLength: segment.init_length,
        codecs: segment.codecs, run: segment.run, width: segment.width, height: segment.height, mediaStart: fragment.media_start,
      });
    }
  }
  return all.sort((a, b) => a.start - b.start);
}

/** Two lists as one; a piece that is in both is taken from the newer. */
export function merged(older: readonly Piece[], newer: readonly Piece[]): Piece[] {
  const key = (piece: Piece) => `${piece.url} ${piece.offset}`;
  const known = new Map(older.map((piece) => [key(piece), piece]));
  for (const piece of newer) known.set(key(piece), piece);
  return [...known.values()].sort((a, b) => a.start - b.start);
}

/** The piece that shows a time; -1 where nothing was recorded. */
export function pieceAt(list: readonly Piece[], time: number): number {
  const index = lowerBound(list, time + 0.001, (piece) => piece.start) - 1;
  const piece = list[index];
  return piece && time < piece.end ? index : -1;
}

/** The first piece that shows a time or comes after it; -1 when there is none. */
export function pieceFrom(list: readonly Piece[], time: number): number {
  const here = pieceAt(list, time);
  if (here >= 0) return here;
  const next = lowerBound(list, time, (piece) => piece.start);
  return next < list.length ? next : -1;
}

/** Gaps shorter than this are played over: rounding, and cameras that left out a frame. Milliseconds. */
export const JOIN = 250;

/** Whether footage goes on from one piece to the next. */
export const joins = (before: Piece, after: Piece): boolean => after.start - before.end < JOIN;

/** Where footage begins again after a time at which there is none; null when it is not known. */
export function resumesAt(list: readonly Piece[], time: number): number | null {
  if (pieceAt(list, time) >= 0) return time;
  const next = list[lowerBound(list, time, (piece) => piece.start)];
  return next ? next.start : null;
}

/** Pictures in a second that fast playback shows. */
export const FAST_PICTURES = 10;

/** The key frames that fast playback shows: the first in every `step` milliseconds of wall time and after every gap, each shown until the next. */
export function keysOf(list: readonly Piece[], step: number): Piece[] {
  const found: Piece[] = [];
  let slot = NaN;
  list.forEach((piece, at) => {
    const before = list[at - 1];
    const last = found[found.length - 1];
    const goesOn = before !== undefined && last !== undefined && joins(before, piece);
    const own = Math.floor(piece.start / step);
    if (goesOn && own === slot) {
      last.end = Math.max(last.end, piece.end);
      return;
    }
    if (goesOn) last.end = piece.start;
    slot = own;
    found.push({ ...piece });
  });
  return found;
}

/** How far around the picture footage is held, milliseconds; playing backwards `ahead` lies before it. */
export interface Reach { ahead: number; behind: number }

/** What fast playback lacks, the nearest first in the direction that it goes. */
export function lackingKeys(keys: readonly Piece[], target: number, direction: 1 | -1, reach: Reach, isHeld: (piece: Piece) => boolean, most: number): Piece[] {
  const found: Piece[] = [];
  const here = pieceAt(keys, target);
  let at = here >= 0 ? here : lowerBound(keys, target, (piece) => piece.start) - (direction < 0 ? 1 : 0);
  while (at >= 0 && at < keys.length && found.length < most) {
    const piece = keys[at]!;
    if (direction > 0 ? piece.start > target + reach.ahead : piece.end < target - reach.ahead) break;
    if (!isHeld(piece)) found.push(piece);
    at += direction;
  }
  return found;
}
