import { useState, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { Store, useStore } from '../core/store';
import type { Group } from '../core/types';
import { count, t } from '../i18n';
import { Link } from '../app/router';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card, Empty, PageHead, Problem, Spinner } from '../ui/Bits';
import { Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';
import { attempt, reason, toast, undoable } from '../ui/Toasts';
import { CamerasTabs } from './CameraList';

const leaving = new Store<ReadonlySet<number>>(new Set());

export function Groups(): ReactElement {
  const { data: groups, failure, refresh } = useQuery<Group[]>('/groups?limit=1000', 10_000);
  const gone = useStore(leaving);
  const [edited, setEdited] = useState<Group | 'new' | null>(null);
  if (!groups) return <div className="page">{failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />}</div>;
  const shown = groups.filter((group) => !gone.has(group.id));
  const remove = (group: Group) => {
    const change = (isGone: boolean) => leaving.update((old) => new Set(isGone ? [...old, group.id] : [...old].filter((id) => id !== group.id)));
    undoable(t('groups.deleted', { name: group.name }), {
      apply: () => change(true),
      revert: () => change(false),
      run: async () => {
        await api.del(`/groups/${group.id}`);
        await invalidate('/groups', '/cameras');
      },
    });
  };
  const act = (group: Group, action: string) => attempt(async () => {
    const answer = await api.post<{ modified_count: number }>(`/groups/${group.id}/action`, { action });
    await invalidate('/cameras', '/groups');
    toast(count('cameras.changed', answer.modified_count));
  });
  return (
    <div className="page">
      <PageHead title={t('nav.cameras')}><Button kind="primary" icon="plus" id="add-group" onClick={() => setEdited('new')}>{t('groups.add')}</Button></PageHead>
      <CamerasTabs current="groups" />
      {shown.length === 0 ? <Empty icon="group" title={t('groups.none')}><p>{t('groups.hint')}</p></Empty> : (
        <div className="cards">
          {shown.map((group) => (
            <Card key={group.id} title={group.name} actions={
              <span className="row tight">
                <Button kind="quiet" small icon="edit" label={t('groups.edit', { name: group.name })} onClick={() => setEdited(group)} />
                <Button kind="quiet" small icon="trash" label={t('groups.delete', { name: group.name })} onClick={() => remove(group)} />
              </span>
            }>
              {group.description ? <p className="soft">{group.description}</p> : null}
              <p className="row tight">{group.cameras.map((camera) => <Badge key={camera.id}>{camera.name}</Badge>)}{group.cameras.length === 0 ? <span className="soft">{t('groups.empty')}</span> : null}</p>
              {group.cameras.length > 0 ? (
                <div className="row">
                  <Link className="button small" to={`/live?view=g${group.id}`}>{t('nav.live')}</Link>
                  {/* Whatever they are called there: these resume and pause the recording of every camera. */}
                  <Button small icon="record" onClick={() => act(group, 'enable_motion')}>{t('groups.recordingOn')}</Button>
                  <Button small icon="pause" onClick={() => act(group, 'disable_motion')}>{t('groups.recordingOff')}</Button>
                </div>
              ) : null}
            </Card>
          ))}
        </div>
      )}
      {edited ? <GroupDialog group={edited === 'new' ? null : edited} onClose={() => setEdited(null)} /> : null}
    </div>
  );
}

function GroupDialog({ group, onClose }: { group: Group | null; onClose: () => void }): ReactElement {
  const { cameras } = useCameras(0);
  const [name, setName] = useState('');
  const [about, setAbout] = useState('');
  const [chosen, setChosen] = useState<number[]>(group?.cameras.map((camera) => camera.id) ?? []);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const save = async () => {
    if (!group && !name.trim()) {
      setErrors({ name: t('form.required') });
      return;
    }
    try {
      const target = group ?? await api.post<Group>('/groups', { name: name.trim(), description: about.trim() || null });
      await api.post(`/groups/${target.id}/cameras`, { camera_ids: chosen });
      await invalidate('/groups', '/cameras');
      onClose();
    } catch (failure) {
      if (failure instanceof Failure && Object.keys(failure.fields).length > 0) setErrors(failure.fields);
      else setErrors({ name: reason(failure) });
    }
  };
  return (
    <Dialog title={group ? group.name : t('groups.add')} onClose={onClose} onSubmit={save}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('action.save')}</Button></>}>
      {group ? null : (
        <>
          <TextField label={t('field.name')} name="name" required autoFocus maxLength={100} value={name} onValue={setName} error={errors['name']} />
          <TextField label={t('groups.description')} name="description" maxLength={1000} value={about} onValue={setAbout} error={errors['description']} />
        </>
      )}
      <fieldset className="picks"><legend>{t('nav.cameras')}</legend>
        {(cameras ?? []).map((camera) => (
          <label key={camera.id} className="check"><input type="checkbox" checked={chosen.includes(camera.id)}
            onChange={(event) => setChosen(event.target.checked ? [...chosen, camera.id] : chosen.filter((id) => id !== camera.id))} /> {camera.name}</label>
        ))}
      </fieldset>
      {group && errors['name'] ? <p className="problem" role="alert">{errors['name']}</p> : null}
    </Dialog>
  );
}
