import { isShutOut } from '../core/api';
import { connection } from '../core/connection';
import { Backoff } from './policy';

export interface SocketEvents {
  message(data: string | ArrayBuffer): void;
  /** The line was lost or could not be made; another attempt follows. */
  lost(code: number): void;
}

/** Milliseconds without a word after which a line counts as dead; the server tells the state of a camera more often than that when it changes, and pictures come all the time. */
const SILENCE = 12_000;

/** A WebSocket that is made again whenever it breaks, until it is closed. */
export class LiveSocket {
  private socket: WebSocket | null = null;
  private readonly backoff = new Backoff();
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setInterval> | undefined;
  private heard = 0;
  private isClosed = false;
  private readonly stopListening: (() => void)[];

  /** `path` is asked for with every attempt. */
  constructor(private readonly path: () => string, private readonly events: SocketEvents) {
    this.stopListening = [connection.whenBack(() => this.again()), isShutOut.subscribe(() => { if (!isShutOut.value) this.again(); })];
    document.addEventListener('visibilitychange', this.onVisible);
    this.open();
  }

  close(): void {
    this.isClosed = true;
    for (const stop of this.stopListening) stop();
    document.removeEventListener('visibilitychange', this.onVisible);
    clearTimeout(this.retry);
    clearInterval(this.watchdog);
    this.drop();
  }

  /** Connects at once instead of when the pause is over. */
  again(): void {
    if (this.isClosed) return;
    clearTimeout(this.retry);
    this.drop();
    this.open();
  }

  private readonly onVisible = () => {
    // Timers and sockets of a sleeping tab stand still: what has been silent meanwhile is made anew at once.
    if (!document.hidden && (this.socket === null || performance.now() - this.heard > 1500)) this.again();
  };

  private drop(): void {
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = socket.onopen = null;
    socket.close();
  }

  private open(): void {
    const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + this.path());
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    this.heard = performance.now();
    socket.onmessage = ({ data }) => {
      this.heard = performance.now();
      this.backoff.reset();
      this.events.message(data as string | ArrayBuffer);
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.events.lost(code);
      // Who is not signed in is refused; the line is made again afterwards.
      if (!this.isClosed && !isShutOut.value) this.retry = setTimeout(() => this.open(), this.backoff.next());
    };
    clearInterval(this.watchdog);
    this.watchdog = setInterval(() => {
      if (!this.socket || performance.now() - this.heard <= SILENCE) return;
      // What is shown is old: a server or a line that stands still says nothing of it.
      this.events.lost(0);
      this.again();
    }, 3000);
  }
}
