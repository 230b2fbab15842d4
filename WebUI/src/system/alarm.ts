import { useQuery } from '../core/query';
import { showAgo } from '../core/time';
import { t, words } from '../i18n';

/** Why less is deleted than should be. */
export interface CleanupAlarm { cause: string; reason: string; since: string }

export const useCleanupAlarm = (isAsked: boolean): CleanupAlarm | null =>
  useQuery<{ alarm: CleanupAlarm | null }>(isAsked ? '/settings/cleanup/status' : null, 30_000).data?.alarm ?? null;
export const alarmText = (alarm: CleanupAlarm): string => `${t('cleanup.alarm')}: ${words(`stopped.${alarm.cause}`, alarm.reason)} · ${showAgo(alarm.since)}`;
