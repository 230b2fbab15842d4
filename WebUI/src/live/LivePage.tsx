import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { setPref, usePrefs, type Layout } from '../core/prefs';
import { useQuery } from '../core/query';
import { isAdmin, useUser } from '../core/session';
import type { Camera, Group } from '../core/types';
import { copyText } from '../core/clipboard';
import { t } from '../i18n';
import { href, Link, navigate, usePlace, useQueryItems } from '../app/router';
import { Button } from '../ui/Button';
import { Empty, Problem, Spinner, useTitle } from '../ui/Bits';
import { Icon } from '../ui/Icon';
import { attempt, toast } from '../ui/Toasts';
import { useDrag } from '../ui/useDrag';
import { Enlarged } from './Enlarged';
import { bestColumns, moved, placed } from './geometry';
import { LayoutDialog } from './LayoutDialog';
import { removeLayout, saveLayout, useLayouts } from './layouts';
import { orderCameras, useCameras, useEventStatus } from './state';
import { Tile } from './Tile';
import { useAsleep } from './useAsleep';
import { useFullScreen } from './useFullScreen';
import { useWakeLock } from './useWakeLock';

/** Tiles at most; more cameras are seen by groups and layouts. */
const MOST_TILES = 64;
const GAP = 6;
const LEAST_TILE = 220;
const ASPECT = 16 / 9;
/** Chosen columns get narrower by up to a tenth where then all rows are seen. */
const GIVES_WAY = 0.9;
/** What ends a tour, and keys that alone do nothing. */
const INPUTS = ['pointerdown', 'keydown', 'wheel'] as const;
const MODIFIERS: Readonly<Record<string, true>> = { Shift: true, Control: true, Alt: true, Meta: true, AltGraph: true };

interface Choice { id: string; label: string; cameras: Camera[]; layout: Layout | null }

function useChoice(cameras: Camera[]): { choices: Choice[]; chosen: Choice } {
  const { query } = usePlace();
  const layouts = useLayouts();
  const groups = useQuery<Group[]>('/groups?limit=1000').data;
  return useMemo(() => {
    const byID = new Map(cameras.map((camera) => [camera.id, camera]));
    const pick = (ids: number[]) => ids.map((id) => byID.get(id)).filter((camera): camera is Camera => camera !== undefined);
    const choices: Choice[] = [{ id: '', label: t('live.allCameras'), cameras, layout: null }];
    for (const group of groups ?? []) {
      const ids = new Set(group.cameras.map((camera) => camera.id));
      if (ids.size > 0) choices.push({ id: `g${group.id}`, label: group.name, cameras: cameras.filter((camera) => ids.has(camera.id)), layout: null });
    }
    for (const layout of layouts) choices.push({ id: `l${layout.name}`, label: layout.name, cameras: pick(layout.cameras), layout });
    const listed = query.get('cameras');
    if (listed) {
      const own = { id: 'c', label: t('live.selection'), cameras: pick(listed.split(',').map(Number)), layout: null };
      return { choices: [...choices, own], chosen: own };
    }
    return { choices, chosen: choices.find((choice) => choice.id === query.get('view')) ?? choices[0]! };
  }, [cameras, groups, layouts, query]);
}

export function LivePage(): ReactElement {
  const { cameras, failure, refresh } = useCameras();
  if (!cameras) return <div className="page">{failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />}</div>;
  if (cameras.length === 0) return <NoCamera />;
  return <Live cameras={cameras} />;
}

function NoCamera(): ReactElement {
  const user = useUser();
  return (
    <div className="page">
      <Empty icon="cameras" title={t('live.noCameras')}>
        {isAdmin(user) ? <><p>{t('live.addFirst')}</p><Link className="button primary" id="add-first" to="/cameras/new"><Icon name="plus" /><span>{t('cameras.add')}</span></Link></> : <p>{t('live.noneForYou')}</p>}
      </Empty>
    </div>
  );
}

function Live({ cameras }: { cameras: Camera[] }): ReactElement {
  const user = useUser();
  const { segments, query } = usePlace();
  const [, changeQuery] = useQueryItems();
  const { columns: wished, volume, boxes, tourSeconds } = usePrefs();
  const { choices, chosen } = useChoice(cameras);
  const status = useEventStatus();
  const [audio, setAudio] = useState<number | null>(null);
  const [isArranging, setArranging] = useState(false);
  const isAsleep = useAsleep();
  const [editing, setEditing] = useState<Layout | null>(null);
  const area = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const { isFull, toggle: toggleFull, canBe } = useFullScreen(root);
  const [size, setSize] = useState({ width: 0, height: 0 });
  // Measured before the first painting, so that the tiles are in it.
  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return undefined;
    const style = getComputedStyle(element);
    setSize({
      width: Math.floor(element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)),
      height: Math.floor(element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom)),
    });
    const observer = new ResizeObserver(([entry]) => { if (!entry) return;
      const [width, height] = [Math.floor(entry.contentRect.width), Math.floor(entry.contentRect.height)];
      setSize((old) => old.width === width && old.height === height ? old : { width, height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const shown = chosen.cameras.slice(0, MOST_TILES);
  const tiles = shown.map((camera) => camera.id);
  const isKiosk = query.get('kiosk') === '1';
  const fixed = Number(query.get('columns')) || chosen.layout?.columns || wished;
  const isNarrow = size.width > 0 && size.width < 560;
  const columns = isNarrow ? (fixed === 2 ? 2 : 1) : fixed || bestColumns(shown.length, size, ASPECT, GAP, LEAST_TILE);
  const rows = Math.ceil(shown.length / columns);
  const widest = (size.width - GAP * (columns - 1)) / columns;
  const whole = Math.min(widest, ((size.height - GAP * (rows - 1)) / rows) * ASPECT);
  // Columns that were chosen are as wide as can be, and what is too much is scrolled to; for a little too much they rather give way.
  const fitting = isNarrow || (fixed > 0 && whole < widest * GIVES_WAY) ? widest : whole;
  const tileWidth = Math.max(Math.min(widest, LEAST_TILE), fitting);

  // Whoever goes somewhere has ended the tour.
  const path = useCallback((camera: number | null, isTouring = false) => {
    const items = new URLSearchParams(query);
    if (!isTouring) items.delete('tour');
    const text = items.toString();
    return `/live${camera === null ? '' : `/${camera}`}${text ? `?${text}` : ''}`;
  }, [query]);
  const listen = useCallback((camera: number) => setAudio((old) => old === camera ? null : camera), []);

  const reorder = useCallback(async (from: number, to: number) => {
    const order = moved(shown.map((camera) => camera.id), from, to);
    if (chosen.layout) {
      await saveLayout({ ...chosen.layout, cameras: order });
      return;
    }
    await orderCameras(placed(cameras.map((camera) => camera.id), order));
  }, [shown, chosen, cameras]);
  const drag = useDrag(isArranging, '.tile', reorder);

  const large = segments[1] === undefined ? undefined : cameras.find((camera) => String(camera.id) === segments[1]);
  useTitle(large?.name ?? t('nav.live'));
  useWakeLock(isKiosk);
  // Who comes back from the large view goes on at its tile.
  const lastLarge = useRef<number | undefined>(undefined);
  useEffect(() => {
    const before = lastLarge.current;
    lastLarge.current = large?.id;
    if (before !== undefined && large === undefined && document.activeElement === document.body) root.current?.querySelector<HTMLElement>(`.tile[data-camera="${before}"] .tile-link`)?.focus({ preventScroll: true });
  }, [large?.id, large]);
  // What lies below the large view is out of reach of the keyboard as of the eye.
  const behind = large ? { inert: '' } : {};
  const tour = query.get('tour') === '1';
  const stopTour = useCallback(() => changeQuery({ tour: null }), [changeQuery]);
  const tilesKey = tiles.join();
  useEffect(() => {
    if (!tour || tiles.length === 0) return undefined;
    const timer = setInterval(() => {
      const next = tiles[(tiles.indexOf(large?.id ?? -1) + 1) % tiles.length];
      if (next !== undefined) navigate(path(next, true), { replace: true });
    }, tourSeconds * 1000);
    return () => clearInterval(timer);
    // The list is compared by its content.
    // eslint-disable-next-line
  }, [tour, tilesKey, large?.id, path, tourSeconds]);

  // Who does something wants to look at what is there, and no more at what comes next; a wall goes on whatever brushes it.
  useEffect(() => {
    if (!tour || isKiosk) return undefined;
    const end = (event: Event) => { if (event.isTrusted && !(event instanceof KeyboardEvent && event.key in MODIFIERS)) stopTour(); };
    const options = { capture: true, passive: true };
    for (const kind of INPUTS) addEventListener(kind, end, options);
    return () => { for (const kind of INPUTS) removeEventListener(kind, end, options); };
  }, [tour, isKiosk, stopTour]);

  const kioskLink = async () => {
    const items = new URLSearchParams({ kiosk: '1', cameras: tiles.join(',') });
    if (fixed) items.set('columns', String(fixed));
    const link = `${location.origin}${href('/live')}?${items.toString()}`;
    await attempt(() => copyText(link), t('live.linkCopied'));
  };
  const remove = async () => {
    const held = chosen.layout;
    if (!held) return;
    changeQuery({ view: null });
    if (await removeLayout(held.name)) toast(t('live.layoutDeleted'), 'plain', { label: t('action.undo'), run: () => { void saveLayout(held); } });
  };
  return (
    <div className="live" ref={root}>
      {isKiosk ? null : (
        <header className="live-bar" {...behind}>
          <h1 className="visually-hidden">{t('nav.live')}</h1>
          <select aria-label={t('live.view')} value={chosen.id} onChange={(event) => changeQuery({ view: event.target.value || null, cameras: null })}>
            {choices.map((choice) => <option key={choice.id} value={choice.id}>{choice.label}</option>)}
          </select>
          <select aria-label={t('live.columns')} className="columns-choice" value={chosen.layout ? chosen.layout.columns : wished}
            onChange={(event) => {
              const value = Number(event.target.value);
              if (chosen.layout) void saveLayout({ ...chosen.layout, columns: value });
              else setPref('columns', value);
            }}>
            <option value={0}>{t('live.columnsAuto')}</option>
            {[1, 2, 3, 4, 5, 6, 8].map((number) => <option key={number} value={number}>{t('live.columnsCount', { count: number })}</option>)}
          </select>
          <span className="spring" />
          {isAdmin(user) || chosen.layout ? <Button kind="quiet" icon="move" label={t('live.arrange')} aria-pressed={isArranging} onClick={() => setArranging(!isArranging)} /> : null}
          <Button kind="quiet" icon={chosen.layout ? 'edit' : 'grid'} label={t(chosen.layout ? 'live.editLayout' : 'live.newLayout')} onClick={() => setEditing(chosen.layout ?? { name: '', cameras: tiles, columns: 0 })} />
          {chosen.layout ? <Button kind="quiet" icon="trash" label={t('live.deleteLayout')} onClick={remove} /> : null}
          <Button kind="quiet" icon="tour" label={t('live.tour')} onClick={() => { if (tiles[0] !== undefined) navigate(`/live/${tiles[0]}?${new URLSearchParams({ ...Object.fromEntries(query), tour: '1' }).toString()}`); }} />
          <Button kind="quiet" icon="link" label={t('live.kioskLink')} className="kiosk-link" onClick={kioskLink} />
          {canBe ? <Button kind="quiet" icon={isFull ? 'shrink' : 'expand'} label={t(isFull ? 'live.leaveFull' : 'live.full')} onClick={toggleFull} /> : null}
        </header>
      )}
      {isArranging ? <p className="live-hint">{t('live.arrangeHint')}</p> : null}
      <div className="live-area" ref={area} {...behind}>
        {size.width > 0 ? (
          <div className="live-grid" style={{ gridTemplateColumns: `repeat(${columns}, ${Math.floor(tileWidth)}px)` }} {...drag}>
            {shown.map((camera, index) => (
              <Tile key={camera.id} camera={camera} motion={status?.live_motion[camera.id] !== undefined} stored={status?.recorded_bytes_last_minute?.[camera.id]} suspended={large !== undefined || isAsleep} audio={audio === camera.id && !large} volume={volume}
                boxes={boxes} to={path(camera.id)} onAudio={listen} arranging={isArranging ? { index, count: shown.length, move: (from, to) => { void reorder(from, to); } } : null} />
            ))}
          </div>
        ) : null}
        {shown.length === 0 ? <Empty icon="grid" title={t('live.emptyView')} /> : null}
      </div>
      {large ? <Enlarged camera={large} motion={status?.live_motion[large.id] !== undefined} stored={status?.recorded_bytes_last_minute?.[large.id]} others={tiles.includes(large.id) ? tiles : [large.id]} path={path} isTouring={tour} stopTour={stopTour} /> : null}
      {editing ? <LayoutDialog layout={editing} taken={choices.flatMap((choice) => choice.layout && choice.layout.name !== editing.name ? [choice.layout.name] : [])} cameras={cameras} onClose={() => setEditing(null)} /> : null}
    </div>
  );
}
