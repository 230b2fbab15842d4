import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import { withQuery } from '../core/api';
import { showDateTime } from '../core/time';
import { said } from '../core/said';
import { present } from '../core/now';
import { t, words } from '../i18n';
import { held, lengthOf, panned, timeOf, xOf, zoomed, type Span, type View } from './geometry';
import { LANE, paint, RULER } from './paint';
import { COARSEST, type SheetPicture } from './sheets';
import { sheets } from './sheetSource';
import type { Facts } from './lanes';

export interface TimelineProps {
  cameras: readonly { id: number; name: string }[]; facts: Facts | null; view: View; onView: (change: (view: View) => View) => void; onWidth: (width: number) => void;
  /** The time shown now, read for every drawing. */
  position: () => number;
  onSeek: (time: number) => void;
  /** While the ruler is dragged, and null at the end. */
  onScrub: (time: number | null) => void;
  isSelecting: boolean; selection: Span | null; onSelection: (span: Span | null) => void;
}

/** Milliseconds after which a timeline on which nothing moves is painted anew. */
const REPAINT = 500;
/** Pixels below which the names have no column of their own. */
const NARROW = 640;

type Gesture = { kind: 'pan'; x: number; view: View; hasMoved: boolean } | { kind: 'scrub' } | { kind: 'select'; from: number } | { kind: 'edge'; other: number } | { kind: 'pinch' };

/** The timeline of cameras on a canvas: drag to move, wheel or pinch to zoom, click to go there, drag the ruler to look. */
export function Timeline(props: TimelineProps): ReactElement {
  const { cameras, facts, view, onView, onWidth, onSeek, onScrub, isSelecting, selection, onSelection } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, setWidth] = useState(0);
  const hover = useRef<number | null>(null);
  const [tip, setTip] = useState<{ x: number; left: number; top: number; time: number; camera: number | null; text: string | null } | null>(null);
  const gesture = useRef<Gesture | null>(null);
  const pointers = useRef(new Map<number, number>());
  const lane = cameras.length > 6 ? 26 : LANE;
  const height = RULER + Math.max(1, cameras.length) * lane;

  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => {
      setWidth(element.clientWidth);
      onWidth(element.clientWidth);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [onWidth]);
  useEffect(() => {
    let request = 0;
    let last: unknown[] = [];
    let painted = 0;
    const draw = (moment: number) => {
      request = requestAnimationFrame(draw);
      const { view: seen, facts: known, selection: chosen, cameras: lanes, ...now } = latest.current;
      if (!canvas.current || width === 0) return;
      const position = now.position();
      const pixel = (time: number) => Math.round(xOf(seen, width, time) * 2);
      // Painted when something has moved by half a pixel, and now and then, since colours may change.
      const shown = [seen.start, seen.end, known, chosen, lanes, hover.current, pixel(position), pixel(present())];
      if (moment - painted < REPAINT && shown.length === last.length && shown.every((value, index) => value === last[index])) return;
      last = shown;
      painted = moment;
      paint(canvas.current, {
        view: seen, width, height, laneHeight: lane, cameras: lanes.map((camera) => camera.id), facts: known, position, now: present(), hover: hover.current, selection: chosen, names: width < NARROW && lanes.length > 1 ? lanes.map((camera) => camera.name) : null,
      });
    };
    request = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(request);
  }, [width, height, lane]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const size = element.clientWidth;
      const x = event.clientX - element.getBoundingClientRect().left;
      onView((old) => {
        if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) return panned(old, ((event.deltaX || event.deltaY) / size) * lengthOf(old), present());
        return zoomed(old, Math.exp(-event.deltaY * 0.0018), timeOf(old, size, x), present());
      });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [onView]);

  const place = (event: { clientX: number; clientY: number }) => {
    const rect = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const { x, y } = place(event);
    pointers.current.set(event.pointerId, x);
    canvas.current!.setPointerCapture(event.pointerId);
    if (pointers.current.size === 2) {
      if (gesture.current?.kind === 'scrub') onScrub(null);
      gesture.current = { kind: 'pinch' };
      return;
    }
    const time = timeOf(view, width, x);
    const near = (edge: number) => Math.abs(xOf(view, width, edge) - x) < 9;
    if (selection && near(selection.start)) gesture.current = { kind: 'edge', other: selection.end };
    else if (selection && near(selection.end)) gesture.current = { kind: 'edge', other: selection.start };
    else if (isSelecting) {
      gesture.current = { kind: 'select', from: time };
      onSelection({ start: time, end: time });
    } else if (y < RULER) {
      gesture.current = { kind: 'scrub' };
      onScrub(Math.min(time, present()));
    } else gesture.current = { kind: 'pan', x, view, hasMoved: false };
  };
  const move = (event: PointerEvent) => {
    const { x, y } = place(event);
    const before = pointers.current.get(event.pointerId);
    const now = gesture.current;
    if (before === undefined || !now) {
      hover.current = event.pointerType === 'mouse' ? timeOf(view, width, x) : null;
      const row = Math.floor((y - RULER) / lane);
      const camera = cameras[row];
      const time = timeOf(view, width, x);
      const gap = camera ? facts?.lanes.get(camera.id)?.gaps.find((one) => time >= one.start && time <= one.end) : undefined;
      if (event.pointerType === 'mouse') setTip({ x, left: event.clientX - x, top: frame.current!.getBoundingClientRect().top, time, camera: camera && time < present() ? camera.id : null, text: gap ? said(gap, 'reason') ?? words(`gap.${gap.cause}`, gap.cause) : null });
      return;
    }
    pointers.current.set(event.pointerId, x);
    const time = timeOf(view, width, x);
    switch (now.kind) {
      case 'pan':
        if (Math.abs(x - now.x) > 4) now.hasMoved = true;
        if (now.hasMoved) {
          setTip(null);
          onView(() => panned(now.view, -((x - now.x) / width) * lengthOf(now.view), present()));
        }
        break;
      case 'scrub': onScrub(Math.min(time, present())); break;
      case 'select': onSelection({ start: Math.min(now.from, time), end: Math.min(Math.max(now.from, time), present()) }); break;
      case 'edge': onSelection({ start: Math.min(now.other, time), end: Math.min(Math.max(now.other, time), present()) }); break;
      case 'pinch': {
        const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
        if (other === undefined) break;
        const factor = Math.max(8, Math.abs(x - other)) / Math.max(8, Math.abs(before - other));
        const middle = (x + other) / 2;
        const shift = (x - before) / 2;
        onView((old) => panned(zoomed(old, factor, timeOf(old, width, middle), present()), -(shift / width) * lengthOf(old), present()));
        break;
      }
    }
  };
  const up = (event: PointerEvent) => {
    const { x } = place(event);
    pointers.current.delete(event.pointerId);
    const now = gesture.current;
    if (now?.kind === 'pinch' && pointers.current.size > 0) return;
    gesture.current = null;
    if (now?.kind === 'pan' && !now.hasMoved && event.type === 'pointerup') onSeek(Math.min(present(), timeOf(view, width, x)));
    if (now?.kind === 'scrub') onScrub(null);
    if (now?.kind === 'select' && Math.abs(xOf(view, width, now.from) - x) < 4) onSelection(null);
  };
  const leave = () => {
    hover.current = null;
    setTip(null);
  };
  const key = (event: KeyboardEvent) => {
    const now = props.position();
    const step = lengthOf(view) / 100;
    switch (event.key) {
      case 'PageUp': onView((old) => panned(old, -lengthOf(old) * 0.8, present())); break;
      case 'PageDown': onView((old) => panned(old, lengthOf(old) * 0.8, present())); break;
      case 'ArrowUp': onView((old) => zoomed(old, 1.5, now, present())); break;
      case 'ArrowDown': onView((old) => zoomed(old, 1 / 1.5, now, present())); break;
      case 'Home': onSeek(view.start); break;
      case 'End': onSeek(Math.min(present(), view.end)); break;
      case 'ArrowLeft': if (event.shiftKey) onSeek(now - step); else return; break;
      case 'ArrowRight': if (event.shiftKey) onSeek(Math.min(present(), now + step)); else return; break;
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const position = props.position();
  return (
    <div className="timeline">
      <div className="timeline-names" aria-hidden="true" style={{ paddingTop: RULER }}>
        {cameras.map((camera) => <span key={camera.id} style={{ height: lane }} title={camera.name}>{camera.name}</span>)}
      </div>
      <div className="timeline-frame" ref={frame}>
        <canvas ref={canvas} id="timeline" className={isSelecting ? 'selecting' : ''} style={{ height }} tabIndex={0} role="slider" aria-label={t('replay.timeline')} aria-orientation="horizontal"
          aria-valuemin={Math.round(view.start / 1000)} aria-valuemax={Math.round(held(view, present()).end / 1000)} aria-valuenow={Math.round(Math.min(view.end, Math.max(view.start, position)) / 1000)} aria-valuetext={showDateTime(position)}
          data-start={Math.round(view.start)} data-end={Math.round(view.end)} onKeyDown={key} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={up} onPointerLeave={leave} />
        {tip ? <Tip {...tip} width={width} isCoarse={(30_000 / lengthOf(view)) * width < COARSEST} /> : null}
      </div>
    </div>
  );
}

interface TipProps { x: number; left: number; top: number; time: number; camera: number | null; text: string | null; width: number; /** Whether a picture of some seconds earlier or later will do. */ isCoarse: boolean }

/** What was to be seen at the time that is pointed at: a tile of the hour's sheet where that is near enough, else a picture of its own. */
function Tip({ x, left, top, time, camera, text, width, isCoarse }: TipProps): ReactElement {
  const [single, setSingle] = useState<{ camera: number; second: number } | null>(null);
  const [tile, setTile] = useState<SheetPicture | null>(null);
  const [isMissing, setMissing] = useState(false);
  const second = Math.round(time / 1000);
  useEffect(() => {
    setSingle(null);
    if (camera === null || text) {
      setTile(null);
      return undefined;
    }
    let isOver = false;
    // Asked when the pointer rests; a sheet that is not there yet is made meanwhile.
    const timer = setTimeout(() => {
      setMissing(false);
      setSingle({ camera, second });
    }, isCoarse ? 350 : 120);
    if (isCoarse) {
      void sheets.at(camera, second * 1000).then((found) => {
        if (isOver) return;
        setTile(found);
        if (found) clearTimeout(timer);
      });
    } else setTile(null);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [camera, second, text, isCoarse]);
  return (
    <div className="timeline-tip" style={{ left: left + Math.min(Math.max(x, 88), Math.max(88, width - 88)), top }} aria-hidden="true">
      {camera === null || text ? null : tile ? <img className="tip-tile" src={tile.url} alt="" style={{ width: tile.width, height: tile.height, objectPosition: `${-tile.x}px ${-tile.y}px` }} />
        : single && !isMissing && single.camera === camera ? <img src={withQuery(`/cameras/${single.camera}/preview.jpg`, { t: single.second, width: 320 })} alt="" onError={() => setMissing(true)} /> : null}
      <span>{showDateTime(time)}</span>
      {text ? <span className="soft">{text}</span> : null}
    </div>
  );
}
