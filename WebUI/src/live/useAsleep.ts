import { useEffect, useState } from 'react';

/** Milliseconds out of sight after which streams end. */
const PATIENCE = 20_000;

/** Whether nobody has looked at this tab for a while; false at once when somebody does. */
export function useAsleep(): boolean {
  const [isAsleep, setAsleep] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => setAsleep(true), PATIENCE);
      else setAsleep(false);
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  return isAsleep;
}
