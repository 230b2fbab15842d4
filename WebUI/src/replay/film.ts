import { api, Failure, failureOf } from '../core/api';
import type { PlaybackIndex } from '../core/types';
import { present } from '../core/now';
import { spans } from '../player/fragments';
import { Backoff } from '../player/policy';
import { isPlayable, isSated, mediaSourceClass, prepareElement } from '../player/source';
import { KEYS_ABOVE, steer } from './clock';
import { keyFragment, keyFrameIn, pictureCodec, pictureCount, pictureHead, type PictureHead } from './keyframes';
import { FAST_PICTURES, joins, keysOf, lackingKeys, merged, pieceAt, pieceFrom, pieces, resumesAt, type Piece, type Reach } from './plan';

/** Milliseconds of the index asked for around and ahead of the picture. */
const BEFORE = 30_000;
const AHEAD = 300_000;
/** Seconds of footage in the buffer ahead of the picture at normal speed, and behind it. */
const BUFFERED = 12;
const BEHIND = 20;
/** Seconds of the clock for which fast playback has key frames ahead, and how many are asked for at once. */
const FAST_AHEAD = 5;
const TOGETHER = 4;
/** Bytes of a fragment's begin that are asked for before it is known how large key frames are. */
const FIRST_LOOK = 48_000;
/** Milliseconds that second 0 of the element lies before the first picture: there is no time before it. */
const MARGIN = 600_000;

export type FilmState = 'loading' | 'ready' | 'gap' | 'unsupported' | 'failed';

/** One camera's stored footage in a video element, led by a clock of others. */
export class Film {
  readonly element = document.createElement('video');
  /** What was shown before the element got another source; it lies under the element, which is clear until it has a picture. */
  readonly still = document.createElement('canvas');
  state: FilmState = 'loading';
  /** Why the footage cannot be had, in the viewer's language, while it is so. */
  problem: string | null = null;
  private source: MediaSource | null = null;
  private buffer: SourceBuffer | null = null;
  private url = '';
  /** Wall time of second 0 of the element. */
  private base = 0;
  private index: Piece[] = [];
  /** What of the index is known. */
  private known: { start: number; end: number } | null = null;
  private asking: Promise<void> | null = null;
  private asked = 0;
  private fed: Piece | null = null;
  private initOf = '';
  private heads = new Map<string, Promise<ArrayBuffer>>();
  /** Whether the source holds key frames alone. */
  private isFast = false;
  /** Set when key frames could not be taken out of fragments: then whole ones are fetched at any speed. */
  private refusesFast = false;
  private keepsStill = false;
  private direction: 1 | -1 = 1;
  private keys: { of: Piece[]; step: number; list: Piece[] } = { of: [], step: 0, list: [] };
  /** Bytes of a fragment up to the end of its key frame, as they were of late. */
  private keyBytes = FIRST_LOOK;
  /** The generation of the source that is being fed: an older one may wait for ever for a buffer that is gone. */
  private feeding: number | null = null;
  private generation = 0;
  private target = 0;
  private rate = 1;
  private isClosed = false;
  /** Whether the buffer holds the picture that is asked for. */
  private hasPicture = false;
  /** After a failure nothing is fetched before this moment of `performance.now()`. */
  private restsUntil = 0;
  private readonly backoff = new Backoff(500, 10_000);
  private readonly ending = new AbortController();
  /** Where the picture begins that is shown, seconds of the element. */
  private lastFrame = NaN;
  /** Seconds between two pictures, as the stored fragments have them. */
  frameSeconds = 1 / 25;

  constructor(readonly camera: number, private readonly changed: () => void) {
    const { element } = this;
    element.muted = true;
    element.playsInline = true;
    element.disablePictureInPicture = true;
    element.preload = 'auto';
    prepareElement(element);
    element.onerror = () => this.restart();
    const film = element as HTMLVideoElement & { requestVideoFrameCallback?(callback: (now: number, facts: { mediaTime: number }) => void): number };
    const next = (_: number, facts: { mediaTime: number }) => {
      this.lastFrame = facts.mediaTime;
      film.requestVideoFrameCallback?.(next);
    };
    film.requestVideoFrameCallback?.(next);
  }

  close(): void {
    this.isClosed = true;
    this.ending.abort();
    this.element.pause();
    this.element.removeAttribute('src');
    this.element.load();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  /** Wall time of the picture that is shown. */
  get shownAt(): number { return this.base + this.element.currentTime * 1000; }

  /** The time to go to for the next picture or the one before: the middle of it, so that no rounding leads to another. */
  beside(position: number, direction: 1 | -1): number {
    const frame = this.frameSeconds * 1000;
    const begin = this.base + this.lastFrame * 1000;
    // While a picture is on its way, what is shown is not where the clock stands.
    const isShown = !this.element.seeking && begin <= position + frame && position < begin + 3 * frame;
    return isShown ? begin + frame * (direction > 0 ? 1.5 : -0.5) : position + direction * frame;
  }

  /** Where footage goes on after a time without any; null when it is not known yet or there is none. */
  resumesAt(time: number): number | null { return resumesAt(this.index, time); }
  /** Whether the index around a time is known. */
  knows(time: number): boolean { return this.known !== null && time >= this.known.start && time <= this.known.end; }
  keyFrameAt(time: number): number | null {
    const at = pieceAt(this.index, time);
    return at >= 0 ? this.index[at]!.start : null;
  }

  /** Called for every picture of the screen: shows what the clock says. */
  lead(time: number, rate: number, isPlaying: boolean): void {
    if (this.isClosed) return;
    if (Math.abs(time - this.target) > 2000) {
      // Elsewhere there may be footage that can be had.
      this.restsUntil = 0;
      this.problem = null;
    }
    this.target = time;
    // What stands needs no more footage than what is played at normal speed.
    this.rate = isPlaying ? Math.abs(rate) : 1;
    this.direction = rate < 0 ? -1 : 1;
    this.look(time, rate);
    const at = pieceAt(this.index, time);
    if (at < 0) {
      // At the end of what is known the picture stays; in a gap that is known there is none.
      if (this.knows(time)) this.become('gap');
      if (!this.element.paused) this.element.pause();
      return;
    }
    if (this.state === 'unsupported') return;
    const isFast = this.rate > KEYS_ABOVE;
    if (isFast !== this.isFast && !(isFast && this.refusesFast)) this.change(isFast);
    const keys = isFast ? this.fastKeys() : this.index;
    const piece = keys[pieceAt(keys, time)] ?? this.index[at]!;
    if (!this.source || time < this.base || time - this.base > 86_400_000) this.open(piece.start - MARGIN);
    const { element } = this;
    const wanted = (time - this.base) / 1000;
    const isHeld = spans(element.buffered).some((range) => wanted >= range.start - 0.1 && wanted < range.end - 0.01);
    this.hasPicture = isHeld;
    void this.feed();
    if (!isHeld) {
      this.become(this.problem ? 'failed' : 'loading');
      if (!element.paused) element.pause();
      return;
    }
    if (!isPlaying || rate < 0 || isFast) {
      if (!element.paused) element.pause();
      // Fast and backwards, pictures are set one by one, each when the last is there: key frames where it goes fast.
      const goal = isFast ? (piece.start - this.base) / 1000 + 0.001 : wanted;
      const slack = isPlaying ? 0.03 : 0.004;
      if (!element.seeking && Math.abs(element.currentTime - goal) > slack) element.currentTime = goal;
    } else {
      const { seek, rate: own } = steer(element.currentTime - wanted, rate);
      if (seek) {
        if (!element.seeking) element.currentTime = wanted;
      } else if (element.playbackRate !== own) element.playbackRate = own;
      // Refused without a gesture or in a hidden tab; asked again with the next picture.
      if (element.paused && !element.seeking) element.play().catch(() => {});
    }
    // Fast playback is one seek after the other; what is seen meanwhile is the picture before.
    this.become(element.readyState < (isFast ? 1 : 2) || (element.seeking && !isFast) ? 'loading' : 'ready');
  }

  private become(state: FilmState): void {
    if (state === this.state) return;
    this.state = state;
    this.changed();
  }

  /** Sees to it that the index is known around a time. */
  private look(time: number, rate: number): void {
    const span = AHEAD * Math.max(1, Math.abs(rate) / 4);
    const now = present();
    const needsMore = !this.known || time < this.known.start || time > this.known.end - Math.min(60_000, span / 4) || (rate < 0 && time < this.known.start + 15_000);
    // What is being recorded grows: near the present the index is asked for again and again.
    const grows = this.known !== null && this.known.end > now - 15_000;
    if (!needsMore || this.asking || performance.now() - this.asked < (grows ? 1500 : 200)) return;
    this.asked = performance.now();
    const isNear = this.known !== null && time >= this.known.start - span && time <= this.known.end + span;
    const start = isNear && this.known && rate > 0 ? Math.max(time - BEFORE, Math.min(this.known.end - 20_000, time)) : time - (rate < 0 ? span : BEFORE);
    const end = Math.min(now + 1000, time + span);
    if (start >= end) {
      this.known = { start: time - BEFORE, end: time + 1 };
      return;
    }
    this.asking = this.ask(start, end, isNear).finally(() => { this.asking = null; });
  }

  private async ask(start: number, end: number, isNear: boolean): Promise<void> {
    try {
      const answer = await api.get<PlaybackIndex>(`/cameras/${this.camera}/playback.json`, { start: (start / 1000).toFixed(3), end: (end / 1000).toFixed(3) }, this.ending.signal);
      const found = pieces(answer);
      this.index = isNear ? merged(this.index.filter((piece) => piece.end > start - 3_600_000), found) : found;
      this.known = isNear && this.known ? { start: Math.min(this.known.start, start), end: Math.max(this.known.end, end) } : { start, end };
      if (this.known.end - this.known.start > 6 * 3_600_000) this.known.start = start;
    } catch (problem) {
      if (problem instanceof Failure && (problem.status === 403 || problem.status === 404)) this.become('failed');
    }
  }

  /** The other kind of source, with the picture that is shown until it has one of its own. */
  private change(isFast: boolean): void {
    this.isFast = isFast;
    if (!this.source) return;
    const { still, element } = this;
    if (element.videoWidth > 0 && element.readyState >= 2) {
      still.width = element.videoWidth;
      still.height = element.videoHeight;
      still.getContext('2d')?.drawImage(element, 0, 0);
    }
    this.keepsStill = true;
    this.source = null;
  }

  private fastKeys(): Piece[] {
    const step = (this.rate * 1000) / FAST_PICTURES;
    if (this.keys.of !== this.index || this.keys.step !== step) this.keys = { of: this.index, step, list: keysOf(this.index, step) };
    return this.keys.list;
  }

  private open(base: number): void {
    this.generation += 1;
    this.base = base;
    if (!this.keepsStill) this.still.width = 0;
    this.keepsStill = false;
    this.fed = null;
    this.initOf = '';
    this.buffer = null;
    if (this.url) URL.revokeObjectURL(this.url);
    const Source = mediaSourceClass();
    if (!Source) return this.become('unsupported');
    this.source = new Source();
    this.url = URL.createObjectURL(this.source);
    this.element.src = this.url;
    this.source.onsourceopen = () => { void this.feed(); };
    return undefined;
  }

  private restart(): void {
    if (this.isClosed) return;
    // A decoder that does not take key frames alone may take everything.
    if (this.isFast) this.refusesFast = true;
    this.isFast = false;
    this.source = null;
    this.rest();
    this.become('loading');
  }

  /** Waits a while, each time longer, before anything is fetched again. */
  private rest(): void { this.restsUntil = performance.now() + this.backoff.next(); }
  private succeeded(): void {
    this.backoff.reset();
    this.problem = null;
  }

  private async feed(): Promise<void> {
    if (performance.now() < this.restsUntil || (this.source && this.hasPicture && isSated(this.source))) return;
    await (this.isFast ? this.feedKeys() : this.feedPieces());
  }

  /** Fetches and appends what comes next, one piece at a time. */
  private async feedPieces(): Promise<void> {
    if (this.feeding === this.generation || this.isClosed || this.source?.readyState !== 'open') return;
    const mine = this.generation;
    const piece = this.next();
    if (!piece) return;
    this.feeding = mine;
    try {
      const parts: ArrayBuffer[] = [];
      const type = `video/mp4; codecs="${piece.codecs}"`;
      if (!this.buffer) {
        if (!isPlayable(type)) return this.become('unsupported');
        this.buffer = this.source.addSourceBuffer(type);
      }
      if (this.initOf !== piece.url) parts.push(await this.head(piece));
      parts.push(await this.bytes(piece.url, piece.offset, piece.size));
      if (mine !== this.generation || this.isClosed) return;
      const before = this.fed;
      if (before && before.codecs !== piece.codecs) {
        if (!isPlayable(type)) return this.become('unsupported');
        this.buffer.changeType(type);
      }
      const offset = (piece.start - this.base) / 1000 - piece.mediaStart;
      if (parts.length > 1) await this.append(parts[0]!);
      if (mine !== this.generation || this.isClosed) return;
      if (Math.abs(this.buffer.timestampOffset - offset) > 0.0005) this.buffer.timestampOffset = offset;
      await this.append(parts[parts.length - 1]!);
      if (mine !== this.generation || this.isClosed) return;
      this.initOf = piece.url;
      this.fed = piece;
      this.succeeded();
      await this.measure(piece, parts[parts.length - 1]!);
      await this.forget(mine);
    } catch (problem) { await this.failed(problem, mine); } finally { if (this.feeding === mine) this.feeding = null; }
  }

  private async failed(problem: unknown, mine: number): Promise<void> {
    if (this.isClosed || mine !== this.generation) return;
    if (problem instanceof DOMException && problem.name === 'QuotaExceededError') await this.forget(mine, 2);
    else if (problem instanceof Failure) {
      this.problem = problem.words;
      // What was deleted meanwhile is looked for anew.
      if (problem.status === 404 || problem.status === 410) this.known = null;
      this.rest();
    } else if (problem instanceof TypeError) this.rest();
    else this.restart();
  }

  /** The same for fast playback: of every fragment only what describes its key frame, and the key frame. */
  private async feedKeys(): Promise<void> {
    if (this.feeding === this.generation || this.isClosed || this.source?.readyState !== 'open') return;
    const mine = this.generation;
    const held = this.held();
    const lacking = lackingKeys(this.fastKeys(), this.target, this.direction, this.reach(), (key) => held.some((range) => key.start >= range.start - 5 && key.start + 1 < range.end),
      // One by one until it is known how large they are.
      this.keyBytes === FIRST_LOOK ? 1 : TOGETHER);
    if (lacking.length === 0) return;
    this.feeding = mine;
    try {
      const found = await Promise.all(lacking.map((key) => this.keyFrame(key)));
      for (const [at, key] of lacking.entries()) {
        const one = found[at];
        const codec = pictureCodec(key.codecs);
        if (mine !== this.generation || this.isClosed || !this.source) return;
        if (!one || !codec) {
          this.refusesFast = true;
          return this.change(false);
        }
        const type = `video/mp4; codecs="${codec}"`;
        if (!isPlayable(type)) return this.become('unsupported');
        if (!this.buffer) this.buffer = this.source.addSourceBuffer(type);
        else if (this.fed && pictureCodec(this.fed.codecs) !== codec) this.buffer.changeType(type);
        if (this.initOf !== key.url) await this.append(one.head.data);
        if (mine !== this.generation || this.isClosed) return;
        this.buffer.timestampOffset = (key.start - this.base) / 1000;
        await this.append(keyFragment(one.picture, one.head, (key.end - key.start) / 1000));
        if (mine !== this.generation || this.isClosed) return;
        this.initOf = key.url;
        this.fed = key;
      }
      this.succeeded();
      await this.forget(mine);
    } catch (problem) { await this.failed(problem, mine); } finally { if (this.feeding === mine) this.feeding = null; }
    return undefined;
  }

  /** The key frame of a fragment; null when it cannot be found in it. */
  private async keyFrame(key: Piece): Promise<{ head: PictureHead; picture: Uint8Array } | null> {
    const head = pictureHead(new Uint8Array(await this.head(key)));
    if (!head) return null;
    let begin = new Uint8Array(await this.bytes(key.url, key.offset, Math.min(key.size, this.keyBytes)));
    let place = keyFrameIn(begin, head);
    if (place === 'more' && begin.length < key.size) {
      begin = new Uint8Array(await this.bytes(key.url, key.offset, key.size));
      place = keyFrameIn(begin, head);
    }
    if (place === null || place === 'more' || place.offset < 0 || place.offset + place.size > key.size) return null;
    const end = place.offset + place.size;
    // A little more than the last one needed: the next is hardly ever larger by much.
    this.keyBytes = Math.ceil(Math.max(end * 1.1, this.keyBytes * 0.8) / 512) * 512;
    if (end <= begin.length) return { head, picture: begin.subarray(place.offset, end) };
    const rest = new Uint8Array(await this.bytes(key.url, key.offset + begin.length, end - begin.length));
    const picture = new Uint8Array(place.size);
    const first = begin.subarray(Math.min(place.offset, begin.length));
    picture.set(first);
    picture.set(rest.subarray(rest.length - (place.size - first.length)), first.length);
    return { head, picture };
  }

  /** How long a picture is shown, from how many a fragment has. */
  private async measure(piece: Piece, data: ArrayBuffer): Promise<void> {
    const head = pictureHead(new Uint8Array(await this.head(piece)));
    const count = head ? pictureCount(new Uint8Array(data), head) : 0;
    const seconds = (piece.end - piece.start) / 1000 / Math.max(1, count);
    if (count > 0 && seconds > 0.004 && seconds < 5) this.frameSeconds = seconds;
  }

  private held(): { start: number; end: number }[] {
    return spans(this.element.buffered).map((range) => ({ start: this.base + range.start * 1000, end: this.base + range.end * 1000 }));
  }

  private reach(): Reach {
    return this.isFast ? { ahead: FAST_AHEAD * this.rate * 1000, behind: BEHIND * 1000 } : { ahead: BUFFERED * 1000 * Math.min(4, Math.max(1, this.rate)), behind: BEHIND * 1000 };
  }

  /** The piece that the buffer lacks; null while there is enough. */
  private next(): Piece | null {
    const wanted = this.target;
    const limit = wanted + this.reach().ahead;
    const held = this.held();
    const isHeld = (piece: Piece) => held.some((range) => piece.start >= range.start - 120 && Math.min(piece.end, piece.start + 60) <= range.end + 5 && piece.end <= range.end + 250);
    let at = pieceFrom(this.index, wanted);
    if (at < 0) return null;
    while (at < this.index.length) {
      const piece = this.index[at]!;
      if (piece.start > limit) return null;
      if (!isHeld(piece)) return piece;
      const after = this.index[at + 1];
      if (after && !joins(piece, after) && after.start > limit) return null;
      at += 1;
    }
    return null;
  }

  private head(piece: Piece): Promise<ArrayBuffer> {
    let found = this.heads.get(piece.url);
    if (!found) {
      found = this.bytes(piece.url, 0, piece.initLength);
      this.heads.set(piece.url, found);
      found.catch(() => { this.heads.delete(piece.url); });
      if (this.heads.size > 20) this.heads.delete(this.heads.keys().next().value as string);
    }
    return found;
  }

  private async bytes(url: string, offset: number, size: number): Promise<ArrayBuffer> {
    const answer = await fetch(url, { headers: { Range: `bytes=${offset}-${offset + size - 1}` }, signal: this.ending.signal });
    if (answer.status !== 206 && answer.status !== 200) {
      const text = await answer.text();
      let body: unknown = null;
      // What stands before the server may answer in another form: then the status says it.
      try { body = JSON.parse(text); } catch { body = null; }
      throw failureOf(answer.status, body);
    }
    const data = await answer.arrayBuffer();
    return answer.status === 200 ? data.slice(offset, offset + size) : data;
  }

  private append(data: BufferSource): Promise<void> { return this.run((buffer) => buffer.appendBuffer(data)); }

  private run(action: (buffer: SourceBuffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const { buffer } = this;
      if (!buffer || this.source?.readyState !== 'open') return resolve();
      buffer.onupdateend = () => resolve();
      buffer.onerror = () => reject(new Error('refused'));
      action(buffer);
      return undefined;
    });
  }

  /** Removes what lies far from the picture. */
  private async forget(mine: number, keep = BEHIND): Promise<void> {
    const current = (this.target - this.base) / 1000;
    const reach = this.reach();
    const isBack = this.isFast && this.direction < 0;
    const before = isBack ? reach.ahead / 1000 + 10 : keep;
    const most = isBack ? BEHIND : Math.max(BUFFERED * 8, reach.ahead / 1000 + 20);
    for (const range of spans(this.element.buffered)) {
      if (mine !== this.generation) return;
      if (range.start < current - before - 10) await this.run((buffer) => buffer.remove(range.start, Math.min(range.end, current - before)));
      else if (range.end > current + most) await this.run((buffer) => buffer.remove(Math.max(range.start, current + most - 5), range.end));
    }
  }
}
