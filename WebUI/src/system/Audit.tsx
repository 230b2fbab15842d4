import { useCallback, useEffect, useRef, useState, type ReactElement } from 'react';
import { api, type Failure } from '../core/api';
import type { AuditEntry } from '../core/types';
import { showDateTime } from '../core/time';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { Badge, Card, Problem, Spinner } from '../ui/Bits';
import { Table } from '../ui/Table';
import { useCameras } from '../live/state';
import { deedOf } from './deeds';
import { SelectField, TextField } from '../ui/Field';
import { reason } from '../ui/Toasts';

const PAGE = 50;

/** What was done, or was to be. */
function told(entry: AuditEntry): string | null {
  const what = deedOf(entry);
  if (!what || entry.status < 400) return what;
  return t(entry.status < 500 ? 'audit.refused' : 'audit.failed', { what });
}

/** In words where there are any, and below as the server noted it. */
function What({ entry, camera }: { entry: AuditEntry; camera: string | null }): ReactElement {
  const deed = told(entry);
  const facts = <><code>{entry.method} {entry.route}</code>{entry.summary ? ` · ${entry.summary}` : ''}</>;
  return deed ? <><strong>{deed}</strong>{camera ? ` · ${camera}` : ''}<br /><span className="soft">{facts}</span></> : <span className="soft">{facts}</span>;
}

/** Who did what, when and from where. */
export function Audit(): ReactElement {
  const { cameras } = useCameras(0);
  const [user, setUser] = useState('');
  const [method, setMethod] = useState('');
  const [from, setFrom] = useState('');
  const [entries, setEntries] = useState<AuditEntry[] | null>(null);
  const [hasMore, setMore] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const asked = useRef(0);
  const load = useCallback(async (before: number | null) => {
    asked.current += 1;
    const mine = asked.current;
    try {
      const found = await api.get<AuditEntry[]>('/audit', { user: user.trim(), method, from, before, limit: PAGE });
      // Another filter was chosen meanwhile.
      if (mine !== asked.current) return;
      setEntries((old) => before === null ? found : [...(old ?? []), ...found]);
      setMore(found.length === PAGE);
      setFailure(null);
    } catch (problem) { if (mine === asked.current) setFailure(problem as Failure); }
  }, [user, method, from]);
  useEffect(() => {
    const timer = setTimeout(() => { void load(null); }, 250);
    return () => clearTimeout(timer);
  }, [load]);
  return (
    <Card title={t('system.audit')} actions={<Button icon="tour" onClick={() => load(null)}>{t('action.reload')}</Button>}>
      <div className="form-grid">
        <TextField label={t('auth.username')} value={user} onValue={setUser} autoComplete="off" maxLength={256} />
        <SelectField label={t('audit.method')} value={method} onValue={setMethod} options={[{ value: '', label: t('logs.all') }, ...['POST', 'PUT', 'PATCH', 'DELETE', 'GET'].map((value) => ({ value, label: value }))]} />
        <TextField label={t('audit.from')} type="date" value={from} onValue={setFrom} />
      </div>
      {failure && !entries ? <Problem failure={failure} retry={() => load(null)} /> : !entries ? <Spinner /> : (
        <Table label={t('system.audit')} columns={[
          { label: t('backups.when'), kind: 'nowrap' }, { label: t('audit.who'), kind: 'nowrap' }, { label: t('audit.what') }, { label: t('audit.where'), kind: 'nowrap' },
          { label: t('audit.result') },
        ]} rows={entries.map((entry) => ({
          key: entry.id, cells: [
            showDateTime(entry.timestamp), entry.username ?? '–',
            <What entry={entry} camera={entry.camera_id === null ? null : cameras?.find((one) => one.id === entry.camera_id)?.name ?? t('events.goneCamera', { id: entry.camera_id })} />,
            entry.address, <Badge kind={entry.status < 400 ? 'good' : 'bad'}>{entry.status}</Badge>,
          ],
        }))} />
      )}
      {failure && entries ? <p className="problem" role="alert">{reason(failure)}</p> : null}
      {entries?.length === 0 ? <p className="soft centred">{t('state.nothingFound')}</p> : null}
      {hasMore ? <p className="centred"><Button onClick={() => load(entries?.[entries.length - 1]?.id ?? null)}>{t('action.more')}</Button></p> : null}
    </Card>
  );
}
