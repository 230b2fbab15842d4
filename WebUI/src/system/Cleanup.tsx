import { useState, type ReactElement } from 'react';
import { api } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { showBytes } from '../core/time';
import { count, t, words } from '../i18n';
import { Button } from '../ui/Button';
import { Card } from '../ui/Bits';
import { Dialog } from '../ui/Dialog';
import { attempt, toast } from '../ui/Toasts';
import { alarmText, type CleanupAlarm } from './alarm';

interface Amount { count: number; size_bytes: number }
export interface CleanupResult {
  status: string; message: string; planned: Amount; planned_by_reason: Record<string, Amount>; deleted_count: number; deleted_size_bytes: number; deleted_events: number;
  withheld: Amount; stopped_by: string | null; needs_confirmation: boolean; unseen_hours: number;
}
interface CleanupStatus { running: boolean; last_cleanup: CleanupResult | null; alarm: CleanupAlarm | null }

const amount = ({ count: number, size_bytes }: Amount): string => `${count('cleanup.files', number)}, ${showBytes(size_bytes)}`;

function Result({ result }: { result: CleanupResult }): ReactElement {
  return (
    <>
      <p id="cleanup-result">{t('cleanup.deleted', { what: amount({ count: result.deleted_count, size_bytes: result.deleted_size_bytes }) })}
        {result.withheld.count > 0 ? ` · ${t('cleanup.withheld', { what: amount(result.withheld) })}` : ''}</p>
      {result.stopped_by ? <p className="problem">{t('cleanup.stopped')}: {words(`stopped.${result.stopped_by}`, result.message)}</p> : null}
    </>
  );
}

/** Deletes what has to go now instead of at the next round; what that is, is shown before. */
export function Cleanup(): ReactElement | null {
  const { data, refresh } = useQuery<CleanupStatus>('/settings/cleanup/status', 5000);
  const [plan, setPlan] = useState<CleanupResult | null>(null);
  if (!data) return null;
  const look = () => attempt(async () => setPlan(await api.post<CleanupResult>('/settings/cleanup', { dry_run: true })));
  const run = () => attempt(async () => {
    const done = await api.post<CleanupResult>('/settings/cleanup', { confirm: plan?.needs_confirmation ?? false });
    setPlan(null);
    toast(t('cleanup.deleted', { what: amount({ count: done.deleted_count, size_bytes: done.deleted_size_bytes }) }), done.stopped_by ? 'plain' : 'good');
    await Promise.all([refresh(), invalidate('/storage', '/stats')]);
  });
  const reasons = Object.entries(plan?.planned_by_reason ?? {}).filter(([, one]) => one.count > 0);
  return (
    <Card title={t('cleanup.title')} actions={<Button icon="trash" id="cleanup" disabled={data.running} onClick={look}>{t('cleanup.look')}</Button>}>
      <p className="soft">{t('cleanup.hint')}</p>
      {data.alarm ? <p className="note warn" role="alert">{alarmText(data.alarm)}</p> : null}
      {data.running ? <p>{words('sync.running', 'running')}</p> : data.last_cleanup ? <Result result={data.last_cleanup} /> : null}
      {plan ? (
        <Dialog title={t('cleanup.plan')} onClose={() => setPlan(null)}
          actions={<><Button onClick={() => setPlan(null)}>{t('action.cancel')}</Button>{plan.planned.count > 0 ? <Button kind="danger" className="solid" id="run-cleanup" onClick={run}>{t('cleanup.run')}</Button> : null}</>}>
          {plan.planned.count === 0 ? <p>{t('cleanup.nothing')}</p> : (
            <>
              <p><strong>{amount(plan.planned)}</strong></p>
              <dl className="pairs">{reasons.map(([reason, one]) => <div key={reason} className="pair"><dt>{words(`reason.${reason}`, reason.replaceAll('_', ' '))}</dt><dd>{amount(one)}</dd></div>)}</dl>
              {plan.needs_confirmation ? <p className="problem" role="alert">{t('cleanup.confirm', { hours: showHours(plan.unseen_hours) })}</p> : null}
            </>
          )}
        </Dialog>
      ) : null}
    </Card>
  );
}

const showHours = (hours: number): string => count('cleanup.hours', Math.round(hours));
