import { useEffect } from 'react';

/** Keeps the screen of a wall display on while it is seen; where the browser does not (it wants a secure page) its own settings decide. */
export function useWakeLock(isOn: boolean): void {
  useEffect(() => {
    const lock = (navigator as { wakeLock?: { request(kind: 'screen'): Promise<{ release(): Promise<void> }> } }).wakeLock;
    if (!isOn || !lock) return undefined;
    let held: { release(): Promise<void> } | null = null;
    let isOver = false;
    const ask = () => {
      // It is lost with every look at another tab.
      if (document.hidden) return;
      lock.request('screen').then((one) => {
        if (isOver) void one.release();
        else held = one;
      // Refused, as with an empty battery: asked again when the page is seen anew.
      }, () => {});
    };
    ask();
    document.addEventListener('visibilitychange', ask);
    return () => {
      isOver = true;
      document.removeEventListener('visibilitychange', ask);
      void held?.release();
    };
  }, [isOn]);
}
