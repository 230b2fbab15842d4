import { useCallback, useEffect, useState, type ReactElement } from 'react';
import { api, type Failure } from '../core/api';
import type { Hold } from '../core/types';
import { showDateTime } from '../core/time';
import { t } from '../i18n';
import { Link } from '../app/router';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card, Problem, Spinner } from '../ui/Bits';
import { Table } from '../ui/Table';
import { ask } from '../ui/Dialog';
import { attempt } from '../ui/Toasts';

/** Ranges of footage that nothing deletes, of all cameras. */
export function Holds(): ReactElement {
  const { cameras } = useCameras(0);
  const [holds, setHolds] = useState<Hold[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const load = useCallback(async () => {
    if (!cameras) return;
    try {
      const lists = await Promise.all(cameras.map((camera) => api.get<Hold[]>(`/cameras/${camera.id}/holds`)));
      setHolds(lists.flat().sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at)));
      setFailure(null);
    } catch (problem) { setFailure(problem as Failure); }
  }, [cameras]);
  useEffect(() => { void load(); }, [load]);
  const release = async (hold: Hold) => {
    if (!await ask({ title: t('holds.releaseTitle'), text: t('holds.releaseText'), action: t('holds.release'), danger: true })) return;
    await attempt(async () => {
      await api.del(`/cameras/${hold.camera_id}/holds/${hold.id}`);
      await load();
    });
  };
  const name = (id: number) => cameras?.find((camera) => camera.id === id)?.name ?? String(id);
  return (
    <Card title={t('holds.title')}>
      <p className="soft">{t('holds.hint')}</p>
      {failure && !holds ? <Problem failure={failure} retry={load} /> : !holds ? <Spinner /> : holds.length === 0 ? <p>{t('holds.none')}</p> : (
        <Table label={t('holds.title')} columns={[
          { label: t('events.camera') }, { label: t('cameras.from'), kind: 'nowrap' }, { label: t('cameras.to'), kind: 'nowrap' }, { label: t('export.holdReason') },
          { label: t('audit.who'), kind: 'nowrap' }, { label: t('action.edit'), kind: 'actions' },
        ]} rows={holds.map((hold) => ({
          key: hold.id, cells: [
            <Link to={`/replay?cameras=${hold.camera_id}&t=${Math.floor(Date.parse(hold.start) / 1000)}`}>{name(hold.camera_id)}</Link>,
            showDateTime(hold.start), showDateTime(hold.end),
            <>{hold.reason}{hold.is_active ? null : <> <Badge>{t('holds.expired')}</Badge></>}</>, hold.created_by,
            hold.is_active ? <Button small onClick={() => release(hold)}>{t('holds.release')}</Button> : null,
          ],
        }))} />
      )}
    </Card>
  );
}
