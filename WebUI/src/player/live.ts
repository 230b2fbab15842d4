import { prefs } from '../core/prefs';
import type { Message, MotionFacts, StateFacts, StreamFacts, UnplayableFacts } from './frames';
import { JPEGPictures } from './jpeg';
import { Fragments } from './fragments';
import { Frames } from './codecs';
import { ways, type Way } from './policy';
import { mediaSourceClass } from './source';

export type Condition = 'connecting' | 'playing' | 'unsupported';

export interface PlayerEvents {
  condition(condition: Condition, way: Way): void;
  info?(facts: StreamFacts): void;
  motion?(facts: MotionFacts): void;
  state?(facts: StateFacts): void;
  /** Why the server has no moving picture that this browser takes. */
  unplayable?(facts: UnplayableFacts): void;
  /** The first picture that this player has shown. */
  first?(): void;
}

export interface PlayerOptions {
  camera: number; stream: 'main' | 'sub'; audio: boolean; volume: number;
  /** `live_view_mode` of the camera. */
  mode: string;
  /** Pixels of a picture where pictures are asked for one by one. */
  width: number;
}

/** One way of showing: owns an element and whatever feeds it. */
export interface Backend { readonly element: HTMLElement & { width?: number; height?: number }; close(): void; setVolume(volume: number): void }

export interface BackendEvents {
  /** A picture was shown. */
  picture(): void;
  message(message: Message): void;
  interrupted(): void;
  /** This way does not work for this stream. */
  refused(): void;
}

/** Shows a camera live inside an element, by the best way that works. */
export class LivePlayer {
  private backend: Backend | null = null;
  private readonly left: Way[];
  private condition: Condition = 'connecting';
  private hasShown = false;
  private isStopped = false;
  /** Pictures shown so far. */
  pictures = 0;

  constructor(private readonly host: HTMLElement, private readonly options: PlayerOptions, private readonly events: PlayerEvents) {
    const has = { webCodecs: isSecureContext && 'VideoDecoder' in window, mse: mediaSourceClass() !== null };
    this.left = ways(has, options.mode, prefs.value.player);
    this.begin();
  }

  get element(): HTMLElement | null { return this.backend?.element ?? null; }
  get way(): Way { return this.left[0] ?? 'jpeg'; }

  /** Ends the streams; the last picture stays where the element can hold it. */
  stop(): void {
    this.isStopped = true;
    this.backend?.close();
  }

  setVolume(volume: number): void { this.backend?.setVolume(volume); }

  private end(): void {
    this.backend?.close();
    this.backend?.element.remove();
    this.backend = null;
  }

  private begin(): void {
    const events: BackendEvents = {
      picture: () => this.shown(),
      message: (message) => this.heard(message),
      interrupted: () => this.become('connecting'),
      refused: () => { if (!this.isStopped) this.fallBack(); },
    };
    switch (this.way) {
      case 'webcodecs': this.backend = new Frames(this.options, events); break;
      case 'mse': this.backend = new Fragments(this.options, events); break;
      default: this.backend = new JPEGPictures(this.options, events);
    }
    this.backend.element.classList.add('picture');
    this.backend.element.dataset['way'] = this.way;
    this.host.append(this.backend.element);
    this.events.condition(this.condition, this.way);
  }

  private fallBack(): void {
    this.end();
    if (this.left.length > 1) {
      this.left.shift();
      this.begin();
    } else {
      this.become('unsupported');
    }
  }

  private shown(): void {
    this.pictures += 1;
    this.become('playing');
    if (this.hasShown) return;
    this.hasShown = true;
    this.events.first?.();
  }

  private become(condition: Condition): void {
    if (condition === this.condition) return;
    this.condition = condition;
    this.events.condition(condition, this.way);
  }

  private heard(message: Message): void {
    switch (message.type) {
      case 'info': this.events.info?.(message); break;
      case 'motion': this.events.motion?.(message); break;
      case 'state': this.events.state?.(message); break;
      case 'unplayable': this.events.unplayable?.(message); break;
      default: break;
    }
  }
}
