import { useState, type ReactElement } from 'react';
import { useQuery } from '../core/query';
import { useStore } from '../core/store';
import { otherServerZone, serverZone } from '../core/time';
import type { Camera, EventLabels, Group } from '../core/types';
import { t } from '../i18n';
import { useQueryItems } from '../app/router';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { allFilters, moreFilters } from './filters';

function Select({ name, label, all, options }: { name: string; label: string; all: string; options: { value: string | number; label: string }[] }): ReactElement {
  const [items, change] = useQueryItems();
  const value = items.get(name) ?? '';
  return (
    <select aria-label={label} name={name} value={value} onChange={(event) => change({ [name]: event.target.value })}>
      <option value="">{all}</option>
      {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
      {/* What an address names and nothing has any more. */}
      {value && !options.some((option) => String(option.value) === value) ? <option value={value}>{value}</option> : null}
    </select>
  );
}

/** What of the events is shown: kept in the page's address. The rarer choices are a row of their own. */
export function EventFilters({ cameras, children }: { cameras: Camera[]; children?: ReactElement }): ReactElement {
  const [items, change] = useQueryItems();
  const groups = useQuery<Group[]>('/groups?limit=1000').data ?? [];
  const found = useQuery<EventLabels>('/events/filters', 60_000).data;
  const hasMore = moreFilters.some((name) => items.has(name));
  const [isOpen, setOpen] = useState(hasMore);
  const isFiltered = allFilters.some((name) => items.has(name));
  useStore(serverZone);
  // Days and times of day are asked of the server, which counts them by its own clock.
  const elsewhere = ['date', 'from', 'to'].some((name) => items.has(name)) ? otherServerZone() : undefined;
  const seen = new Set(cameras.map((camera) => camera.id));
  const ofMine = groups.filter((group) => group.cameras.some((camera) => seen.has(camera.id)));
  const time = (name: 'from' | 'to', label: string) => <label className="time-filter"><span>{label}</span><input type="time" name={name} value={items.get(name) ?? ''} onChange={(event) => change({ [name]: event.target.value })} /></label>;
  return (
    <>
      <header className="events-bar">
        <h1>{t('nav.events')}</h1>
        <Select name="camera" label={t('events.camera')} all={t('live.allCameras')} options={cameras.map((camera) => ({ value: camera.id, label: camera.name }))} />
        <Select name="kind" label={t('events.kind')} all={t('events.allKinds')} options={(['motion', 'continuous', 'manual'] as const).map((kind) => ({ value: kind, label: t(`events.${kind}`) }))} />
        <input type="date" aria-label={t('events.day')} name="date" value={items.get('date') ?? ''} onChange={(event) => change({ date: event.target.value })} />
        <Button kind="quiet" icon="filter" id="more-filters" label={t('events.moreFilters')} aria-expanded={isOpen} aria-pressed={hasMore} onClick={() => setOpen(!isOpen)} />
        {isFiltered ? <Button kind="quiet" icon="close" id="clear-filters" label={t('events.clear')} onClick={() => change(Object.fromEntries(allFilters.map((name) => [name, null])))} /> : null}
        <span className="spring" />
        {children}
      </header>
      {isOpen ? (
        <div className="events-bar more" role="group" aria-label={t('events.moreFilters')}>
          {ofMine.length > 0 || items.has('group') ? <Select name="group" label={t('events.group')} all={t('events.allGroups')} options={ofMine.map((group) => ({ value: group.id, label: group.name }))} /> : null}
          <Select name="type" label={t('events.medium')} all={t('events.allMedia')} options={[{ value: 'video', label: t('events.videos') }, { value: 'snapshot', label: t('events.snapshots') }]} />
          {found && found.labels.length > 0 || items.has('label') ? <Select name="label" label={t('events.label')} all={t('events.allLabels')} options={(found?.labels ?? []).map((label) => ({ value: label, label }))} /> : null}
          {found && found.zones.length > 0 || items.has('zone') ? <Select name="zone" label={t('events.zone')} all={t('events.allZones')} options={(found?.zones ?? []).map((zone) => ({ value: zone, label: zone }))} /> : null}
          <span className="time-range" role="group" aria-label={t('events.timeOfDay')} title={t('events.timeOfDayHint')}>{time('from', t('events.timeFrom'))}{time('to', t('events.timeTo'))}</span>
        </div>
      ) : null}
      {elsewhere ? <p className="note" id="server-days"><Icon name="info" /><span>{t('events.serverDays', { zone: elsewhere })}</span></p> : null}
    </>
  );
}
