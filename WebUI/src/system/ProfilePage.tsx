import { useEffect, useMemo, useState, type ReactElement } from 'react';
import { api, call, Failure } from '../core/api';
import { copyText } from '../core/clipboard';
import { setPref, usePrefs, type Prefs } from '../core/prefs';
import { invalidate, useQuery } from '../core/query';
import { refreshUser, signOut, useUser } from '../core/session';
import { useStore } from '../core/store';
import type { APIKey, TrustedDevice, User } from '../core/types';
import { serverZone, showDateTime, showDay } from '../core/time';
import { chooseLanguage, language, languages, t } from '../i18n';
import { Button } from '../ui/Button';
import { Badge, Card, PageHead } from '../ui/Bits';
import { ask, Dialog } from '../ui/Dialog';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { attempt, complain, reason, toast } from '../ui/Toasts';

export function ProfilePage(): ReactElement {
  const user = useUser();
  return (
    <div className="page narrow">
      <PageHead title={t('nav.profile')}><Button icon="signOut" onClick={() => attempt(signOut)}>{t('auth.signOut')}</Button></PageHead>
      <Card title={user.username}><Avatar user={user} /></Card>
      <Appearance />
      <Password user={user} />
      <TwoFactor user={user} />
      <Keys />
      <StreamingSecret />
    </div>
  );
}

function Avatar({ user }: { user: User }): ReactElement {
  const [version, setVersion] = useState(0);
  const send = (file: File | undefined) => file ? attempt(async () => {
    const form = new FormData();
    form.set('file', file);
    await call('POST', `/users/${user.id}/avatar`, { body: form });
    await refreshUser();
    setVersion(version + 1);
  }, t('state.saved')) : undefined;
  return (
    <div className="row">
      {user.avatar_path ? <img className="avatar large" key={version} src={`${user.avatar_path}${version ? `?v=${version}` : ''}`} alt={t('profile.picture')} /> : <span className="avatar large" aria-hidden="true">{user.username.slice(0, 1).toUpperCase()}</span>}
      <div className="stack">
        <span className="soft">{[user.email, t(user.role === 'admin' ? 'users.admin' : 'users.viewer')].filter(Boolean).join(' · ')}</span>
        <div className="row">
          <label className="button"><span>{t('profile.choosePicture')}</span><input type="file" className="visually-hidden" accept="image/png,image/jpeg,image/webp" onChange={(event) => { void send(event.target.files?.[0]); }} /></label>
          {user.avatar_path ? <Button icon="trash" label={t('profile.removePicture')} onClick={() => attempt(async () => { await api.del(`/users/${user.id}/avatar`); await refreshUser(); })} /> : null}
        </div>
      </div>
    </div>
  );
}

/** Seconds that a tour may show a camera. */
const TOUR = { least: 3, most: 600 };
const isTour = (text: string): boolean => Number.isInteger(Number(text)) && Number(text) >= TOUR.least && Number(text) <= TOUR.most;

function Appearance(): ReactElement {
  const prefs = usePrefs();
  // As it is typed: on the way to 20 stands a 2.
  const [tour, typeTour] = useState(String(prefs.tourSeconds));
  const setTour = (text: string) => {
    typeTour(text);
    if (isTour(text)) setPref('tourSeconds', Number(text));
  };
  const shown = useStore(language);
  const zone = useStore(serverZone);
  const choose = (tag: string) => attempt(async () => {
    await api.patch('/auth/me/language', { language: tag });
    await refreshUser();
    await chooseLanguage(tag);
  });
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Card title={t('profile.appearance')}>
      <div className="form-grid">
        <SelectField label={t('profile.language')} name="language" value={shown} onValue={(tag) => { void choose(tag); }} options={Object.entries(languages).map(([value, { name }]) => ({ value, label: name }))} />
        <SelectField label={t('profile.theme')} name="theme" value={prefs.theme} onValue={(value) => setPref('theme', value as Prefs['theme'])}
          options={[{ value: 'auto', label: t('profile.themeAuto') }, { value: 'dark', label: t('profile.themeDark') }, { value: 'light', label: t('profile.themeLight') }]} />
        <SelectField label={t('profile.zone')} name="zone" value={prefs.zone} onValue={(value) => setPref('zone', value as Prefs['zone'])}
          options={[{ value: 'viewer', label: t('profile.zoneMine', { zone: mine }) }, ...(zone ? [{ value: 'server', label: t('profile.zoneServer', { zone }) }] : [])]} />
        <SelectField label={t('profile.player')} name="player" value={prefs.player} onValue={(value) => setPref('player', value as Prefs['player'])} hint={t('profile.playerHint')}
          options={[{ value: 'auto', label: t('live.columnsAuto') }, { value: 'webcodecs', label: 'WebCodecs' }, { value: 'mse', label: 'MSE' }, { value: 'jpeg', label: 'JPEG' }]} />
        <TextField label={t('profile.tour')} name="tour" type="number" min={TOUR.least} max={TOUR.most} suffix="s" value={tour} onValue={setTour}
          error={isTour(tour) ? undefined : t(Number(tour) > TOUR.most ? 'form.most' : 'form.least', { value: String(Number(tour) > TOUR.most ? TOUR.most : TOUR.least) })} />
        <SwitchField label={t('profile.shortcuts')} name="shortcuts" hint={t('profile.shortcutsHint')} value={prefs.shortcuts} onValue={(value) => setPref('shortcuts', value)} />
      </div>
    </Card>
  );
}

function Password({ user }: { user: User }): ReactElement {
  const empty = { old: '', next: '', again: '' };
  const [form, setForm] = useState(empty);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = (name: keyof typeof form) => (value: string) => setForm((held) => ({ ...held, [name]: value }));
  const save = async () => {
    const faults: Record<string, string> = {};
    if (!form.old) faults['old'] = t('form.required');
    if (form.next.length < 8) faults['next'] = t('auth.passwordShort');
    else if (form.next !== form.again) faults['again'] = t('auth.passwordsDiffer');
    setErrors(faults);
    if (Object.keys(faults).length > 0) return;
    try {
      await api.put(`/users/${user.id}/password`, { old_password: form.old, new_password: form.next });
      // All sessions end with a new password; this one is begun anew, unless a code is needed for that.
      setForm(empty);
      try {
        await api.post('/auth/login', new URLSearchParams({ username: user.username, password: form.next }));
      } catch { await signOut(); }
      toast(t('profile.passwordChanged'));
    } catch (failure) {
      if (failure instanceof Failure && failure.status === 400) setErrors({ old: t('profile.wrongPassword') });
      else setErrors({ next: reason(failure) });
    }
  };
  return (
    <Card title={t('auth.password')}>
      <form className="form-grid" noValidate onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <TextField label={t('profile.oldPassword')} name="old_password" type="password" autoComplete="current-password" value={form.old} onValue={set('old')} error={errors['old']} />
        <TextField label={t('profile.newPassword')} name="new_password" type="password" autoComplete="new-password" value={form.next} onValue={set('next')} error={errors['next']} hint={t('auth.passwordHint')} />
        <TextField label={t('auth.passwordAgain')} name="again" type="password" autoComplete="new-password" value={form.again} onValue={set('again')} error={errors['again']} />
        <div className="row wide"><Button type="submit">{t('profile.changePassword')}</Button></div>
      </form>
    </Card>
  );
}

interface SetUp { secret: string; otpauth_url: string; recovery_codes: string[]; qr_svg: string }

function Codes({ codes }: { codes: string[] }): ReactElement {
  return (
    <>
      <p>{t('profile.recoveryHint')}</p>
      <ul className="codes mono">{codes.map((code) => <li key={code}>{code}</li>)}</ul>
      <Button icon="copy" onClick={() => attempt(() => copyText(codes.join('\n')), t('state.copied'))}>{t('action.copy')}</Button>
    </>
  );
}

function TwoFactor({ user }: { user: User }): ReactElement {
  const [setUp, setSetUp] = useState<SetUp | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [isDisabling, setDisabling] = useState(false);
  const devices = useQuery<TrustedDevice[]>(user.is_2fa_enabled ? '/auth/devices' : null).data;
  const begin = async () => {
    try { setSetUp(await api.post<SetUp>('/auth/2fa/setup')); } catch (problem) { complain(problem); }
  };
  const renew = async () => {
    if (!await ask({ title: t('profile.renewCodes'), text: t('profile.renewHint'), action: t('profile.renewCodes') })) return;
    try { setCodes((await api.post<{ recovery_codes: string[] }>('/auth/2fa/recovery-codes')).recovery_codes); } catch (problem) { complain(problem); }
  };
  return (
    <Card title={t('profile.twoFactor')} actions={<Badge kind={user.is_2fa_enabled ? 'good' : 'plain'}>{t(user.is_2fa_enabled ? 'users.on' : 'users.off')}</Badge>}>
      <p className="soft">{t('profile.twoFactorHint')}</p>
      <div className="row">
        {user.is_2fa_enabled ? (
          <><Button icon="key" onClick={renew}>{t('profile.renewCodes')}</Button><Button kind="danger" onClick={() => setDisabling(true)}>{t('profile.disable')}</Button></>
        ) : <Button kind="primary" icon="shield" id="begin-2fa" onClick={begin}>{t('profile.enable')}</Button>}
      </div>
      {devices && devices.length > 0 ? (
        <>
          <h3>{t('profile.devices')}</h3>
          <ul className="plain-list">
            {devices.map((device) => (
              <li key={device.id} className="row"><span>{device.name || '–'}</span><span className="soft">{t('profile.lastUsed', { time: showDateTime(device.last_used) })}</span><span className="spring" />
                <Button small onClick={() => attempt(async () => { await api.del(`/auth/devices/${device.id}`); await invalidate('/auth/devices'); })}>{t('profile.forget')}</Button></li>
            ))}
          </ul>
        </>
      ) : null}
      {setUp ? <EnableTwoFactor setUp={setUp} onClose={() => setSetUp(null)} /> : null}
      {codes ? <Dialog title={t('profile.recoveryCodes')} onClose={() => setCodes(null)}><Codes codes={codes} /></Dialog> : null}
      {isDisabling ? <DisableTwoFactor onClose={() => setDisabling(false)} /> : null}
    </Card>
  );
}

function EnableTwoFactor({ setUp, onClose }: { setUp: SetUp; onClose: () => void }): ReactElement {
  const [code, setCode] = useState('');
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [isDone, setDone] = useState(false);
  const picture = useMemo(() => URL.createObjectURL(new Blob([setUp.qr_svg], { type: 'image/svg+xml' })), [setUp]);
  useEffect(() => () => URL.revokeObjectURL(picture), [picture]);
  const enable = async () => {
    try {
      await api.post('/auth/2fa/enable', { code: code.replace(/\s/g, '') });
      setDone(true);
      await refreshUser();
    } catch (failure) { setProblem(failure instanceof Failure && failure.status === 400 ? t('auth.wrongCode') : reason(failure)); }
  };
  if (isDone) return <Dialog title={t('profile.recoveryCodes')} onClose={onClose} actions={<Button kind="primary" id="done-2fa" onClick={onClose}>{t('action.close')}</Button>}><p>{t('profile.enabled')}</p><Codes codes={setUp.recovery_codes} /></Dialog>;
  return (
    <Dialog title={t('profile.enable')} onClose={onClose} onSubmit={enable} actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('profile.enable')}</Button></>}>
      <p>{t('profile.scan')}</p>
      <img className="qr" src={picture} alt={t('profile.qr')} />
      <p className="soft">{t('profile.secret')} <code id="secret">{setUp.secret}</code></p>
      <TextField label={t('auth.code')} name="code" inputMode="numeric" autoComplete="one-time-code" autoFocus value={code} onValue={setCode} error={problem} hint={t('auth.codeHint')} />
    </Dialog>
  );
}

function DisableTwoFactor({ onClose }: { onClose: () => void }): ReactElement {
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const disable = async () => {
    try {
      await api.post('/auth/2fa/disable', { password });
      await refreshUser();
      onClose();
    } catch (failure) { setProblem(failure instanceof Failure && failure.status === 400 ? t('profile.wrongPassword') : reason(failure)); }
  };
  return (
    <Dialog title={t('profile.disable')} onClose={onClose} onSubmit={disable} actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="danger" className="solid">{t('profile.disable')}</Button></>}>
      <TextField label={t('auth.password')} name="password" type="password" autoComplete="current-password" autoFocus value={password} onValue={setPassword} error={problem} />
    </Dialog>
  );
}

function Keys(): ReactElement {
  const { data: keys } = useQuery<APIKey[]>('/v1/api-tokens');
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [made, setMade] = useState<APIKey | null>(null);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const create = async () => {
    if (!name.trim()) return setProblem(t('form.required'));
    try {
      setMade(await api.post<APIKey>('/v1/api-tokens', { name: name.trim(), expires_in_days: days ? Number(days) : null }));
      setName('');
      setProblem(undefined);
      await invalidate('/v1/api-tokens');
    } catch (failure) { setProblem(reason(failure)); }
    return undefined;
  };
  const remove = async (key: APIKey) => {
    if (!await ask({ title: t('keys.deleteTitle', { name: key.name }), text: t('keys.deleteText'), action: t('action.delete'), danger: true })) return;
    await attempt(async () => {
      await api.del(`/v1/api-tokens/${key.id}`);
      await invalidate('/v1/api-tokens');
    });
  };
  return (
    <Card title={t('keys.title')}>
      <p className="soft">{t('keys.hint')}</p>
      <form className="form-grid" noValidate onSubmit={(event) => { event.preventDefault(); void create(); }}>
        <TextField label={t('field.name')} name="key_name" maxLength={100} value={name} onValue={setName} error={problem} placeholder="Home Assistant" />
        <SelectField label={t('keys.expires')} value={days} onValue={setDays} options={[{ value: '', label: t('keys.never') }, ...[30, 90, 365].map((count) => ({ value: String(count), label: t('keys.inDays', { count }) }))]} />
        <div className="row wide"><Button type="submit" icon="plus" id="add-key">{t('keys.add')}</Button></div>
      </form>
      {keys && keys.length > 0 ? (
        <ul className="plain-list">
          {keys.map((key) => (
            <li key={key.id} className="row"><strong>{key.name}</strong>
              <span className="soft">{key.last_used_at ? t('profile.lastUsed', { time: showDateTime(key.last_used_at) }) : t('keys.unused')}{key.expires_at ? ` · ${t('keys.until', { day: showDay(key.expires_at) })}` : ''}</span>
              <span className="spring" /><Button kind="quiet" icon="trash" label={t('keys.delete', { name: key.name })} onClick={() => remove(key)} /></li>
          ))}
        </ul>
      ) : null}
      {made?.token ? (
        <Dialog title={made.name} onClose={() => setMade(null)} actions={<Button kind="primary" onClick={() => setMade(null)}>{t('action.close')}</Button>}>
          <p>{t('keys.once')}</p><p className="mono token" id="new-key">{made.token}</p>
          <Button icon="copy" onClick={() => attempt(() => copyText(made.token ?? ''), t('state.copied'))}>{t('action.copy')}</Button>
        </Dialog>
      ) : null}
    </Card>
  );
}

/** What VLC and other recorders sign in with to the server's own streams. */
function StreamingSecret(): ReactElement {
  const { data } = useQuery<{ exists: boolean; created_at: string | null }>('/auth/streaming-secret');
  const [made, setMade] = useState<{ username: string; secret: string } | null>(null);
  const make = async () => {
    if (data?.exists && !await ask({ title: t('rtsp.renew'), text: t('rtsp.renewText'), action: t('rtsp.renew'), danger: true })) return;
    try {
      setMade(await api.post<{ username: string; secret: string }>('/auth/streaming-secret'));
      await invalidate('/auth/streaming-secret');
    } catch (problem) { complain(problem); }
  };
  const remove = () => attempt(async () => {
    await api.del('/auth/streaming-secret');
    await invalidate('/auth/streaming-secret');
  });
  return (
    <Card title={t('rtsp.title')}>
      <p className="soft">{t('rtsp.hint')} <code>rtsp://{location.hostname}:8554/{'{id}'}</code></p>
      <div className="row">
        <Button icon="key" id="make-secret" onClick={make}>{t(data?.exists ? 'rtsp.renew' : 'rtsp.make')}</Button>
        {data?.exists ? <Button kind="danger" icon="trash" onClick={remove}>{t('action.delete')}</Button> : null}
        {data?.created_at ? <span className="soft">{t('rtsp.since', { time: showDateTime(data.created_at) })}</span> : null}
      </div>
      {made ? (
        <Dialog title={t('rtsp.title')} onClose={() => setMade(null)} actions={<Button kind="primary" onClick={() => setMade(null)}>{t('action.close')}</Button>}>
          <p>{t('rtsp.once', { name: made.username })}</p><p className="mono token">{made.secret}</p>
          <Button icon="copy" onClick={() => attempt(() => copyText(made.secret), t('state.copied'))}>{t('action.copy')}</Button>
        </Dialog>
      ) : null}
    </Card>
  );
}
