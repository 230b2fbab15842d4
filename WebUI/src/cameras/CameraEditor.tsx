import { useMemo, useState, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { fault, useSchema } from '../core/schema';
import type { CameraFields } from '../core/types';
import { t, words } from '../i18n';
import { Link, navigate, useGuard } from '../app/router';
import { tone, statusText, trouble } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card, PageHead, Problem, Spinner, useTabRow } from '../ui/Bits';
import { Icon } from '../ui/Icon';
import { complain, toast } from '../ui/Toasts';
import { CameraField } from './CameraField';
import { tabOf, tabs, unknownFields, type Section } from './fields';
import { recordsNothing } from './lint';
import { ProbeButton } from './ProbeButton';
import { Schedule } from './Schedule';
import { MaskEditor } from './MaskEditor';
import { isShort, useForecast } from '../system/forecastFacts';
import { showNumber } from '../core/time';

const same = (a: unknown, b: unknown): boolean => (a ?? null) === (b ?? null) || JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/** Everything about one camera. Only what was changed is sent: a URL that is shown without its password is not written back without it. */
export function CameraEditor({ id, tab }: { id: number; tab: string }): ReactElement {
  const { data: camera, failure, refresh } = useQuery<CameraFields>(`/cameras/${id}`, 5000);
  const schema = useSchema('CameraChanges');
  const [draft, setDraft] = useState<Record<string, unknown>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const row = useTabRow(camera && schema ? tab : '');
  const changed = useMemo(() => Object.entries(draft).filter(([name, value]) => camera && !same(value, camera[name])), [draft, camera]);
  const isChanged = changed.length > 0;
  // Going from section to section keeps what was changed.
  useGuard(isChanged, (to) => to.startsWith(`/cameras/${id}/`) || to === `/cameras/${id}`);

  if (failure && !camera) return <div className="page"><PageHead title={t('nav.cameras')} back="/cameras" /><Problem failure={failure} retry={refresh} /></div>;
  if (!camera || !schema) return <div className="page"><Spinner /></div>;

  const set = (name: string) => (value: unknown) => {
    setDraft((old) => ({ ...old, [name]: value }));
    setErrors(({ [name]: _, ...rest }) => rest);
  };
  const save = async () => {
    const faults: Record<string, string> = {};
    for (const [name, value] of changed) {
      const found = schema[name] && fault(schema[name]!, value, name === 'name' || name === 'rtsp_url');
      if (found) faults[name] = found;
    }
    if (Object.keys(faults).length > 0) return show(faults);
    try {
      await api.put(`/cameras/${id}`, Object.fromEntries(changed));
      await invalidate('/cameras');
      setDraft({});
      setErrors({});
      toast(t('state.saved'));
    } catch (problem) {
      if (problem instanceof Failure && Object.keys(problem.fields).length > 0) show(problem.fields);
      else complain(problem);
    }
    return undefined;
  };
  const show = (faults: Record<string, string>) => {
    setErrors(faults);
    const place = Object.keys(faults).map(tabOf).find((found) => found !== undefined);
    const here = Object.keys(faults).some((name) => tabOf(name) === tab);
    if (!here && place) navigate(`/cameras/${id}/${place}`, { replace: true });
    if (!place) complain(Object.entries(faults).map(([name, text]) => `${name}: ${text}`).join('\n'));
  };
  const value = (name: string): unknown => name in draft ? draft[name] : camera[name];
  const current = tabs.find((one) => one.id === tab) ?? tabs[0]!;
  const others = current.id === 'general' ? unknownFields(Object.keys(schema)) : [];
  const problem = trouble(camera);
  const idle = recordsNothing(value);

  const content = (section: Section): ReactElement => {
    if (section.id === 'week') return <Schedule value={value} set={set} errors={errors} />;
    if (section.id === 'masks') {
      return (
        <>
          <CameraField name="mask" facts={schema['mask']!} value={value('mask')} error={errors['mask']} onValue={set('mask')} />
          <MaskEditor camera={camera} text={value('motion_masks')} error={errors['motion_masks']} onText={set('motion_masks')} />
        </>
      );
    }
    return (
      <div className="form-grid">
        {section.fields.filter((name) => schema[name]).map((name) => (
          <CameraField key={name} name={name} facts={schema[name]!} value={value(name)} error={errors[name]} onValue={set(name)} isRequired={name === 'name' || name === 'rtsp_url'} />
        ))}
        {section.id === 'addresses' ? <ProbeButton url={String(value('rtsp_url') ?? '')} transport={String(value('rtsp_transport') ?? 'tcp')} /> : null}
      </div>
    );
  };
  return (
    <div className="page editor">
      <PageHead title={camera.name} back="/cameras">
        <Link className="button" to={`/live/${id}`}><Icon name="live" /><span>{t('nav.live')}</span></Link>
      </PageHead>
      <p className="row"><span className={`dot ${tone(camera.status)}`} /><span>{statusText(camera.status)}</span>{problem ? <span className="soft">{problem.lines.join(' · ')}</span> : null}</p>
      <nav className="tabs" aria-label={t('cameras.sections')} ref={row}>
        {tabs.map((one) => {
          const isWrong = Object.keys(errors).some((name) => tabOf(name) === one.id);
          const hasDraft = changed.some(([name]) => tabOf(name) === one.id);
          return (
            <Link key={one.id} to={`/cameras/${id}/${one.id}`} aria-current={one.id === current.id ? 'page' : undefined}
              onClick={(event) => { event.preventDefault(); navigate(`/cameras/${id}/${one.id}`, { replace: true }); }}>
              {words(`tab.${one.id}`, one.id)}{isWrong ? <Badge kind="bad">!</Badge> : hasDraft ? <span className="changed-mark" title={t('state.unsaved')}>•</span> : null}
            </Link>
          );
        })}
      </nav>
      {current.isIdle ? <p className="note"><Icon name="info" /><span>{t('cameras.idle')}</span></p> : null}
      {idle && ['recording', 'motion', 'schedule'].includes(current.id) ? <p className="note warn" role="status" id="records-nothing"><Icon name="warning" /><span>{t(`cameras.${idle}`)}</span></p> : null}
      {current.id === 'recording' ? <ShortStay camera={id} /> : null}
      {current.sections.map((section) => <Card key={section.id} title={words(`section.${section.id}`, section.id)}>{content(section)}</Card>)}
      {others.length > 0 ? <Card title={t('section.others')}>{content({ id: 'others', fields: others })}</Card> : null}
      {isChanged ? (
        <div className="save-bar" role="region" aria-label={t('state.unsaved')}>
          <span>{t('state.unsaved')}</span>
          <span className="spring" />
          <Button onClick={() => { setDraft({}); setErrors({}); }}>{t('action.discard')}</Button>
          <Button kind="primary" id="save-camera" onClick={save}>{t('action.save')}</Button>
        </div>
      ) : null}
    </div>
  );
}

/** Told where the limits are set: less footage than wished will be there. */
function ShortStay({ camera }: { camera: number }): ReactElement | null {
  const found = useForecast()?.cameras.find((one) => one.camera_id === camera);
  if (!found || !isShort(found)) return null;
  const days = (value: number | null) => showNumber(value ?? 0, (value ?? 0) < 10 ? 1 : 0);
  return <p className="note warn" role="status"><Icon name="warning" /><span>{t('storage.shortStay', { days: days(found.days), wanted: days(found.configured_days) })}</span></p>;
}
