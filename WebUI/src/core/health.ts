import { words } from '../i18n';
import { useQuery } from './query';
import { showAgo } from './time';

// GET /health, /health/events and /health/recorded.

export interface HealthProblem { kind: string; cause: string | null; count: number; since: string }
export interface Health { status: 'ok' | 'degraded' | 'error'; problems?: HealthProblem[] }
export interface HealthEvent { id: number; kind: string; camera_id: number | null; start: string; end: string | null; cause: string | null; detail: string | null }
export interface RecordedDay { date: string; cameras: { camera_id: number; percent: number | null; recorded_seconds: number; missed_seconds: number }[] }

/** Asked again every 15 s. */
export function useHealth(): Health | undefined {
  const { data, failure } = useQuery<Health>('/health', 15_000);
  // A server that is not well says so by its status, too.
  const told = failure?.status === 503 ? failure.body as Partial<Health> | null : null;
  return told?.status ? { status: told.status, problems: told.problems ?? [] } : data;
}

export const kindOfHealth = (kind: string): string => words(`health.${kind}`, kind.replaceAll('_', ' '));
export const causeOfHealth = (cause: string | null): string | null => cause ? words(`gap.${cause}`, cause.replaceAll('_', ' ')) : null;

/** What is wrong now, in a line. */
export function problemText({ kind, cause, count, since }: HealthProblem): string {
  const parts = [count > 1 ? `${kindOfHealth(kind)} (${count})` : kindOfHealth(kind), causeOfHealth(cause)].filter(Boolean).join(': ');
  return `${parts} · ${showAgo(since)}`;
}

/** The share of what should have been recorded that was, of all days together; null where nothing should have been. */
export function recordedShare(days: readonly RecordedDay[], camera: number): number | null {
  let recorded = 0;
  let missed = 0;
  for (const day of days) {
    const one = day.cameras.find((found) => found.camera_id === camera);
    if (!one || one.percent === null) continue;
    recorded += one.recorded_seconds;
    missed += one.missed_seconds;
  }
  return recorded + missed > 0 ? (recorded / (recorded + missed)) * 100 : null;
}

/** A share with as many digits as tell it from all: 99.97, but never 100 for what is less. */
export function flooredShare(percent: number): number {
  return percent >= 100 ? 100 : Math.floor(percent * 100) / 100;
}
