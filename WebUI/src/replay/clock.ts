// One clock for all pictures that play together. Pure: the present, in milliseconds of any steady clock, is passed in.

export const RATES = [0.25, 0.5, 1, 2, 4, 8, 16] as const;
/** Above this rate only key frames are shown. */
export const KEYS_ABOVE = 4;

export interface ClockState { /** Milliseconds since 1970 UTC at `since`. */ position: number; since: number; rate: number; isPlaying: boolean; isWaiting: boolean }

export class ReplayClock {
  private state: ClockState;

  constructor(position: number, now: number) { this.state = { position, since: now, rate: 1, isPlaying: false, isWaiting: false }; }

  get rate(): number { return this.state.rate; }
  get isPlaying(): boolean { return this.state.isPlaying; }
  get isWaiting(): boolean { return this.state.isWaiting; }

  position(now: number): number {
    const { position, since, rate, isPlaying, isWaiting } = this.state;
    return isPlaying && !isWaiting ? position + (now - since) * rate : position;
  }

  private become(now: number, change: Partial<ClockState>): void {
    this.state = { ...this.state, position: this.position(now), since: now, ...change };
  }

  seek(position: number, now: number): void { this.become(now, { position }); }
  play(now: number): void { if (!this.state.isPlaying) this.become(now, { isPlaying: true }); }
  pause(now: number): void { if (this.state.isPlaying) this.become(now, { isPlaying: false, isWaiting: false }); }
  /** Stands still while pictures are missing. */
  wait(isWaiting: boolean, now: number): void { if (this.state.isWaiting !== isWaiting) this.become(now, { isWaiting }); }
  setRate(rate: number, now: number): void { if (rate !== this.state.rate) this.become(now, { rate }); }
}

/** The next rate up or down; L and J go through these, backwards too. */
export function shuttle(rate: number, isPlaying: boolean, direction: 1 | -1): number {
  if (!isPlaying || Math.sign(rate) !== direction) return direction;
  const index = RATES.indexOf(Math.abs(rate) as (typeof RATES)[number]);
  return direction * (RATES[Math.min(RATES.length - 1, Math.max(index, 2) + 1)] ?? 1);
}

export interface Steering { /** Jump to the target. */ seek: boolean; /** Rate of the film. */ rate: number }

/** How a film is kept with the clock. `drift`: seconds that the film is ahead. */
export function steer(drift: number, rate: number): Steering {
  const off = Math.abs(drift);
  if (off > 0.4 * Math.max(1, rate)) return { seek: true, rate };
  if (off < 0.02) return { seek: false, rate };
  return { seek: false, rate: Math.max(0.0625, rate * (1 - Math.max(-0.15, Math.min(0.15, drift)))) };
}
