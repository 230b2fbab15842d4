import { useCallback, useEffect, useSyncExternalStore } from 'react';
import { api, Failure } from './api';
import { connection } from './connection';

interface State<T> { data: T | undefined; failure: Failure | undefined; at: number }

/** What the server answered to one path, shared by all who show it. */
class Entry {
  state: State<unknown> = { data: undefined, failure: undefined, at: 0 };
  private text = '';
  private running: Promise<void> | null = null;
  readonly listeners = new Set<() => void>();

  constructor(readonly path: string) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  refresh(): Promise<void> {
    this.running ??= this.load().finally(() => { this.running = null; });
    return this.running;
  }

  private async load(): Promise<void> {
    try {
      this.put(await api.get<unknown>(this.path));
    } catch (problem) {
      if (!(problem instanceof Failure)) throw problem;
      // What is known stays on the screen while the server is away; the banner tells.
      this.state = { ...this.state, failure: problem, at: performance.now() };
      this.tell();
    }
  }

  put(data: unknown): void {
    const text = JSON.stringify(data);
    const same = text === this.text && this.state.data !== undefined;
    this.text = text;
    if (same && !this.state.failure) {
      this.state.at = performance.now();
      return;
    }
    this.state = { data: same ? this.state.data : data, failure: undefined, at: performance.now() };
    this.tell();
  }

  private tell(): void { for (const listener of [...this.listeners]) listener(); }
}

const entries = new Map<string, Entry>();

function entry(path: string): Entry {
  let found = entries.get(path);
  if (!found) {
    found = new Entry(path);
    entries.set(path, found);
  }
  return found;
}

/** Asks anew for everything below these paths that is on the screen, and forgets the rest. */
export async function invalidate(...prefixes: string[]): Promise<void> {
  const waiting: Promise<void>[] = [];
  for (const [path, held] of entries) {
    if (!prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}?`))) continue;
    if (held.listeners.size > 0) waiting.push(held.refresh());
    else entries.delete(path);
  }
  await Promise.all(waiting);
}

/** Changes what is shown before the server has answered; `invalidate` brings the truth. */
export function adjust<T>(path: string, change: (data: T) => T): void {
  const held = entries.get(path);
  if (held && held.state.data !== undefined) held.put(change(held.state.data as T));
}

/** Forgets everything: another person is here. */
export function forgetAll(): void { entries.clear(); }

/** Asks anew for everything that is on the screen. */
export function refreshShown(): void {
  for (const held of entries.values()) if (held.listeners.size > 0) void held.refresh();
}
connection.whenBack(refreshShown);

export interface QueryState<T> { data: T | undefined; failure: Failure | undefined; refresh: () => Promise<void> }

const nothing: State<unknown> = { data: undefined, failure: undefined, at: 0 };

/** The answer to a GET, asked again every so many milliseconds while the page is seen. A null path asks nothing. */
export function useQuery<T>(path: string | null, every?: number): QueryState<T> {
  const held = path === null ? null : entry(path);
  const state = useSyncExternalStore(
    useCallback((listener: () => void) => held ? held.subscribe(listener) : () => {}, [held]),
    () => held ? held.state : nothing,
  ) as State<T>;
  useEffect(() => {
    if (!held) return undefined;
    const isStale = (limit: number) => performance.now() - held.state.at > limit || held.state.at === 0;
    if (isStale(300)) void held.refresh();
    if (!every) return undefined;
    const look = () => { if (!document.hidden && connection.isUp.value && isStale(every * 0.6)) void held.refresh(); };
    const timer = setInterval(look, every);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, [held, every]);
  const refresh = useCallback(async () => { await held?.refresh(); }, [held]);
  return { data: state.data, failure: state.failure, refresh };
}
