import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { page, type Failure, type Query } from '../core/api';
import { connection } from '../core/connection';
import type { NVREvent } from '../core/types';
import { Pages } from './pages';

export const PAGE = 100;
/** Milliseconds between two looks whether something is new. */
const LOOK = 4000;
/** Milliseconds after which a page that could not be had is asked for again. */
const RETRY = 2000;

export interface Events {
  total: number | null; failure: Failure | null;
  at: (index: number) => NVREvent | undefined;
  /** Where an event stands, of those that are here; null when it is none of them. */
  indexOf: (id: number) => number | null;
  /** Fetches these pages unless they are here; what was asked for before and has not begun is let be. */
  need: (pages: number[]) => void;
  /** Changes with what `at` answers. */
  version: number;
  /** Events that came since the list was fetched. */
  fresh: number;
  reload: () => void;
}

/** The events that match a query, fetched in pages where they are looked at. */
export function useEvents(query: Query): Events {
  const key = JSON.stringify(query);
  const [turn, setTurn] = useState(0);
  const [total, setTotal] = useState<number | null>(null);
  const [fresh, setFresh] = useState(0);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [version, setVersion] = useState(0);
  const pages = useRef(new Pages<NVREvent>(PAGE));
  const generation = useRef(0);

  const reload = useCallback(() => setTurn((old) => old + 1), []);
  const load = useCallback(async (number: number) => {
    const mine = generation.current;
    const held = pages.current;
    try {
      const answer = await page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: number * PAGE, limit: PAGE });
      held.came(number, answer.items);
      if (mine !== generation.current) return;
      setFailure(null);
      if (answer.total !== null) setTotal(answer.total);
      setVersion((old) => old + 1);
    } catch (problem) {
      held.failed(number);
      if (mine !== generation.current) return;
      setFailure(problem as Failure);
      setTimeout(() => { if (mine === generation.current) setVersion((old) => old + 1); }, RETRY);
    } finally { pumpNow.current(); }
  }, [key]);
  const pump = useCallback(() => { for (const number of pages.current.next()) void load(number); }, [load]);
  const pumpNow = useRef(pump);
  pumpNow.current = pump;

  useEffect(() => {
    generation.current += 1;
    // What is there stays until the new first page has come, so that nothing flickers.
    const mine = generation.current;
    void (async () => {
      try {
        const answer = await page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: 0, limit: PAGE });
        if (mine !== generation.current) return;
        pages.current = new Pages(PAGE);
        pages.current.came(0, answer.items);
        setTotal(answer.total ?? answer.items.length);
        setFresh(0);
        setFailure(null);
        setVersion((old) => old + 1);
      } catch (problem) { if (mine === generation.current) setFailure(problem as Failure); }
    })();
    return connection.whenBack(reload);
  }, [key, turn, reload]);

  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden || !connection.isUp.value || total === null) return;
      page<NVREvent>('/events', { ...(JSON.parse(key) as Query), skip: 0, limit: 1 }).then((answer) => {
        const newest = pages.current.at(0);
        if (answer.total !== null && (answer.items[0]?.id !== newest?.id || answer.total !== total)) setFresh(Math.max(1, answer.total - total));
      // The next round asks again.
      }, () => {});
    }, LOOK);
    return () => clearInterval(timer);
  }, [key, total]);

  const need = useCallback((numbers: number[]) => {
    pages.current.want(numbers);
    pumpNow.current();
  }, []);
  const at = useCallback((index: number) => pages.current.at(index), []);
  const indexOf = useCallback((id: number) => pages.current.indexOf(id), []);
  return useMemo(() => ({ total, failure, at, indexOf, need, version, fresh, reload }), [total, failure, at, indexOf, need, version, fresh, reload]);
}
