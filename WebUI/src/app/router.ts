import { createElement, useCallback, type AnchorHTMLAttributes, type MouseEvent, type ReactElement } from 'react';
import { Store, useStore } from '../core/store';

/** Where the page is: the path below /ui, and the query. */
export interface Place { path: string; segments: string[]; query: URLSearchParams }

const BASE = '/ui';

function read(): Place {
  const path = location.pathname.startsWith(`${BASE}/`) ? location.pathname.slice(BASE.length) : '/';
  return { path, segments: path.split('/').filter(Boolean).map((piece) => decodeURIComponent(piece)), query: new URLSearchParams(location.search) };
}

export const place = new Store<Place>(read());
addEventListener('popstate', () => place.set(read()));

/** Asked before the page is left; false keeps it. */
let guard: ((to: string) => boolean) | null = null;
export function guardLeaving(ask: ((to: string) => boolean) | null): void { guard = ask; }

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (guard && !guard(path)) return;
  if (options.replace) history.replaceState(null, '', BASE + path);
  else {
    history.pushState(null, '', BASE + path);
    document.getElementById('main')?.scrollTo(0, 0);
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
