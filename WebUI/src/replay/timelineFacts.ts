import { useEffect, useRef, useState } from 'react';
import { api, type Failure } from '../core/api';
import { lengthOf, type Span, type View } from './geometry';

// GET /timeline. Times there are seconds since 1970 UTC; here milliseconds.

interface AnswerCamera {
  camera_id: number; first: number | null; last: number | null; spans: [number, number][] | null; gaps: { start: number; end: number; cause: string; reason: string | null; reason_code?: string | null; reason_parameters?: unknown }[];
  buckets: { footage: number[]; motion: number[]; events: number[]; snapshots: number[] };
  events: { id: number; type: string; kind: string; start: number; end: number | null; score: number | null }[] | null;
}
interface Answer {
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

const FRESH = 4000;

/** What the timeline shows of cameras around a view; asked again when the view moves, and while it shows the present. */
export function useTimeline(cameras: readonly number[], view: View, width: number): { facts: Facts | null; failure: Failure | null } {
  const [facts, setFacts] = useState<Facts | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const held = useRef<{ start: number; end: number; resolution: number; cameras: string; at: number } | null>(null);
  const running = useRef(false);
  const latest = useRef({ cameras, view, width });
  latest.current = { cameras, view, width };

  useEffect(() => {
    let isOver = false;
    const look = async () => {
      const { cameras: ids, view: seen, width: pixels } = latest.current;
      if (running.current || ids.length === 0 || pixels === 0 || document.hidden) return;
      const length = lengthOf(seen);
      const resolution = (length / pixels) * 2 / 1000;
      const key = ids.join();
      const old = held.current;
      const now = Date.now();
      const covers = old && old.cameras === key && old.start <= seen.start && old.end >= Math.min(seen.end, now) && resolution > old.resolution * 0.45 && resolution < old.resolution * 2.2;
      const isStale = old && seen.end > now - 10_000 && performance.now() - old.at > FRESH;
      if (covers && !isStale) return;
      running.current = true;
      try {
        const start = seen.start - length;
        const end = Math.max(start + 1000, Math.min(seen.end + length, now + 2000));
        const answer = await api.get<Answer>('/timeline', { cameras: key, start: (start / 1000).toFixed(3), end: (end / 1000).toFixed(3), resolution: resolution.toFixed(3) });
        if (isOver) return;
        held.current = { start, end, resolution, cameras: key, at: performance.now() };
        setFacts(readTimeline(answer));
        setFailure(null);
      } catch (problem) {
        if (isOver) return;
        held.current = { start: seen.start, end: seen.end, resolution, cameras: key, at: performance.now() };
        setFailure(problem as Failure);
      } finally { running.current = false; }
    };
    const timer = setInterval(() => { void look(); }, 150);
    void look();
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, []);
  return { facts, failure };
}
