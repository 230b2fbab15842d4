import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';
import { api, type Query } from '../core/api';
import { setPref, usePrefs } from '../core/prefs';
import { invalidate } from '../core/query';
import { isAdmin, mayReplay, useUser } from '../core/session';
import { Store, useStore } from '../core/store';
import type { NVREvent } from '../core/types';
import { count, t } from '../i18n';
import { useQueryItems } from '../app/router';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Choice, Empty, Problem, Spinner } from '../ui/Bits';
import { complain, undoable } from '../ui/Toasts';
import { EventCard } from './EventCard';
import { EventFilters } from './EventFilters';
import { EventViewer } from './EventViewer';
import { ExportEvents } from './ExportEvents';
import { allFilters, eventQuery } from './filters';
import { HoldDialog } from './HoldDialog';
import { pagesOf, windowOf } from './virtual';
import { PAGE, useEvents } from './useEvents';

/** Events that are about to be deleted and can still be taken back. */
const leaving = new Store<ReadonlySet<number>>(new Set());
const GRID_ROW = 236;
const GRID_WIDTH = 236;
const LIST_ROW = 84;

export function EventsPage(): ReactElement {
  const user = useUser();
  const { cameras } = useCameras(15_000);
  const [items, change] = useQueryItems();
  const { eventsView: view } = usePrefs();
  // As text, so that what an opened event changes in the address asks nothing anew.
  const asked = JSON.stringify(eventQuery(items));
  const query = useMemo(() => JSON.parse(asked) as Query, [asked]);
  const { total, failure, at, need, fresh, reload } = useEvents(query);
  const gone = useStore(leaving);
  const [chosen, setChosen] = useState<ReadonlyMap<number, NVREvent>>(new Map());
  const [isHolding, setHolding] = useState(false);
  const [isExporting, setExporting] = useState(false);
  const [opened, setOpened] = useState<number | null>(null);
  const [linked, setLinked] = useState<NVREvent | null>(null);
  const [current, setCurrent] = useState(0);
  const anchor = useRef(0);
  const scroller = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState({ width: 0, height: 0, top: 0 });
  const names = useMemo(() => new Map((cameras ?? []).map((camera) => [camera.id, camera.name])), [cameras]);
  const nameOf = (event: NVREvent | undefined) => event ? names.get(event.camera_id) ?? t('events.goneCamera', { id: event.camera_id }) : '';

  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const look = () => setBox({ width: element.clientWidth, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  useEffect(() => {
    if (fresh > 0 && box.top < 40 && opened === null && chosen.size === 0) reload();
  }, [fresh, box.top, opened, chosen.size, reload]);
  useEffect(() => {
    scroller.current?.scrollTo(0, 0);
    setChosen(new Map());
    setCurrent(0);
  }, [query]);

  const inner = Math.max(0, box.width - 24);
  const columns = view === 'grid' ? Math.max(1, Math.floor((inner + 12) / (Math.min(GRID_WIDTH, inner < 420 ? 160 : GRID_WIDTH) + 12))) : 1;
  const cell = (inner - 12 * (columns - 1)) / columns;
  const rowHeight = view === 'grid' ? Math.round(cell * 9 / 16) + 12 + (cell < 200 ? 104 : 98) : LIST_ROW;
  const rows = Math.ceil((total ?? 0) / columns);
  const shown = windowOf(rows, rowHeight, box.top, box.height || GRID_ROW);
  const first = shown.first * columns;
  const last = Math.min(total ?? 0, shown.last * columns);
  useEffect(() => need(pagesOf(first, last, PAGE)), [first, last, need, total]);

  // The address names the event that is shown; one that is opened by its address alone has no neighbours.
  const shownID = opened === null ? linked?.id : at(opened)?.id;
  const [firstID] = useState(() => Number(items.get('event')));
  useEffect(() => {
    if (!Number.isSafeInteger(firstID) || firstID <= 0) return;
    api.get<NVREvent>(`/events/${firstID}`).then(setLinked, (problem: unknown) => {
      complain(problem);
      change({ event: null });
    });
  }, [firstID, change]);
  useEffect(() => { if (shownID !== undefined) change({ event: String(shownID) }); }, [shownID, change]);
  const choose = useCallback((index: number, isOn: boolean, isRange: boolean) => {
    setChosen((old) => {
      const next = new Map(old);
      const [from, to] = isRange ? [Math.min(anchor.current, index), Math.max(anchor.current, index)] : [index, index];
      for (let place = from; place <= to; place += 1) {
        const event = at(place);
        if (!event) continue;
        if (isOn) next.set(event.id, event);
        else next.delete(event.id);
      }
      return next;
    });
    anchor.current = index;
  }, [at]);
  const remove = useCallback((events: NVREvent[]) => {
    const ids = events.map((event) => event.id);
    const mark = (isGone: boolean) => leaving.update((old) => new Set(isGone ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
    setChosen(new Map());
    undoable(count('events.deleted', ids.length), {
      apply: () => mark(true),
      revert: () => mark(false),
      run: async () => {
        const answer = await api.post<{ errors: string[] }>('/events/bulk-delete', { event_ids: ids });
        mark(false);
        reload();
        await invalidate('/stats');
        if (answer.errors.length > 0) throw new Error(answer.errors.join('\n'));
      },
    });
  }, [reload]);
  const removeOne = useCallback((event: NVREvent) => remove([event]), [remove]);
  const open = useCallback((index: number) => {
    setLinked(null);
    setOpened(index);
  }, []);
  const step = useCallback((by: number) => {
    setOpened((old) => {
      if (old === null) return null;
      const next = Math.min((total ?? 1) - 1, Math.max(0, old + by));
      need(pagesOf(next, next + 1, PAGE));
      setCurrent(next);
      return next;
    });
  }, [total, need]);
  const close = useCallback(() => {
    setOpened(null);
    setLinked(null);
    change({ event: null });
  }, [change]);

  const goTo = (index: number) => {
    const next = Math.min((total ?? 1) - 1, Math.max(0, index));
    setCurrent(next);
    const row = Math.floor(next / columns);
    const element = scroller.current;
    if (element) {
      const top = row * rowHeight;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
    }
    requestAnimationFrame(() => element?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus({ preventScroll: true }));
  };
  const key = (event: KeyboardEvent) => {
    if (opened !== null || (event.target as Element).closest('input:not([type=checkbox]), select, dialog')) return;
    const here = at(current);
    switch (event.key) {
      case 'ArrowRight': case 'j': goTo(current + 1); break;
      case 'ArrowLeft': case 'k': goTo(current - 1); break;
      case 'ArrowDown': goTo(current + columns); break;
      case 'ArrowUp': goTo(current - columns); break;
      case 'Home': goTo(0); break;
      case 'End': goTo((total ?? 1) - 1); break;
      case 'x': if (here) choose(current, !chosen.has(here.id), false); break;
      case 'Escape': setChosen(new Map()); break;
      case 'Delete': if (isAdmin(user)) {
        if (chosen.size > 0) remove([...chosen.values()]);
        else if (here) remove([here]);
      } break;
      default: return;
    }
    event.preventDefault();
  };
  const seen = (cameras ?? []).filter((camera) => mayReplay(user, camera));
  const openedEvent = opened === null ? linked ?? undefined : at(opened);
  const hasFilter = asked !== '{}';
  return (
    <div className="events-page" onKeyDown={key}>
      <EventFilters cameras={seen}>
        <>
          {total !== null ? <span className="soft nowrap" id="event-count">{count('events.count', total)}</span> : null}
          <Choice label={t('events.view')} value={view} onValue={(next) => setPref('eventsView', next)} options={[{ value: 'grid', label: t('events.grid'), icon: 'grid' }, { value: 'list', label: t('events.list'), icon: 'list' }]} />
        </>
      </EventFilters>
      {chosen.size > 0 ? (
        <div className="selection-bar" role="region" aria-label={t('events.selection')}>
          <span>{count('state.chosen', chosen.size)}</span>
          <span className="spring" />
          <Button small onClick={() => setChosen(new Map())}>{t('action.cancel')}</Button>
          <Button small icon="download" id="export-chosen" onClick={() => setExporting(true)}>{t('action.export')}</Button>
          {isAdmin(user) ? (
            <>
              <Button small icon="shield" id="hold-chosen" onClick={() => setHolding(true)}>{t('export.hold')}</Button>
              <Button small icon="trash" kind="danger" id="delete-chosen" onClick={() => remove([...chosen.values()])}>{t('action.delete')}</Button>
            </>
          ) : null}
        </div>
      ) : null}
      <div className="events-scroll" ref={scroller} tabIndex={-1}>
        {fresh > 0 && box.top >= 40 ? <Button kind="primary" small className="fresh" icon="up" onClick={() => { scroller.current?.scrollTo(0, 0); reload(); }}>{count('events.fresh', fresh)}</Button> : null}
        {failure && total === null ? <Problem failure={failure} retry={async () => reload()} /> : total === null ? <Spinner /> : total === 0 ? (
          <Empty icon="events" title={t(hasFilter ? 'state.nothingFound' : 'events.none')}>{hasFilter ? <Button onClick={() => change(Object.fromEntries(allFilters.map((name) => [name, null])))}>{t('events.clear')}</Button> : <p>{t('events.noneHint')}</p>}</Empty>
        ) : (
          <div className="events-space" style={{ height: shown.height }}>
            <ul id="event-list" className={`events ${view}`} aria-label={t('nav.events')} style={{ transform: `translateY(${shown.top}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight - 12}px` }}>
              {Array.from({ length: Math.max(0, last - first) }, (_, offset) => {
                const index = first + offset;
                const event = at(index);
                return (
                  <EventCard key={index} index={index} event={event} camera={nameOf(event)} view={view} isChosen={event !== undefined && chosen.has(event.id)} isGone={event !== undefined && gone.has(event.id)}
                    isCurrent={index === current} canChoose open={open} choose={choose} focus={setCurrent} />
                );
              })}
            </ul>
          </div>
        )}
      </div>
      {isHolding && chosen.size > 0 ? <HoldDialog events={[...chosen.values()]} onClose={() => setHolding(false)} onDone={() => { setHolding(false); setChosen(new Map()); }} /> : null}
      {isExporting && chosen.size > 0 ? <ExportEvents events={[...chosen.values()]} onClose={() => setExporting(false)} onDone={() => { setExporting(false); setChosen(new Map()); }} /> : null}
      {openedEvent ? <EventViewer event={openedEvent} camera={nameOf(openedEvent)} onClose={close} step={step} remove={removeOne} isGone={gone.has(openedEvent.id)} /> : null}
    </div>
  );
}
