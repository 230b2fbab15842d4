import { Store, useStore } from './store';

/** A named choice of cameras for the live view; columns 0 are as many as fit. */
export interface Layout { name: string; cameras: number[]; columns: number }

/** Wishes of a viewer that are of this browser: they live in it. */
export interface Prefs {
  theme: 'auto' | 'dark' | 'light';
  zone: 'viewer' | 'server';
  language: string | null;
  columns: number;
  /** Layouts that the server does not have yet. */
  layouts: Layout[];
  tourSeconds: number;
  eventsView: 'grid' | 'list';
  volume: number;
  boxes: boolean;
  player: 'auto' | 'webcodecs' | 'mse' | 'jpeg';
  /** Whether single letters and signs do something. */
  shortcuts: boolean;
}

const defaults: Prefs = {
  theme: 'auto', zone: 'viewer', language: null, columns: 0, layouts: [], tourSeconds: 10, eventsView: 'grid', volume: 0.8, boxes: true, player: 'auto', shortcuts: true,
};
const KEY = 'vibenvr.preferences';

function read(): Prefs {
  try {
    const held: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return { ...defaults, ...(typeof held === 'object' && held !== null ? held as Partial<Prefs> : {}) };
  } catch {
    // Storage that is switched off or garbled: the defaults are good.
    return defaults;
  }
}

export const prefs = new Store<Prefs>(read());

prefs.subscribe(() => {
  try { localStorage.setItem(KEY, JSON.stringify(prefs.value)); } catch { /* Kept until the page is closed. */ }
});
addEventListener('storage', (event) => { if (event.key === KEY) prefs.set(read()); });

export function setPref<K extends keyof Prefs>(name: K, value: Prefs[K]): void { prefs.update((held) => ({ ...held, [name]: value })); }
export function usePrefs(): Prefs { return useStore(prefs); }

function applyTheme(): void {
  const { theme } = prefs.value;
  if (theme === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
prefs.subscribe(applyTheme);
applyTheme();
