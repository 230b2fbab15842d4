import { isShutOut } from '../core/api';
import { connection } from '../core/connection';
import type { Backend, BackendEvents, PlayerOptions } from './live';
import { Backoff } from './policy';

/** Milliseconds between two pictures at least. */
const PACE = 200;
/** Milliseconds that one may take: then the line counts as dead. */
const LONGEST = 12_000;

/** Live pictures one by one: the next is asked for when the last is shown, never more than one at a time. */
export class JPEGPictures implements Backend {
  readonly element = document.createElement('img');
  private readonly backoff = new Backoff(500);
  private readonly ending = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private url = '';
  private readonly stopListening: () => void;

  constructor(private readonly options: PlayerOptions, private readonly events: BackendEvents) {
    this.element.alt = '';
    document.addEventListener('visibilitychange', this.onVisible);
    this.stopListening = isShutOut.subscribe(() => this.onVisible());
    void this.next();
  }

  close(): void {
    this.ending.abort();
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.onVisible);
    this.stopListening();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  setVolume(): void {}

  private readonly onVisible = () => {
    if (document.hidden) return;
    clearTimeout(this.timer);
    void this.next();
  };

  private isRunning = false;

  private async next(): Promise<void> {
    if (this.isRunning || document.hidden || isShutOut.value || this.ending.signal.aborted) return;
    this.isRunning = true;
    const began = performance.now();
    let pause: number;
    const asking = new AbortController();
    const stop = () => asking.abort();
    this.ending.signal.addEventListener('abort', stop);
    const deadline = setTimeout(stop, LONGEST);
    try {
      const answer = await fetch(`/api/cameras/${this.options.camera}/frame?width=${this.options.width}`, { cache: 'no-store', signal: asking.signal });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const url = URL.createObjectURL(await answer.blob());
      this.element.src = url;
      await this.element.decode();
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = url;
      this.backoff.reset();
      this.events.picture();
      pause = Math.max(50, PACE - (performance.now() - began));
    } catch (problem) {
      if (this.ending.signal.aborted) return;
      if (problem instanceof TypeError) connection.lost();
      this.events.interrupted();
      pause = this.backoff.next();
    } finally {
      clearTimeout(deadline);
      this.ending.signal.removeEventListener('abort', stop);
      this.isRunning = false;
    }
    this.timer = setTimeout(() => { void this.next(); }, pause);
  }
}
