import { useCallback, useEffect, useState, type RefObject } from 'react';

export function useFullScreen(element: RefObject<HTMLElement>): { isFull: boolean; toggle: () => void; canBe: boolean } {
  const [isFull, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', look);
    return () => document.removeEventListener('fullscreenchange', look);
  }, []);
  const toggle = useCallback(() => {
    // Refused where the page may not; everything goes on in the window.
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    else element.current?.requestFullscreen().catch(() => {});
  }, [element]);
  return { isFull, toggle, canBe: document.fullscreenEnabled };
}
