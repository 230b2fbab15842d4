import { createElement, useCallback, useEffect, useRef, type AnchorHTMLAttributes, type MouseEvent, type ReactElement } from 'react';
import { Store, useStore } from '../core/store';
import { t } from '../i18n';

/** Where the page is: the path below /ui, and the query. */
export interface Place { path: string; segments: string[]; query: URLSearchParams }

const BASE = '/ui';

/** A piece of a path; one that is no text is taken as it stands, and names no page. */
function decoded(piece: string): string {
  try { return decodeURIComponent(piece); } catch { return piece; }
}

function read(): Place {
  const path = location.pathname.startsWith(`${BASE}/`) ? location.pathname.slice(BASE.length) : '/';
  return { path, segments: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(location.search) };
}

export const place = new Store<Place>(read());

/** Asked before the page is left; false keeps it. */
let guard: ((to: string) => boolean) | null = null;
export function guardLeaving(ask: ((to: string) => boolean) | null): void { guard = ask; }

/** Asks whether what was typed may be given up, where that is in question. */
export const mayLeave = (to: string): boolean => !guard || guard(to);

/** Asks before what was typed is given up: by a link, by the browser's buttons, by closing the tab. `stays` tells places that keep it. */
export function useGuard(isChanged: boolean, stays?: (to: string) => boolean): void {
  const keeps = useRef(stays);
  keeps.current = stays;
  useEffect(() => {
    if (!isChanged) return undefined;
    guardLeaving((to) => keeps.current?.(to) === true || window.confirm(t('cameras.leave')));
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', stay);
    return () => {
      guardLeaving(null);
      removeEventListener('beforeunload', stay);
    };
  }, [isChanged]);
}

/** Where in the browser's list of places this one stands: its buttons for back and forward are undone by going the other way. */
let index = indexOf(history.state) ?? 0;
let isReturning = false;
/** How far pages were scrolled when they were left. */
const tops = new Map<number, number>();
function indexOf(state: unknown): number | null {
  const found = (state as { index?: unknown } | null)?.index;
  return typeof found === 'number' ? found : null;
}
history.replaceState({ index }, '');

const scroller = (): HTMLElement | null => document.getElementById('main');
/** Milliseconds for which a page that is come back to may take to be as long as it was. */
const PATIENCE = 1500;
function restore(top: number): void {
  const begun = performance.now();
  const look = () => {
    const main = scroller();
    if (main && main.scrollHeight - main.clientHeight >= top) main.scrollTop = top;
    else if (performance.now() - begun < PATIENCE) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

addEventListener('popstate', (event) => {
  if (isReturning) {
    isReturning = false;
    return;
  }
  const to = indexOf(event.state);
  if (to === null) {
    // A mark inside of the page, as the link to its content is.
    index += 1;
    history.replaceState({ index }, '');
    return;
  }
  const next = read();
  const text = next.query.toString();
  if (!mayLeave(next.path + (text ? `?${text}` : ''))) {
    isReturning = true;
    history.go(index - to);
    return;
  }
  tops.set(index, scroller()?.scrollTop ?? 0);
  index = to;
  place.set(next);
  restore(tops.get(to) ?? 0);
});

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (!mayLeave(path)) return;
  if (options.replace) history.replaceState({ index }, '', BASE + path);
  else {
    tops.set(index, scroller()?.scrollTop ?? 0);
    index += 1;
    history.pushState({ index }, '', BASE + path);
    scroller()?.scrollTo(0, 0);
  }
  place.set(read());
}

export function usePlace(): Place { return useStore(place); }

/** Changes items of the query in place; empty ones go. */
export function useQueryItems(): [URLSearchParams, (changes: Record<string, string | null>, replace?: boolean) => void] {
  const here = usePlace();
  const change = useCallback((changes: Record<string, string | null>, replace = true) => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') next.delete(name);
      else next.set(name, value);
    }
    const text = next.toString();
    navigate(read().path + (text ? `?${text}` : ''), { replace });
  }, []);
  return [here.query, change];
}

export const href = (path: string): string => BASE + path;

/** A link inside the page. */
export function Link({ to, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>): ReactElement {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    rest.onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return createElement('a', { ...rest, href: href(to), onClick: follow });
}
