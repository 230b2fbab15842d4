import { useState, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { said } from '../core/said';
import { useSchema } from '../core/schema';
import { showAgo, showBytes, showDateTime, showGB } from '../core/time';
import type { Bucket } from '../core/types';
import { count, t, words } from '../i18n';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card } from '../ui/Bits';
import { ask, Dialog } from '../ui/Dialog';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { attempt, reason, toast } from '../ui/Toasts';
import { ForgetButton } from './ForgetButton';
import { Loss } from './Loss';
import { STATUS, type BucketState, type CameraCopying } from './copies';

const kinds: Record<string, 'plain' | 'good' | 'bad' | 'warn' | 'accent'> = { idle: 'good', uploading: 'accent', waiting: 'accent', failing: 'bad' };

/** Copies of events in buckets elsewhere: where they go, how far they are, and what went wrong. */
export function OffSite(): ReactElement | null {
  const { data: buckets } = useQuery<Bucket[]>('/storage/s3', 20_000);
  const states = useQuery<{ profiles: BucketState[] }>(STATUS, 5000).data?.profiles;
  const [edited, setEdited] = useState<Bucket | 'new' | null>(null);
  const archives = useSchema('S3Profile')?.['max_size_gb'] !== undefined;
  if (!buckets) return null;
  const remove = async (bucket: Bucket) => {
    if (!await ask({ title: t('offsite.deleteTitle', { name: bucket.name }), text: t('offsite.deleteText'), action: t('action.delete'), danger: true })) return;
    await attempt(() => api.del(`/storage/s3/${bucket.id}`));
    await invalidate('/storage');
  };
  const test = (bucket: Bucket) => attempt(async () => {
    const answer = await api.post<{ ok: boolean; error: string | null }>(`/storage/s3/${bucket.id}/test`);
    toast(answer.ok ? t('offsite.reached', { name: bucket.name }) : said(answer, 'error') ?? t('error.title'), answer.ok ? 'good' : 'bad');
  });
  return (
    <Card title={t('offsite.title')} actions={<Button kind="primary" icon="plus" id="add-bucket" onClick={() => setEdited('new')}>{t('offsite.add')}</Button>}>
      <p className="soft">{t('offsite.hint')}{archives ? ` ${t('offsite.archiveHint')}` : ''}</p>
      {buckets.length === 0 ? <p>{t('offsite.none')}</p> : (
        <div className="cards">
          {buckets.map((bucket) => {
            const state = states?.find((one) => one.profile_id === bucket.id);
            return (
              <Card key={bucket.id} className={`bucket ${bucket.state?.status === 'lost' ? 'lost' : ''}`} title={bucket.name} actions={
                <span className="row tight">
                  <Button small onClick={() => test(bucket)}>{t('offsite.test')}</Button>
                  <Button kind="quiet" small icon="edit" label={t('storage.edit', { name: bucket.name })} onClick={() => setEdited(bucket)} />
                  <Button kind="quiet" small icon="trash" label={t('storage.delete', { name: bucket.name })} onClick={() => remove(bucket)} />
                </span>
              }>
                <code className="place">{bucket.endpoint}/{bucket.bucket}{bucket.prefix ? `/${bucket.prefix}` : ''}</code>
                {bucket.state?.status === 'lost' ? <><Loss state={bucket.state} meaning={t('offsite.lost')} /><div className="row"><ForgetButton path={`/storage/s3/${bucket.id}`} name={bucket.name} /></div></> : null}
                {bucket.archive && (bucket.archive.recordings + bucket.archive.snapshots > 0 || (bucket.max_size_gb ?? 0) > 0) ? (
                  <p className="soft archive">{[t('offsite.archived', { what: showBytes(bucket.archive.bytes) }), (bucket.max_size_gb ?? 0) > 0 ? t('storage.limit', { size: showGB(bucket.max_size_gb!) }) : null].filter(Boolean).join(' · ')}</p>
                ) : null}
                {state ? <State state={state} /> : null}
              </Card>
            );
          })}
        </div>
      )}
      {edited ? <BucketDialog bucket={edited === 'new' ? null : edited} onClose={() => setEdited(null)} /> : null}
    </Card>
  );
}

function State({ state }: { state: BucketState }): ReactElement {
  const { cameras } = useCameras(0);
  const dropped = (one: CameraCopying) => Object.entries(one.events_dropped).filter(([, number]) => number > 0);
  return (
    <>
      <p className="row tight"><Badge kind={kinds[state.state] ?? 'plain'}>{words(`offsite.state.${state.state}`, state.state)}</Badge>
        <span className="soft">{[count('offsite.queued', state.queued_events), state.bytes_waiting > 0 ? showBytes(state.bytes_waiting) : null].filter(Boolean).join(' · ')}</span></p>
      <p className="soft">{t('offsite.uploaded', { size: showBytes(state.bytes_uploaded) })}{state.last_success_at ? ` · ${t('offsite.last', { ago: showAgo(state.last_success_at) })}` : ''}</p>
      {state.last_error ? <p className={state.state === 'failing' ? 'problem' : 'soft'}>{said(state.last_error, 'message')} · {showDateTime(state.last_error.at)}{state.retry_at ? ` · ${t('offsite.retry', { time: showDateTime(state.retry_at) })}` : ''}</p> : null}
      {state.cameras.length > 0 ? (
        <ul className="plain-list copies">
          {state.cameras.map((one) => (
            <li key={one.camera_id}><span>{cameras?.find((camera) => camera.id === one.camera_id)?.name ?? one.camera_id}</span>
              <span className="soft">{[count('offsite.copied', one.events_copied), one.queued_events > 0 ? count('offsite.queued', one.queued_events) : null,
                ...dropped(one).map(([why, number]) => `${number} ${words(`offsite.dropped.${why}`, why.replaceAll('_', ' '))}`)].filter(Boolean).join(' · ')}</span></li>
          ))}
        </ul>
      ) : null}
    </>
  );
}

const empty = {
  name: '', endpoint: 'https://', region: 'us-east-1', bucket: '', prefix: '', addressing: 'path' as Bucket['addressing'], access_key: '', secret_key: '',
  allow_self_signed: false, speed: '0', size: '0', offsite_all_cameras: false, offsite_camera_ids: [] as number[],
};

function BucketDialog({ bucket, onClose }: { bucket: Bucket | null; onClose: () => void }): ReactElement {
  const { cameras } = useCameras(0);
  const [form, setForm] = useState(bucket ? { ...empty, ...bucket, speed: String(Math.round(bucket.max_bytes_per_second / 1000)), size: String(bucket.max_size_gb ?? 0) } : empty);
  const archives = useSchema('S3Profile')?.['max_size_gb'] !== undefined;
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = <K extends keyof typeof empty>(name: K) => (value: (typeof empty)[K]) => {
    setForm((old) => ({ ...old, [name]: value }));
    setErrors(({ [name]: _, ...rest }) => rest);
  };
  const save = async () => {
    const faults: Record<string, string> = {};
    for (const name of ['name', 'endpoint', 'bucket', 'access_key', 'secret_key'] as const) if (!form[name].trim()) faults[name] = t('form.required');
    if (!/^https?:\/\/\S+$/.test(form.endpoint.trim())) faults['endpoint'] = t('offsite.badEndpoint');
    const speed = Number(form.speed);
    if (!Number.isFinite(speed) || speed < 0 || (speed > 0 && speed < 9)) faults['max_bytes_per_second'] = t('offsite.badSpeed');
    setErrors(faults);
    if (Object.keys(faults).length > 0) return;
    const body = {
      name: form.name.trim(), endpoint: form.endpoint.trim(), region: form.region.trim() || 'us-east-1', bucket: form.bucket.trim(), prefix: form.prefix.trim(), addressing: form.addressing,
      access_key: form.access_key.trim(), secret_key: form.secret_key, allow_self_signed: form.allow_self_signed, max_bytes_per_second: Math.round(speed * 1000),
      offsite_all_cameras: form.offsite_all_cameras, offsite_camera_ids: form.offsite_camera_ids,
      ...(archives ? { max_size_gb: Number(form.size) || 0 } : {}),
    };
    try {
      if (bucket) await api.put(`/storage/s3/${bucket.id}`, body);
      else await api.post('/storage/s3', body);
      await invalidate('/storage');
      toast(t('state.saved'));
      onClose();
    } catch (failure) {
      if (failure instanceof Failure && Object.keys(failure.fields).length > 0) setErrors(failure.fields);
      else setErrors({ [failure instanceof Failure && failure.status === 409 ? 'name' : 'endpoint']: reason(failure) });
    }
  };
  const text = (name: 'name' | 'endpoint' | 'region' | 'bucket' | 'prefix' | 'access_key', label: string, more: Partial<Parameters<typeof TextField>[0]> = {}) => (
    <TextField label={label} name={name} spellCheck={false} autoCapitalize="none" autoComplete="off" value={form[name]} onValue={set(name)} error={errors[name]} {...more} />
  );
  return (
    <Dialog title={bucket ? bucket.name : t('offsite.add')} onClose={onClose} onSubmit={save}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary" id="save-bucket">{t('action.save')}</Button></>}>
      {text('name', t('field.name'), { required: true, autoFocus: true, maxLength: 100 })}
      {text('endpoint', t('offsite.endpoint'), { required: true, inputMode: 'url', placeholder: 'https://s3.example.com' })}
      <div className="form-grid">
        {text('bucket', t('offsite.bucket'), { required: true })}
        {text('prefix', t('offsite.prefix'), { hint: t('form.optional') })}
        {text('region', t('offsite.region'))}
        <SelectField label={t('offsite.addressing')} name="addressing" value={form.addressing} onValue={(value) => set('addressing')(value as Bucket['addressing'])} error={errors['addressing']}
          options={[{ value: 'path', label: t('offsite.byPath') }, { value: 'virtual-host', label: t('offsite.byHost') }]} />
        {text('access_key', t('offsite.accessKey'), { required: true })}
        <TextField label={t('offsite.secretKey')} name="secret_key" type="password" required autoComplete="new-password" value={form.secret_key} onValue={set('secret_key')} error={errors['secret_key']} />
        <TextField label={t('offsite.speed')} name="speed" type="number" min={0} suffix="kB/s" value={form.speed} onValue={set('speed')} error={errors['max_bytes_per_second']} hint={t('storage.zero')} />
        {archives ? <TextField label={t('offsite.archiveLimit')} name="max_size_gb" type="number" min={0} suffix="GB" value={form.size} onValue={set('size')} error={errors['max_size_gb']} hint={t('storage.zero')} /> : null}
      </div>
      <SwitchField label={t('offsite.selfSigned')} name="allow_self_signed" value={form.allow_self_signed} onValue={set('allow_self_signed')} />
      <SwitchField label={t('offsite.allCameras')} name="offsite_all_cameras" value={form.offsite_all_cameras} onValue={set('offsite_all_cameras')} />
      {form.offsite_all_cameras ? null : (
        <fieldset className="picks"><legend>{t('offsite.ofCameras')}</legend>
          {(cameras ?? []).map((camera) => (
            <label key={camera.id} className="check"><input type="checkbox" checked={form.offsite_camera_ids.includes(camera.id)}
              onChange={(event) => set('offsite_camera_ids')(event.target.checked ? [...form.offsite_camera_ids, camera.id] : form.offsite_camera_ids.filter((id) => id !== camera.id))} /> {camera.name}</label>
          ))}
        </fieldset>
      )}
    </Dialog>
  );
}
