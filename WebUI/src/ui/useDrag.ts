import { useRef, type PointerEvent } from 'react';

/** Moving an element of a list with mouse or finger: it goes to the place of the one it is dropped on. `selector` finds the elements, which are children of the list. */
export function useDrag(isOn: boolean, selector: string, move: (from: number, to: number) => void | Promise<void>) {
  const from = useRef<number | null>(null);
  const elementAt = (event: PointerEvent<HTMLElement>): [number, Element] | null => {
    const element = document.elementFromPoint(event.clientX, event.clientY)?.closest(selector);
    const index = element ? [...event.currentTarget.children].indexOf(element) : -1;
    return element && index >= 0 ? [index, element] : null;
  };
  if (!isOn) return {};
  const clear = (list: Element) => { for (const element of list.children) element.classList.remove('dragged', 'target'); };
  return {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      if (event.button !== 0 || (event.target as Element).closest('button, input')) return;
      const found = elementAt(event);
      if (!found) return;
      [from.current] = found;
      found[1].classList.add('dragged');
      event.currentTarget.setPointerCapture(event.pointerId);
      event.preventDefault();
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      if (from.current === null) return;
      for (const element of event.currentTarget.children) element.classList.remove('target');
      const found = elementAt(event);
      if (found && found[0] !== from.current) found[1].classList.add('target');
    },
    onPointerUp: (event: PointerEvent<HTMLElement>) => {
      const found = elementAt(event);
      clear(event.currentTarget);
      if (from.current !== null && found && found[0] !== from.current) void move(from.current, found[0]);
      from.current = null;
    },
    onPointerCancel: (event: PointerEvent<HTMLElement>) => {
      clear(event.currentTarget);
      from.current = null;
    },
  };
}
