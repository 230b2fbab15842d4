import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { keyFragment, keyFrameIn, pictureCodec, pictureCount, pictureHead, type PictureHead } from '../src/replay/keyframes';
import { keysOf, lackingKeys, type Piece } from '../src/replay/plan';

const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));
const word = (value: number): number[] => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const box = (type: string, ...parts: number[][]): number[] => {
  const body = parts.flat();
  return [...word(8 + body.length), ...text(type), ...body];
};
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

function track(id: number, handler: string, timescale: number): number[] {
  return box('trak', box('tkhd', word(7), zeros(8), word(id), zeros(68)), box('mdia', box('mdhd', word(0), zeros(8), word(timescale), zeros(8)), box('hdlr', word(0), zeros(4), text(handler), zeros(13)), box('minf')));
}
const trex = (id: number, size: number): number[] => box('trex', word(0), word(id), word(1), word(0), word(size), word(0));
const file = new Uint8Array([
  ...box('ftyp', text('iso6'), word(0)),
  ...box('moov', box('mvhd', zeros(100)), track(1, 'soun', 48_000), track(2, 'vide', 90_000), box('mvex', trex(1, 0), trex(2, 77))),
]);

function fragment(flags: { sizes: boolean }): Uint8Array {
  const sound = box('traf', box('tfhd', word(0x020010), word(1), word(3)), box('trun', word(0x000001), word(2), word(500)));
  const samples = flags.sizes ? [...word(3000), ...word(11), ...word(3000), ...word(5)] : [];
  const pictures = box('traf', box('tfhd', word(0x020008), word(2), word(3000)), box('tfdt', word(0x01000000), word(0), word(0)), box('trun', word(flags.sizes ? 0x000305 : 0x000005), word(2), word(520), word(0x02000000), samples));
  return new Uint8Array([...box('prft', zeros(24)), ...box('moof', box('mfhd', word(0), word(9)), sound, pictures), ...word(4000), ...text('mdat'), ...zeros(40)]);
}

test('the head keeps the track of pictures alone', () => {
  const head = pictureHead(file)!;
  assert.deepEqual([head.track, head.timescale, head.sampleSize], [2, 90_000, 77]);
  const again = pictureHead(head.data)!;
  assert.deepEqual([again.track, again.timescale, again.data.length], [2, 90_000, head.data.length]);
  const names = String.fromCharCode(...head.data);
  assert.ok(names.includes('vide') && names.includes('mvhd') && !names.includes('soun'));
  assert.equal(names.split('trex').length, 2);
  assert.equal(new DataView(head.data.buffer).getUint32(16), head.data.length - 16);
});

test('what is no head of a file is none', () => {
  assert.equal(pictureHead(new Uint8Array()), null);
  assert.equal(pictureHead(file.subarray(0, 60)), null);
  assert.equal(pictureHead(new Uint8Array([...box('ftyp'), ...box('moov', track(1, 'soun', 48_000), box('mvex', trex(1, 0)))])), null);
  // Lengths that lead nowhere.
  assert.equal(pictureHead(new Uint8Array([...word(4), ...text('moov'), ...zeros(20)])), null);
});

test('the key frame is found by the description of its fragment', () => {
  const head = pictureHead(file)!;
  assert.deepEqual(keyFrameIn(fragment({ sizes: true }), head), { offset: 32 + 520, size: 11 });
  assert.deepEqual(keyFrameIn(fragment({ sizes: false }), head), { offset: 32 + 520, size: 77 });
  assert.equal(keyFrameIn(fragment({ sizes: true }).subarray(0, 90), head), 'more');
  assert.equal(keyFrameIn(fragment({ sizes: true }), { ...head, track: 5 }), null);
});

test('the pictures of a fragment are counted, not its sound', () => {
  const head = pictureHead(file)!;
  assert.equal(pictureCount(fragment({ sizes: true }), head), 2);
  assert.equal(pictureCount(fragment({ sizes: true }), { ...head, track: 1 }), 2);
  assert.equal(pictureCount(fragment({ sizes: true }), { ...head, track: 5 }), 0);
  // Written in two pieces.
  const pieces = (() => { const one = fragment({ sizes: true }); const whole = one.slice(); new DataView(whole.buffer).setUint32(whole.length - 48, 48); return new Uint8Array([...whole, ...whole]); })();
  assert.equal(pictureCount(pieces, head), 4);
  for (const length of [0, 7, 40, 100]) assert.equal(pictureCount(fragment({ sizes: true }).subarray(0, length), head), 0);
});

test('a fragment of one picture describes that picture', () => {
  const head = pictureHead(file) as PictureHead;
  const picture = new Uint8Array([1, 2, 3, 4, 5]);
  const made = keyFragment(picture, head, 2);
  const place = keyFrameIn(made, head);
  if (!place || place === 'more') throw new Error('no picture');
  assert.deepEqual([...made.subarray(place.offset, place.offset + place.size)], [1, 2, 3, 4, 5]);
  assert.equal(place.offset + place.size, made.length);
});

test('the codec of the pictures is picked from a list', () => {
  assert.equal(pictureCodec('mp4a.40.2, avc1.64001f'), 'avc1.64001f');
  assert.equal(pictureCodec('hvc1.1.6.L93.B0'), 'hvc1.1.6.L93.B0');
  assert.equal(pictureCodec('mp4a.40.2'), null);
});

const piece = (start: number, seconds: number): Piece => ({ start, end: start + seconds * 1000, url: 'a', offset: start, size: 1000, initLength: 10, codecs: 'avc1', run: 1, width: 640, height: 360, mediaStart: 0 });

test('fast playback leaves out key frames that nobody could see', () => {
  const list = [0, 500, 1000, 1500, 2000, 2500].map((start) => piece(start, 0.5));
  const keys = keysOf(list, 1000);
  assert.deepEqual(keys.map((key) => [key.start, key.end]), [[0, 1000], [1000, 2000], [2000, 3000]]);
  assert.deepEqual(keysOf(list, 100).map((key) => key.start), list.map((one) => one.start));
  // The choice does not depend on where the list begins.
  assert.deepEqual(keysOf(list.slice(2), 1000).map((key) => key.start), [1000, 2000]);
});

test('after a gap the first key frame is always shown, and none is shown in the gap', () => {
  const keys = keysOf([piece(0, 0.5), piece(500, 0.2), piece(2000, 0.5)], 10_000);
  assert.deepEqual(keys.map((key) => [key.start, key.end]), [[0, 700], [2000, 2500]]);
});

test('key frames are asked for in the direction of playback', () => {
  const keys = keysOf(Array.from({ length: 20 }, (_, at) => piece(at * 1000, 1)), 1000);
  const reach = { ahead: 4000, behind: 2000 };
  const starts = (target: number, direction: 1 | -1, held: number[] = []) => lackingKeys(keys, target, direction, reach, (key) => held.includes(key.start), 3).map((key) => key.start);
  assert.deepEqual(starts(5500, 1), [5000, 6000, 7000]);
  assert.deepEqual(starts(5500, 1, [5000, 6000, 7000]), [8000, 9000]);
  assert.deepEqual(starts(5500, -1), [5000, 4000, 3000]);
  assert.deepEqual(starts(5500, -1, [5000, 4000, 3000]), [2000, 1000]);
  assert.deepEqual(starts(-500, 1), [0, 1000, 2000]);
  assert.deepEqual(starts(30_000, -1), []);
});
