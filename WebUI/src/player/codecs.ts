import { FrameKind, readFrame, type Frame, type Message, type StreamFacts } from './frames';
import type { Backend, BackendEvents, PlayerOptions } from './live';
import { DecodeGate } from './policy';
import { LiveSocket } from './socket';
import { LiveSound } from './sound';

/** Whether the decoder takes H.264 and JPEG alone. Until that is known everything is asked for, so that the first picture waits for no answer. */
let isLimited = false;
if (typeof VideoDecoder !== 'undefined') {
  VideoDecoder.isConfigSupported({ codec: 'hvc1.1.6.L93.B0' }).then(({ supported }) => { if (!supported) isLimited = true; }, () => { isLimited = true; });
}

/** Frames held while the browser is asked whether it can decode them. */
const MOST_HELD = 400;

/** Live pictures by WebCodecs: Annex B from the WebSocket into a decoder, decoded frames onto a canvas. */
export class Frames implements Backend {
  readonly element = document.createElement('canvas');
  private readonly context = this.element.getContext('2d', { alpha: false, desynchronized: true });
  private readonly socket: LiveSocket;
  private readonly gate = new DecodeGate();
  private readonly sound: LiveSound | null;
  private decoder: VideoDecoder | null = null;
  private held: Frame[] | null = [];
  private generation = 0;
  private isJPEG = false;
  private isBusy = false;
  private errors = 0;
  private isClosed = false;

  constructor(options: PlayerOptions, private readonly events: BackendEvents) {
    this.sound = options.audio ? new LiveSound(options.volume) : null;
    const path = `/cameras/${options.camera}/ws?stream=${options.stream}&audio=${options.audio}`;
    this.socket = new LiveSocket(() => path + (isLimited ? '&codecs=h264,mjpeg' : ''), {
      message: (data) => { if (data instanceof ArrayBuffer) this.receive(data); },
      lost: () => {
        this.gate.reset();
        this.events.interrupted();
      },
    });
  }

  close(): void {
    this.isClosed = true;
    this.socket.close();
    this.endDecoder();
    this.sound?.close();
  }

  setVolume(volume: number): void { this.sound?.setVolume(volume); }

  private receive(data: ArrayBuffer): void {
    const frame = readFrame(data);
    if (!frame) return;
    if (frame.kind === FrameKind.JSON) {
      const message = JSON.parse(new TextDecoder().decode(frame.payload)) as Message;
      if (message.type === 'info') void this.prepare(message);
      if (message.type === 'unplayable') {
        this.events.message(message);
        return this.events.refused();
      }
      if (message.type === 'state' && message.status !== 'CONNECTED') this.events.interrupted();
      this.events.message(message);
    } else if (frame.kind === FrameKind.Audio) {
      this.sound?.decode(frame.timestamp, frame.payload);
    } else if (this.held) {
      if (this.held.length < MOST_HELD) this.held.push(frame);
    } else {
      this.show(frame);
    }
  }

  /** Makes a decoder for what follows; frames that come meanwhile wait. */
  private async prepare(facts: StreamFacts): Promise<void> {
    this.generation += 1;
    const mine = this.generation;
    this.held = [];
    this.isJPEG = /jpeg/i.test(facts.codec_name) || /jpeg/i.test(facts.codec);
    if (this.sound && facts.audio) void this.sound.configure(facts.audio);
    if (!this.isJPEG) {
      const config: VideoDecoderConfig = { codec: facts.codec, optimizeForLatency: true };
      const support = await VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
      if (this.isClosed || mine !== this.generation) return;
      if (!support.supported) {
        if (isLimited) return this.events.refused();
        // The server knows another stream of the camera, or makes one.
        isLimited = true;
        this.held = [];
        return this.socket.again();
      }
      this.endDecoder();
      this.gate.reset();
      this.decoder = new VideoDecoder({ output: (frame) => this.paint(frame), error: () => this.failed() });
      this.decoder.configure(config);
    }
    const waiting = this.held;
    this.held = null;
    for (const frame of waiting) this.show(frame);
  }

  private show(frame: Frame): void {
    if (this.isJPEG) {
      void this.paintJPEG(frame.payload);
      return;
    }
    const { decoder } = this;
    if (decoder?.state !== 'configured' || !this.gate.admits(frame.isKey, decoder.decodeQueueSize)) return;
    decoder.decode(new EncodedVideoChunk({ type: frame.isKey ? 'key' : 'delta', timestamp: frame.timestamp, data: frame.payload }));
  }

  private paint(frame: VideoFrame): void {
    if (!this.isClosed) {
      this.draw(frame as unknown as CanvasImageSource, frame.displayWidth, frame.displayHeight);
      this.errors = 0;
    }
    frame.close();
  }

  private draw(picture: CanvasImageSource, width: number, height: number): void {
    if (this.element.width !== width || this.element.height !== height) {
      this.element.width = width;
      this.element.height = height;
    }
    this.context?.drawImage(picture, 0, 0);
    this.events.picture();
  }

  private async paintJPEG(data: Uint8Array): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      const picture = await createImageBitmap(new Blob([data], { type: 'image/jpeg' }));
      if (!this.isClosed) this.draw(picture, picture.width, picture.height);
      picture.close();
    } catch { /* A picture that is broken: the next one comes soon. */ } finally { this.isBusy = false; }
  }

  /** A decoder that stumbled begins anew with the next key frame; one that only stumbles is given up. */
  private failed(): void {
    if (this.isClosed) return;
    this.errors += 1;
    if (this.errors >= 3) return this.events.refused();
    this.endDecoder();
    this.held = [];
    this.socket.again();
  }

  private endDecoder(): void {
    if (this.decoder && this.decoder.state !== 'closed') this.decoder.close();
    this.decoder = null;
  }
}
