import { fromHex, type AudioFacts } from './frames';

/** Seconds of sound that are held back, so that uneven arrival is not heard. */
const CUSHION = 0.15;
/** Seconds of delay from which on sound is thrown away. */
const LONGEST = 1;

/** Plays the sound of a stream as it comes: a decoder of the browser's, and a row of short pieces. */
export class LiveSound {
  private readonly context = new AudioContext();
  private readonly gain = this.context.createGain();
  private decoder: AudioDecoder | null = null;
  private next = 0;
  private isClosed = false;

  constructor(volume: number) {
    this.gain.gain.value = volume;
    this.gain.connect(this.context.destination);
    void this.context.resume();
  }

  setVolume(volume: number): void { this.gain.gain.value = volume; }

  async configure(facts: AudioFacts): Promise<boolean> {
    this.endDecoder();
    const config: AudioDecoderConfig = { codec: facts.codec, sampleRate: facts.sample_rate, numberOfChannels: facts.channels };
    if (facts.description) config.description = fromHex(facts.description);
    const support = await AudioDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    // Whoever was asked may be slower than the listener.
    if (!support.supported || this.isClosed) return false;
    this.decoder = new AudioDecoder({ output: (piece) => this.play(piece), error: () => this.endDecoder() });
    this.decoder.configure(config);
    return true;
  }

  decode(timestamp: number, data: Uint8Array): void {
    if (this.decoder?.state !== 'configured' || this.decoder.decodeQueueSize > 50) return;
    this.decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data }));
  }

  close(): void {
    this.isClosed = true;
    this.endDecoder();
    void this.context.close();
  }

  private endDecoder(): void {
    if (this.decoder && this.decoder.state !== 'closed') this.decoder.close();
    this.decoder = null;
  }

  private play(piece: AudioData): void {
    if (this.isClosed) return piece.close();
    const buffer = this.context.createBuffer(piece.numberOfChannels, piece.numberOfFrames, piece.sampleRate);
    for (let channel = 0; channel < piece.numberOfChannels; channel += 1) {
      const samples = new Float32Array(piece.numberOfFrames);
      piece.copyTo(samples, { planeIndex: channel, format: 'f32-planar' });
      buffer.copyToChannel(samples, channel);
    }
    piece.close();
    const now = this.context.currentTime;
    if (this.next < now) this.next = now + CUSHION;
    if (this.next > now + LONGEST) return;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.gain);
    source.start(this.next);
    this.next += buffer.duration;
  }
}
