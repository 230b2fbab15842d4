// The grid of cameras: live pictures, states, and the dialogs that add, change and delete one.
import { $, make, call, toast, complain, busy, when } from '/ui/api.js';

const tiles = new Map();
let cameras = [];
let isAdmin = false;
let isShown = false;
let edited = null;
let timer;

export const allCameras = () => cameras;

/** A tile asks for its next picture when the last has come: never more than one request at a time. */
class Tile {
  constructor(camera) {
    this.id = camera.id;
    this.url = null;
    this.isVisible = true;
    this.image = make('img', { hidden: true });
    this.note = make('p', { textContent: 'Waiting for a picture…' });
    this.badges = make('div', { className: 'badges' });
    this.title = make('span');
    this.state = make('span');
    this.why = make('p', { className: 'why' });
    this.record = make('button', { type: 'button', textContent: 'Record' });
    this.snapshot = make('button', { type: 'button', textContent: 'Snapshot' });
    this.change = make('button', { type: 'button', textContent: 'Edit' });
    const actions = make('div', { className: 'actions', hidden: !isAdmin }, this.record, this.snapshot, this.change);
    this.element = make('article', { className: 'tile' },
      make('div', { className: 'view' }, this.note, this.image, this.badges),
      make('div', { className: 'about' }, make('h2', {}, this.title, this.state), this.why), actions);
    this.record.onclick = () => busy(this.record, () => this.toggle());
    this.snapshot.onclick = () => busy(this.snapshot, () => this.shoot());
    this.change.onclick = () => openCamera(this.camera);
    this.update(camera, null);
    watcher.observe(this.element);
    this.loop();
  }

  update(camera, live) {
    this.camera = camera;
    this.title.textContent = camera.name;
    this.state.textContent = camera.status.toLowerCase();
    this.state.className = 'state ' + camera.status;
    const since = camera.status_since ? `since ${when(camera.status_since)}` : '';
    this.why.textContent = camera.status === 'CONNECTED'
      ? [`${camera.resolution_width}×${camera.resolution_height}`, camera.recording_mode, camera.location].filter(Boolean).join(' · ')
      : [camera.status_reason, since].filter(Boolean).join(' · ');
    this.image.alt = `Live picture of ${camera.name}`;
    const badges = [];
    if (camera.is_recording) badges.push(make('span', { className: 'badge rec', textContent: 'Recording' }));
    if (live) badges.push(make('span', { className: 'badge', textContent: 'Motion' }));
    this.badges.replaceChildren(...badges);
    this.element.classList.toggle('motion', Boolean(live));
    const continuous = camera.recording_mode === 'Continuous';
    this.record.setAttribute('aria-pressed', String(continuous));
    this.record.textContent = continuous ? 'Stop recording' : 'Record';
    for (const button of [this.record, this.snapshot, this.change]) button.setAttribute('aria-label', `${button.textContent}: ${camera.name}`);
    if (camera.status !== 'CONNECTED') this.blank(camera.status === 'STARTING' ? 'Connecting…' : camera.status === 'DISABLED' ? 'Disabled' : 'No picture');
  }

  blank(text) {
    this.note.textContent = text;
    this.image.hidden = true;
  }

  async loop() {
    while (!this.isGone) {
      const pause = await this.refresh();
      await new Promise(done => { this.wake = done; setTimeout(done, pause); });
    }
  }

  /** Shows the next picture; answers how long to wait before the one after, milliseconds. */
  async refresh() {
    if (!isShown || document.hidden || !this.isVisible || this.camera.status !== 'CONNECTED') return 500;
    const began = performance.now();
    try {
      const response = await fetch(`/api/cameras/${this.id}/frame?width=640`, { cache: 'no-store', signal: AbortSignal.timeout(15000) });
      if (!response.ok) {
        if (response.status === 503 || response.status === 404) this.blank('No picture');
        return 3000;
      }
      const url = URL.createObjectURL(await response.blob());
      this.image.src = url;
      await this.image.decode().catch(() => {});
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = url;
      this.image.hidden = false;
    } catch {
      this.blank('No picture');
      return 3000;
    }
    return Math.max(100, 1000 - (performance.now() - began));
  }

  async toggle() {
    try {
      await call('POST', `/cameras/${this.id}/recording`);
      await refreshCameras();
    } catch (failure) { toast(failure.message); }
  }

  async shoot() {
    try {
      await call('POST', `/cameras/${this.id}/snapshot`);
      toast(`Snapshot of ${this.camera.name} saved.`);
    } catch (failure) { toast(failure.message); }
  }

  remove() {
    this.isGone = true;
    watcher.unobserve(this.element);
    this.element.remove();
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

const watcher = new IntersectionObserver(entries => {
  for (const entry of entries) {
    for (const tile of tiles.values()) if (tile.element === entry.target) tile.isVisible = entry.isIntersecting;
  }
}, { rootMargin: '200px' });

export async function refreshCameras() {
  const [list, status] = await Promise.all([call('GET', '/cameras'), call('GET', '/events/status')]);
  cameras = list;
  const grid = $('camera-grid');
  for (const [id, tile] of tiles) {
    if (!cameras.some(camera => camera.id === id)) { tile.remove(); tiles.delete(id); }
  }
  for (const camera of cameras) {
    const live = status.live_motion[camera.id];
    if (tiles.has(camera.id)) tiles.get(camera.id).update(camera, live);
    else tiles.set(camera.id, new Tile(camera));
    const element = tiles.get(camera.id).element;
    if (grid.children[cameras.indexOf(camera)] !== element) grid.insertBefore(element, grid.children[cameras.indexOf(camera)] ?? null);
  }
  $('no-cameras').hidden = cameras.length > 0;
}

async function poll() {
  clearTimeout(timer);
  if (isShown && !document.hidden) {
    try { await refreshCameras(); } catch { /* The next round tries again; a lost session is told by the call itself. */ }
  }
  if (isShown) timer = setTimeout(poll, 3000);
}

export async function showCameras(user) {
  isAdmin = user.role === 'admin';
  isShown = true;
  $('add-camera').hidden = !isAdmin;
  await poll();
}

export function hideCameras() {
  isShown = false;
  clearTimeout(timer);
}

export function forgetCameras() {
  hideCameras();
  for (const tile of tiles.values()) tile.remove();
  tiles.clear();
  cameras = [];
}

// Dialogs

const form = $('camera-form');
const fields = form.elements;

function openCamera(camera) {
  edited = camera;
  form.reset();
  $('camera-title').textContent = camera ? `Edit ${camera.name}` : 'Add camera';
  $('delete-camera').hidden = !camera;
  complain($('camera-problem'), null);
  showProbe('', '');
  if (camera) {
    for (const name of ['name', 'rtsp_url', 'rtsp_transport', 'sub_rtsp_url', 'recording_mode', 'location']) fields[name].value = camera[name] ?? '';
    fields.is_active.checked = camera.is_active;
  }
  $('camera-dialog').showModal();
}

function showProbe(text, kind) {
  $('probe-result').textContent = text;
  $('probe-result').className = 'probe ' + kind;
}

async function probe() {
  const url = fields.rtsp_url.value.trim();
  if (!url) return showProbe('Enter the URL of the stream first.', 'bad');
  showProbe('Connecting…', '');
  try {
    const answer = await call('POST', '/cameras/probe-stream', { rtsp_url: url, rtsp_transport: fields.rtsp_transport.value });
    if (answer.success) showProbe(`Works: ${[`${answer.width} × ${answer.height}`, answer.codec, answer.audio_codec].filter(Boolean).join(', ')}`, 'good');
    else showProbe(answer.error, 'bad');
    return answer;
  } catch (failure) {
    showProbe(failure.message, 'bad');
  }
}

async function save() {
  const text = name => fields[name].value.trim();
  const body = {
    name: text('name'), rtsp_url: text('rtsp_url'), rtsp_transport: text('rtsp_transport'), sub_rtsp_url: text('sub_rtsp_url') || null,
    recording_mode: text('recording_mode'), location: text('location') || null, is_active: fields.is_active.checked,
  };
  // Only what was changed goes out: a URL that is shown without its password is not written back without it.
  const changed = edited ? Object.fromEntries(Object.entries(body).filter(([name, value]) => value !== (edited[name] ?? null))) : body;
  try {
    if (edited) await call('PUT', `/cameras/${edited.id}`, changed);
    else await call('POST', '/cameras', body);
    $('camera-dialog').close();
    await refreshCameras();
  } catch (failure) { complain($('camera-problem'), failure); }
}

$('add-camera').onclick = () => openCamera(null);
$('cancel-camera').onclick = () => $('camera-dialog').close();
$('probe').onclick = () => busy($('probe'), probe);
form.onsubmit = event => {
  event.preventDefault();
  busy(form.querySelector('[type=submit]'), save);
};
$('delete-camera').onclick = () => {
  $('delete-text').textContent = `${edited.name} is disconnected and removed. Recordings stay unless you say otherwise.`;
  $('delete-media').checked = false;
  $('delete-dialog').returnValue = '';
  $('delete-dialog').showModal();
};
$('delete-dialog').onclose = async () => {
  if ($('delete-dialog').returnValue !== 'delete') return;
  try {
    await call('DELETE', `/cameras/${edited.id}${$('delete-media').checked ? '?delete_media=true' : ''}`);
    $('camera-dialog').close();
    await refreshCameras();
  } catch (failure) { complain($('camera-problem'), failure); }
};
