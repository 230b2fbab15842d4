// Decisions of the players, without clocks, sockets or elements. Pure.

/** Which frames a decoder is given: nothing before a key frame, and after an overflow nothing until the next one. */
export class DecodeGate {
  private waitsForKey = true;
  /** Frames left out since the beginning. */
  dropped = 0;

  /** `most`: frames that may wait in the decoder. */
  constructor(private readonly most = 30) {}

  /** Whether this frame goes to the decoder, in which so many wait. */
  admits(isKey: boolean, waiting: number): boolean {
    if (this.waitsForKey && !isKey) {
      this.dropped += 1;
      return false;
    }
    if (waiting > this.most) {
      this.waitsForKey = true;
      this.dropped += 1;
      return false;
    }
    this.waitsForKey = false;
    return true;
  }

  reset(): void { this.waitsForKey = true; }
}

export interface Span { start: number; end: number }

export interface Chase { /** Where to go on; null stays. */ seek: number | null; rate: number }

/** Seconds behind the newest picture that a live picture may be before it is hurried, and before it jumps. */
export const HURRY = 1.2;
export const JUMP = 4;
/** Seconds behind the newest picture where a jump lands. */
export const LANDING = 0.25;

/** How a live picture stays close to what has arrived. `span` is the last range buffered. */
export function chase(span: Span, current: number): Chase {
  if (current < span.start || current > span.end + 0.5) return { seek: Math.max(span.start, span.end - LANDING), rate: 1 };
  const behind = span.end - current;
  if (behind > JUMP) return { seek: Math.max(span.start, span.end - LANDING), rate: 1 };
  return { seek: null, rate: behind > HURRY ? 1.15 : 1 };
}

/** What to remove from a buffer so that no more than `keep` seconds lie behind the picture; null while less than `slack` more would go. */
export function trim(ranges: readonly Span[], current: number, keep: number, slack = 5): Span | null {
  const first = ranges[0];
  if (!first) return null;
  const end = current - keep;
  return end - first.start > slack ? { start: first.start, end } : null;
}

/** Waiting times between two attempts to connect, milliseconds; a success begins anew. */
export class Backoff {
  private failures = 0;

  constructor(private readonly first = 300, private readonly longest = 5000) {}

  next(): number {
    const pause = Math.min(this.longest, this.first * 2 ** this.failures);
    this.failures += 1;
    return pause;
  }

  reset(): void { this.failures = 0; }
}

export type Way = 'webcodecs' | 'mse' | 'jpeg';

/** The ways to show a live picture that this browser has, best first, for a camera and a viewer who may have wishes. */
export function ways(has: { webCodecs: boolean; mse: boolean }, ofCamera: string, wish: Way | 'auto'): Way[] {
  const all: Way[] = [];
  if (has.webCodecs) all.push('webcodecs');
  if (has.mse) all.push('mse');
  all.push('jpeg');
  if (wish !== 'auto' && all.includes(wish)) return all.slice(all.indexOf(wish));
  if (ofCamera === 'mjpeg') return ['jpeg'];
  return all;
}
