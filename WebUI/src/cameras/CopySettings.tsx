import { useState, type ReactElement } from 'react';
import { api } from '../core/api';
import { invalidate } from '../core/query';
import type { Camera } from '../core/types';
import { count, t, words } from '../i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { attempt, toast } from '../ui/Toasts';

const categories = ['recording', 'motion', 'masks', 'snapshots', 'schedule', 'storage', 'overlay', 'alerts'] as const;

export function CopySettings({ camera, cameras, onClose }: { camera: Camera; cameras: Camera[]; onClose: () => void }): ReactElement {
  const [what, setWhat] = useState<ReadonlySet<string>>(new Set(['recording', 'motion']));
  const [to, setTo] = useState<ReadonlySet<number>>(new Set());
  const flip = <T,>(set: ReadonlySet<T>, value: T, isOn: boolean): Set<T> => {
    const next = new Set(set);
    if (isOn) next.add(value);
    else next.delete(value);
    return next;
  };
  const copy = () => attempt(async () => {
    const answer = await api.post<{ modified_count: number }>(`/cameras/${camera.id}/copy-settings`, { camera_ids: [...to], categories: [...what] });
    await invalidate('/cameras');
    onClose();
    toast(count('cameras.changed', answer.modified_count));
  });
  return (
    <Dialog title={t('cameras.copySettings', { name: camera.name })} onClose={onClose} onSubmit={copy}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary" disabled={what.size === 0 || to.size === 0}>{t('action.copy')}</Button></>}>
      <fieldset className="picks"><legend>{t('cameras.copyWhat')}</legend>
        {categories.map((one) => <label key={one} className="check"><input type="checkbox" checked={what.has(one)} onChange={(event) => setWhat(flip(what, one, event.target.checked))} /> {words(`tab.${one}`, one)}</label>)}
      </fieldset>
      <fieldset className="picks"><legend>{t('cameras.copyTo')}</legend>
        {cameras.filter((one) => one.id !== camera.id).map((one) => <label key={one.id} className="check"><input type="checkbox" checked={to.has(one.id)} onChange={(event) => setTo(flip(to, one.id, event.target.checked))} /> {one.name}</label>)}
      </fieldset>
    </Dialog>
  );
}
