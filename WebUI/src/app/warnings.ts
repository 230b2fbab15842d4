import { problemText, useHealth } from '../core/health';
import { t } from '../i18n';
import { isAdmin, useUser } from '../core/session';
import { alarmText, useCleanupAlarm } from '../system/alarm';
import { failingText, useFailingCopies } from '../system/copies';

export interface Warning { /** Another one when something else is wrong. */ key: string; text: string; /** Where it is looked into. */ to: string }

/** What is looked into where the storage is. */
const ofStorage: ReadonlySet<string> = new Set(['volume_lost', 'default_folder_lost', 'footage_key_missing', 'footage_drift']);

/** What everybody who may mend it, or is concerned by it, is told on every page. */
export function useWarnings(): { lines: Warning[]; isGrave: boolean } {
  const user = useUser();
  const health = useHealth();
  const alarm = useCleanupAlarm(isAdmin(user));
  const failing = useFailingCopies(isAdmin(user));
  const isGrave = health?.status === 'error';
  const lines = [
    ...(isGrave && (health.problems ?? []).length === 0 ? [{ key: 'error', text: t('health.error'), to: '/system' }] : []),
    ...(health?.problems ?? []).map((problem) => ({ key: `${problem.kind} ${problem.cause ?? ''} ${problem.count}`, text: problemText(problem), to: isAdmin(user) && ofStorage.has(problem.kind) ? '/system/storage' : '/system' })),
    ...(alarm ? [{ key: `cleanup ${alarm.cause}`, text: alarmText(alarm), to: '/system/storage' }] : []),
    ...failing.map((one) => ({ key: `offsite ${one.profile_id}`, text: failingText(one), to: '/system/storage' })),
  ];
  return { lines, isGrave };
}
