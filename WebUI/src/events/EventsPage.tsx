import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { api, type Query } from '../core/api';
import { shortcut } from '../core/keys';
import { setPref, usePrefs } from '../core/prefs';
import { invalidate } from '../core/query';
import { isAdmin, mayReplay, useUser } from '../core/session';
import { Store, useStore } from '../core/store';
import type { NVREvent } from '../core/types';
import { count, t } from '../i18n';
import { useQueryItems } from '../app/router';
import { useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Choice, Empty, Problem, Spinner, useTitle } from '../ui/Bits';
import { complain, undoable } from '../ui/Toasts';
import { EventCard } from './EventCard';
import { EventFilters } from './EventFilters';
import { EventViewer } from './EventViewer';
import { ExportEvents } from './ExportEvents';
import { allFilters, eventQuery } from './filters';
import { HoldDialog } from './HoldDialog';
import { pagesOf, revealingRow, windowOf } from './virtual';
import { PAGE, useEvents } from './useEvents';

/** Events that are about to be deleted and can still be taken back. */
const leaving = new Store<ReadonlySet<number>>(new Set());
/** Where the list was left, so that who comes back finds the event among its neighbours. */
let left: { asked: string; index: number; top: number } | null = null;
/** Neighbours of an opened event that are fetched with it. */
const AROUND = 10;
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
  const { total, failure, at, indexOf, need, version, fresh, reload } = useEvents(query);
  useTitle(t('nav.events'));
  const gone = useStore(leaving);
  const [chosen, setChosen] = useState<ReadonlyMap<number, NVREvent>>(new Map());
  const [isHolding, setHolding] = useState(false);
  const [isExporting, setExporting] = useState(false);
  // The event itself: the list moves on below it when others come and go.
  const [opened, setOpened] = useState<{ event: NVREvent; index: number | null } | null>(null);
  const [stepping, setStepping] = useState<{ index: number; by: number } | null>(null);
  const [current, setCurrent] = useState(0);
  const currentID = useRef<number | null>(null);
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
  const isFirst = useRef(true);
  useEffect(() => {
    setChosen(new Map());
    if (isFirst.current && left?.asked === asked) {
      setCurrent(left.index);
      returning.current = left.top;
    } else {
      scroller.current?.scrollTo(0, 0);
      setCurrent(0);
    }
    isFirst.current = false;
    currentID.current = null;
  }, [query, asked]);

  const returning = useRef<number | null>(null);
  useLayoutEffect(() => {
    // The list has to be as long as it was.
    if (returning.current === null || !total || box.height === 0) return;
    scroller.current?.scrollTo(0, returning.current);
    returning.current = null;
  }, [total, box.height]);
  const leavingAt = useRef({ asked, index: current, top: box.top });
  leavingAt.current = { asked, index: current, top: box.top };
  useEffect(() => () => { left = leavingAt.current; }, []);

  const inner = Math.max(0, box.width - 24);
  const columns = view === 'grid' ? Math.max(1, Math.floor((inner + 12) / (Math.min(GRID_WIDTH, inner < 420 ? 160 : GRID_WIDTH) + 12))) : 1;
  const cell = (inner - 12 * (columns - 1)) / columns;
  const rowHeight = view === 'grid' ? Math.round(cell * 9 / 16) + 12 + (cell < 200 ? 104 : 98) : LIST_ROW;
  const rows = Math.ceil((total ?? 0) / columns);
  const shown = windowOf(rows, rowHeight, box.top, box.height || GRID_ROW);
  const first = shown.first * columns;
  const last = Math.min(total ?? 0, shown.last * columns);
  // The address names the event that is shown. One that is opened by its address alone has neighbours once its page is here.
  const shownID = opened?.event.id;
  const openedIndex = useMemo(() => opened && total !== null ? indexOf(opened.event.id) ?? opened.index : null, [opened, indexOf, version, total]);
  const around = stepping?.index ?? openedIndex;
  useEffect(() => {
    const beside = around === null ? [] : pagesOf(Math.max(0, around - AROUND), Math.min(total ?? 0, around + AROUND), PAGE);
    need([...new Set([...around === null ? [] : pagesOf(around, around + 1, PAGE), ...pagesOf(first, last, PAGE), ...beside])]);
  }, [first, last, around, need, total, version]);
  const [firstID] = useState(() => Number(items.get('event')));
  useEffect(() => {
    if (!Number.isSafeInteger(firstID) || firstID <= 0) return;
    api.get<NVREvent>(`/events/${firstID}`).then((event) => setOpened({ event, index: left?.asked === asked ? left.index : null }), (problem: unknown) => {
      complain(problem);
      change({ event: null });
    });
    // Only of the address with which the page was opened.
    // eslint-disable-next-line
  }, [firstID]);
  useEffect(() => { if (shownID !== undefined) change({ event: String(shownID) }); }, [shownID, change]);
  // What is stepped to is shown once it is here; what is about to be deleted is stepped over.
  useEffect(() => {
    if (!stepping || !opened) return;
    let { index } = stepping;
    let event = at(index);
    while (event && gone.has(event.id)) {
      index += stepping.by;
      event = at(index);
    }
    if (index < 0 || index >= (total ?? 0)) setStepping(null);
    else if (event) {
      setStepping(null);
      setOpened({ event, index });
      setCurrent(index);
      currentID.current = event.id;
    } else if (index !== stepping.index) setStepping({ index, by: stepping.by });
  }, [stepping, opened, at, version, total, gone]);
  // When the list has moved, the mark goes along with its event; so does the focus.
  useEffect(() => {
    const id = currentID.current;
    if (id === null || at(current)?.id === id) return;
    const index = indexOf(id);
    if (index === null) {
      currentID.current = at(current)?.id ?? null;
      return;
    }
    const hasFocus = scroller.current?.querySelector('#event-list')?.contains(document.activeElement) ?? false;
    if (hasFocus) goToNow.current(index);
    else setCurrent(index);
  }, [version, current, at, indexOf]);
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
  const open = useCallback((index: number) => {
    const event = at(index);
    if (!event) return;
    setOpened({ event, index });
    setCurrent(index);
    currentID.current = event.id;
  }, [at]);
  const openedNow = useRef(openedIndex);
  openedNow.current = stepping?.index ?? openedIndex;
  const step = useCallback((by: number) => {
    const from = openedNow.current;
    if (from === null || from + by < 0 || from + by >= (total ?? 0)) return;
    setStepping({ index: from + by, by });
  }, [total]);
  // Sorting out goes on with the next.
  const removeOne = useCallback((event: NVREvent) => {
    remove([event]);
    step(1);
  }, [remove, step]);
  const close = useCallback(() => {
    setOpened(null);
    setStepping(null);
    change({ event: null });
  }, [change]);

  // An event that is far away has to be drawn, and fetched, before it can have the focus; whoever goes elsewhere meanwhile stays there.
  const wantsFocus = useRef<{ index: number; from: Element | null } | null>(null);
  const takeFocus = () => {
    const wanted = wantsFocus.current;
    if (!wanted) return;
    const here = document.activeElement;
    const target = scroller.current?.querySelector<HTMLElement>(`[data-index="${wanted.index}"]`);
    const isElsewhere = here !== document.body && here !== wanted.from && !(scroller.current?.contains(here) ?? false);
    if (target || isElsewhere) wantsFocus.current = null;
    if (target && !isElsewhere) target.focus({ preventScroll: true });
  };
  const goTo = (index: number) => {
    const next = Math.min((total ?? 1) - 1, Math.max(0, index));
    setCurrent(next);
    currentID.current = at(next)?.id ?? null;
    const element = scroller.current;
    if (element) element.scrollTop = revealingRow(rows, rowHeight, element.scrollTop, element.clientHeight, Math.floor(next / columns));
    wantsFocus.current = { index: next, from: document.activeElement };
    takeFocus();
  };
  useEffect(takeFocus);
  const goToNow = useRef(goTo);
  goToNow.current = goTo;
  const key = (event: KeyboardEvent) => {
    const pressed = opened === null ? shortcut(event) : null;
    const here = at(current);
    switch (pressed) {
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
        // Only what is seen to have the focus.
        else if (here && scroller.current?.contains(document.activeElement)) remove([here]);
      } break;
      default: return;
    }
    event.preventDefault();
  };
  const keyNow = useRef(key);
  keyNow.current = key;
  useEffect(() => {
    const press = (event: KeyboardEvent) => keyNow.current(event);
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  const focus = useCallback((index: number) => {
    setCurrent(index);
    currentID.current = at(index)?.id ?? null;
  }, [at]);
  const seen = (cameras ?? []).filter((camera) => mayReplay(user, camera));
  // As it is now, when it is in the list: it may have ended meanwhile.
  const listed = openedIndex === null ? undefined : at(openedIndex);
  const openedEvent = opened && listed?.id === opened.event.id ? listed : opened?.event;
  const hasFilter = asked !== '{}';
  return (
    <div className="events-page">
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
                    isCurrent={index === current} canChoose open={open} choose={choose} focus={focus} />
                );
              })}
            </ul>
          </div>
        )}
      </div>
      {isHolding && chosen.size > 0 ? <HoldDialog events={[...chosen.values()]} onClose={() => setHolding(false)} onDone={() => { setHolding(false); setChosen(new Map()); }} /> : null}
      {isExporting && chosen.size > 0 ? <ExportEvents events={[...chosen.values()]} onClose={() => setExporting(false)} onDone={() => { setExporting(false); setChosen(new Map()); }} /> : null}
      {openedEvent ? <EventViewer event={openedEvent} camera={nameOf(openedEvent)} onClose={close} step={step} hasBefore={openedIndex !== null && openedIndex > 0} hasAfter={openedIndex !== null && openedIndex + 1 < (total ?? 0)} remove={removeOne} isGone={gone.has(openedEvent.id)} /> : null}
    </div>
  );
}
