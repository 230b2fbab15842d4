import { useState, type FormEvent, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { invalidate } from '../core/query';
import type { Camera } from '../core/types';
import { t } from '../i18n';
import { guardLeaving, navigate, useGuard } from '../app/router';
import { Button } from '../ui/Button';
import { Card, PageHead } from '../ui/Bits';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { reason } from '../ui/Toasts';
import { brands, streamURL } from './brands';
import { choiceLabel } from './CameraField';
import { ProbeButton, type ProbeAnswer } from './ProbeButton';

const empty = { name: '', rtsp_url: '', rtsp_transport: 'tcp', sub_rtsp_url: '', recording_mode: 'Motion Triggered', location: '', is_active: true, audio: false };

/** A new camera: its address, by hand or put together for common makes, a look at the stream, and what is needed to begin. */
export function AddCamera(): ReactElement {
  const [form, setForm] = useState(empty);
  const [maker, setMaker] = useState({ brand: '', host: '', user: '', password: '' });
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [probed, setProbed] = useState<ProbeAnswer | null>(null);
  useGuard(form.name.trim() !== '' || form.rtsp_url.trim() !== '' || maker.host !== '');
  const set = <K extends keyof typeof empty>(name: K) => (value: (typeof empty)[K]) => {
    setForm((old) => ({ ...old, [name]: value }));
    setErrors(({ [name]: _, ...rest }) => rest);
  };
  const make = (change: Partial<typeof maker>) => {
    const next = { ...maker, ...change };
    setMaker(next);
    const brand = brands.find((one) => one.name === next.brand);
    if (!brand || !next.host) return;
    setForm((old) => ({
      ...old, rtsp_url: streamURL(brand, brand.main, next.host, next.user, next.password),
      sub_rtsp_url: brand.sub ? streamURL(brand, brand.sub, next.host, next.user, next.password) : '',
    }));
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const faults: Record<string, string> = {};
    if (!form.name.trim()) faults['name'] = t('form.required');
    if (!form.rtsp_url.trim()) faults['rtsp_url'] = t('form.required');
    setErrors(faults);
    setProblem(null);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    try {
      const camera = await api.post<Camera>('/cameras', {
        name: form.name.trim(), rtsp_url: form.rtsp_url.trim(), rtsp_transport: form.rtsp_transport, sub_rtsp_url: form.sub_rtsp_url.trim() || null,
        recording_mode: form.recording_mode, location: form.location.trim() || null, is_active: form.is_active, audio_enabled: form.audio, record_audio: form.audio,
      });
      await invalidate('/cameras', '/groups');
      guardLeaving(null);
      navigate(`/live/${camera.id}`);
    } catch (failure) {
      if (failure instanceof Failure && Object.keys(failure.fields).length > 0) setErrors(failure.fields);
      else setProblem(reason(failure));
    } finally { setBusy(false); }
  };
  return (
    <div className="page narrow">
      <PageHead title={t('cameras.add')} back="/cameras" />
      <form id="camera-form" className="stack" noValidate onSubmit={(event) => { void submit(event); }}>
        <Card title={t('cameras.address')}>
          <details className="brand-help">
            <summary>{t('cameras.brandHelp')}</summary>
            <div className="form-grid">
              <SelectField label={t('cameras.brand')} value={maker.brand} onValue={(brand) => make({ brand })} options={[{ value: '', label: t('form.choose') }, ...brands.map(({ name }) => ({ value: name, label: name }))]} />
              <TextField label={t('cameras.host')} value={maker.host} onValue={(host) => make({ host: host.trim() })} placeholder="192.168.1.20" spellCheck={false} autoCapitalize="none" />
              <TextField label={t('cameras.user')} value={maker.user} onValue={(user) => make({ user })} autoComplete="off" autoCapitalize="none" />
              <TextField label={t('auth.password')} value={maker.password} onValue={(password) => make({ password })} type="password" autoComplete="new-password" />
            </div>
          </details>
          <TextField label={t('field.rtsp_url')} name="rtsp_url" wide required inputMode="url" autoCapitalize="none" spellCheck={false} placeholder="rtsp://user:password@192.168.1.20/stream1"
            value={form.rtsp_url} onValue={set('rtsp_url')} error={errors['rtsp_url']} />
          <div className="form-grid">
            <SelectField label={t('field.rtsp_transport')} name="rtsp_transport" value={form.rtsp_transport} onValue={set('rtsp_transport')} options={['tcp', 'udp'].map((value) => ({ value, label: value.toUpperCase() }))} />
            <ProbeButton id="probe" url={form.rtsp_url} transport={form.rtsp_transport} onAnswer={setProbed} />
          </div>
          <TextField label={t('field.sub_rtsp_url')} name="sub_rtsp_url" wide inputMode="url" autoCapitalize="none" spellCheck={false} hint={t('hint.sub_rtsp_url')}
            value={form.sub_rtsp_url} onValue={set('sub_rtsp_url')} error={errors['sub_rtsp_url']} />
        </Card>
        <Card title={t('tab.general')}>
          <div className="form-grid">
            <TextField label={t('field.name')} name="name" required maxLength={100} value={form.name} onValue={set('name')} error={errors['name']} />
            <TextField label={t('field.location')} name="location" maxLength={200} value={form.location} onValue={set('location')} error={errors['location']} hint={t('form.optional')} />
            <SelectField label={t('field.recording_mode')} name="recording_mode" value={form.recording_mode} onValue={set('recording_mode')} error={errors['recording_mode']}
              options={['Motion Triggered', 'Continuous', 'Off'].map((value) => ({ value, label: choiceLabel(value) }))} />
            <SwitchField label={t('field.is_active')} name="is_active" value={form.is_active} onValue={set('is_active')} />
            {probed?.audio_codec ? <SwitchField label={t('cameras.useSound')} name="audio" value={form.audio} onValue={set('audio')} /> : null}
          </div>
        </Card>
        {problem ? <p className="problem" role="alert" id="camera-problem">{problem}</p> : null}
        <div className="row end">
          <Button onClick={() => navigate('/cameras')}>{t('action.cancel')}</Button>
          <Button type="submit" kind="primary" id="save-camera" disabled={isBusy}>{t('cameras.add')}</Button>
        </div>
      </form>
    </div>
  );
}
