import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { bounded, NO_ZOOM, zoomAt, type Zoom } from './geometry';

/** Digital zoom of an element by wheel, pinch, drag, double click and the keys + and -. */
export function useZoom(frame: RefObject<HTMLElement>, subject: unknown): { zoom: Zoom; zoomBy: (factor: number) => void; reset: () => void } {
  const [zoom, setZoom] = useState<Zoom>(NO_ZOOM);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  useEffect(() => setZoom(NO_ZOOM), [subject]);

  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const at = (event: { clientX: number; clientY: number }) => {
      const rect = element.getBoundingClientRect();
      return { x: event.clientX - rect.left, y: event.clientY - rect.top };
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      setZoom((old) => zoomAt(old, Math.exp(-event.deltaY * 0.002), at(event), size()));
    };
    const down = (event: PointerEvent) => {
      if (event.target instanceof Element && event.target.closest('button, a')) return;
      pointers.current.set(event.pointerId, at(event));
      element.setPointerCapture(event.pointerId);
    };
    const move = (event: PointerEvent) => {
      const before = pointers.current.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const others = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      pointers.current.set(event.pointerId, now);
      const other = others[0];
      if (other) {
        const distance = (a: { x: number; y: number }, b: { x: number; y: number }) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
        const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
        setZoom((old) => zoomAt(old, distance(now, other) / distance(before, other), middle, size()));
      } else {
        setZoom((old) => bounded({ ...old, x: old.x + now.x - before.x, y: old.y + now.y - before.y }, size()));
      }
    };
    const up = (event: PointerEvent) => { pointers.current.delete(event.pointerId); };
    const twice = (event: MouseEvent) => {
      if (event.target instanceof Element && event.target.closest('button, a')) return;
      setZoom((old) => old.scale > 1.01 ? NO_ZOOM : zoomAt(old, 2.5, at(event), size()));
    };
    element.addEventListener('wheel', wheel, { passive: false });
    element.addEventListener('pointerdown', down);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up);
    element.addEventListener('pointercancel', up);
    element.addEventListener('dblclick', twice);
    return () => {
      element.removeEventListener('wheel', wheel);
      element.removeEventListener('pointerdown', down);
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', up);
      element.removeEventListener('pointercancel', up);
      element.removeEventListener('dblclick', twice);
    };
  }, [frame]);

  const zoomBy = useCallback((factor: number) => {
    const element = frame.current;
    if (!element) return;
    const size = { width: element.clientWidth, height: element.clientHeight };
    setZoom((old) => zoomAt(old, factor, { x: size.width / 2, y: size.height / 2 }, size));
  }, [frame]);
  return { zoom, zoomBy, reset: useCallback(() => setZoom(NO_ZOOM), []) };
}
