import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { streamURL, brands } from '../src/cameras/brands';
import { hoursOf } from '../src/cameras/week';
import { area, contains, insertPoint, isSimple, isUsable, masksText, movePoint, movePolygon, parseMasks, removePoint, startingPolygon, type Polygon } from '../src/cameras/polygon';
import { pictureBlob } from '../src/core/pictures';
import { eventQuery, exportPath } from '../src/events/filters';
import { Pages } from '../src/events/pages';
import { pagesOf, revealingRow, TALLEST, windowOf } from '../src/events/virtual';
import { bestColumns, bounded, contain, moved, MOST_ZOOM, NO_ZOOM, placed, zoomAt } from '../src/live/geometry';

const square: Polygon = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]];

test('masks are read from the server’s text, whatever is in it', () => {
  assert.deepEqual(parseMasks('[{"points": [[0,0],[1,0],[1,1]]}]'), [[[0, 0], [1, 0], [1, 1]]]);
  assert.deepEqual(parseMasks([{ points: [[-1, 0], [2, 0], [1, 1]] }]), [[[0, 0], [1, 0], [1, 1]]]);
  for (const bad of ['', 'null', '[', '{}', '[1]', '[{"points": 3}]', '[{"points": [[0,0],[1,1]]}]', '[{"points": [["a",0],[1,0],[1,1]]}]', null, 5]) assert.deepEqual(parseMasks(bad), []);
  assert.deepEqual(parseMasks(masksText([square])), [square]);
});

test('corners move within the picture, come and go', () => {
  assert.deepEqual(movePoint(square, 0, [-3, 0.2])[0], [0, 0.2]);
  assert.deepEqual(insertPoint(square, 0, [0.3, 0.05])[1], [0.3, 0.05]);
  assert.equal(removePoint(square, 1).length, 3);
  assert.equal(removePoint(removePoint(square, 1), 0).length, 3);
});

test('a whole area moves until it touches the edge, and keeps its shape', () => {
  const right = movePolygon(square, 5, 0);
  assert.deepEqual(right.map(([x]) => x), [0.6, 1, 1, 0.6]);
  assert.ok(Math.abs(area(right) - area(square)) < 1e-9);
});

test('area, inside, and crossing sides', () => {
  assert.ok(Math.abs(area(square) - 0.16) < 1e-9);
  assert.ok(contains(square, [0.3, 0.3]) && !contains(square, [0.6, 0.3]));
  assert.ok(isSimple(square) && !isSimple([[0, 0], [1, 1], [1, 0], [0, 1]]));
  assert.ok(isUsable(square) && !isUsable([[0, 0], [0.5, 0.5], [1, 1]]) && !isUsable([[0, 0], [1, 1]]));
});

test('tiles are as large as they can be', () => {
  assert.equal(bestColumns(1, { width: 1000, height: 500 }, 16 / 9, 6, 200), 1);
  assert.equal(bestColumns(4, { width: 1600, height: 900 }, 16 / 9, 6, 200), 2);
  assert.equal(bestColumns(9, { width: 1600, height: 900 }, 16 / 9, 6, 200), 3);
  assert.equal(bestColumns(2, { width: 400, height: 900 }, 16 / 9, 6, 200), 1);
  assert.equal(bestColumns(64, { width: 1000, height: 300 }, 16 / 9, 6, 220), 4);
  for (let count = 1; count <= 64; count += 1) assert.ok(bestColumns(count, { width: 360, height: 640 }, 16 / 9, 6, 220) === 1);
});

test('a picture is shown whole, in the middle', () => {
  assert.deepEqual(contain({ width: 200, height: 100 }, 1), { x: 50, y: 0, width: 100, height: 100 });
  assert.deepEqual(contain({ width: 0, height: 100 }, 1), { x: 0, y: 0, width: 0, height: 100 });
});

test('digital zoom keeps the point under the finger and never shows the outside', () => {
  const view = { width: 800, height: 400 };
  const zoom = zoomAt(NO_ZOOM, 2, { x: 200, y: 100 }, view);
  assert.deepEqual(zoom, { scale: 2, x: -200, y: -100 });
  assert.deepEqual(zoomAt(zoom, 0.01, { x: 0, y: 0 }, view), NO_ZOOM);
  assert.equal(zoomAt(zoom, 1000, { x: 0, y: 0 }, view).scale, MOST_ZOOM);
  assert.deepEqual(bounded({ scale: 2, x: 500, y: -9999 }, view), { scale: 2, x: 0, y: -400 });
});

test('an element of a list gets another place', () => {
  assert.deepEqual(moved([1, 2, 3, 4], 0, 2), [2, 3, 1, 4]);
  assert.deepEqual(moved([1, 2, 3], 2, 0), [3, 1, 2]);
  assert.deepEqual(moved([1, 2, 3], 1, 99), [1, 3, 2]);
  assert.deepEqual(moved([1], 5, 0), [1]);
});

test('hours of a schedule that go beyond midnight belong to both days', () => {
  const value = (fields: Record<string, unknown>) => (name: string) => fields[name];
  const night = value({ schedule_monday: true, schedule_monday_start: '22:00', schedule_monday_end: '05:59', schedule_tuesday: true, schedule_tuesday_start: '08:00', schedule_tuesday_end: '08:29' });
  assert.deepEqual(hoursOf(0, night), [{ start: 1320, end: 1440 }]);
  assert.deepEqual(hoursOf(1, night), [{ start: 0, end: 360 }, { start: 480, end: 510 }]);
  assert.deepEqual(hoursOf(2, night), []);
  assert.deepEqual(hoursOf(0, value({ schedule_monday: true, schedule_sunday: true, schedule_sunday_start: '23:00', schedule_sunday_end: '00:10' })), [{ start: 0, end: 11 }, { start: 0, end: 1440 }]);
});

test('some elements change places among themselves, the others stay where they are', () => {
  assert.deepEqual(placed([1, 2, 3, 4, 5], [4, 2]), [1, 4, 3, 2, 5]);
  assert.deepEqual(placed([1, 2, 3], [3, 1, 2]), [3, 1, 2]);
  assert.deepEqual(placed([1, 2], []), [1, 2]);
});

test('an area that begins without a pointer can be a mask', () => { assert.ok(isUsable(startingPolygon) && isSimple(startingPolygon)); });

const page = (number: number) => Array.from({ length: 10 }, (_, place) => ({ id: number * 10 + place }));

test('of a long list only what is looked at last is asked for, two pages at once', () => {
  const pages = new Pages<{ id: number }>(10);
  pages.want([0]);
  assert.deepEqual(pages.next(), [0]);
  // The scroll bar is dragged over everything.
  for (let number = 1; number < 1000; number += 1) pages.want([number, number + 1]);
  assert.deepEqual(pages.next(), [999]);
  assert.deepEqual(pages.next(), []);
  pages.came(0, page(0));
  assert.deepEqual(pages.next(), [1000]);
  pages.came(999, page(999));
  pages.came(1000, page(1000));
  assert.deepEqual(pages.next(), []);
  assert.deepEqual([pages.at(3)?.id, pages.at(9995)?.id, pages.at(500)], [3, 9995, undefined]);
});

test('an event is found again where it has moved to', () => {
  const pages = new Pages<{ id: number }>(10);
  pages.came(4, page(4));
  assert.equal(pages.indexOf(47), 47);
  pages.came(4, [{ id: 99 }, ...page(4).slice(0, 9)]);
  assert.equal(pages.indexOf(47), 48);
  assert.equal(pages.indexOf(5), null);
});

test('a page that failed is asked for when it is wanted anew, and pages that nobody looks at go', () => {
  const pages = new Pages<{ id: number }>(10);
  pages.want([7]);
  assert.deepEqual(pages.next(), [7]);
  pages.failed(7);
  assert.deepEqual(pages.next(), []);
  pages.want([7]);
  assert.deepEqual(pages.next(), [7]);
  pages.came(7, page(7));
  for (let number = 100; number < 139; number += 1) pages.came(number, page(number));
  // It is looked at again, so that another one is the oldest.
  pages.want([7]);
  pages.came(200, page(200));
  assert.equal(pages.at(70)?.id, 70);
  assert.equal(pages.at(1000), undefined);
});

test('only what is seen of a list is drawn', () => {
  assert.deepEqual(windowOf(0, 100, 0, 500), { first: 0, last: 0, top: 0, height: 0 });
  assert.deepEqual(windowOf(1000, 100, 5000, 500, 2), { first: 48, last: 57, top: 4800, height: 100_000 });
  assert.deepEqual(windowOf(3, 100, 0, 500, 2), { first: 0, last: 3, top: 0, height: 300 });
});

test('a million rows fit into what a browser can draw, from the first to the last', () => {
  const rows = 1_000_000;
  const top = windowOf(rows, 240, 0, 800);
  assert.equal(top.height, TALLEST);
  assert.equal(top.first, 0);
  const bottom = windowOf(rows, 240, TALLEST - 800, 800);
  assert.equal(bottom.last, rows);
  const middle = windowOf(rows, 240, (TALLEST - 800) / 2, 800);
  assert.ok(Math.abs(middle.first - rows / 2) < 10);
  assert.ok(middle.top < (TALLEST - 800) / 2 && middle.last - middle.first < 15);
});

test('a row is scrolled to as far as is needed, in a short list and in one of a million', () => {
  assert.equal(revealingRow(1000, 100, 5000, 500, 52), 5000);
  assert.equal(revealingRow(1000, 100, 5000, 500, 10), 1000);
  assert.equal(revealingRow(1000, 100, 5000, 500, 60), 5600);
  assert.equal(revealingRow(3, 100, 0, 500, 2), 0);
  for (const row of [0, 1, 500_000, 999_998, 999_999]) {
    for (const from of [0, TALLEST / 3, TALLEST - 800]) {
      const top = revealingRow(1_000_000, 240, from, 800, row);
      const { first, last } = windowOf(1_000_000, 240, top, 800, 0);
      assert.ok(first <= row && row < last && top >= 0 && top <= TALLEST - 800, `${row} from ${from}: ${first} ${last}`);
    }
  }
});

test('pages that hold a stretch of a list', () => {
  assert.deepEqual(pagesOf(0, 100, 100), [0]);
  assert.deepEqual(pagesOf(99, 101, 100), [0, 1]);
  assert.deepEqual(pagesOf(5, 5, 100), []);
});

test('addresses of common makes hold any password', () => {
  const brand = brands.find((one) => one.name.startsWith('Hik'))!;
  assert.equal(streamURL(brand, brand.main, '10.0.0.9', 'admin', 'p@ss:w/rd'), 'rtsp://admin:p%40ss%3Aw%2Frd@10.0.0.9:554/Streaming/Channels/101');
  assert.equal(streamURL(brand, brand.main, '10.0.0.9:8554', '', ''), 'rtsp://10.0.0.9:8554/Streaming/Channels/101');
  assert.equal(streamURL(brand, brand.main, 'fe80::1', '', ''), 'rtsp://[fe80::1]:554/Streaming/Channels/101');
});

test('filters of events are asked for by the names of the server', () => {
  const items = new URLSearchParams('camera=3&group=2&kind=motion&from=22:00&to=06:30&label=person&zone=drive&event=9&date=2026-11-28');
  assert.deepEqual(eventQuery(items), { camera_id: '3', group_id: '2', event_type: 'motion', date: '2026-11-28', time_from: '22:00', time_to: '06:30', label: 'person', zone: 'drive' });
  assert.deepEqual(eventQuery(new URLSearchParams('from=25:00&to=7&type=')), {});
});

test('several events are exported by one address', () => {
  assert.equal(exportPath([3, 1, 2], true, false), '/exports?event_ids=3,1,2&exact=true&manifest=false');
});

test('pictures come out of data URLs, and nothing else does', async () => {
  const blob = pictureBlob('data:image/jpeg;base64,/9j/AA==')!;
  assert.equal(blob.type, 'image/jpeg');
  assert.deepEqual([...new Uint8Array(await blob.arrayBuffer())], [255, 216, 255, 0]);
  for (const wrong of ['', 'data:text/html;base64,AAAA', 'javascript:alert(1)', 'data:image/jpeg;base64,A', 'data:image/svg+xml;base64,AAAA']) assert.equal(pictureBlob(wrong), null, wrong);
});
