import { useEffect, useRef, useState } from 'react';
import { api, type Failure } from '../core/api';
import { present } from '../core/now';
import { lengthOf, type View } from './geometry';
import { readTimeline, type Answer, type Facts } from './lanes';

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
      const resolution = Math.max(0.01, (length / pixels) * 2 / 1000);
      const key = ids.join();
      const old = held.current;
      const now = present();
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
