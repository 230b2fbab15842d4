// Key frames alone, for fast playback: the head of a file for its pictures only, where the key frame lies in a stored fragment, and a
// fragment of that one picture (ISO/IEC 14496-12, sections 8.8.4 to 8.8.12). Pure.

interface Box { type: string; start: number; body: number; end: number }

const typeAt = (view: DataView, at: number): string => String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));

/** The boxes that lie whole inside a stretch; what does not is left out. */
function boxes(view: DataView, start: number, end: number): Box[] {
  const found: Box[] = [];
  let at = start;
  while (at + 8 <= end) {
    let size = view.getUint32(at);
    let body = at + 8;
    if (size === 1 && at + 16 <= end) {
      // Sizes of 64 bits: no fragment is as long as what a number holds exactly.
      size = view.getUint32(at + 8) * 2 ** 32 + view.getUint32(at + 12);
      body = at + 16;
    }
    if (size < body - at || at + size > end) break;
    found.push({ type: typeAt(view, at + 4), start: at, body, end: at + size });
    at += size;
  }
  return found;
}

const inside = (view: DataView, box: Box | undefined, type: string): Box | undefined => box && boxes(view, box.body, box.end).find((one) => one.type === type);

/** The codec of the pictures in a list of codecs (RFC 6381); null when there is none. */
export const pictureCodec = (codecs: string): string | null => codecs.split(',').map((one) => one.trim()).find((one) => /^(avc|hvc|hev|av01|vp0)/.test(one)) ?? null;

export interface PictureHead { data: Uint8Array; track: number; timescale: number; /** Bytes of a sample where a fragment does not say. */ sampleSize: number }

/** The head of a file with its track of pictures alone; null for what is no such head. */
export function pictureHead(head: Uint8Array): PictureHead | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const top = boxes(view, 0, head.length);
  const moov = top.find((box) => box.type === 'moov');
  if (!moov) return null;
  const parts = boxes(view, moov.body, moov.end);
  const trak = parts.find((box) => {
    const handler = box.type === 'trak' ? inside(view, inside(view, box, 'mdia'), 'hdlr') : undefined;
    return handler !== undefined && handler.body + 12 <= handler.end && typeAt(view, handler.body + 8) === 'vide';
  });
  const tkhd = inside(view, trak, 'tkhd');
  const mdhd = inside(view, inside(view, trak, 'mdia'), 'mdhd');
  const mvex = parts.find((box) => box.type === 'mvex');
  if (!trak || !tkhd || !mdhd || !mvex) return null;
  const track = view.getUint32(tkhd.body + (view.getUint8(tkhd.body) === 1 ? 20 : 12));
  const timescale = view.getUint32(mdhd.body + (view.getUint8(mdhd.body) === 1 ? 20 : 12));
  const trex = boxes(view, mvex.body, mvex.end).find((box) => box.type === 'trex' && view.getUint32(box.body + 4) === track);
  if (!trex || timescale === 0) return null;
  const cut = (box: Box) => head.subarray(box.start, box.end);
  const kept = parts.filter((box) => box === trak || (box.type !== 'trak' && box.type !== 'mvex')).map(cut);
  return {
    data: joined([...top.filter((box) => box.type === 'ftyp').map(cut), written('moov', [...kept, written('mvex', [cut(trex)])])]),
    track, timescale, sampleSize: view.getUint32(trex.body + 16),
  };
}

/** Where the first picture of a fragment lies, counted from the fragment's begin. */
export interface Place { offset: number; size: number }

/** Looks into the begin of a fragment; `more` when its description goes on beyond these bytes, null when there is none of this track. */
export function keyFrameIn(begin: Uint8Array, head: PictureHead): Place | 'more' | null {
  const view = new DataView(begin.buffer, begin.byteOffset, begin.byteLength);
  const all = boxes(view, 0, begin.length);
  const moof = all.find((box) => box.type === 'moof');
  if (!moof) return all.some((box) => box.type === 'mdat') ? null : 'more';
  for (const traf of boxes(view, moof.body, moof.end)) {
    if (traf.type !== 'traf') continue;
    const tfhd = inside(view, traf, 'tfhd');
    const trun = inside(view, traf, 'trun');
    if (!tfhd || !trun || view.getUint32(tfhd.body + 4) !== head.track) continue;
    const ofTrack = view.getUint32(tfhd.body) & 0xffffff;
    const ofRun = view.getUint32(trun.body) & 0xffffff;
    // Places are counted from the fragment's description; files that count from their own begin are not made here.
    if ((ofTrack & 1) !== 0 || (ofRun & 1) === 0 || view.getUint32(trun.body + 4) === 0) return null;
    let at = tfhd.body + 8 + ((ofTrack & 2) !== 0 ? 4 : 0) + ((ofTrack & 8) !== 0 ? 4 : 0);
    let size = (ofTrack & 16) !== 0 ? view.getUint32(at) : head.sampleSize;
    at = trun.body + 12 + ((ofRun & 4) !== 0 ? 4 : 0) + ((ofRun & 0x100) !== 0 ? 4 : 0);
    if ((ofRun & 0x200) !== 0) size = at + 4 <= trun.end ? view.getUint32(at) : 0;
    return size > 0 ? { offset: moof.start + view.getInt32(trun.body + 8), size } : null;
  }
  return null;
}

/** The pictures of a fragment, which may be written in several pieces; 0 when it does not say. */
export function pictureCount(fragment: Uint8Array, head: PictureHead): number {
  const view = new DataView(fragment.buffer, fragment.byteOffset, fragment.byteLength);
  let count = 0;
  const pieces = boxes(view, 0, fragment.length).filter((box) => box.type === 'moof');
  for (const traf of pieces.flatMap((moof) => boxes(view, moof.body, moof.end))) {
    const tfhd = traf.type === 'traf' ? inside(view, traf, 'tfhd') : undefined;
    if (!tfhd || tfhd.body + 8 > tfhd.end || view.getUint32(tfhd.body + 4) !== head.track) continue;
    for (const trun of boxes(view, traf.body, traf.end)) if (trun.type === 'trun' && trun.body + 8 <= trun.end) count += view.getUint32(trun.body + 4);
  }
  return count;
}

/** A fragment of one key frame that is shown for so many seconds from time 0 on. */
export function keyFragment(picture: Uint8Array, head: PictureHead, seconds: number): Uint8Array {
  const duration = Math.max(1, Math.round(seconds * head.timescale));
  const numbers = (...values: number[]) => {
    const data = new Uint8Array(values.length * 4);
    const view = new DataView(data.buffer);
    values.forEach((value, index) => view.setUint32(index * 4, value >>> 0));
    return data;
  };
  const describe = (dataOffset: number) => written('moof', [
    written('mfhd', [numbers(0, 1)]),
    written('traf', [
      // default-base-is-moof; the time is 0 in 64 bits; data offset, flags of the first sample, its duration and size. 0x02000000: depends on nothing.
      written('tfhd', [numbers(0x020000, head.track)]), written('tfdt', [numbers(0x01000000, 0, 0)]),
      written('trun', [numbers(0x000305, 1, dataOffset, 0x02000000, duration, picture.length)]),
    ]),
  ]);
  const length = describe(0).length;
  return joined([describe(length + 8), written('mdat', [picture])]);
}

function written(type: string, parts: Uint8Array[]): Uint8Array {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, 8 + parts.reduce((sum, part) => sum + part.length, 0));
  for (let index = 0; index < 4; index += 1) header[4 + index] = type.charCodeAt(index);
  return joined([header, ...parts]);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
