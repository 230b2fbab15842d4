import { jsonHeaders, takeAhead } from './ahead';
import { connection } from './connection';
import { hearClock } from './now';
import { complaint, said } from './said';
import { Store } from './store';

/** One complaint about a field, as the server's 422 answers have them. */
interface Problem { loc?: (string | number)[]; msg?: string; type?: string; ctx?: Record<string, unknown> }

/** A call that did not succeed. `status` 0: the server could not be reached. */
export class Failure extends Error {
  /** What is wrong, by the name of the field in the body or query. */
  readonly fields: Record<string, string>;

  /** What the server said, where it is none of the usual complaints. */
  readonly body: unknown;

  constructor(readonly status: number, message: string, fields: Record<string, string> = {}, body: unknown = null) {
    super(message);
    this.fields = fields;
    this.body = body;
  }

  /** `message` in the viewer's language, where that is known. */
  get words(): string {
    const held = this.body;
    return (typeof held === 'object' && held !== null ? said(held, 'detail') : null) ?? this.message;
  }
}

/** What programs know the reason of a failure by; null where it has no code. */
export function codeOf(problem: unknown): string | null {
  const code = problem instanceof Failure ? (problem.body as { detail_code?: unknown } | null)?.detail_code : null;
  return typeof code === 'string' ? code : null;
}

/** Reads either form of an error body. */
export function failureOf(status: number, body: unknown): Failure {
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (typeof detail === 'string') return new Failure(status, detail, {}, body);
  if (Array.isArray(detail)) {
    const fields: Record<string, string> = {};
    const lines: string[] = [];
    for (const problem of detail as Problem[]) {
      const path = (problem.loc ?? []).slice(1);
      const text = complaint(problem);
      const name = String(path[0] ?? '');
      const place = path.length > 1 ? `${path.slice(1).join('.')}: ` : '';
      if (name && !fields[name]) fields[name] = place + text;
      lines.push(`${path.join('.')}${path.length ? ': ' : ''}${text}`);
    }
    return new Failure(status, lines.join('\n'), fields);
  }
  return new Failure(status, `HTTP ${status}`, {}, body);
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export function withQuery(path: string, query?: Query): string {
  const items = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') items.set(name, String(value));
  }
  const text = items.toString();
  return text ? `${path}?${text}` : path;
}

/** Set while nobody is signed in any more behind a page that stays: what would be refused is not asked for. */
export const isShutOut = new Store(false);

/** Set while the page is being left: calls of then outlive it. */
let isLeaving = false;
globalThis.addEventListener?.('pagehide', () => { isLeaving = true; }, { capture: true });
globalThis.addEventListener?.('pageshow', () => { isLeaving = false; });

let onSignedOut: () => void = () => {};
/** Called when a call hears that the session is over. */
export function whenSignedOut(callback: () => void): void { onSignedOut = callback; }

export interface CallOptions { query?: Query; body?: unknown; signal?: AbortSignal; keepalive?: boolean }

/** Milliseconds that the beginning of an answer to a question may take: a server or a line that stands still does not say so. */
export const PATIENCE = 30_000;

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  if (isShutOut.value && !path.startsWith('/auth/')) throw new Failure(401, 'Not authenticated');
  const headers: Record<string, string> = { ...jsonHeaders };
  let body: BodyInit | undefined;
  if (options.body instanceof URLSearchParams || options.body instanceof FormData) body = options.body;
  else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers['Content-Type'] = 'application/json';
  }
  const asking = new AbortController();
  const stop = () => asking.abort();
  options.signal?.addEventListener('abort', stop);
  if (options.signal?.aborted) stop();
  // What changes something is done or not; giving it up would leave that open.
  const deadline = method === 'GET' ? setTimeout(stop, PATIENCE) : undefined;
  try {
    const target = withQuery(path, options.query);
    const response = await (method === 'GET' && takeAhead(target)) || await fetch(`/api${target}`, {
      method, headers, body, credentials: 'same-origin', signal: asking.signal, keepalive: options.keepalive ?? isLeaving,
    });
    connection.reached();
    hearClock(response.headers.get('Date'));
    return response;
  } catch (problem) {
    if (options.signal?.aborted) throw problem;
    connection.lost();
    throw new Failure(0, 'unreachable');
  } finally {
    clearTimeout(deadline);
    options.signal?.removeEventListener('abort', stop);
  }
}

async function parsed(response: Response, path: string): Promise<unknown> {
  const text = response.status === 204 ? '' : await response.text();
  let value: unknown = null;
  // A body that is not JSON has nothing to say beyond its status.
  try { value = text ? JSON.parse(text) : null; } catch { value = null; }
  if (!response.ok) {
    if (response.status === 401 && !path.startsWith('/auth/')) onSignedOut();
    throw failureOf(response.status, value);
  }
  return value;
}

/** One call of the API; the parsed body, null when there is none. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  return await parsed(await send(method, path, options), path) as T;
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> => call<T>('GET', path, signal ? { query: query ?? {}, signal } : { query: query ?? {} }),
  post: <T>(path: string, body?: unknown, query?: Query): Promise<T> => call<T>('POST', path, { body, query: query ?? {} }),
  put: <T>(path: string, body?: unknown, query?: Query): Promise<T> => call<T>('PUT', path, { body, query: query ?? {} }),
  patch: <T>(path: string, body?: unknown): Promise<T> => call<T>('PATCH', path, { body }),
  del: <T>(path: string, query?: Query): Promise<T> => call<T>('DELETE', path, { query: query ?? {} }),
};

/** A page of a list with the number of all. */
export async function page<T>(path: string, query: Query, signal?: AbortSignal): Promise<{ items: T[]; total: number | null }> {
  const response = await send('GET', path, signal ? { query, signal } : { query });
  const items = await parsed(response, path) as T[];
  const total = response.headers.get('X-Total-Count');
  return { items, total: total === null ? null : Number(total) };
}

/** Asks for a file and hands it to the browser to save. */
export async function save(method: 'GET' | 'POST', path: string, options: CallOptions, fallbackName: string): Promise<void> {
  const response = await send(method, path, options);
  if (!response.ok) await parsed(response, path);
  const named = /filename="?([^";]+)"?/.exec(response.headers.get('Content-Disposition') ?? '');
  saveBlob(await response.blob(), named?.[1] ?? fallbackName);
}

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
