import { forgetAhead } from './ahead';
import { api, Failure, isShutOut, whenSignedOut } from './api';
import { forgetAll, refreshShown } from './query';
import { setLanguage } from '../i18n';
import { Store, useStore } from './store';
import type { Camera, User } from './types';

export type Session =
  | { state: 'unknown' }
  | { state: 'setup' }
  | { state: 'signed-out'; expired: boolean }
  /** `isOver`: the session has ended. The page stays behind a sign-in, so that the same person finds there what was being typed. */
  | { state: 'signed-in'; user: User; isOver?: boolean };

export const session = new Store<Session>({ state: 'unknown' });

export async function begin(): Promise<void> {
  const [status, found] = await Promise.all([api.get<{ setup_required: boolean }>('/auth/status'), api.get<{ user: User } | null>('/auth/me-from-cookie')]);
  if (status.setup_required) return session.set({ state: 'setup' });
  if (found) await enter(found.user);
  else session.set({ state: 'signed-out', expired: false });
}

export async function enter(user: User): Promise<void> {
  const before = session.value;
  const isSame = before.state === 'signed-in' && before.user.id === user.id;
  isShutOut.set(false);
  if (!isSame) forgetAll();
  await setLanguage(user.language);
  session.set({ state: 'signed-in', user });
  if (isSame) refreshShown();
}

/** What is still to be done in the name of who signs out. */
const lastDeeds = new Set<() => Promise<unknown>>();
export function beforeSignOut(deed: () => Promise<unknown>): void { lastDeeds.add(deed); }

/** Throws while the server cannot be reached: it alone ends a session, and whoever comes next would find it open. */
export async function signOut(): Promise<void> {
  for (const deed of lastDeeds) await deed();
  try { await api.post('/auth/logout'); } catch (problem) {
    // One that has ended already.
    if (!(problem instanceof Failure) || problem.status !== 401) throw problem;
  }
  isShutOut.set(false);
  forgetAhead();
  forgetAll();
  session.set({ state: 'signed-out', expired: false });
}

export async function refreshUser(): Promise<void> {
  const user = await api.get<User>('/auth/me');
  if (session.value.state === 'signed-in') session.set({ ...session.value, user });
}

whenSignedOut(() => {
  if (session.value.state !== 'signed-in' || session.value.isOver) return;
  isShutOut.set(true);
  session.set({ ...session.value, isOver: true });
});

/** Whoever signed in in another tab has signed in here, too. */
async function lookElsewhere(): Promise<void> {
  const now = session.value;
  if (document.hidden || !(now.state === 'signed-out' || (now.state === 'signed-in' && now.isOver))) return;
  try {
    const found = await api.get<{ user: User } | null>('/auth/me-from-cookie');
    if (found && session.value === now) await enter(found.user);
  } catch { /* The form is there, and tells what is wrong. */ }
}
addEventListener('focus', () => { void lookElsewhere(); });
document.addEventListener('visibilitychange', () => { void lookElsewhere(); });

/** The signed-in user; only below the part of the page that needs one. */
export function useUser(): User {
  const now = useStore(session);
  if (now.state !== 'signed-in') throw new Error('nobody is signed in');
  return now.user;
}

export const isAdmin = (user: User): boolean => user.role === 'admin';

/** Whether a camera may be moved; the server decides in the end. */
export function mayControl(user: User, camera: Pick<Camera, 'id' | 'groups'>): boolean {
  return isAdmin(user) || user.camera_accesses.some((grant) => grant.id === camera.id && grant.can_control)
    || user.group_accesses.some((grant) => grant.can_control && camera.groups.some((group) => group.name === grant.name));
}

/** Whether recordings of a camera may be seen; the server decides in the end. */
export function mayReplay(user: User, camera: Pick<Camera, 'id' | 'groups'>): boolean {
  if (isAdmin(user) || !user.restrict_camera_access) return true;
  return user.camera_accesses.some((grant) => grant.id === camera.id && grant.can_replay)
    || user.group_accesses.some((grant) => grant.can_replay && camera.groups.some((group) => group.name === grant.name));
}
