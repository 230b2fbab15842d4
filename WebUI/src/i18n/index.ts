import { prefs, setPref } from '../core/prefs';
import { Store } from '../core/store';
import { en } from './en';

export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;

export const languages: Record<string, { name: string; load: () => Promise<Catalogue> }> = {
  en: { name: 'English', load: async () => en },
  de: { name: 'Deutsch', load: async () => (await import('./de')).de },
  fr: { name: 'Français', load: async () => (await import('./fr')).fr },
  it: { name: 'Italiano', load: async () => (await import('./it')).it },
  es: { name: 'Español', load: async () => (await import('./es')).es },
};

let catalogue: Catalogue = en;
/** The language shown; changes once its catalogue is there. */
export const language = new Store('en');

/** Words of a key; `{name}` in them is replaced by the variable of that name. */
export function t(key: Key, variables?: Record<string, string | number>): string {
  const text: string = catalogue[key] ?? en[key];
  return variables ? text.replace(/\{(\w+)\}/g, (all, name: string) => String(variables[name] ?? all)) : text;
}

/** Words of a key that is put together at run time; what no catalogue knows is shown as it is. */
export function words(key: string, otherwise: string): string {
  return key in en ? t(key as Key) : otherwise;
}

/** One or several. */
export function count(key: string, number: number): string {
  return t((`${key}.${number === 1 ? 'one' : 'other'}`) as Key, { count: number });
}

/** The tag for dates and numbers: the browser's own region where its language is the one shown. */
export function locale(): string {
  const shown = language.value;
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === shown) ?? shown;
}

/** Shows a language: the one chosen in this browser, else the user's, else the browser's. */
export async function setLanguage(ofUser: string | null): Promise<void> {
  const wishes = [prefs.value.language, ofUser, ...navigator.languages, 'en'];
  const found = wishes.map((tag) => tag?.toLowerCase().split('-')[0] ?? '').find((tag) => tag in languages) ?? 'en';
  try {
    catalogue = await languages[found]!.load();
    language.set(found);
    document.documentElement.lang = found;
  } catch {
    // The catalogue could not be fetched: English is always here.
    catalogue = en;
    language.set('en');
  }
}

export async function chooseLanguage(tag: string): Promise<void> {
  setPref('language', tag);
  await setLanguage(null);
}
