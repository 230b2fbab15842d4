import type { ReactElement } from 'react';
import { useHealth, type HealthEvent } from '../core/health';
import { useQuery } from '../core/query';
import { said } from '../core/said';
import type { FootageEncryption } from '../core/types';
import { showBytes, showDateTime } from '../core/time';
import { count, t } from '../i18n';
import { Badge, Card } from '../ui/Bits';
import { Table } from '../ui/Table';

const MISSING = 'footage_key_missing';

/** Whether footage is encrypted, with which keys, and that some of them are missing. Keys are shown by their names, which tell nothing of them. */
export function Encryption(): ReactElement | null {
  const { data } = useQuery<FootageEncryption>('/storage/encryption', 30_000);
  if (!data) return null;
  const missing = data.keys.filter((one) => data.missing_keys.includes(one.key));
  const amount = (one: { recordings: number; bytes: number }) => one.recordings === 0 ? '–' : `${count('encryption.recordings', one.recordings)}, ${showBytes(one.bytes)}`;
  const state = (one: FootageEncryption['keys'][number]) => !one.available ? <Badge kind="bad">{t('encryption.missing')}</Badge>
    : one.writing ? <Badge kind="good">{t('encryption.writing')}</Badge> : <Badge>{t('encryption.reading')}</Badge>;
  return (
    <Card title={t('encryption.title')} className={`encryption ${missing.length > 0 ? 'lost' : ''}`} actions={<Badge kind={data.enabled ? 'good' : 'plain'}>{t(data.enabled ? 'encryption.on' : 'encryption.off')}</Badge>}>
      {missing.length > 0 ? (
        <div className="problem" role="alert">
          <p>{t('encryption.missingText', { what: amount({ recordings: sum(missing, 'recordings'), bytes: sum(missing, 'bytes') }) })}</p>
          <p>{t('encryption.missingHow')}</p>
        </div>
      ) : <Found />}
      <p>{data.enabled ? t('encryption.onText', { time: data.since ? showDateTime(data.since) : '–' }) : t('encryption.offText')}</p>
      {data.keys.length > 0 ? (
        <Table id="footage-keys" label={t('encryption.keys')} columns={[{ label: t('encryption.key') }, { label: t('encryption.use') }, { label: t('encryption.footage') }]}
          rows={[
            ...data.keys.map((one) => ({ key: one.key, data: { 'data-key': one.key } as const, cells: [<code className="key-name">{one.key}</code>, state(one), amount(one)] })),
            { key: 'clear', data: { 'data-key': 'clear' } as const, cells: [t('encryption.clear'), null, amount(data.clear)] },
          ]} />
      ) : null}
      <details className="how">
        <summary>{t(data.enabled ? 'encryption.howChange' : 'encryption.how')}</summary>
        <ol>
          <li>{t(data.enabled ? 'encryption.stepAdd' : 'encryption.stepMake')} <code>vibenvr key create --out /etc/vibenvr/footage.key{data.enabled ? ' --add' : ''}</code></li>
          <li><strong>{t('encryption.stepCopy')}</strong></li>
          <li>{t('encryption.stepStart')} <code>vibenvr serve --footage-key-file /etc/vibenvr/footage.key</code></li>
        </ol>
        <p className="soft">{t('encryption.later')}</p>
      </details>
    </Card>
  );
}

const sum = (list: readonly { recordings: number; bytes: number }[], name: 'recordings' | 'bytes'): number => list.reduce((all, one) => all + one[name], 0);

/** What files without rows say: that they have a key which the server lacks. */
function Found(): ReactElement | null {
  const isSo = (useHealth()?.problems ?? []).some((problem) => problem.kind === MISSING);
  const event = useQuery<HealthEvent[]>(isSo ? '/health/events?active=true&limit=100' : null, 30_000).data?.find((one) => one.kind === MISSING);
  return isSo ? <p className="problem" role="alert">{event ? said(event, 'detail') : t('health.footage_key_missing')}</p> : null;
}
