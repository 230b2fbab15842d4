import { locale } from '../i18n';
import { prefs } from './prefs';
import { Store } from './store';
import { present } from './now';

/** The server's time zone, once it is known. */
export const serverZone = new Store<string | undefined>(undefined);

/** The zone in which times are shown; undefined is the viewer's own. */
export function zone(): string | undefined { return prefs.value.zone === 'server' ? serverZone.value : undefined; }

/** The server's zone where its clocks show something else than the times that are shown; undefined where they agree. */
export function otherServerZone(ms = present()): string | undefined {
  const server = serverZone.value;
  const mine = zone();
  if (!server || server === mine) return undefined;
  const shows = (timeZone: string | undefined): string => new Intl.DateTimeFormat('en', { dateStyle: 'short', timeStyle: 'short', timeZone }).format(ms);
  return shows(server) === shows(mine) ? undefined : server;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${name}|${locale()}|${zone() ?? ''}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(locale(), { ...options, timeZone: zone() });
    formats.set(key, found);
  }
  return found;
}

type Moment = string | number | Date;
const date = (moment: Moment): Date => moment instanceof Date ? moment : new Date(moment);

export const showDateTime = (moment: Moment): string => format('dt', { dateStyle: 'medium', timeStyle: 'medium' }).format(date(moment));
/** As short as can be, with the seconds: the year is left out while it is this one. */
export function showMoment(moment: Moment): string {
  const isThisYear = civil(date(moment).getTime()).year === civil(present()).year;
  return format(isThisYear ? 'sm' : 'sy', { ...(isThisYear ? {} : { year: '2-digit' }), month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit' }).format(date(moment));
}
export const showDay = (moment: Moment): string => format('d', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }).format(date(moment));
export const showTime = (moment: Moment): string => format('t', { timeStyle: 'medium' }).format(date(moment));
export const showMinute = (moment: Moment): string => format('m', { hour: '2-digit', minute: '2-digit' }).format(date(moment));

/** Seconds as `1:02:03`. */
export function showDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** The server's `1d 2h 3m` in the viewer's language, the two largest parts of it. */
export function showUptime(text: string): string {
  const found = /^(\d+)d (\d+)h (\d+)m$/.exec(text);
  if (!found) return text;
  const parts = (['day', 'hour', 'minute'] as const).map((unit, index) => ({ unit, value: Number(found[index + 1]) }));
  const largest = parts.findIndex((part) => part.value > 0);
  const first = largest < 0 ? 2 : largest;
  return parts.slice(first, first + 2).map(({ unit, value }) => new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short' }).format(value)).join(' ');
}

/** `5 minutes ago`, in the viewer's language. */
export function showAgo(moment: Moment, now = present()): string {
  const seconds = (date(moment).getTime() - now) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  const magnitude = Math.abs(seconds);
  if (magnitude < 60) return relative.format(Math.round(seconds), 'second');
  if (magnitude < 3600) return relative.format(Math.round(seconds / 60), 'minute');
  if (magnitude < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
  return relative.format(Math.round(seconds / 86_400), 'day');
}

/** Parts of a moment on the clock of the zone shown. */
export function civil(ms: number): { year: number; month: number; day: number; hour: number; minute: number; second: number } {
  const parts = format('parts', {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn',
  }).formatToParts(ms);
  const value = (type: string): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return { year: value('year'), month: value('month'), day: value('day'), hour: value('hour'), minute: value('minute'), second: value('second') };
}

/** Milliseconds that the zone shown is ahead of UTC at a moment. */
export function offsetAt(ms: number): number {
  const whole = Math.floor(ms / 1000) * 1000;
  const parts = civil(whole);
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - whole;
}

/** The moment of a wall clock reading `YYYY-MM-DDTHH:MM[:SS]` in the zone shown; NaN for what is none. */
export function momentOf(local: string): number {
  const asUTC = Date.parse(`${local.length === 10 ? `${local}T00:00` : local}Z`);
  if (Number.isNaN(asUTC)) return NaN;
  const guess = asUTC - offsetAt(asUTC);
  return asUTC - offsetAt(guess);
}

/** The wall clock reading for an input of type datetime-local. */
export function localText(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000 + offsetAt(ms)).toISOString().slice(0, 19);
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
export function showBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${showNumber(value, value >= 100 || unit === 0 ? 0 : 1)} ${units[unit] ?? ''}`;
}
export const showGB = (gb: number): string => showBytes(gb * 1e9);
export function showNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);
}
