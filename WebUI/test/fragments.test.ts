import { strict as assert } from 'node:assert';
import { test } from 'node:test';

// A browser that knows the managed form of Media Source Extensions only, as phones of one maker do.

class FakeElement {
  readonly dataset: Record<string, string> = {};
  readonly buffered = { length: 1, start: () => 0, end: () => this.bufferedEnd };
  bufferedEnd = 0;
  paused = true;
  muted = false;
  playbackRate = 1;
  currentTime = 0;
  disableRemotePlayback = false;
  src = '';
  onerror: (() => void) | null = null;
  pause(): void { this.paused = true; }
  async play(): Promise<void> { this.paused = false; }
  load(): void {}
  removeAttribute(): void { this.src = ''; }
  getVideoPlaybackQuality(): { totalVideoFrames: number } { return { totalVideoFrames: 1 }; }
  requestVideoFrameCallback(): number { return 1; }
}

class FakeSourceBuffer {
  updating = false;
  onupdateend: (() => void) | null = null;
  readonly appended: number[] = [];
  readonly types: string[];
  constructor(type: string) { this.types = [type]; }
  appendBuffer(data: ArrayBuffer): void {
    this.appended.push(data.byteLength);
    this.updating = true;
  }
  finish(): void {
    this.updating = false;
    this.onupdateend?.();
  }
  changeType(type: string): void { this.types.push(type); }
  remove(): void { this.updating = true; }
}

class FakeManagedSource {
  static readonly made: FakeManagedSource[] = [];
  static isTypeSupported(type: string): boolean { return type.includes('avc1'); }
  readyState = 'closed';
  onsourceopen: (() => void) | null = null;
  readonly buffers: FakeSourceBuffer[] = [];
  constructor() { FakeManagedSource.made.push(this); }
  open(): void {
    this.readyState = 'open';
    this.onsourceopen?.();
  }
  addSourceBuffer(type: string): FakeSourceBuffer {
    const made = new FakeSourceBuffer(type);
    this.buffers.push(made);
    return made;
  }
}

class FakeSocket {
  static readonly made: FakeSocket[] = [];
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onopen: (() => void) | null = null;
  isClosed = false;
  constructor(readonly url: string) { FakeSocket.made.push(this); }
  close(): void { this.isClosed = true; }
}

const listeners = new Map<string, Set<() => void>>();
const listened = {
  addEventListener: (name: string, listener: () => void) => { (listeners.get(name) ?? listeners.set(name, new Set()).get(name)!).add(listener); },
  removeEventListener: (name: string, listener: () => void) => { listeners.get(name)?.delete(listener); },
};
const page = { hidden: false, createElement: () => new FakeElement(), documentElement: { dataset: {}, lang: '' }, ...listened };
const world = globalThis as unknown as Record<string, unknown>;
const window = { ManagedMediaSource: FakeManagedSource };
Object.assign(world, {
  window, document: page, addEventListener: listened.addEventListener, removeEventListener: listened.removeEventListener, WebSocket: FakeSocket,
  location: { origin: 'http://nvr', pathname: '/ui/live', search: '' }, localStorage: { getItem: () => null, setItem: () => {} },
});
let urls = 0;
URL.createObjectURL = () => `blob:${urls += 1}`;
URL.revokeObjectURL = () => {};
const events = () => ({ pictures: 0, refusals: 0, interruptions: 0, messages: [] as string[] });
const heard = (log: ReturnType<typeof events>) => ({
  picture: () => { log.pictures += 1; }, refused: () => { log.refusals += 1; }, interrupted: () => { log.interruptions += 1; }, message: (message: { type: string }) => { log.messages.push(message.type); },
});
const options = { camera: 1, stream: 'sub' as const, audio: false, volume: 1, mode: 'auto', width: 640 };
const info = (mime: string) => JSON.stringify({ type: 'info', stream: 'sub', mime_type: mime, codec_name: 'h264', width: 640, height: 360, fps: 15, transcoded: false, audio: null });
const last = <T>(list: readonly T[]): T => list[list.length - 1]!;

async function begin(log: ReturnType<typeof events>) {
  const { Fragments } = await import('../src/player/fragments');
  const player = new Fragments(options, heard(log) as unknown as ConstructorParameters<typeof Fragments>[1]);
  return { player, element: player.element as unknown as FakeElement, socket: last(FakeSocket.made), source: last(FakeManagedSource.made) };
}

test('where there is a managed media source only, it is taken, and the element allows it', async () => {
  const { mediaSourceClass, isPlayable } = await import('../src/player/source');
  assert.equal(mediaSourceClass(), FakeManagedSource as unknown as typeof MediaSource);
  assert.ok(isPlayable('video/mp4; codecs="avc1.64001f"') && !isPlayable('video/webm'));
  const log = events();
  const { player, element, socket, source } = await begin(log);
  // The managed form opens only for elements that do not play on other screens.
  assert.equal(element.disableRemotePlayback, true);
  assert.ok(element.src.startsWith('blob:'));
  assert.ok(/^ws:\/\/nvr\/.*cameras\/1\/mse/.test(socket.url));
  // What comes before the source is open waits, in its order.
  socket.onmessage!({ data: info('video/mp4; codecs="avc1.64001f"') });
  socket.onmessage!({ data: new ArrayBuffer(100) });
  socket.onmessage!({ data: new ArrayBuffer(10) });
  assert.equal(source.buffers.length, 0);
  source.open();
  const buffer = source.buffers[0]!;
  assert.deepEqual(buffer.appended, [100]);
  element.bufferedEnd = 0.5;
  buffer.finish();
  assert.deepEqual(buffer.appended, [100, 10]);
  assert.equal(element.paused, false);
  // What the camera changes to is another type of the same buffer.
  buffer.finish();
  socket.onmessage!({ data: info('video/mp4; codecs="avc1.640028"') });
  socket.onmessage!({ data: new ArrayBuffer(7) });
  assert.deepEqual([buffer.types.length, last(buffer.appended)], [2, 7]);
  player.close();
  assert.ok(socket.isClosed);
});

test('the managed form tells when it wants no more; the plain form never does', async () => {
  const { isSated } = await import('../src/player/source');
  const sated = (streaming: boolean | undefined) => isSated({ streaming } as unknown as MediaSource);
  assert.deepEqual([sated(true), sated(false), sated(undefined)], [false, true, false]);
});

test('who is not signed in any more asks for nothing, until somebody is', async () => {
  const { api, isShutOut } = await import('../src/core/api');
  const log = events();
  const { player, socket } = await begin(log);
  isShutOut.set(true);
  const before = FakeSocket.made.length;
  socket.onclose!({ code: 1006 });
  await new Promise((resolve) => { setTimeout(resolve, 400); });
  assert.equal(FakeSocket.made.length, before);
  assert.equal(await api.get('/cameras').then(() => null, (problem: { status: number }) => problem.status), 401);
  isShutOut.set(false);
  assert.equal(FakeSocket.made.length, before + 1);
  player.close();
});

test('a format that the managed media source does not take is refused, so that another way is tried', async () => {
  const log = events();
  const { player, socket, source } = await begin(log);
  source.open();
  socket.onmessage!({ data: info('video/mp4; codecs="hvc1.1.6.L93.B0"') });
  assert.equal(log.refusals, 1);
  player.close();
});

test('fragments that nobody takes do not pile up: the stream begins anew', async () => {
  const log = events();
  const { player, socket } = await begin(log);
  const before = FakeManagedSource.made.length;
  socket.onmessage!({ data: info('video/mp4; codecs="avc1.64001f"') });
  for (let count = 0; count < 700 && !socket.isClosed; count += 1) socket.onmessage?.({ data: new ArrayBuffer(1) });
  assert.ok(socket.isClosed && FakeManagedSource.made.length > before && last(FakeSocket.made) !== socket);
  player.close();
});

test('a line that was silent while the tab slept is made anew as soon as somebody looks', async () => {
  const log = events();
  const clock = performance.now;
  let now = clock.call(performance);
  Object.defineProperty(performance, 'now', { value: () => now, configurable: true });
  try {
    const { player, socket } = await begin(log);
    const show = () => { for (const listener of listeners.get('visibilitychange') ?? []) listener(); };
    // Heard a moment ago: nothing to mend.
    now += 500;
    show();
    assert.ok(!socket.isClosed);
    now += 60_000;
    page.hidden = true;
    show();
    assert.ok(!socket.isClosed);
    page.hidden = false;
    show();
    assert.ok(socket.isClosed && last(FakeSocket.made) !== socket);
    player.close();
  } finally { Object.defineProperty(performance, 'now', { value: clock, configurable: true }); }
});
