import type { Message } from './frames';
import type { Backend, BackendEvents, PlayerOptions } from './live';
import { chase, trim, type Span } from './policy';
import { LiveSocket } from './socket';
import { isPlayable, mediaSourceClass, prepareElement } from './source';

/** Fragments that may wait for the source buffer; a fragment is a frame. */
const MOST_WAITING = 600;

export function spans(ranges: TimeRanges): Span[] {
  const all: Span[] = [];
  for (let at = 0; at < ranges.length; at += 1) all.push({ start: ranges.start(at), end: ranges.end(at) });
  return all;
}

/** Live pictures by Media Source Extensions: fragmented MP4 from the WebSocket into a video element. */
export class Fragments implements Backend {
  readonly element = document.createElement('video');
  private readonly socket: LiveSocket;
  private source: MediaSource | null = null;
  private buffer: SourceBuffer | null = null;
  private url = '';
  private waiting: (string | ArrayBuffer)[] = [];
  private errors = 0;
  private isClosed = false;

  constructor(options: PlayerOptions, private readonly events: BackendEvents) {
    const video = this.element;
    video.muted = !options.audio;
    video.volume = options.volume;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    prepareElement(video);
    video.onerror = () => this.failed();
    this.watchPictures();
    this.openSource();
    const codecs = isPlayable('video/mp4; codecs="hvc1.1.6.L93.B0"') ? 'h264,h265' : 'h264';
    this.socket = new LiveSocket(() => `/cameras/${options.camera}/mse?stream=${options.stream}&audio=${options.audio}&codecs=${codecs}`, {
      message: (data) => this.receive(data),
      lost: () => {
        this.openSource();
        this.events.interrupted();
      },
    });
  }

  close(): void {
    this.isClosed = true;
    this.socket.close();
    this.closeSource();
  }

  setVolume(volume: number): void { this.element.volume = volume; }

  private watchPictures(): void {
    const video = this.element as HTMLVideoElement & { requestVideoFrameCallback?(callback: () => void): number };
    if (video.requestVideoFrameCallback) {
      const next = () => {
        if (this.isClosed) return;
        this.errors = 0;
        this.events.picture();
        video.requestVideoFrameCallback?.(next);
      };
      video.requestVideoFrameCallback(next);
    } else {
      video.ontimeupdate = () => this.events.picture();
    }
  }

  private closeSource(): void {
    this.waiting = [];
    this.buffer = null;
    this.source = null;
    if (!this.url) return;
    URL.revokeObjectURL(this.url);
    this.url = '';
    this.element.removeAttribute('src');
    this.element.load();
  }

  private openSource(): void {
    // The element keeps its last picture until the new source has one.
    if (this.url) URL.revokeObjectURL(this.url);
    this.waiting = [];
    this.buffer = null;
    const Source = mediaSourceClass();
    if (!Source) return;
    const source = new Source();
    this.source = source;
    source.onsourceopen = () => this.feed();
    this.url = URL.createObjectURL(source);
    this.element.src = this.url;
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== 'string') this.waiting.push(data);
    else {
      const message = JSON.parse(data) as Message;
      if (message.type === 'info') {
        const mime = message.mime_type ?? '';
        if (!mime || !isPlayable(mime)) return this.events.refused();
        this.waiting.push(mime);
      }
      if (message.type === 'unplayable') {
        this.events.message(message);
        return this.events.refused();
      }
      if (message.type === 'state' && message.status !== 'CONNECTED') this.events.interrupted();
      this.events.message(message);
    }
    if (this.waiting.length > MOST_WAITING) {
      this.openSource();
      this.socket.again();
      return;
    }
    this.feed();
  }

  private feed(): void {
    const { source } = this;
    if (!source || source.readyState !== 'open') return;
    try {
      while (this.waiting.length > 0 && !this.buffer?.updating) {
        const next = this.waiting.shift()!;
        if (typeof next !== 'string') this.buffer?.appendBuffer(next);
        else if (this.buffer) this.buffer.changeType(next);
        else {
          this.buffer = source.addSourceBuffer(next);
          this.buffer.onupdateend = () => this.appended();
        }
      }
    } catch { this.failed(); }
  }

  private appended(): void {
    if (this.isClosed || !this.buffer || this.buffer.updating) return;
    const video = this.element;
    const ranges = spans(video.buffered);
    const last = ranges[ranges.length - 1];
    if (last) {
      const { seek, rate } = chase(last, video.currentTime);
      if (seek !== null) video.currentTime = seek;
      if (video.playbackRate !== rate) video.playbackRate = rate;
      // Refused while the tab sleeps; asked again with the next fragment.
      if (video.paused) video.play().catch(() => {});
    }
    const old = trim(ranges, video.currentTime, 8);
    if (old) {
      this.buffer.remove(old.start, old.end);
      return;
    }
    this.feed();
  }

  private failed(): void {
    if (this.isClosed) return;
    this.errors += 1;
    if (this.errors >= 3) return this.events.refused();
    this.openSource();
    this.socket.again();
  }
}
