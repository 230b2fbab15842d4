import { useState, type ReactElement } from 'react';
import { call } from '../core/api';
import { invalidate } from '../core/query';
import { count, t } from '../i18n';
import { Button } from '../ui/Button';
import { Badge } from '../ui/Bits';
import { Dialog } from '../ui/Dialog';
import { SelectField } from '../ui/Field';
import { attempt, reason, toast } from '../ui/Toasts';

interface Found { count: number; cameras?: { name?: unknown; exists?: boolean; problems?: unknown[] }[] }

/** Makes cameras of a file; what is in it is shown before anything is stored. */
export function ImportDialog({ onClose }: { onClose: () => void }): ReactElement {
  const [kind, setKind] = useState('own');
  const [file, setFile] = useState<File | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const send = <T,>(chosen: File, query: Record<string, boolean>): Promise<T> => {
    const form = new FormData();
    form.set('file', chosen);
    return call<T>('POST', kind === 'own' ? '/cameras/import' : '/cameras/import/motioneye', { body: form, query });
  };
  const look = async (chosen: File | null) => {
    setFile(chosen);
    setFound(null);
    setProblem(null);
    if (!chosen) return;
    try { setFound(await send<Found>(chosen, { analyze_only: true })); } catch (failure) { setProblem(reason(failure)); }
  };
  const run = () => file ? attempt(async () => {
    const answer = await send<{ count: number }>(file, {});
    await invalidate('/cameras', '/groups');
    onClose();
    toast(count('cameras.imported', answer.count));
  }) : undefined;
  const isUseful = found?.cameras?.some((camera) => !camera.exists && !(camera.problems?.length)) ?? false;
  return (
    <Dialog title={t('cameras.importTitle')} onClose={onClose} onSubmit={async () => { await run(); }}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary" disabled={!isUseful}>{t('action.import')}</Button></>}>
      <SelectField label={t('cameras.importKind')} value={kind} onValue={(next) => { setKind(next); setFound(null); setFile(null); }} options={[{ value: 'own', label: t('cameras.importOwn') }, { value: 'motioneye', label: 'motionEye (.tar.gz, .conf)' }]} />
      <label className="file-pick"><span>{t('form.file')}</span><input key={kind} type="file" onChange={(event) => { void look(event.target.files?.[0] ?? null); }} /></label>
      {problem ? <p className="problem" role="alert">{problem}</p> : null}
      {found?.cameras ? (
        <ul className="plain-list">
          {found.cameras.map((camera, index) => (
            <li key={index}><strong>{String(camera.name ?? '–')}</strong>{' '}
              {camera.exists ? <Badge>{t('cameras.exists')}</Badge> : camera.problems?.length ? <Badge kind="bad">{camera.problems.map((one) => typeof one === 'string' ? one : JSON.stringify(one)).join('; ')}</Badge> : <Badge kind="good">{t('cameras.new')}</Badge>}
            </li>
          ))}
        </ul>
      ) : null}
    </Dialog>
  );
}
