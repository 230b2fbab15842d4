import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { fromHex, readBoxes, readFrame } from '../src/player/frames';
import { Backoff, chase, DecodeGate, HURRY, JUMP, LANDING, trim, ways } from '../src/player/policy';

function message(kind: number, key: number, seconds: number, payload: number[]): ArrayBuffer {
  const buffer = new ArrayBuffer(10 + payload.length);
  const view = new DataView(buffer);
  view.setUint8(0, kind);
  view.setUint8(1, key);
  view.setFloat64(2, seconds, true);
  new Uint8Array(buffer, 10).set(payload);
  return buffer;
}

test('a frame has its kind, key flag, time in microseconds and bytes', () => {
  const frame = readFrame(message(0, 1, 1.5, [1, 2, 3]));
  assert.deepEqual([frame?.kind, frame?.isKey, frame?.timestamp, [...frame?.payload ?? []]], [0, true, 1_500_000, [1, 2, 3]]);
  assert.equal(readFrame(new ArrayBuffer(9)), null);
  assert.equal(readFrame(new ArrayBuffer(10))?.payload.length, 0);
});

test('a decoder is given nothing before a key frame, and after an overflow nothing until the next', () => {
  const gate = new DecodeGate(3);
  assert.deepEqual([gate.admits(false, 0), gate.admits(true, 0), gate.admits(false, 1), gate.admits(false, 4), gate.admits(false, 0), gate.admits(true, 0), gate.admits(false, 0)],
    [false, true, true, false, false, true, true]);
  assert.equal(gate.dropped, 3);
  gate.reset();
  assert.equal(gate.admits(false, 0), false);
});

test('a live picture is hurried when it falls behind, and jumps when it is far behind', () => {
  assert.deepEqual(chase({ start: 0, end: 10 }, 9.5), { seek: null, rate: 1 });
  const slow = chase({ start: 0, end: 10 }, 10 - HURRY - 0.1);
  assert.equal(slow.seek, null);
  assert.ok(slow.rate > 1);
  assert.deepEqual(chase({ start: 0, end: 100 }, 100 - JUMP - 1), { seek: 100 - LANDING, rate: 1 });
  assert.deepEqual(chase({ start: 50, end: 50.1 }, 0), { seek: 50, rate: 1 });
  assert.deepEqual(chase({ start: 50, end: 60 }, 61), { seek: 60 - LANDING, rate: 1 });
});

test('what lies far behind the picture is removed in pieces that are worth it', () => {
  assert.equal(trim([], 100, 8), null);
  assert.equal(trim([{ start: 90, end: 101 }], 100, 8), null);
  assert.deepEqual(trim([{ start: 50, end: 101 }], 100, 8), { start: 50, end: 92 });
});

test('pauses between attempts grow up to a limit and begin anew after a success', () => {
  const backoff = new Backoff(300, 1000);
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [300, 600, 1000, 1000]);
  backoff.reset();
  assert.equal(backoff.next(), 300);
});

test('the way to show a picture depends on browser, camera and wish', () => {
  const all = { webCodecs: true, mse: true };
  assert.deepEqual(ways(all, 'auto', 'auto'), ['webcodecs', 'mse', 'jpeg']);
  assert.deepEqual(ways({ webCodecs: false, mse: true }, 'auto', 'auto'), ['mse', 'jpeg']);
  assert.deepEqual(ways({ webCodecs: false, mse: false }, 'webcodecs', 'auto'), ['jpeg']);
  assert.deepEqual(ways(all, 'mjpeg', 'auto'), ['jpeg']);
  assert.deepEqual(ways(all, 'mjpeg', 'mse'), ['mse', 'jpeg']);
  assert.deepEqual(ways({ webCodecs: false, mse: true }, 'auto', 'webcodecs'), ['mse', 'jpeg']);
});

test('boxes are read in the forms detectors have, and hostile ones are left out', () => {
  assert.deepEqual(readBoxes([[0.1, 0.2, 0.3, 0.4]]), [{ x: 0.1, y: 0.2, width: 0.4 - 0.1, height: 0.2 + 0.4 - 0.2 }]);
  assert.deepEqual(readBoxes([{ x: 0.5, y: 0.5, width: 2, height: 2, label: 'person', score: 0.9 }]), [{ x: 0.5, y: 0.5, width: 0.5, height: 0.5, label: 'person', score: 0.9 }]);
  for (const bad of [null, 'x', {}, [null, 1, 'a', {}, [1, 2], [NaN, 0, 1, 1], [2, 2, 1, 1], { box: 'no' }]]) assert.deepEqual(readBoxes(bad), []);
});

test('hexadecimal text becomes bytes', () => { assert.deepEqual([...fromHex('1190ff')], [0x11, 0x90, 0xff]); });
