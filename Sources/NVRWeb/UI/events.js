// The list of what was recorded, and the player.
import { $, make, call, toast, when } from '/ui/api.js';
import { allCameras, refreshCameras } from '/ui/cameras.js';

const pageSize = 48;
const kinds = { motion: 'Motion', continuous: 'Continuous', manual: 'Manual' };
let isAdmin = false;
let count = 0;
let playing = null;
let asked = 0;
let listed = '';
let isShown = false;
let timer;

const cameraName = id => allCameras().find(camera => camera.id === id)?.name ?? `Camera ${id}`;

function length(event) {
  if (event.type === 'snapshot') return 'Picture';
  if (!event.timestamp_end) return 'now';
  const seconds = Math.max(0, Math.round((new Date(event.timestamp_end) - new Date(event.timestamp_start)) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function card(event) {
  const picture = make('span', { className: 'picture' });
  if (event.thumbnail_path) {
    const image = make('img', { loading: 'lazy', alt: '', src: `/api/events/${event.id}/thumbnail` });
    image.onerror = () => image.remove();
    picture.append(image);
  }
  picture.append(make('span', { className: 'badge length', textContent: length(event) }));
  const button = make('button', { type: 'button', className: 'event', onclick: () => play(event) }, picture,
    make('span', { className: 'text' }, cameraName(event.camera_id),
      make('span', { textContent: `${kinds[event.event_type] ?? event.event_type} · ${when(event.timestamp_start)}` })));
  return make('li', {}, button);
}

async function load(isMore, isQuiet = false) {
  const turn = ++asked;
  const query = new URLSearchParams({ limit: pageSize, skip: isMore ? count : 0 });
  for (const [name, value] of new FormData($('event-filters'))) if (value) query.set(name, value);
  let events;
  try { events = await call('GET', `/events?${query}`); } catch (failure) { return isQuiet ? undefined : toast(failure.message); }
  if (turn !== asked) return;
  // What is shown already stays as it is: pictures are not fetched and focus is not lost for nothing.
  const seen = events.map(event => [event.id, event.timestamp_end, event.thumbnail_path]).join();
  if (!isMore && seen === listed) return;
  listed = isMore ? '' : seen;
  const cards = events.map(card);
  if (isMore) $('event-list').append(...cards); else $('event-list').replaceChildren(...cards);
  count = $('event-list').children.length;
  $('more-events').hidden = events.length < pageSize;
  $('no-events').hidden = count > 0;
}

function play(event) {
  playing = event;
  const path = `/api/events/${event.id}/download`;
  $('player-title').textContent = `${cameraName(event.camera_id)}, ${when(event.timestamp_start)}`;
  $('player-download').href = path;
  $('delete-event').hidden = !isAdmin;
  const source = `${path}?inline=true`;
  const view = event.type === 'snapshot'
    ? make('img', { src: source, alt: `Snapshot of ${cameraName(event.camera_id)}` })
    : make('video', { src: source, controls: true, autoplay: true, muted: true, playsInline: true });
  $('stage').replaceChildren(view);
  $('player').showModal();
}

function stop() {
  const video = $('stage').querySelector('video');
  if (video) { video.pause(); video.removeAttribute('src'); video.load(); }
  $('stage').replaceChildren();
}

/** New events appear by themselves while the first page is shown. */
async function poll() {
  clearTimeout(timer);
  if (isShown && !document.hidden && !$('player').open && count <= pageSize) await load(false, true);
  if (isShown) timer = setTimeout(poll, 5000);
}

export function hideEvents() {
  isShown = false;
  clearTimeout(timer);
}

export async function showEvents(user) {
  isAdmin = user.role === 'admin';
  isShown = true;
  listed = '';
  try { await refreshCameras(); } catch { /* Names fall back to numbers. */ }
  const select = $('event-filters').elements.camera_id;
  const chosen = select.value;
  select.replaceChildren(make('option', { value: '', textContent: 'All' }),
    ...allCameras().map(camera => make('option', { value: camera.id, textContent: camera.name })));
  select.value = chosen;
  await load(false);
  clearTimeout(timer);
  timer = setTimeout(poll, 5000);
}

$('event-filters').onchange = () => load(false);
$('event-filters').onsubmit = event => event.preventDefault();
$('more-events').onclick = () => load(true);
$('close-player').onclick = () => $('player').close();
$('player').onclose = stop;
$('delete-event').onclick = async () => {
  if (!confirm('Delete this event?')) return;
  try {
    await call('DELETE', `/events/${playing.id}`);
    $('player').close();
    listed = '';
    await load(false);
  } catch (failure) { toast(failure.message); }
};
