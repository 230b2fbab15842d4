import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { DAY, HOUR, type Span } from '../src/replay/geometry';
import type { Facts, Lane } from '../src/replay/lanes';
import { nearestEvent } from '../src/replay/nearest';

const now = Date.UTC(2026, 10, 28, 12);
const first = now - 400 * DAY;

/** A timeline with these events, which counts them in stretches where much is asked for, as the server's does. */
function timeline(events: number[]): { ask: (range: Span) => Promise<Facts>; asked: Span[] } {
  const asked: Span[] = [];
  const ask = async (range: Span): Promise<Facts> => {
    asked.push(range);
    const length = range.end - range.start;
    const isFine = length <= 8 * DAY;
    const step = length > 100 * DAY ? 7 * DAY : HOUR;
    const inside = events.filter((time) => time >= Math.floor(range.start / step) * step && time <= Math.ceil(range.end / step) * step);
    const lane: Lane = {
      camera: 1, first, last: now, footage: [], gaps: [], motion: [],
      counts: [...new Set(inside.map((time) => Math.floor(time / step)))].map((slot) => ({ start: slot * step, end: (slot + 1) * step, value: 1 })),
      marks: isFine ? inside.map((time, id) => ({ id, kind: 'motion', start: time, end: time + 5000, isOpen: false, isPicture: false })) : null,
    };
    return { start: range.start, end: range.end, lanes: new Map([[1, lane]]) };
  };
  return { ask, asked };
}

test('the nearest event is found, near and far, in both directions', async () => {
  const events = [first + 3 * DAY, now - 90 * DAY, now - HOUR, now - 60_000];
  const { ask, asked } = timeline(events);
  assert.equal(await nearestEvent(ask, now - 1000, -1, now), now - 60_000);
  assert.equal(await nearestEvent(ask, now - 2 * HOUR, 1, now), now - HOUR);
  assert.equal(await nearestEvent(ask, now - 2 * HOUR, -1, now), now - 90 * DAY);
  assert.equal(await nearestEvent(ask, now - 90 * DAY - 1, -1, now), first + 3 * DAY);
  assert.equal(await nearestEvent(ask, first + 3 * DAY, 1, now), now - 90 * DAY);
  assert.ok(asked.length < 40, String(asked.length));
});

test('where there is none, that is told after a few questions', async () => {
  const { ask, asked } = timeline([now - 10 * DAY]);
  assert.equal(await nearestEvent(ask, now - 10 * DAY, -1, now), null);
  assert.equal(await nearestEvent(ask, now - 10 * DAY, 1, now), null);
  assert.ok(asked.length < 12, String(asked.length));
  const nothing = timeline([]);
  assert.equal(await nearestEvent(nothing.ask, now, 1, now), null);
  assert.equal(nothing.asked.length, 0);
});

test('an event in the stretch that is stood in, but on the other side, is not taken', async () => {
  const { ask } = timeline([now - 100 * DAY, now - 50 * DAY - 1000, now - 49 * DAY]);
  assert.equal(await nearestEvent(ask, now - 50 * DAY, 1, now), now - 49 * DAY);
  assert.equal(await nearestEvent(ask, now - 50 * DAY - 1000, -1, now), now - 100 * DAY);
});
