// The parts of WebCodecs that are used and that TypeScript 4.8 does not know yet (https://www.w3.org/TR/webcodecs/).
interface VideoDecoderConfig { codec: string; optimizeForLatency?: boolean; description?: BufferSource }
interface AudioDecoderConfig { codec: string; sampleRate: number; numberOfChannels: number; description?: BufferSource }
interface VideoFrame { readonly displayWidth: number; readonly displayHeight: number; readonly timestamp: number; close(): void }
interface AudioData {
  readonly numberOfChannels: number; readonly numberOfFrames: number; readonly sampleRate: number;
  copyTo(destination: BufferSource, options: { planeIndex: number; format?: string }): void; close(): void;
}
declare class EncodedVideoChunk { constructor(init: { type: 'key' | 'delta'; timestamp: number; data: BufferSource }) }
declare class EncodedAudioChunk { constructor(init: { type: 'key' | 'delta'; timestamp: number; data: BufferSource }) }
declare class VideoDecoder {
  constructor(init: { output(frame: VideoFrame): void; error(problem: DOMException): void });
  static isConfigSupported(config: VideoDecoderConfig): Promise<{ supported?: boolean }>;
  readonly state: 'unconfigured' | 'configured' | 'closed';
  readonly decodeQueueSize: number;
  configure(config: VideoDecoderConfig): void;
  decode(chunk: EncodedVideoChunk): void;
  close(): void;
}
declare class AudioDecoder {
  constructor(init: { output(piece: AudioData): void; error(problem: DOMException): void });
  static isConfigSupported(config: AudioDecoderConfig): Promise<{ supported?: boolean }>;
  readonly state: 'unconfigured' | 'configured' | 'closed';
  readonly decodeQueueSize: number;
  configure(config: AudioDecoderConfig): void;
  decode(chunk: EncodedAudioChunk): void;
  close(): void;
}
interface SourceBuffer { changeType(type: string): void }
