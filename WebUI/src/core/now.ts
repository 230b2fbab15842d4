// The present by the server's clock: what is live, what is new and how long ago something was are told by the times that it gave them. Clocks
// of phones and wall displays may be minutes off.

/** Milliseconds; clocks that agree within this are taken for equal: the server tells seconds. */
const SLACK = 5000;
/** Milliseconds by which the distance has to change to be another one: answers take their time. */
const STEP = 2500;

let skew = 0;

/** Milliseconds since 1970 UTC. */
export const present = (): number => Date.now() + skew;

/** Hears what an answer of the server tells as its time (the field Date). */
export function hearClock(told: string | null): void {
  const server = Date.parse(told ?? '');
  if (Number.isNaN(server)) return;
  // Half of a second lies behind a whole one, on the average.
  const found = server + 500 - Date.now();
  const next = Math.abs(found) < SLACK ? 0 : found;
  if (next === 0 || skew === 0 || Math.abs(next - skew) > STEP) skew = next;
}
