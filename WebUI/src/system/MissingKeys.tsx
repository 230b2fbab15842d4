import type { ReactElement } from 'react';
import { useHealth, type HealthEvent } from '../core/health';
import { useQuery } from '../core/query';
import { said } from '../core/said';
import { t } from '../i18n';
import { Card } from '../ui/Bits';

const KIND = 'footage_key_missing';

/** That footage is there which nobody can see, because the server lacks the keys; nothing where it has all. */
export function MissingKeys(): ReactElement | null {
  const isSo = (useHealth()?.problems ?? []).some((problem) => problem.kind === KIND);
  const event = useQuery<HealthEvent[]>(isSo ? '/health/events?active=true&limit=100' : null, 30_000).data?.find((one) => one.kind === KIND);
  if (!isSo) return null;
  return <Card title={t('storage.keysMissing')} className="lost"><p className="problem" role="alert">{event ? said(event, 'detail') : t('health.footage_key_missing')}</p></Card>;
}
