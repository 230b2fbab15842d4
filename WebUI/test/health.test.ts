import { strict as assert } from 'node:assert';
import { test } from 'node:test';

// The modules look at the page when they are loaded: there is none here.
const world = globalThis as unknown as Record<string, unknown>;
world['addEventListener'] = () => {};
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-US'] }, configurable: true });
world['localStorage'] = { getItem: () => null, setItem: () => {} };
world['document'] = { documentElement: { dataset: {}, lang: '' }, addEventListener: () => {} };

test('the share that was recorded is that of all days together', async () => {
  const { recordedShare, flooredShare } = await import('../src/core/health');
  const day = (recorded: number, missed: number, percent: number | null = 1) => ({ date: '2026-11-27', cameras: [{ camera_id: 1, percent, recorded_seconds: recorded, missed_seconds: missed }] });
  assert.equal(recordedShare([day(50, 50), day(100, 0)], 1), 75);
  assert.equal(recordedShare([day(0, 0, null)], 1), null);
  assert.equal(recordedShare([day(10, 0)], 2), null);
  // Never all where something is missing.
  assert.equal(flooredShare(99.9999), 99.99);
  assert.equal(flooredShare(100), 100);
  assert.equal(flooredShare(0), 0);
});

test('a problem is told with its cause and number', async () => {
  const { problemText } = await import('../src/core/health');
  const since = new Date().toISOString();
  assert.ok(problemText({ kind: 'recording_stalled', cause: 'disk_full', count: 2, since }).startsWith('Recording stands still (2): The disk was full · '));
  // What is not known here is shown as it is called.
  assert.ok(problemText({ kind: 'roof_leaks', cause: 'heavy_rain', count: 1, since }).startsWith('roof leaks: heavy rain · '));
});

test('layouts are read whatever is stored', async () => {
  const { readLayout } = await import('../src/live/layouts');
  assert.deepEqual(readLayout({ name: 'a', layout: { cameras: [1, 'x', 2], columns: 3 } }), { name: 'a', cameras: [1, 2], columns: 3 });
  assert.deepEqual(readLayout({ name: 'a', layout: { cameras: [], columns: -4 } }), { name: 'a', cameras: [], columns: 0 });
  for (const wrong of [null, 5, 'x', {}, { cameras: 'all' }]) assert.equal(readLayout({ name: 'a', layout: wrong }), null);
});

test('running times are told in two parts', async () => {
  const { showUptime } = await import('../src/core/time');
  assert.deepEqual(['0d 0h 0m', '0d 3h 5m', '12d 0h 7m', 'long'].map((text) => showUptime(text)), ['0 min', '3 hr 5 min', '12 days 0 hr', 'long']);
});
