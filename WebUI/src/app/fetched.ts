import { connection } from '../core/connection';

const KEY = 'vibenvr.reloaded';
/** Milliseconds after which a part that is missing again may begin the page anew again. */
const AGAIN = 60_000;

/**
 * Fetches a part of the interface when it is first needed. A part that cannot be had while the server is away is waited for; one that a
 * newer server does not have any more makes the page begin anew, which brings that server's own.
 */
export function fetched<T>(part: () => Promise<T>): () => Promise<T> {
  const attempt = async (): Promise<T> => {
    try {
      return await part();
    } catch (problem) {
      try {
        const answer = await fetch('/api/health', { cache: 'no-store' });
        if (answer.status < 500) connection.reached();
      } catch { connection.lost(); }
      // A browser may remember that a part failed: only a page that begins anew asks for it again.
      await connection.whenUp();
      const last = Number(sessionStorage.getItem(KEY) ?? 0);
      if (Date.now() - last < AGAIN) throw problem;
      sessionStorage.setItem(KEY, String(Date.now()));
      location.reload();
      return await new Promise<T>(() => {});
    }
  };
  return attempt;
}
