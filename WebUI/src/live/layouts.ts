import { useEffect, useMemo } from 'react';
import { api, Failure, withQuery } from '../core/api';
import { prefs, setPref, type Layout } from '../core/prefs';
import { adjust, invalidate, useQuery } from '../core/query';
import { attempt } from '../ui/Toasts';

// Named layouts of the live view: the server keeps them for the signed-in user, so that every browser of his has them.

const PATH = '/auth/me/layouts';
interface Stored { name: string; layout: unknown }

/** A layout as it is stored; null for what another program may have put there. */
export function readLayout({ name, layout }: Stored): Layout | null {
  if (typeof layout !== 'object' || layout === null) return null;
  const { cameras, columns } = layout as { cameras?: unknown; columns?: unknown };
  if (!Array.isArray(cameras)) return null;
  return { name, cameras: cameras.filter((id): id is number => Number.isSafeInteger(id)), columns: Number.isSafeInteger(columns) && Number(columns) >= 0 && Number(columns) <= 12 ? Number(columns) : 0 };
}

/** The name stands in the query: one with `/`, or of points alone, is no element of a path. */
const pathOf = (name: string): string => withQuery(PATH, { name });
const put = ({ name, cameras, columns }: Layout): Promise<unknown> => api.put(pathOf(name), { layout: { cameras, columns } });
const show = (change: (held: Stored[]) => Stored[]): void => adjust<Stored[]>(PATH, change);
const byName = (a: Stored, b: Stored): number => a.name.localeCompare(b.name);

/** Stores a layout; under another name than before when `was` is given. */
export async function saveLayout(layout: Layout, was?: string): Promise<boolean> {
  show((held) => [...held.filter((one) => one.name !== layout.name && one.name !== was), { name: layout.name, layout }].sort(byName));
  const isStored = await attempt(async () => {
    await put(layout);
    if (was && was !== layout.name) await api.del(pathOf(was));
  });
  await invalidate(PATH);
  return isStored;
}

export async function removeLayout(name: string): Promise<boolean> {
  show((held) => held.filter((one) => one.name !== name));
  const isGone = await attempt(() => api.del(pathOf(name)));
  await invalidate(PATH);
  return isGone;
}

let isMoving = false;

/** Brings what this browser has kept to the server; a layout that the server has is left as it is there. */
async function move(stored: readonly Stored[]): Promise<void> {
  if (isMoving) return;
  isMoving = true;
  const known = new Set(stored.map((one) => one.name));
  try {
    for (const layout of prefs.value.layouts) {
      if (!known.has(layout.name)) await put(layout);
      setPref('layouts', prefs.value.layouts.filter((one) => one.name !== layout.name));
    }
  } catch (problem) {
    // Those that are left stay in this browser, and are shown from there.
    if (!(problem instanceof Failure)) throw problem;
  } finally { isMoving = false; }
  await invalidate(PATH);
}

export function useLayouts(): Layout[] {
  const stored = useQuery<Stored[]>(PATH).data;
  const own = prefs.value.layouts;
  useEffect(() => { if (stored && prefs.value.layouts.length > 0) void move(stored); }, [stored]);
  return useMemo(() => {
    const found = (stored ?? []).map(readLayout).filter((layout): layout is Layout => layout !== null);
    return [...found, ...own.filter((layout) => !found.some((one) => one.name === layout.name))];
  }, [stored, own]);
}
