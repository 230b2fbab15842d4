import { useMemo, type ReactElement } from 'react';
import { useQuery } from '../core/query';
import { isAdmin, useUser } from '../core/session';
import type { Camera, HourOfEvents, ResourceSample, Statistics } from '../core/types';
import { lostFor, useLostVolumes } from '../core/volumes';
import { showBytes, showGB, showMinute, showNumber, showUptime } from '../core/time';
import { count, t } from '../i18n';
import { Link } from '../app/router';
import { statusText, tone, trouble, useCameras } from '../live/state';
import { flooredShare, recordedShare, useHealth, type RecordedDay } from '../core/health';
import { Card, Problem, Spinner } from '../ui/Bits';
import { HealthCard } from './HealthCard';
import { Bars, Meter, Plot } from '../ui/Plot';

const speed = (mbps: number) => mbps >= 1 ? `${showNumber(mbps, 1)} Mbit/s` : `${showNumber(mbps * 1000)} kbit/s`;
const percent = (value: number) => `${showNumber(value, value < 10 ? 1 : 0)} %`;

function Fact({ label, value, hint, kind }: { label: string; value: string; hint?: string; kind?: string }): ReactElement {
  return <div className={`fact ${kind ?? ''}`}><span>{label}</span><strong>{value}</strong>{hint ? <span className="soft">{hint}</span> : null}</div>;
}

export function Dashboard(): ReactElement {
  const { data, failure, refresh } = useQuery<Statistics>('/stats', 5000);
  const { cameras } = useCameras();
  const samples = useQuery<ResourceSample[]>('/stats/resources-history', 30_000).data;
  const hours = useQuery<HourOfEvents[]>('/stats/history', 60_000).data;
  const problems = useHealth()?.problems ?? [];
  if (!data || !cameras) return failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />;
  const active = cameras.filter((camera) => camera.is_active);
  const online = active.filter((camera) => camera.status === 'CONNECTED').length;
  const recording = cameras.filter((camera) => camera.is_recording).length;
  const { storage } = data;
  const isWell = data.system_status === 'Healthy' && problems.length === 0;
  return (
    <>
      <div className="facts-row">
        <Fact label={t('dashboard.cameras')} value={`${online} / ${active.length}`} hint={t('dashboard.recording', { count: recording })} kind={online < active.length ? 'warn' : 'good'} />
        <Fact label={t('dashboard.events24')} value={showNumber(data.events_24h)} hint={t('dashboard.ofAll', { count: showNumber(data.total_events) })} />
        <Fact label={t('dashboard.storage')} value={storage.used_gb === null ? '–' : showGB(storage.used_gb)} {...(storage.free_gb === null ? {} : { hint: t('dashboard.free', { size: showGB(storage.free_gb) }) })} />
        <Fact label={t('dashboard.uptime')} value={showUptime(data.uptime)} hint={isWell ? t('health.good') : t('dashboard.degraded')} kind={isWell ? 'good' : 'warn'} />
      </div>
      <div className="cards wide">
        <StorageCard data={data} cameras={cameras} />
        <Card title={t('dashboard.eventsPerHour')}>
          {hours ? <Bars label={t('dashboard.eventsPerHour')} bars={hours.map((hour) => ({
            label: hour.time, text: `${hour.time}: ${count('events.count', hour.events)}`, parts: [{ className: 'one', value: hour.videos }, { className: 'two', value: Math.max(0, hour.events - hour.videos) }],
          }))} /> : <Spinner />}
          <p className="plot-legend"><span><i className="one" />{t('events.videos')}</span><span><i className="two" />{t('events.snapshots')}</span></p>
        </Card>
        <Load samples={samples} data={data} />
        <Health cameras={cameras} data={data} />
        <HealthCard cameras={cameras} />
      </div>
    </>
  );
}

function StorageCard({ data, cameras }: { data: Statistics; cameras: Camera[] }): ReactElement {
  const { storage, details } = data;
  const list = cameras.map((camera) => ({ camera, held: details.cameras[String(camera.id)] })).filter((one) => (one.held?.movies.size_gb ?? 0) > 0)
    .sort((a, b) => (b.held?.movies.size_gb ?? 0) - (a.held?.movies.size_gb ?? 0)).slice(0, 8);
  const most = Math.max(0.000001, ...list.map((one) => one.held?.movies.size_gb ?? 0));
  return (
    <Card title={t('dashboard.storage')}>
      {storage.percent !== null ? <Meter value={storage.percent} label={t('dashboard.storage')} /> : null}
      <dl className="pairs">
        {storage.total_gb !== null ? <><dt>{t('dashboard.disk')}</dt><dd>{showGB(storage.total_gb)}</dd></> : null}
        {storage.daily_rate_gb !== null ? <><dt>{t('dashboard.perDay')}</dt><dd>{showGB(storage.daily_rate_gb)}</dd></> : null}
        <dt>{t('dashboard.lasts')}</dt><dd>{storage.estimated_retention_days === null ? '–' : count('dashboard.days', Math.round(storage.estimated_retention_days))}</dd>
        {storage.configured_retention_days !== null ? <><dt>{t('dashboard.wanted')}</dt><dd>{count('dashboard.days', storage.configured_retention_days)}</dd></> : null}
      </dl>
      <ul className="plain-list bars">
        {list.map(({ camera, held }) => (
          <li key={camera.id}><span>{camera.name}</span><span className="bar-track" aria-hidden="true"><span style={{ width: `${((held?.movies.size_gb ?? 0) / most) * 100}%` }} /></span><span className="number">{showGB(held?.movies.size_gb ?? 0)}</span></li>
        ))}
      </ul>
    </Card>
  );
}

function Load({ samples, data }: { samples: ResourceSample[] | undefined; data: Statistics }): ReactElement {
  const times = useMemo(() => (samples ?? []).map((sample) => Date.parse(sample.timestamp)), [samples]);
  const pick = (name: keyof ResourceSample) => (samples ?? []).map((sample) => sample[name] as number | null);
  const series = useMemo(() => ({
    cpu: [{ label: t('dashboard.machine'), className: 'two', values: pick('host_cpu_percent') }, { label: 'VibeNVR', className: 'one', values: pick('cpu_percent') }],
    memory: [{ label: 'VibeNVR', className: 'one', values: pick('memory_mb') }],
    network: [{ label: t('dashboard.received'), className: 'one', values: pick('network_recv_mbps') }, { label: t('dashboard.sent'), className: 'two', values: pick('network_sent_mbps') }],
    // The samples are all that they are made of.
    // eslint-disable-next-line
  }), [samples]);
  const { resources } = data;
  if (times.length < 2) {
    return (
      <Card title={t('dashboard.load')}>
        <dl className="pairs">
          <dt>{t('dashboard.cpu')}</dt><dd>{resources.cpu_percent === null ? '–' : percent(resources.cpu_percent)}</dd>
          <dt>{t('dashboard.memory')}</dt><dd>{resources.memory_mb === null ? '–' : showBytes(resources.memory_mb * 1e6)}</dd>
        </dl>
        <p className="soft">{t('dashboard.collecting')}</p>
      </Card>
    );
  }
  return (
    <>
      <Card title={t('dashboard.cpu')}><Plot label={t('dashboard.cpu')} times={times} series={series.cpu} format={percent} formatTime={showMinute} /></Card>
      <Card title={t('dashboard.memory')}><Plot label={t('dashboard.memory')} times={times} series={series.memory} format={(value) => showBytes(value * 1e6)} formatTime={showMinute} /></Card>
      <Card title={t('dashboard.network')}><Plot label={t('dashboard.network')} times={times} series={series.network} format={speed} formatTime={showMinute} /></Card>
    </>
  );
}

function Health({ cameras, data }: { cameras: Camera[]; data: Statistics }): ReactElement {
  const user = useUser();
  const lost = useLostVolumes(isAdmin(user));
  const days = useQuery<{ days: RecordedDay[] }>('/health/recorded?days=7', 60_000).data?.days;
  return (
    <Card title={t('dashboard.health')}>
      <ul className="plain-list health">
        {cameras.map((camera) => {
          const problem = trouble(camera);
          const held = data.details.cameras[String(camera.id)];
          const missing = lostFor(camera, lost);
          const share = days ? recordedShare(days, camera.id) : null;
          return (
            <li key={camera.id} data-camera={camera.id}>
              <span className={`dot ${tone(camera.status)}`} />
              {isAdmin(user) ? <Link to={`/cameras/${camera.id}`}>{camera.name}</Link> : <span>{camera.name}</span>}
              <span className="soft">{problem ? `${problem.title}${problem.lines.length ? `: ${problem.lines.join(' · ')}` : ''}` : `${statusText(camera.status)} · ${camera.resolution_width}×${camera.resolution_height}${held?.daily_rate_gb ? ` · ${t('dashboard.aDay', { size: showGB(held.daily_rate_gb) })}` : ''}`}</span>
              {missing ? <span className="problem">{t('storage.cameraLost', { name: missing.name })}</span> : null}
              {share === null ? null : <span className={`recorded ${share < 99 ? 'warn' : ''}`} title={t('health.recordedHint')}>{t('health.recorded', { percent: showNumber(flooredShare(share), 2) })}</span>}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
