// What GET /timeline answers. Times there are seconds since 1970 UTC; here milliseconds. Pure.
import type { Span } from './geometry';

interface AnswerCamera {
  camera_id: number; first: number | null; last: number | null; spans: [number, number][] | null; gaps: { start: number; end: number; cause: string; reason: string | null; reason_code?: string | null; reason_parameters?: unknown }[];
  buckets: { footage: number[]; motion: number[]; events: number[]; snapshots: number[] };
  events: { id: number; type: string; kind: string; start: number; end: number | null; score: number | null }[] | null;
}
export interface Answer {
  start: number; end: number; now: number; resolution: number; detail: 'footage' | 'buckets'; bucket_start: number; bucket_count: number; bucket_borders: number[] | null; cameras: AnswerCamera[];
}

export interface Mark extends Span { id: number; kind: string; isOpen: boolean; isPicture: boolean }
export interface Gap extends Span { cause: string; reason: string | null; reason_code?: string | null; reason_parameters?: unknown }
/** A share, 0…1, of a stretch of time. */
export interface Share extends Span { value: number }

export interface Lane {
  camera: number; first: number | null; last: number | null; footage: Share[]; gaps: Gap[]; motion: Share[]; counts: Share[]; marks: Mark[] | null;
}
export interface Facts { start: number; end: number; lanes: Map<number, Lane> }

const ms = (seconds: number): number => seconds * 1000;

function shares(values: readonly number[], answer: Answer, scale: number): Share[] {
  const found: Share[] = [];
  values.forEach((value, index) => {
    if (value <= 0) return;
    const borders = answer.bucket_borders;
    const start = ms(borders?.[index] ?? answer.bucket_start + index * answer.resolution);
    const end = ms(borders?.[index + 1] ?? answer.bucket_start + (index + 1) * answer.resolution);
    const last = found[found.length - 1];
    if (last && last.end === start && last.value === value * scale) last.end = end;
    else found.push({ start, end, value: value * scale });
  });
  return found;
}

export function readTimeline(answer: Answer): Facts {
  const lanes = new Map<number, Lane>();
  for (const camera of answer.cameras) {
    lanes.set(camera.camera_id, {
      camera: camera.camera_id, first: camera.first === null ? null : ms(camera.first), last: camera.last === null ? null : ms(camera.last),
      footage: camera.spans ? camera.spans.map(([start, end]) => ({ start: ms(start), end: ms(end), value: 1 })) : shares(camera.buckets.footage, answer, 0.001),
      gaps: camera.gaps.map((gap) => ({ ...gap, start: ms(gap.start), end: ms(gap.end) })),
      motion: shares(camera.buckets.motion, answer, 0.001),
      counts: shares(camera.buckets.events, answer, 1),
      marks: camera.events?.filter((event) => event.kind !== 'continuous').map((event) => ({
        id: event.id, kind: event.kind, start: ms(event.start), end: ms(event.end ?? answer.now), isOpen: event.end === null, isPicture: event.type === 'snapshot',
      })) ?? null,
    });
  }
  return { start: ms(answer.start), end: ms(answer.end), lanes };
}

/** Seconds of a range of which a camera has footage. */
export function recordedSeconds(facts: Facts, camera: number, range: Span): number {
  return (facts.lanes.get(camera)?.footage ?? []).reduce((sum, share) => sum + share.value * Math.max(0, Math.min(range.end, share.end) - Math.max(range.start, share.start)), 0) / 1000;
}
