import { memo, useEffect, useLayoutEffect, useRef, useState, type ReactElement } from 'react';
import { said } from '../core/said';
import { readBoxes, type Box, type StreamFacts } from '../player/frames';
import { LivePlayer, type Condition } from '../player/live';
import type { Way } from '../player/policy';
import { contain } from './geometry';

export interface Showing { condition: Condition; way: Way; facts: StreamFacts | null; /** Why there are single pictures at most. */ why: string | null }

export interface StreamViewProps {
  camera: number; stream: 'main' | 'sub'; mode: string; audio: boolean; volume: number; width: number;
  /** False stops the stream; the last picture stays. */
  active: boolean; boxes: boolean;
  /** Shown until the first picture is there. */
  poster?: HTMLCanvasElement | null;
  onShowing?: (showing: Showing) => void;
}

interface Layer { element: HTMLElement; player: LivePlayer | null }


/** A copy of what an element shows; null while it shows nothing. */
export function copyPicture(element: Element | null): HTMLCanvasElement | null {
  const size = element instanceof HTMLVideoElement ? [element.videoWidth, element.videoHeight]
    : element instanceof HTMLImageElement ? [element.naturalWidth, element.naturalHeight]
      : element instanceof HTMLCanvasElement ? [element.width, element.height] : [0, 0];
  const [width = 0, height = 0] = size;
  if (width === 0 || height === 0) return null;
  const copy = document.createElement('canvas');
  copy.width = width;
  copy.height = height;
  copy.getContext('2d')?.drawImage(element as CanvasImageSource, 0, 0);
  return copy;
}

function Boxes({ boxes, facts }: { boxes: Box[]; facts: StreamFacts | null }): ReactElement | null {
  const frame = useRef<HTMLDivElement>(null);
  const [area, setArea] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setArea({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const rect = contain(area, facts && facts.height > 0 ? facts.width / facts.height : 16 / 9);
  return (
    <div ref={frame} className="boxes" aria-hidden="true">
      {boxes.map((box, index) => (
        <div key={index} className="box" style={{
          left: rect.x + box.x * rect.width, top: rect.y + box.y * rect.height, width: box.width * rect.width, height: box.height * rect.height,
        }}>{box.label ? <span>{box.label}{box.score === undefined ? '' : ` ${Math.round(box.score * 100)} %`}</span> : null}</div>
      ))}
    </div>
  );
}

/** What a tile showed when it was chosen, so that the large view does not begin black. */
let kept: { camera: number; picture: HTMLCanvasElement } | null = null;
export function keepPicture(camera: number, frame: Element | null): void {
  const picture = copyPicture(frame?.querySelector('.layer:not(.waiting) .picture') ?? null);
  kept = picture ? { camera, picture } : null;
}
export const keptPicture = (camera: number): HTMLCanvasElement | null => kept?.camera === camera ? kept.picture : null;

/** One camera, live. Another stream takes over only when its first picture is there. */
export const StreamView = memo(function StreamView(props: StreamViewProps): ReactElement {
  const { camera, stream, mode, audio, volume, width, active, boxes: showsBoxes, poster, onShowing } = props;
  const host = useRef<HTMLDivElement>(null);
  const layers = useRef<Layer[]>([]);
  const [facts, setFacts] = useState<StreamFacts | null>(null);
  const [boxes, setBoxes] = useState<Box[]>([]);
  const showing = useRef<Showing>({ condition: 'connecting', way: 'webcodecs', facts: null, why: null });
  const tell = useRef(onShowing);
  tell.current = onShowing;
  const volumeNow = useRef(volume);
  volumeNow.current = volume;

  // Before anything is painted: a poster has to be there at once.
  useLayoutEffect(() => {
    if (!active || !host.current) return undefined;
    const report = (change: Partial<Showing>) => {
      showing.current = { ...showing.current, ...change };
      tell.current?.(showing.current);
    };
    const element = document.createElement('div');
    element.className = 'layer waiting';
    host.current.append(element);
    if (poster && layers.current.length === 0) {
      const still = document.createElement('div');
      still.className = 'layer';
      poster.classList.add('picture');
      still.append(poster);
      host.current.prepend(still);
      layers.current.push({ element: still, player: null });
    }
    const player = new LivePlayer(element, { camera, stream, audio, volume: volumeNow.current, mode, width }, {
      condition: (condition, way) => report({ condition, way }),
      info: (found) => {
        setFacts(found);
        report({ facts: found, why: null });
      },
      unplayable: (facts) => report({ why: said(facts, 'reason') }),
      motion: (motion) => setBoxes(motion.active ? readBoxes(motion.boxes) : []),
      first: () => {
        element.classList.remove('waiting');
        for (const old of layers.current.filter((layer) => layer.player !== player)) remove(old);
        layers.current = layers.current.filter((layer) => layer.player === player);
      },
    });
    const layer: Layer = { element, player };
    layers.current.push(layer);
    return () => {
      // What was shown stays until the next has a picture; of several that never had one, only the newest is kept.
      const copy = copyPicture(player.element);
      if (copy && !element.classList.contains('waiting')) {
        player.stop();
        copy.className = 'picture';
        element.replaceChildren(copy);
        layer.player = null;
      } else {
        remove(layer);
        layers.current = layers.current.filter((one) => one !== layer);
      }
      setBoxes([]);
    };
  }, [camera, stream, mode, audio, width, active, poster]);

  useEffect(() => { for (const { player } of layers.current) player?.setVolume(volume); }, [volume]);
  useEffect(() => () => {
    for (const layer of layers.current) remove(layer);
    layers.current = [];
  }, []);

  return (
    <div className="stream" data-camera={camera}>
      <div className="layers" ref={host} />
      {showsBoxes && boxes.length > 0 ? <Boxes boxes={boxes} facts={facts} /> : null}
    </div>
  );
});

function remove(layer: Layer): void {
  layer.player?.stop();
  layer.element.remove();
}
