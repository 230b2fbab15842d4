import { api } from '../core/api';
import { adjust, invalidate, useQuery } from '../core/query';
import { said } from '../core/said';
import type { Camera, EventStatus } from '../core/types';
import { showAgo, showDateTime } from '../core/time';
import { t, words } from '../i18n';
import { attempt } from '../ui/Toasts';

export const CAMERAS = '/cameras?limit=1000';

export function useCameras(every = 4000): { cameras: Camera[] | undefined; failure: Error | undefined; refresh: () => Promise<void> } {
  const { data, failure, refresh } = useQuery<Camera[]>(CAMERAS, every);
  return { cameras: data, failure, refresh };
}

export function useEventStatus(every = 2000): EventStatus | undefined { return useQuery<EventStatus>('/events/status', every).data; }

/** Gives cameras another order everywhere; it is seen at once, and taken back when the server refuses it. */
export async function orderCameras(ids: readonly number[]): Promise<void> {
  adjust<Camera[]>(CAMERAS, (held) => [...held].sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id)));
  await attempt(() => api.post('/cameras/reorder', { camera_ids: ids }));
  await invalidate('/cameras');
}

export type Tone = 'good' | 'warn' | 'bad' | 'off';

export function tone(status: string): Tone {
  switch (status) {
    case 'CONNECTED': return 'good';
    case 'STARTING': return 'warn';
    case 'DISABLED': return 'off';
    default: return 'bad';
  }
}

export const statusText = (status: string): string => words(`status.${status}`, status.toLowerCase());

/** Why a camera shows nothing, and since when. */
export function trouble(camera: Camera): { title: string; lines: string[] } | null {
  if (camera.status === 'CONNECTED') return null;
  const lines: string[] = [];
  const why = said(camera, 'status_reason');
  if (why) lines.push(why);
  if (camera.status_since && camera.status !== 'STARTING') lines.push(t('live.since', { time: showDateTime(camera.status_since), ago: showAgo(camera.status_since) }));
  return { title: statusText(camera.status), lines };
}

export async function toggleRecording(camera: Camera): Promise<void> {
  await attempt(() => api.post(`/cameras/${camera.id}/recording`), t(camera.recording_mode === 'Continuous' ? 'live.recordingOff' : 'live.recordingOn', { name: camera.name }));
  await invalidate('/cameras');
}

export async function takeSnapshot(camera: Camera): Promise<void> {
  await attempt(() => api.post(`/cameras/${camera.id}/snapshot`), t('live.snapshotTaken', { name: camera.name }));
}
