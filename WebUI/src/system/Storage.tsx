import { useState, type ReactElement } from 'react';
import { api, codeOf, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { said, saidList, type SaidText } from '../core/said';
import { Store, useStore } from '../core/store';
import type { StorageProfile } from '../core/types';
import { showGB } from '../core/time';
import { t, words } from '../i18n';
import { Button } from '../ui/Button';
import { Card, Problem, Spinner } from '../ui/Bits';
import { ask, Dialog } from '../ui/Dialog';
import { SwitchField, TextField } from '../ui/Field';
import { Meter } from '../ui/Plot';
import { Cleanup } from './Cleanup';
import { Encryption } from './Encryption';
import { Forecast } from './Forecast';
import { ForgetButton } from './ForgetButton';
import { Holds } from './Holds';
import { Loss } from './Loss';
import { OffSite } from './OffSite';
import { attempt, reason, toast, undoable } from '../ui/Toasts';

interface Sync { status: 'idle' | 'running' | 'completed' | 'failed'; progress: number; segments_checked: number; segments_total: number; problems: number; repaired: number; notes: string[]; notes_said?: SaidText[]; dry_run?: boolean; refused?: string | null }

const leaving = new Store<ReadonlySet<number>>(new Set());

export function Storage(): ReactElement {
  const { data: profiles, failure, refresh } = useQuery<StorageProfile[]>('/storage/profiles?limit=1000', 20_000);
  const gone = useStore(leaving);
  const [edited, setEdited] = useState<StorageProfile | 'new' | null>(null);
  if (!profiles) return failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />;
  const remove = (profile: StorageProfile) => {
    const mark = (isGone: boolean) => leaving.update((old) => new Set(isGone ? [...old, profile.id] : [...old].filter((id) => id !== profile.id)));
    undoable(t('storage.deleted', { name: profile.name }), {
      apply: () => mark(true),
      revert: () => mark(false),
      run: async () => {
        await api.del(`/storage/profiles/${profile.id}`);
        await invalidate('/storage', '/cameras');
      },
    });
  };
  return (
    <>
      <Card title={t('storage.profiles')} actions={<Button kind="primary" icon="plus" id="add-profile" onClick={() => setEdited('new')}>{t('storage.add')}</Button>}>
        <p className="soft">{t('storage.hint')}</p>
        <div className="cards">
          {profiles.filter((profile) => !gone.has(profile.id)).map((profile) => (
            <Card key={profile.id} className={profile.state?.status === 'lost' ? 'lost' : ''} title={profile.name} actions={
              <span className="row tight">
                <Button kind="quiet" small icon="edit" label={t('storage.edit', { name: profile.name })} onClick={() => setEdited(profile)} />
                <Button kind="quiet" small icon="trash" label={t('storage.delete', { name: profile.name })} onClick={() => remove(profile)} />
              </span>
            }>
              <code>{profile.path}</code>
              {profile.description ? <p className="soft">{profile.description}</p> : null}
              {/* Of a lost one, what is told is the disk below. */}
              {profile.state?.status === 'lost' ? null : profile.disk ? (
                <>
                  <Meter value={profile.disk.percent ?? 0} label={profile.name} />
                  <p className="soft">{t('storage.freeOf', { free: showGB(profile.disk.free_gb), total: showGB(profile.disk.total_gb) })}</p>
                </>
              ) : profile.state ? null : <p className="problem">{t('storage.unreachable')}</p>}
              {profile.state?.status === 'lost' ? <><Loss state={profile.state} meaning={t('storage.elsewhere')} /><div className="row"><ForgetButton path={`/storage/profiles/${profile.id}`} name={profile.name} /></div></> : null}
              <p className="soft">{[profile.used_gb === undefined || profile.used_gb === null ? null : t('storage.used', { size: showGB(profile.used_gb) }),
                profile.max_size_gb > 0 ? t('storage.limit', { size: showGB(profile.max_size_gb) }) : t('storage.noLimit')].filter(Boolean).join(' · ')}</p>
            </Card>
          ))}
        </div>
        {profiles.length === 0 ? <p>{t('storage.none')}</p> : null}
      </Card>
      <Encryption />
      <Forecast />
      <OffSite />
      <Holds />
      <Cleanup />
      <FootageSync />
      {edited ? <ProfileDialog profile={edited === 'new' ? null : edited} onClose={() => setEdited(null)} /> : null}
    </>
  );
}

function FootageSync(): ReactElement {
  const { data, refresh } = useQuery<Sync>('/settings/sync-orphans/status', 2000);
  const [isLook, setLook] = useState(false);
  const [isDeep, setDeep] = useState(false);
  const start = (force: boolean) => attempt(async () => {
    await api.post('/settings/sync-orphans', undefined, { ...(isLook && !force ? { dry_run: true } : {}), ...(isDeep ? { checksums: true } : {}), ...(force ? { force: true } : {}) });
    await refresh();
  });
  const insist = async () => {
    if (await ask({ title: t('storage.syncForceTitle'), text: t('storage.syncForceText'), action: t('storage.syncForce'), danger: true })) await start(true);
  };
  return (
    <Card title={t('storage.sync')} actions={<Button icon="check" id="start-sync" disabled={data?.status === 'running'} onClick={() => start(false)}>{t('storage.syncStart')}</Button>}>
      <p className="soft">{t('storage.syncHint')}</p>
      <SwitchField label={t('storage.syncDry')} name="dry_run" value={isLook} onValue={setLook} />
      <SwitchField label={t('storage.syncSums')} hint={t('storage.syncSumsHint')} name="checksums" value={isDeep} onValue={setDeep} />
      {data && data.status !== 'idle' ? (
        <>
          {data.status === 'running' ? <Meter value={data.progress} label={t('storage.sync')} /> : null}
          <p>{words(`sync.${data.status}`, data.status)} · {t('storage.syncResult', { checked: data.segments_checked, problems: data.problems, repaired: data.repaired })}{data.dry_run ? ` · ${t('storage.syncWasDry')}` : ''}</p>
          {data.refused ? <div className="note warn" role="alert"><span>{said(data, 'refused')}</span><span className="spring" /><Button small kind="danger" disabled={data.status === 'running'} onClick={insist}>{t('storage.syncForce')}</Button></div> : null}
          {data.notes.length > 0 ? <ul className="plain-list mono" id="sync-notes">{saidList(data, 'notes').map((note, index) => <li key={`${index} ${note}`}>{note}</li>)}</ul> : null}
        </>
      ) : null}
    </Card>
  );
}

function ProfileDialog({ profile, onClose }: { profile: StorageProfile | null; onClose: () => void }): ReactElement {
  const [form, setForm] = useState({ name: profile?.name ?? '', path: profile?.path ?? '', description: profile?.description ?? '', size: String(profile?.max_size_gb ?? 0) });
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = (name: keyof typeof form) => (value: string) => setForm((old) => ({ ...old, [name]: value }));
  const save = async () => {
    const faults: Record<string, string> = {};
    if (!form.name.trim()) faults['name'] = t('form.required');
    if (!form.path.startsWith('/')) faults['path'] = t('storage.absolute');
    setErrors(faults);
    if (Object.keys(faults).length > 0) return;
    const body = { name: form.name.trim(), path: form.path.trim(), description: form.description.trim() || null, max_size_gb: Number(form.size) || 0 };
    try {
      if (profile) await api.put(`/storage/profiles/${profile.id}`, body);
      else await api.post('/storage/profiles', body);
      await invalidate('/storage');
      toast(t('state.saved'));
      onClose();
    } catch (failure) {
      if (failure instanceof Failure && Object.keys(failure.fields).length > 0) setErrors(failure.fields);
      else setErrors({ [codeOf(failure) === 'profile_name_taken' ? 'name' : 'path']: reason(failure) });
    }
  };
  return (
    <Dialog title={profile ? profile.name : t('storage.add')} onClose={onClose} onSubmit={save}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('action.save')}</Button></>}>
      <TextField label={t('field.name')} name="name" required autoFocus maxLength={100} value={form.name} onValue={set('name')} error={errors['name']} />
      <TextField label={t('storage.path')} name="path" required spellCheck={false} value={form.path} onValue={set('path')} error={errors['path']} placeholder="/srv/footage" />
      <TextField label={t('groups.description')} name="description" maxLength={1000} value={form.description} onValue={set('description')} error={errors['description']} />
      <TextField label={t('storage.maxSize')} name="max_size_gb" type="number" min={0} suffix="GB" value={form.size} onValue={set('size')} error={errors['max_size_gb']} hint={t('storage.zero')} />
    </Dialog>
  );
}
