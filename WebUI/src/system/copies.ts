import { useQuery } from '../core/query';
import { said } from '../core/said';
import { t } from '../i18n';

// GET /storage/offsite: how far the copies of events in buckets elsewhere are.

export const STATUS = '/storage/offsite';

interface Trouble { at: string; message: string }
interface Copying { queued_events: number; bytes_waiting: number; bytes_uploaded: number; objects_uploaded: number; last_success_at: string | null; last_error: Trouble | null }
export interface CameraCopying extends Copying { camera_id: number; events_copied: number; events_dropped: Record<string, number> }
export interface BucketState extends Copying { profile_id: number; name: string; state: string; retry_at: string | null; cameras: CameraCopying[] }

/** Places whose copies do not get there. */
export const useFailingCopies = (isAsked: boolean): BucketState[] =>
  (useQuery<{ profiles: BucketState[] }>(isAsked ? STATUS : null, 30_000).data?.profiles ?? []).filter((one) => one.state === 'failing');
export const failingText = (one: BucketState): string => `${t('offsite.failing', { name: one.name })}${one.last_error ? `: ${said(one.last_error, 'message')}` : ''}`;
