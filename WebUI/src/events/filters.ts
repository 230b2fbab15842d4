// The filters of the list of events: items of the page's address, and what the server is asked. Pure.
import type { Query } from '../core/api';

/** Items of the address that filter, by the name that GET /events knows them under. */
export const filterItems = {
  camera: 'camera_id', group: 'group_id', kind: 'event_type', type: 'type', date: 'date', from: 'time_from', to: 'time_to', label: 'label', zone: 'zone',
} as const;
export type FilterItem = keyof typeof filterItems;
export const allFilters = Object.keys(filterItems) as FilterItem[];
/** Those that are asked for less often, and stand in a row of their own. */
export const moreFilters: readonly FilterItem[] = ['group', 'type', 'from', 'to', 'label', 'zone'];

const isTime = (text: string): boolean => /^([01]\d|2[0-3]):[0-5]\d$/.test(text);

/** What is asked of the server; times that are none are left out, so that an address typed by hand shows something. */
export function eventQuery(items: URLSearchParams): Query {
  const query: Query = {};
  for (const item of allFilters) {
    const value = items.get(item);
    if (!value || ((item === 'from' || item === 'to') && !isTime(value))) continue;
    query[filterItems[item]] = value;
  }
  return query;
}

/** Most events of one export. */
export const MOST_EXPORTED = 200;

/** Where the files of events are had as one. */
export function exportPath(ids: readonly number[], isExact: boolean, isSigned: boolean): string {
  return `/exports?${new URLSearchParams({ event_ids: ids.join(','), exact: String(isExact), manifest: String(isSigned) }).toString().replaceAll('%2C', ',')}`;
}
