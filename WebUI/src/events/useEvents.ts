import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { page, type Failure, type Query } from '../core/api';
import { connection } from '../core/connection';
import type { NVREvent } from '../core/types';

export const PAGE = 100;
/** Pages kept; those looked at longest ago go first. */
const MOST_PAGES = 40;

export interface Events {
  total: number | null; failure: Failure | null;
  at: (index: number) => NVREvent | undefined;
  /** Fetches these pages unless they are here. */
  need: (pages: number[]) => void;
  /** Events that came since the list was fetched. */
  fresh: number;
  reload: () => void;
}

/** The events that match a query, fetched in pages where they are looked at. */
export function useEvents(query: Query): Events {
  const key = JSON.stringify(query);
  const [version, setVersion] = useState(0);
  const [total, setTotal] = useState<number | null>(null);
  const [fresh, setFresh] = useState(0);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [, redraw] = useState(0);
  const pages = useRef(new Map<number, NVREvent[] | 'asked'>());
  const generation = useRef(0);

  const reload = useCallback(() => setVersion((old) => old + 1), []);
  const load = useCallback(async (number: number) => {
    const mine = generation.current;
    pages.current.set(number, pages.current.get(number) ?? 'asked');
    try {
      const answer = await page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: number * PAGE, limit: PAGE });
      if (mine !== generation.current) return;
      pages.current.delete(number);
      pages.current.set(number, answer.items);
      for (const old of pages.current.keys()) {
        if (pages.current.size <= MOST_PAGES) break;
        pages.current.delete(old);
      }
      setFailure(null);
      if (answer.total !== null) setTotal(answer.total);
      redraw((old) => old + 1);
    } catch (problem) {
      if (mine !== generation.current) return;
      pages.current.delete(number);
      setFailure(problem as Failure);
    }
  }, [key]);

  useEffect(() => {
    generation.current += 1;
    // What is there stays until the new first page has come, so that nothing flickers.
    const mine = generation.current;
    void (async () => {
      try {
        const answer = await page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: 0, limit: PAGE });
        if (mine !== generation.current) return;
        pages.current = new Map([[0, answer.items]]);
        setTotal(answer.total ?? answer.items.length);
        setFresh(0);
        setFailure(null);
        redraw((old) => old + 1);
      } catch (problem) { if (mine === generation.current) setFailure(problem as Failure); }
    })();
    return connection.whenBack(reload);
  }, [key, version, reload]);

  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden || !connection.isUp.value || total === null) return;
      page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: 0, limit: 1 }).then((answer) => {
        const first = pages.current.get(0);
        const newest = Array.isArray(first) ? first[0] : undefined;
        if (answer.total !== null && (answer.items[0]?.id !== newest?.id || answer.total !== total)) setFresh(Math.max(1, answer.total - total));
      // The next round asks again.
      }, () => {});
    }, 4000);
    return () => clearInterval(timer);
  }, [key, total]);

  const need = useCallback((numbers: number[]) => {
    for (const number of numbers) if (!pages.current.has(number)) void load(number);
  }, [load]);
  const at = useCallback((index: number) => {
    const held = pages.current.get(Math.floor(index / PAGE));
    return Array.isArray(held) ? held[index % PAGE] : undefined;
  }, []);
  return useMemo(() => ({ total, failure, at, need, fresh, reload }), [total, failure, at, need, fresh, reload]);
}
