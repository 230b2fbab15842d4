import { Store } from './store';

/** Milliseconds between two questions whether the server is back. */
const RETRY = 1000;

/** Whether the server answers. While it does not, it is asked again and again; when it is back, everybody who waits is told. */
class Connection {
  readonly isUp = new Store(true);
  /** Set when the server carries another version of this page than the one that runs. */
  readonly hasNewVersion = new Store(false);
  private readonly returned = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  reached(): void {
    if (!this.isUp.value) this.back();
  }

  lost(): void {
    if (!this.isUp.value) return;
    this.isUp.set(false);
    this.schedule();
  }

  /** Calls back each time the server is there again after it was gone. */
  whenBack(callback: () => void): () => void {
    this.returned.add(callback);
    return () => { this.returned.delete(callback); };
  }

  /** Settled while the server answers. */
  async whenUp(): Promise<void> {
    if (this.isUp.value) return;
    await new Promise<void>((resolve) => { const stop = this.whenBack(() => { stop(); resolve(); }); });
  }

  private schedule(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { void this.ask(); }, RETRY);
  }

  private async ask(): Promise<void> {
    const ending = new AbortController();
    const deadline = setTimeout(() => ending.abort(), 4000);
    try {
      const answer = await fetch('/api/health', { cache: 'no-store', signal: ending.signal });
      // What stands before a server that is away answers in its place, but not in JSON.
      if (answer.status < 500 || (answer.headers.get('Content-Type') ?? '').includes('json')) return this.back();
    } catch { /* Not yet; asked again below. */ } finally { clearTimeout(deadline); }
    if (!this.isUp.value) this.schedule();
  }

  private back(): void {
    clearTimeout(this.timer);
    this.isUp.set(true);
    for (const callback of [...this.returned]) callback();
    void this.compareVersion();
  }

  private async compareVersion(): Promise<void> {
    try {
      const text = await (await fetch('/ui/', { headers: { Accept: 'text/html' }, cache: 'no-store' })).text();
      const mine = document.querySelector('script[type=module][src*="/main-"]')?.getAttribute('src');
      if (mine && text.includes('<script') && !text.includes(mine)) this.hasNewVersion.set(true);
    } catch { /* Known at the next return. */ }
  }
}

export const connection = new Connection();

addEventListener('offline', () => connection.lost());
