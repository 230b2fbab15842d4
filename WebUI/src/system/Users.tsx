import { useState, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { refreshUser, useUser } from '../core/session';
import { Store, useStore } from '../core/store';
import type { Grant, Group, User } from '../core/types';
import { showDay } from '../core/time';
import { t } from '../i18n';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card, Problem, Spinner } from '../ui/Bits';
import { Table } from '../ui/Table';
import { Dialog } from '../ui/Dialog';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { reason, toast, undoable } from '../ui/Toasts';

const leaving = new Store<ReadonlySet<number>>(new Set());

export function Users(): ReactElement {
  const me = useUser();
  const { data: users, failure, refresh } = useQuery<User[]>('/users?limit=1000', 20_000);
  const gone = useStore(leaving);
  const [edited, setEdited] = useState<User | 'new' | null>(null);
  if (!users) return failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />;
  const remove = (user: User) => {
    const mark = (isGone: boolean) => leaving.update((old) => new Set(isGone ? [...old, user.id] : [...old].filter((id) => id !== user.id)));
    undoable(t('users.deleted', { name: user.username }), {
      apply: () => mark(true),
      revert: () => mark(false),
      run: async () => {
        await api.del(`/users/${user.id}`);
        await invalidate('/users');
      },
    });
  };
  return (
    <Card title={t('system.users')} actions={<Button kind="primary" icon="plus" id="add-user" onClick={() => setEdited('new')}>{t('users.add')}</Button>}>
      <Table label={t('system.users')} columns={[
        { label: t('auth.username') }, { label: t('users.role') }, { label: t('users.access') }, { label: t('profile.twoFactor') }, { label: t('users.since'), kind: 'nowrap' },
        { label: t('action.edit'), kind: 'actions' },
      ]} rows={users.filter((user) => !gone.has(user.id)).map((user) => ({
        key: user.id, data: { 'data-user': user.id }, cells: [
          <><strong>{user.username}</strong>{user.id === me.id ? <> <Badge>{t('users.you')}</Badge></> : null}{user.is_active ? null : <> <Badge kind="bad">{t('users.inactive')}</Badge></>}<br /><span className="soft">{user.email}</span></>,
          t(user.role === 'admin' ? 'users.admin' : 'users.viewer'),
          user.role === 'admin' || !user.restrict_camera_access ? t('users.all') : [...user.group_accesses, ...user.camera_accesses].map((grant) => grant.name).join(', ') || t('users.nothing'),
          user.is_2fa_enabled ? <Badge kind="good">{t('users.on')}</Badge> : <span className="soft">{t('users.off')}</span>,
          showDay(user.created_at),
          <>
            <Button kind="quiet" icon="edit" label={t('users.edit', { name: user.username })} onClick={() => setEdited(user)} />
            {user.id === me.id ? null : <Button kind="quiet" icon="trash" label={t('users.delete', { name: user.username })} onClick={() => remove(user)} />}
          </>,
        ],
      }))} />
      {edited ? <UserDialog user={edited === 'new' ? null : edited} onClose={() => setEdited(null)} /> : null}
    </Card>
  );
}

type Rights = Record<string, { view: boolean; replay: boolean; control: boolean }>;
const rightsOf = (grants: Grant[]): Rights => Object.fromEntries(grants.map((grant) => [grant.id, { view: grant.can_view, replay: grant.can_replay, control: grant.can_control }]));
const grantsOf = (rights: Rights) => Object.entries(rights).filter(([, one]) => one.view || one.replay || one.control)
  .map(([id, one]) => ({ id: Number(id), can_view: one.view, can_replay: one.replay, can_control: one.control }));

function UserDialog({ user, onClose }: { user: User | null; onClose: () => void }): ReactElement {
  const me = useUser();
  const { cameras } = useCameras(0);
  const groups = useQuery<Group[]>('/groups?limit=1000').data ?? [];
  const [form, setForm] = useState({
    username: user?.username ?? '', email: user?.email ?? '', password: '', role: user?.role ?? 'viewer', is_active: user?.is_active ?? true, restrict: user?.restrict_camera_access ?? false,
  });
  const [ofCameras, setCameras] = useState<Rights>(rightsOf(user?.camera_accesses ?? []));
  const [ofGroups, setGroups] = useState<Rights>(rightsOf(user?.group_accesses ?? []));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<string | null>(null);
  const set = <K extends keyof typeof form>(name: K) => (value: (typeof form)[K]) => setForm((old) => ({ ...old, [name]: value }));
  const save = async () => {
    const faults: Record<string, string> = {};
    if (!form.username.trim()) faults['username'] = t('form.required');
    if (!user && form.password.length < 8) faults['password'] = t('auth.passwordShort');
    setErrors(faults);
    setProblem(null);
    if (Object.keys(faults).length > 0) return;
    const body = {
      username: form.username.trim(), email: form.email.trim() || null, role: form.role, is_active: form.is_active, restrict_camera_access: form.role === 'viewer' && form.restrict,
      camera_accesses: grantsOf(ofCameras), group_accesses: grantsOf(ofGroups), ...(form.password ? { password: form.password } : {}),
    };
    try {
      if (user) await api.put(`/users/${user.id}`, body);
      else await api.post('/users', body);
      await invalidate('/users');
      if (user?.id === me.id) await refreshUser();
      toast(t('state.saved'));
      onClose();
    } catch (failure) {
      if (failure instanceof Failure && Object.keys(failure.fields).length > 0) setErrors(failure.fields);
      else setProblem(reason(failure));
    }
  };
  return (
    <Dialog title={user ? user.username : t('users.add')} onClose={onClose} wide onSubmit={save}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('action.save')}</Button></>}>
      <div className="form-grid">
        <TextField label={t('auth.username')} name="username" required maxLength={64} autoComplete="off" autoCapitalize="none" value={form.username} onValue={set('username')} error={errors['username']} />
        <TextField label={t('auth.email')} name="email" type="email" autoComplete="off" value={form.email} onValue={set('email')} error={errors['email']} hint={t('form.optional')} />
        {/* One's own takes the old one: that is a matter of the profile. */}
        {user?.id === me.id ? null : <TextField label={t(user ? 'profile.newPassword' : 'auth.password')} name="password" type="password" autoComplete="new-password" value={form.password} onValue={set('password')} error={errors['password']} hint={t(user ? 'users.passwordHint' : 'auth.passwordHint')} />}
        <SelectField label={t('users.role')} name="role" value={form.role} onValue={(value) => set('role')(value as 'admin' | 'viewer')} error={errors['role']} options={[{ value: 'viewer', label: t('users.viewer') }, { value: 'admin', label: t('users.admin') }]} />
        <SwitchField label={t('users.active')} name="is_active" value={form.is_active} onValue={set('is_active')} />
        {form.role === 'viewer' ? <SwitchField label={t('users.restrict')} name="restrict" value={form.restrict} onValue={set('restrict')} hint={t('users.restrictHint')} /> : null}
      </div>
      {form.role === 'viewer' && form.restrict ? (
        <>
          {groups.length > 0 ? <RightsTable label={t('groups.title')} list={groups} rights={ofGroups} onRights={setGroups} /> : null}
          <RightsTable label={t('nav.cameras')} list={cameras ?? []} rights={ofCameras} onRights={setCameras} />
        </>
      ) : null}
      {problem ? <p className="problem" role="alert">{problem}</p> : null}
    </Dialog>
  );
}

function RightsTable({ label, list, rights, onRights }: { label: string; list: { id: number; name: string }[]; rights: Rights; onRights: (rights: Rights) => void }): ReactElement {
  const columns = [['view', 'users.mayView'], ['replay', 'users.mayReplay'], ['control', 'users.mayControl']] as const;
  const none = { view: false, replay: false, control: false };
  return (
    <table className="rights">
      <thead><tr><th>{label}</th>{columns.map(([id, key]) => <th key={id}>{t(key)}</th>)}</tr></thead>
      <tbody>
        {list.map((one) => {
          const mine = rights[one.id] ?? none;
          return (
            <tr key={one.id}><td>{one.name}</td>
              {columns.map(([id, key]) => (
                <td key={id}><input type="checkbox" aria-label={`${one.name}: ${t(key)}`} checked={mine[id]} onChange={(event) => onRights({ ...rights, [one.id]: { ...mine, [id]: event.target.checked } })} /></td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
