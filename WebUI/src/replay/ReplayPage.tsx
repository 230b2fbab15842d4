import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { api, withQuery } from '../core/api';
import { shortcut } from '../core/keys';
import { copyText } from '../core/clipboard';
import { usePrefs } from '../core/prefs';
import { mayReplay, useUser } from '../core/session';
import { useStore } from '../core/store';
import type { Camera } from '../core/types';
import { localText, momentOf, showDay, showNumber, showTime } from '../core/time';
import { said } from '../core/said';
import { present } from '../core/now';
import { count, t, words } from '../i18n';
import { href, usePlace, useQueryItems } from '../app/router';
import { bestColumns } from '../live/geometry';
import { StreamView } from '../live/StreamView';
import { useCameras } from '../live/state';
import { useFullScreen } from '../live/useFullScreen';
import { Button } from '../ui/Button';
import { Empty, Problem, Spinner, useTitle } from '../ui/Bits';
import { Icon } from '../ui/Icon';
import { attempt, complain, toast } from '../ui/Toasts';
import { RATES, shuttle } from './clock';
import { ExportDialog } from './ExportDialog';
import type { Film, FilmState } from './film';
import { HOUR, MINUTE, revealing, held, lengthOf, zoomed, type Span, type View } from './geometry';
import { Timeline } from './Timeline';
import { readTimeline, type Answer, type Facts } from './lanes';
import { nearestEvent } from './nearest';
import { useTimeline } from './timelineFacts';
import { useReplay } from './useReplay';

/** Cameras that play at once. */
const MOST = 9;
/** Pixels between pictures. */
const GAP = 6;

export function ReplayPage(): ReactElement {
  const user = useUser();
  const { cameras, failure, refresh } = useCameras(10_000);
  if (!cameras) return <div className="page">{failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />}</div>;
  const seen = cameras.filter((camera) => mayReplay(user, camera));
  if (seen.length === 0) return <div className="page"><Empty icon="replay" title={t('replay.noCameras')} /></div>;
  return <Player cameras={seen} />;
}

/** A range in an address: seconds since 1970 UTC, from and to. */
const rangeText = (range: Span): string => `${(range.start / 1000).toFixed(1)}-${(range.end / 1000).toFixed(1)}`;
function readRange(text: string | null): Span | null {
  const found = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text ?? '');
  const range = found ? { start: Number(found[1]) * 1000, end: Number(found[2]) * 1000 } : null;
  return range && range.end > range.start && range.end < 8.64e15 ? range : null;
}

function Player({ cameras }: { cameras: Camera[] }): ReactElement {
  const { query } = usePlace();
  const [, change] = useQueryItems();
  const listed = query.get('cameras');
  const chosen = useMemo(() => {
    const ids = (listed ?? '').split(',').map(Number);
    const found = ids.map((id) => cameras.find((camera) => camera.id === id)).filter((camera): camera is Camera => camera !== undefined).slice(0, MOST);
    return found.length > 0 ? found : cameras.slice(0, 1);
  }, [listed, cameras]);
  const ids = useMemo(() => chosen.map((camera) => camera.id), [chosen]);
  useTitle(t('nav.replay'));
  const [asked] = useState(() => readRange(query.get('range')));
  const [begin] = useState(() => {
    const seconds = Number(query.get('t'));
    return seconds > 0 ? seconds * 1000 : asked?.start ?? null;
  });
  const [view, setView] = useState<View>(() => {
    if (asked) return held({ start: asked.start - lengthOf(asked) * 0.5, end: asked.end + lengthOf(asked) * 0.5 }, present());
    const middle = begin ?? present();
    return held({ start: middle - HOUR / 2, end: middle + HOUR / 2 }, present());
  });
  const [width, setWidth] = useState(0);
  const { facts, failure } = useTimeline(ids, view, width);
  const factsNow = useRef<Facts | null>(null);
  factsNow.current = facts;
  const resumes = useCallback((time: number) => {
    const starts = [...factsNow.current?.lanes.values() ?? []].flatMap((lane) => lane.footage.filter((span) => span.end > time).map((span) => Math.max(span.start, time + 1)));
    return starts.length > 0 ? Math.min(...starts) : null;
  }, []);
  const replay = useReplay(ids, begin, resumes);
  const { seek, play, pause, toggle, setRate, step, goLive, position, isLive, films } = replay;
  const isPlaying = useStore(replay.isPlaying);
  const rate = useStore(replay.rate);
  const [scrub, setScrub] = useState<number | null>(null);
  const [isSelecting, setSelecting] = useState(false);
  const [selection, setSelection] = useState<Span | null>(asked);
  // The range that is chosen has an address, too; it is written when it stays as it is.
  useEffect(() => {
    const timer = setTimeout(() => change({ range: selection && lengthOf(selection) > 0 ? rangeText(selection) : null }), 400);
    return () => clearTimeout(timer);
  }, [selection, change]);
  const [isExporting, setExporting] = useState(false);
  const [hasSound, setSound] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const { isFull, toggle: toggleFull, canBe } = useFullScreen(root);
  const onView = useCallback((next: (view: View) => View) => setView((old) => next(old)), []);

  // What plays stays in sight; who has moved the timeline away looks at something else.
  useEffect(() => {
    if (begin !== null && !isLive) play();
    // Only once, when the page is opened at a time.
    // eslint-disable-next-line
  }, []);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!isPlaying && !isLive) return;
      const now = position();
      setView((old) => now > old.start && now < old.end ? held(revealing(old, now, isLive ? 0.2 : 0.1), present()) : old);
    }, 500);
    return () => clearInterval(timer);
  }, [isPlaying, isLive, position]);
  useEffect(() => {
    for (const [index, film] of [...films.values()].entries()) film.element.muted = !(hasSound && index === 0);
  }, [films, hasSound]);

  const goTo = useCallback((time: number) => {
    if (time > present() - 1500) return goLive();
    seek(time);
    change({ t: (time / 1000).toFixed(1) });
    setView((old) => held(revealing(old, time), present()));
    return undefined;
  }, [seek, goLive, change]);
  const jump = useCallback(async (direction: 1 | -1) => {
    const ask = async ({ start, end }: Span) => readTimeline(await api.get<Answer>('/timeline', { cameras: ids.join(), start: (start / 1000).toFixed(3), end: (end / 1000).toFixed(3) }));
    try {
      // Who has just come to an event wants the one before it.
      const found = await nearestEvent(ask, position() + (direction > 0 ? 500 : -2500), direction, present());
      if (found === null) {
        toast(t(direction > 0 ? 'replay.noNext' : 'replay.noPrevious'), 'plain');
        return;
      }
      goTo(found);
      play();
    } catch (problem) { complain(problem); }
  }, [ids, position, goTo, play]);
  const onScrub = useCallback((time: number | null) => {
    if (time !== null) {
      pause();
      setScrub(time);
      return;
    }
    setScrub((last) => {
      if (last !== null) queueMicrotask(() => goTo(last));
      return null;
    });
  }, [pause, goTo]);
  const shift = useCallback((direction: 1 | -1) => {
    if (isLive) seek(present() - 3000);
    setRate(shuttle(rate, isPlaying, direction));
    play();
  }, [isLive, seek, rate, isPlaying, setRate, play]);

  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      switch (shortcut(event)) {
        case ' ': if (event.target instanceof Element && event.target.closest('button, a, summary, input')) return; toggle(); break;
        case 'k': pause(); break;
        case 'j': shift(-1); break;
        case 'l': shift(1); break;
        case ',': step(-1); break;
        case '.': step(1); break;
        case 'ArrowLeft': goTo(position() - 5000); break;
        case 'ArrowRight': goTo(position() + 5000); break;
        case 'n': void jump(1); break;
        case 'p': void jump(-1); break;
        case 'i': setSelection((old) => ({ start: position(), end: old && old.end > position() ? old.end : position() + MINUTE })); break;
        case 'o': setSelection((old) => ({ start: old && old.start < position() ? old.start : position() - MINUTE, end: position() })); break;
        case 'f': toggleFull(); break;
        case 'Escape': setSelection(null); setSelecting(false); break;
        default: return;
      }
      event.preventDefault();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, [toggle, pause, shift, step, goTo, position, jump, toggleFull]);

  const share = async () => {
    const place: Record<string, string> = selection && lengthOf(selection) > 0 ? { range: rangeText(selection) } : isLive ? {} : { t: (position() / 1000).toFixed(1) };
    await attempt(() => copyText(`${location.origin}${href('/replay')}?${new URLSearchParams({ cameras: ids.join(','), ...place }).toString()}`), t('live.linkCopied'));
  };
  const pick = (camera: Camera, isOn: boolean) => {
    const next = isOn ? [...ids, camera.id].slice(-MOST) : ids.filter((id) => id !== camera.id);
    if (next.length > 0) change({ cameras: next.join(',') });
  };
  return (
    <div className="replay" ref={root}>
      <header className="replay-bar">
        <h1 className="visually-hidden">{t('nav.replay')}</h1>
        <details className="picker" id="replay-cameras">
          <summary className="button"><Icon name="cameras" /><span>{chosen.length === 1 ? chosen[0]!.name : count('cameras.count', chosen.length)}</span></summary>
          <div className="picker-list" role="group" aria-label={t('nav.cameras')}>
            {cameras.map((camera) => (
              <label key={camera.id} className="check"><input type="checkbox" checked={ids.includes(camera.id)} disabled={!ids.includes(camera.id) && ids.length >= MOST} onChange={(event) => pick(camera, event.target.checked)} /> {camera.name}</label>
            ))}
          </div>
        </details>
        <GoTo time={replay.time} goTo={(time) => { goTo(time); setView((old) => held({ start: time - lengthOf(old) / 2, end: time + lengthOf(old) / 2 }, present())); }} />
        <span className="spring" />
        <Button kind="quiet" icon="link" label={t('replay.share')} onClick={share} />
        {canBe ? <Button kind="quiet" icon={isFull ? 'shrink' : 'expand'} label={t(isFull ? 'live.leaveFull' : 'live.full')} onClick={toggleFull} /> : null}
      </header>
      <Pictures chosen={chosen} films={films} states={replay.states} isLive={isLive} scrub={scrub} facts={facts} position={position} time={replay.time} />
      <div className="replay-controls" role="toolbar" aria-label={t('replay.controls')}>
        <TimeShown time={replay.time} isLive={isLive} scrub={scrub} />
        <span className="control-group">
          <Button kind="quiet" icon="rewind" label={t('replay.previousEvent')} className="wide-only" onClick={() => jump(-1)} />
          <Button kind="quiet" icon="stepBack" label={t('replay.frameBack')} onClick={() => step(-1)} />
          <Button kind="primary" icon={isPlaying || isLive ? 'pause' : 'play'} id="play" label={t(isPlaying || isLive ? 'replay.pause' : 'replay.play')} onClick={toggle} />
          <Button kind="quiet" icon="stepForward" label={t('replay.frameForward')} onClick={() => step(1)} />
          <Button kind="quiet" icon="forward" label={t('replay.nextEvent')} className="wide-only" onClick={() => jump(1)} />
        </span>
        <select aria-label={t('replay.speed')} className="speed" value={rate} disabled={isLive} onChange={(event) => setRate(Number(event.target.value))}>
          {RATES.map((one) => <option key={one} value={one}>{showNumber(one, 2)}×</option>)}
          {rate < 0 ? <option value={rate}>{showNumber(rate, 2)}×</option> : null}
        </select>
        <Button kind={isLive ? 'danger' : 'plain'} className={`live-button${isLive ? ' on' : ''}`} aria-pressed={isLive} id="go-live" onClick={() => { goLive(); change({ t: null }); setView((old) => held({ start: present() - lengthOf(old) * 0.7, end: present() + lengthOf(old) * 0.3 }, present())); }}>{t('nav.live')}</Button>
        <Button kind="quiet" icon={hasSound ? 'sound' : 'mute'} label={t(hasSound ? 'live.soundOff' : 'live.soundOn')} aria-pressed={hasSound} onClick={() => setSound(!hasSound)} />
        <span className="spring" />
        <Button kind="quiet" icon="zoomOut" label={t('replay.wider')} className="wide-only" onClick={() => setView((old) => zoomed(old, 0.5, position(), present()))} />
        <Button kind="quiet" icon="zoomIn" label={t('replay.closer')} className="wide-only" onClick={() => setView((old) => zoomed(old, 2, position(), present()))} />
        <Button icon="edit" className="terse" aria-pressed={isSelecting} id="select-range" onClick={() => { setSelecting(!isSelecting); if (isSelecting) setSelection(null); }}>{t('replay.select')}</Button>
        <Button icon="download" className="terse" id="export" disabled={!selection || selection.end - selection.start < 500} onClick={() => setExporting(true)}>{t('action.export')}</Button>
      </div>
      {failure && !facts ? <p className="problem timeline-problem" role="alert">{t('replay.noTimeline')}</p> : null}
      <Timeline cameras={chosen} facts={facts} view={view} onView={onView} onWidth={setWidth} position={() => scrub ?? position()} onSeek={(time) => { goTo(time); if (!isPlaying) play(); }} onScrub={onScrub}
        isSelecting={isSelecting} selection={selection} onSelection={setSelection} />
      {isExporting && selection ? <ExportDialog cameras={chosen} range={selection} onClose={() => setExporting(false)} /> : null}
    </div>
  );
}

function TimeShown({ time, isLive, scrub }: { time: { value: number } & Parameters<typeof useStore<number>>[0]; isLive: boolean; scrub: number | null }): ReactElement {
  const now = useStore(time);
  const shown = scrub ?? now;
  return <p className="time-shown" id="replay-time" data-time={Math.round(shown)}><strong>{isLive ? t('nav.live') : showTime(shown)}</strong><span className="soft">{showDay(shown)}</span></p>;
}

function GoTo({ time, goTo }: { time: Parameters<typeof useStore<number>>[0]; goTo: (time: number) => void }): ReactElement {
  const [text, setText] = useState('');
  const go = () => {
    const moment = momentOf(text);
    if (Number.isNaN(moment) || moment > present()) toast(t('replay.badTime'), 'bad');
    else goTo(moment);
  };
  return (
    <form className="go-to" onSubmit={(event) => { event.preventDefault(); go(); }}>
      <input type="datetime-local" step="1" aria-label={t('replay.goTo')} name="time" value={text} max={localText(present())} onFocus={() => { if (!text) setText(localText(time.value)); }} onChange={(event) => setText(event.target.value)} />
      <Button type="submit">{t('replay.go')}</Button>
    </form>
  );
}

interface PicturesProps {
  chosen: Camera[]; films: ReadonlyMap<number, Film>; states: Parameters<typeof useStore<ReadonlyMap<number, FilmState>>>[0]; isLive: boolean; scrub: number | null; facts: Facts | null; position: () => number;
  time: Parameters<typeof useStore<number>>[0];
}

function Pictures({ chosen, films, states, isLive, scrub, facts, position, time }: PicturesProps): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const now = useStore(states);
  const { volume, boxes } = usePrefs();
  useStore(time);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => { if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height }); });
    if (frame.current) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  const columns = bestColumns(chosen.length, size, 16 / 9, GAP, 100);
  const rows = Math.ceil(chosen.length / columns);
  const width = chosen.length === 1 ? size.width : Math.min((size.width - GAP * (columns - 1)) / columns, ((size.height - GAP * (rows - 1)) / rows) * 16 / 9);
  const cause = (camera: number): string | null => {
    const at = position();
    const gap = facts?.lanes.get(camera)?.gaps.find((one) => at >= one.start && at < one.end);
    return gap ? said(gap, 'reason') ?? words(`gap.${gap.cause}`, gap.cause) : null;
  };
  return (
    <div className="replay-pictures" ref={frame}>
      {size.width > 0 ? (
        <div className="live-grid" style={chosen.length === 1 ? { width: size.width, height: size.height, gridTemplateColumns: '100%', gridTemplateRows: '100%' } : { gridTemplateColumns: `repeat(${columns}, ${Math.floor(width)}px)` }}>
          {chosen.map((camera) => {
            const film = films.get(camera.id);
            const state = isLive ? 'live' : now.get(camera.id) ?? 'loading';
            return (
              <article key={camera.id} className={`tile${chosen.length === 1 ? ' alone' : ''}`} aria-label={camera.name} data-camera={camera.id} data-state={state}>
                {isLive ? <StreamView camera={camera.id} stream={chosen.length === 1 ? 'main' : 'sub'} mode={camera.live_view_mode} audio={false} volume={volume} width={1280} active={camera.status === 'CONNECTED'} boxes={boxes} />
                  : film ? <FilmView film={film} isHidden={state === 'gap'} /> : null}
                {scrub !== null ? <Scrubbed camera={camera.id} time={scrub} /> : null}
                {scrub === null && state === 'gap' ? <div className="tile-note"><strong>{t('replay.noFootage')}</strong>{cause(camera.id) ? <span>{cause(camera.id)}</span> : null}</div> : null}
                {scrub === null && state === 'unsupported' ? <div className="tile-note"><strong>{t('live.unsupported')}</strong></div> : null}
                {scrub === null && state === 'failed' ? <div className="tile-note"><strong>{t('error.title')}</strong>{film?.problem ? <span>{film.problem}</span> : null}</div> : null}
                {scrub === null && state === 'loading' ? <div className="tile-note faint"><span className="wheel" aria-hidden="true" /></div> : null}
                <div className="tile-top"><h2>{camera.name}</h2></div>
              </article>
            );
          })}
        </div>
      ) : null}
    </div>
  );
}

function FilmView({ film, isHidden }: { film: Film; isHidden: boolean }): ReactElement {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    film.element.className = 'picture';
    film.still.className = 'picture';
    host.current?.replaceChildren(film.still, film.element);
  }, [film]);
  return <div className={`layers${isHidden ? ' blank' : ''}`} ref={host} />;
}

/** Pictures while the ruler is dragged: the next is asked for when the last has come. */
function Scrubbed({ camera, time }: { camera: number; time: number }): ReactElement {
  const wanted = useRef(time);
  wanted.current = time;
  const [shown, setShown] = useState(time);
  const next = () => { if (Math.round(wanted.current / 1000) !== Math.round(shown / 1000)) setShown(wanted.current); };
  const isIdle = useRef(false);
  useEffect(() => { if (isIdle.current) { isIdle.current = false; next(); } });
  const done = () => {
    isIdle.current = true;
    next();
  };
  return <img className="picture scrubbed" alt="" src={withQuery(`/cameras/${camera}/preview.jpg`, { t: Math.round(shown / 1000), width: 640 })} onLoad={done} onError={done} />;
}
