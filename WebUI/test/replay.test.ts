import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { KEYS_ABOVE, ReplayClock, shuttle, steer } from '../src/replay/clock';
import { DAY, held, HOUR, lengthOf, LONGEST, lowerBound, MINUTE, panned, pixelSpans, revealing, SHORTEST, ticks, tickStep, timeOf, xOf, zoomed } from '../src/replay/geometry';
import { joins, merged, pieceAt, pieceFrom, pieces, resumesAt } from '../src/replay/plan';

import { tileAt, type Sheet } from '../src/replay/sheets';
import { readTimeline, recordedSeconds } from '../src/replay/lanes';

const now = Date.UTC(2026, 10, 28, 12);
const view = { start: now - HOUR, end: now };
const utc = () => 0;

test('times and pixels are each other’s inverse', () => {
  assert.equal(xOf(view, 1000, now - HOUR / 2), 500);
  assert.equal(timeOf(view, 1000, 250), now - HOUR * 0.75);
});

test('zooming keeps the time under the pointer, within limits', () => {
  const at = now - HOUR / 4;
  const closer = zoomed(view, 4, at, now);
  assert.equal(lengthOf(closer), HOUR / 4);
  assert.ok(Math.abs(xOf(closer, 1000, at) - xOf(view, 1000, at)) < 1e-6);
  assert.equal(lengthOf(zoomed(view, 1e9, at, now)), SHORTEST);
  assert.equal(lengthOf(zoomed(view, 1e-9, at, now)), LONGEST);
});

test('no more than half of the view lies in the future', () => {
  assert.deepEqual(panned(view, 10 * HOUR, now), { start: now - HOUR / 2, end: now + HOUR / 2 });
  assert.deepEqual(panned(view, -HOUR, now), { start: now - 2 * HOUR, end: now - HOUR });
  assert.equal(held(view, now), view);
});

test('the view moves only when it has to', () => {
  assert.equal(revealing(view, now - HOUR / 2), view);
  const later = revealing(view, now + HOUR);
  assert.ok(later.start < now + HOUR && later.end > now + HOUR && Math.abs(lengthOf(later) - HOUR) < 1);
  const earlier = revealing(view, now - 5 * HOUR);
  assert.ok(earlier.start < now - 5 * HOUR && earlier.end > now - 5 * HOUR);
});

test('marks stand on round readings of the clock, at every zoom', () => {
  for (const length of [SHORTEST, MINUTE, HOUR, DAY, 30 * DAY, 400 * DAY, LONGEST]) {
    const wide = { start: now - length, end: now };
    const step = tickStep(wide, 1200, 80);
    const marks = ticks(wide, step, utc);
    assert.ok(marks.length >= 1 && marks.length <= 20, `${length}: ${marks.length}`);
    for (const mark of marks) assert.ok(mark >= wide.start && mark <= wide.end);
    if (step < 30 * DAY) for (const mark of marks) assert.equal(mark % Math.min(step, DAY), 0);
    else for (const mark of marks) assert.equal(new Date(mark).getUTCDate(), 1);
  }
});

test('a second is told apart into tenths', () => {
  const close = { start: now - SHORTEST, end: now };
  assert.equal(SHORTEST, 1000);
  const step = tickStep(close, 1200, 110);
  assert.equal(step, 100);
  assert.equal(ticks(close, step, utc).length, 11);
});

test('what of a range was recorded is counted, whole stretches and shares alike', () => {
  const camera = { camera_id: 1, first: null, last: null, gaps: [], events: null, buckets: { footage: [1000, 500, 0], motion: [], events: [], snapshots: [] } };
  const answer = { start: 0, end: 30, now: 30, resolution: 10, detail: 'buckets' as const, bucket_start: 0, bucket_count: 3, bucket_borders: null };
  const shares = readTimeline({ ...answer, cameras: [{ ...camera, spans: null }] });
  assert.equal(recordedSeconds(shares, 1, { start: 5000, end: 30_000 }), 10);
  const spans = readTimeline({ ...answer, cameras: [{ ...camera, spans: [[0, 4], [20, 29]] }] });
  assert.equal(recordedSeconds(spans, 1, { start: 2000, end: 25_000 }), 7);
  assert.equal(recordedSeconds(spans, 2, { start: 0, end: 25_000 }), 0);
  assert.equal(recordedSeconds(spans, 1, { start: 5000, end: 20_000 }), 0);
});

test('days of the clock are marked where it is changed', () => {
  // Berlin: UTC+2 until 2026-10-25 01:00 UTC, then UTC+1.
  const change = Date.UTC(2026, 9, 25, 1);
  const offset = (time: number) => (time < change ? 2 : 1) * HOUR;
  const marks = ticks({ start: Date.UTC(2026, 9, 24), end: Date.UTC(2026, 9, 28) }, DAY, offset);
  assert.deepEqual(marks.map((mark) => new Date(mark).toISOString().slice(0, 13)), ['2026-10-24T22', '2026-10-25T23', '2026-10-26T23', '2026-10-27T23']);
});

test('spans that touch on the screen are one rectangle, and the shortest is seen', () => {
  const spans = [{ start: view.start - HOUR, end: view.start + 60_000 }, { start: view.start + 60_100, end: view.start + 120_000 }, { start: now - 1, end: now - 1 }, { start: now + DAY, end: now + 2 * DAY }];
  const rects = pixelSpans(spans, view, 600);
  assert.equal(rects.length, 2);
  assert.deepEqual(rects[0], { x: 0, width: 20 });
  assert.ok(rects[1]!.width > 0);
});

test('a place in an ordered list is found', () => {
  const list = [1, 3, 3, 7];
  assert.deepEqual([0, 1, 2, 3, 4, 7, 8].map((value) => lowerBound(list, value, (element) => element)), [0, 0, 1, 1, 3, 3, 4]);
});

const fragment = (start: number, seconds: number, offset: number) => ({ start: new Date(start).toISOString(), duration: seconds, offset, size: 100, media_start: 0 });
const segment = (url: string, run: number, fragments: ReturnType<typeof fragment>[]) => ({ url, init_length: 700, codecs: 'avc1.42E01E', width: 640, height: 360, run, is_growing: false, fragments });
const index = {
  camera_id: 1, start: '', end: '', segments: [segment('/b', 1, [fragment(now + 4000, 2, 0), fragment(now + 6000, 2, 100)]), segment('/a', 1, [fragment(now, 2, 0), fragment(now + 2000, 2, 100)]), segment('/c', 2, [fragment(now + 60_000, 2, 0)])],
};

test('fragments are found by time, across files and gaps', () => {
  const list = pieces(index);
  assert.deepEqual(list.map((piece) => piece.url), ['/a', '/a', '/b', '/b', '/c']);
  assert.equal(pieceAt(list, now), 0);
  assert.equal(pieceAt(list, now + 3999), 1);
  assert.equal(pieceAt(list, now + 4000), 2);
  assert.equal(pieceAt(list, now + 8000), -1);
  assert.equal(pieceAt(list, now - 1), -1);
  assert.equal(pieceFrom(list, now + 8000), 4);
  assert.equal(pieceFrom(list, now + 70_000), -1);
  assert.equal(resumesAt(list, now + 9000), now + 60_000);
  assert.equal(resumesAt(list, now + 1000), now + 1000);
  assert.equal(resumesAt(list, now + 99_000), null);
  assert.ok(joins(list[1]!, list[2]!) && !joins(list[3]!, list[4]!));
});

test('a newer index replaces what has grown', () => {
  const old = pieces(index);
  const grown = old.map((piece) => piece.url === '/c' ? { ...piece, end: piece.end + 2000, size: 300 } : piece);
  const all = merged(old, grown.slice(3));
  assert.equal(all.length, 5);
  assert.equal(all[4]!.size, 300);
});

test('one clock leads: it plays, waits, changes its rate and never jumps by itself', () => {
  const clock = new ReplayClock(1000, 0);
  assert.equal(clock.position(500), 1000);
  clock.play(500);
  assert.equal(clock.position(700), 1200);
  clock.setRate(4, 700);
  assert.equal(clock.position(800), 1600);
  clock.wait(true, 800);
  assert.equal(clock.position(5000), 1600);
  clock.wait(false, 5000);
  assert.equal(clock.position(5100), 2000);
  clock.setRate(-1, 5100);
  assert.equal(clock.position(5200), 1900);
  clock.pause(5200);
  assert.equal(clock.position(9999), 1900);
  clock.seek(7, 9999);
  assert.equal(clock.position(9999), 7);
});

test('J, K and L go through the rates in both directions', () => {
  assert.equal(shuttle(1, false, 1), 1);
  assert.equal(shuttle(1, true, 1), 2);
  assert.equal(shuttle(0.25, true, 1), 2);
  assert.equal(shuttle(16, true, 1), 16);
  assert.equal(shuttle(2, true, -1), -1);
  assert.equal(shuttle(-1, true, -1), -2);
  assert.ok(KEYS_ABOVE >= 4);
});

test('a film is steered gently when it drifts a little, and jumps when it is far off', () => {
  assert.deepEqual(steer(0.01, 1), { seek: false, rate: 1 });
  assert.ok(steer(0.1, 1).rate < 1 && !steer(0.1, 1).seek);
  assert.ok(steer(-0.1, 1).rate > 1);
  assert.ok(steer(0.6, 1).seek && steer(-3, 2).seek);
  assert.ok(steer(0.3, 0.25).rate >= 0.0625);
});

test('the tile of a sheet that is nearest to a time is shown, and none where there was nothing', () => {
  const time = (seconds: number) => new Date(now + seconds * 1000).toISOString();
  const sheet: Sheet = {
    url: '/sheet', interval: 30, columns: 12, rows: 10, tile_width: 160, tile_height: 90, is_complete: true,
    tiles: [{ index: 0, x: 0, y: 0, time: time(1) }, { index: 1, x: 160, y: 0, time: time(31) }, { index: 12, x: 0, y: 90, time: time(361) }],
  };
  assert.deepEqual(tileAt(sheet, now), { url: '/sheet', x: 0, y: 0, width: 160, height: 90, time: now + 1000 });
  assert.equal(tileAt(sheet, now + 17_000)?.x, 160);
  assert.equal(tileAt(sheet, now + 15_000)?.x, 0);
  assert.equal(tileAt(sheet, now + 200_000), null);
  assert.equal(tileAt(sheet, now + 370_000)?.y, 90);
  assert.equal(tileAt({ ...sheet, tiles: [] }, now), null);
});
