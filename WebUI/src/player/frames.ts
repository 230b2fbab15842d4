// The binary messages of `/cameras/{id}/ws`. Pure.

/** Bytes in front of every message: kind, key flag, seconds of presentation (f64, little-endian). */
export const HEADER_BYTES = 10;
export const enum FrameKind { Video = 0, Audio = 1, JSON = 2 }

export interface Frame { kind: number; isKey: boolean; /** Microseconds. */ timestamp: number; payload: Uint8Array }

/** Reads a message; null when it is too short to be one. */
export function readFrame(message: ArrayBuffer): Frame | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const view = new DataView(message);
  return {
    kind: view.getUint8(0), isKey: view.getUint8(1) === 1, timestamp: Math.round(view.getFloat64(2, true) * 1e6), payload: new Uint8Array(message, HEADER_BYTES),
  };
}

export interface AudioFacts { codec: string; codec_name: string; sample_rate: number; channels: number; description?: string }

export interface StreamFacts {
  type: 'info'; stream: 'main' | 'sub'; requested: 'main' | 'sub'; codec: string; codec_name: string; width: number; height: number;
  transcoded?: boolean; fps: number | null; started_at: string; run: number; audio: AudioFacts | null; mime_type?: string;
}
export interface Box { x: number; y: number; width: number; height: number; label?: string; score?: number }
export interface MotionFacts { type: 'motion'; active: boolean; since?: string; source?: string; boxes: unknown[] }
export interface StateFacts { type: 'state'; status: string; reason: string | null }
export interface LostFacts { type: 'lost'; frames: number; total: number }
/** No picture can be had in a codec that was asked for. */
export interface UnplayableFacts { type: 'unplayable'; stream: 'main' | 'sub'; codec_name: string | null; reason: string; reason_code?: string | null; reason_parameters?: unknown }
export type Message = StreamFacts | MotionFacts | StateFacts | LostFacts | UnplayableFacts;

/** Bytes written in hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = parseInt(text.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** Boxes of a motion message, whatever a detector put there: fractions of the picture, clamped; what cannot be read is left out. */
export function readBoxes(values: unknown): Box[] {
  if (!Array.isArray(values)) return [];
  const boxes: Box[] = [];
  for (const value of values as unknown[]) {
    let numbers: unknown[];
    let label: unknown;
    let score: unknown;
    if (Array.isArray(value)) numbers = value as unknown[];
    else if (typeof value === 'object' && value !== null) {
      const named = value as Record<string, unknown>;
      numbers = Array.isArray(named['box']) ? named['box'] as unknown[] : [named['x'], named['y'], named['width'] ?? named['w'], named['height'] ?? named['h']];
      ({ label } = named);
      score = named['score'] ?? named['confidence'];
    } else continue;
    const [x, y, width, height] = numbers as [unknown, unknown, unknown, unknown];
    if ([x, y, width, height].some((number) => typeof number !== 'number' || !Number.isFinite(number))) continue;
    const clamp = (number: number) => Math.min(1, Math.max(0, number));
    const left = clamp(x as number);
    const top = clamp(y as number);
    const box: Box = { x: left, y: top, width: clamp((x as number) + (width as number)) - left, height: clamp((y as number) + (height as number)) - top };
    if (box.width <= 0 || box.height <= 0) continue;
    if (typeof label === 'string') box.label = label;
    if (typeof score === 'number') box.score = score;
    boxes.push(box);
  }
  return boxes;
}
