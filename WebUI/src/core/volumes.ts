import { useHealth } from './health';
import { useQuery } from './query';
import type { Camera, StorageProfile } from './types';

/** Storage folders that are lost now. Asked for only when something like it is wrong, and by those who may see it. */
export function useLostVolumes(isAsked: boolean): StorageProfile[] {
  const isSo = isAsked && (useHealth()?.problems ?? []).some((problem) => problem.kind === 'volume_lost');
  const profiles = useQuery<StorageProfile[]>(isSo ? '/storage/profiles?limit=1000' : null, 10_000).data;
  return isSo ? (profiles ?? []).filter((profile) => profile.state?.status === 'lost') : [];
}

/** Which of the lost folders a camera records into. */
export function lostFor(camera: Camera, lost: readonly StorageProfile[]): StorageProfile | undefined {
  const own: unknown[] = [camera.storage_profile_id, camera.continuous_storage_profile_id, camera.motion_storage_profile_id, camera.snapshot_storage_profile_id];
  return lost.find((profile) => own.includes(profile.id));
}
