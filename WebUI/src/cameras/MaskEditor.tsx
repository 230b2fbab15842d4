import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import { isShutOut } from '../core/api';
import type { Camera } from '../core/types';
import { showNumber } from '../core/time';
import { t } from '../i18n';
import { readBoxes } from '../player/frames';
import { useEventStatus } from '../live/state';
import { Button } from '../ui/Button';
import { area, clamped, insertPoint, isSimple, isUsable, masksText, middle, MOST_POLYGONS, movePoint, movePolygon, parseMasks, removePoint, startingPolygon, type Point, type Polygon } from './polygon';

/** A picture of the camera without its masks, renewed every second; empty while there is none. */
function useRawPicture(camera: number): string {
  const [url, setURL] = useState('');
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout>;
    let held = '';
    const next = async () => {
      try {
        const answer = isShutOut.value ? null : await fetch(`/api/cameras/${camera}/frame?raw=true&width=1280`, { cache: 'no-store' });
        if (answer?.ok) {
          const made = URL.createObjectURL(await answer.blob());
          if (isOver) URL.revokeObjectURL(made);
          else {
            setURL(made);
            const old = held;
            held = made;
            if (old) setTimeout(() => URL.revokeObjectURL(old), 500);
          }
        }
      } catch { /* The next second brings another try. */ }
      if (!isOver) timer = setTimeout(() => { void next(); }, 1000);
    };
    void next();
    return () => {
      isOver = true;
      clearTimeout(timer);
      if (held) URL.revokeObjectURL(held);
    };
  }, [camera]);
  return url;
}

type Drag = { kind: 'corner'; index: number } | { kind: 'whole'; from: Point } | null;

/** Draws areas in which motion does not count, on the picture as the camera sees it, with what moves now. */
export function MaskEditor({ camera, text, error, onText }: { camera: Camera; text: unknown; error: string | undefined; onText: (text: string) => void }): ReactElement {
  const polygons = useMemo(() => parseMasks(text), [text]);
  const [chosen, setChosen] = useState<number | null>(null);
  const [drawn, setDrawn] = useState<Point[] | null>(null);
  const [pointer, setPointer] = useState<Point | null>(null);
  const drag = useRef<Drag>(null);
  const stage = useRef<HTMLDivElement>(null);
  const url = useRawPicture(camera.id);
  const motion = useEventStatus(700)?.live_motion[camera.id];
  const boxes = useMemo(() => {
    if (!motion?.ai_metadata) return [];
    try { return readBoxes((JSON.parse(motion.ai_metadata) as { boxes?: unknown }).boxes); } catch { return []; }
  }, [motion?.ai_metadata]);
  const aspect = camera.resolution_width > 0 && camera.resolution_height > 0 ? camera.resolution_width / camera.resolution_height : 16 / 9;

  const put = (next: Polygon[]) => onText(masksText(next));
  const replace = (index: number, polygon: Polygon) => put(polygons.map((old, at) => at === index ? polygon : old));
  const at = (event: { clientX: number; clientY: number }): Point => {
    const rect = stage.current!.getBoundingClientRect();
    return [Math.min(1, Math.max(0, (event.clientX - rect.left) / rect.width)), Math.min(1, Math.max(0, (event.clientY - rect.top) / rect.height))];
  };
  const finish = () => {
    if (drawn && isUsable(drawn)) {
      put([...polygons, drawn]);
      setChosen(polygons.length);
    }
    setDrawn(null);
  };
  const remove = (index: number) => {
    put(polygons.filter((_, place) => place !== index));
    setChosen(null);
  };
  const press = (event: PointerEvent<HTMLDivElement>) => {
    const point = at(event);
    if (drawn) {
      const first = drawn[0];
      const rect = stage.current!.getBoundingClientRect();
      const near = first && drawn.length >= 3 && Math.hypot((first[0] - point[0]) * rect.width, (first[1] - point[1]) * rect.height) < 14;
      if (near) finish();
      else setDrawn([...drawn, clamped(point)]);
      return;
    }
    const mark = (event.target as Element).closest<HTMLElement | SVGElement>('[data-kind]');
    const kind = mark?.dataset['kind'];
    const index = Number(mark?.dataset['index']);
    if (kind === 'corner') drag.current = { kind, index };
    else if (kind === 'edge' && chosen !== null) {
      replace(chosen, insertPoint(polygons[chosen]!, index, point));
      drag.current = { kind: 'corner', index: index + 1 };
    } else if (kind === 'area') {
      setChosen(index);
      drag.current = { kind: 'whole', from: point };
    } else setChosen(null);
    if (drag.current) event.currentTarget.setPointerCapture(event.pointerId);
  };
  const slide = (event: PointerEvent<HTMLDivElement>) => {
    const point = at(event);
    if (drawn) return setPointer(point);
    const held = drag.current;
    if (!held || chosen === null || !polygons[chosen]) return undefined;
    if (held.kind === 'corner') replace(chosen, movePoint(polygons[chosen]!, held.index, point));
    else {
      replace(chosen, movePolygon(polygons[chosen]!, point[0] - held.from[0], point[1] - held.from[1]));
      held.from = point;
    }
    return undefined;
  };
  /** Focus on a mark, once it is drawn. */
  const focusOn = (kind: string, index: number) => requestAnimationFrame(() => stage.current?.querySelector<HTMLElement | SVGElement>(`[data-kind="${kind}"][data-index="${index}"]`)?.focus());
  /** Without a pointer an area begins as a rectangle in the middle, whose corners are moved. */
  const beginByKeys = () => {
    put([...polygons, startingPolygon]);
    setChosen(polygons.length);
    focusOn('corner', 0);
  };
  const key = (event: KeyboardEvent) => {
    if (drawn) {
      if (event.key === 'Enter') finish();
      else if (event.key === 'Escape') setDrawn(null);
      else return;
      event.preventDefault();
      return;
    }
    const step = event.shiftKey ? 0.05 : 0.01;
    const moves: Record<string, Point> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const target = (event.target as Element).closest<HTMLElement | SVGElement>('[data-kind]');
    const polygon = chosen === null ? undefined : polygons[chosen];
    if (!target || chosen === null || !polygon) return;
    const index = Number(target.dataset['index']);
    const move = moves[event.key];
    const isPress = event.key === 'Enter' || event.key === ' ';
    const isDeletion = event.key === 'Delete' || event.key === 'Backspace';
    if (target.dataset['kind'] === 'corner') {
      const [x, y] = polygon[index]!;
      if (move) replace(chosen, movePoint(polygon, index, [x + move[0], y + move[1]]));
      else if (isDeletion) {
        replace(chosen, removePoint(polygon, index));
        focusOn('corner', Math.max(0, Math.min(index, polygon.length - 2)));
      } else return;
    } else if (target.dataset['kind'] === 'edge' && isPress) {
      replace(chosen, insertPoint(polygon, index, middle(polygon[index]!, polygon[(index + 1) % polygon.length]!)));
      focusOn('corner', index + 1);
    } else if (target.dataset['kind'] === 'area') {
      if (move) replace(chosen, movePolygon(polygon, move[0], move[1]));
      else if (isPress) focusOn('corner', 0);
      else if (isDeletion) remove(chosen);
      else return;
    } else return;
    event.preventDefault();
  };
  const twice = (event: { target: EventTarget }) => {
    const mark = (event.target as Element).closest<HTMLElement>('[data-kind="corner"]');
    if (mark && chosen !== null) replace(chosen, removePoint(polygons[chosen]!, Number(mark.dataset['index'])));
  };
  const outline = (points: readonly Point[]) => points.map(([x, y]) => `${x},${y}`).join(' ');
  const current = chosen === null ? undefined : polygons[chosen];
  return (
    <div className="mask-editor">
      <div className="row">
        {drawn ? (
          <>
            <Button kind="primary" icon="check" disabled={!isUsable(drawn)} onClick={finish}>{t('mask.finish')}</Button>
            <Button onClick={() => setDrawn(null)}>{t('action.cancel')}</Button>
          </>
        ) : (
          <Button icon="plus" id="add-mask" disabled={polygons.length >= MOST_POLYGONS} onClick={(event) => { if (event.detail === 0) return beginByKeys(); setChosen(null); setDrawn([]); return undefined; }}>{t('mask.add')}</Button>
        )}
        {current && chosen !== null && !drawn ? <Button icon="trash" kind="danger" onClick={() => remove(chosen)}>{t('mask.delete')}</Button> : null}
        <span className="soft">{drawn ? t('mask.drawHint') : t('mask.hint')}</span>
      </div>
      <div ref={stage} className={`mask-stage${drawn ? ' drawing' : ''}`} style={{ aspectRatio: String(aspect), maxWidth: `calc(66vh * ${aspect})` }} onKeyDown={key}
        onPointerDown={press} onPointerMove={slide} onPointerUp={() => { drag.current = null; }} onPointerCancel={() => { drag.current = null; }} onDoubleClick={twice}>
        {url ? <img src={url} alt={t('mask.picture', { name: camera.name })} draggable={false} /> : <span className="tile-note">{t('live.noPicture')}</span>}
        <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="group" aria-label={t('tab.masks')}>
          {boxes.map((box, index) => <rect key={index} className="motion-box" x={box.x} y={box.y} width={box.width} height={box.height} />)}
          {polygons.map((polygon, index) => (
            <polygon key={index} data-kind="area" data-index={index} className={`mask${index === chosen ? ' chosen' : ''}${isSimple(polygon) ? '' : ' crossed'}`} points={outline(polygon)}
              tabIndex={0} role="button" aria-label={t('mask.name', { number: index + 1, share: showNumber(area(polygon) * 100, 1) })} onFocus={() => setChosen(index)} />
          ))}
          {drawn && drawn.length > 0 ? <polyline className="mask drawn" points={outline(pointer ? [...drawn, pointer] : drawn)} /> : null}
        </svg>
        {current ? current.map((point, index) => <span key={`e${index}`} data-kind="edge" data-index={index} className="handle edge" style={placed(middle(point, current[(index + 1) % current.length]!))} tabIndex={0} role="button" aria-label={t('mask.side', { number: index + 1 })} />) : null}
        {current ? current.map((point, index) => (
          <span key={`c${index}`} data-kind="corner" data-index={index} className="handle corner" style={placed(point)} tabIndex={0} role="button" aria-label={t('mask.corner', { number: index + 1 })} />
        )) : null}
        {drawn ? drawn.map((point, index) => <span key={index} className={`handle corner${index === 0 ? ' first' : ''}`} style={placed(point)} />) : null}
      </div>
      {current && !isSimple(current) ? <p className="field-error">{t('mask.crossed')}</p> : null}
      {error ? <p className="field-error" role="alert">{error}</p> : null}
    </div>
  );
}

const placed = ([x, y]: Point) => ({ left: `${x * 100}%`, top: `${y * 100}%` });
