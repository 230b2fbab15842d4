import { api, whenSignedOut } from './api';
import { forgetAll } from './query';
import { setLanguage } from '../i18n';
import { Store, useStore } from './store';
import type { Camera, User } from './types';

export type Session =
  | { state: 'unknown' }
  | { state: 'setup' }
  | { state: 'signed-out'; expired: boolean }
  | { state: 'signed-in'; user: User };

export const session = new Store<Session>({ state: 'unknown' });

export async function begin(): Promise<void> {
  const status = await api.get<{ setup_required: boolean }>('/auth/status');
  if (status.setup_required) return session.set({ state: 'setup' });
  const found = await api.get<{ user: User } | null>('/auth/me-from-cookie');
  if (found) await enter(found.user);
  else session.set({ state: 'signed-out', expired: false });
}

export async function enter(user: User): Promise<void> {
  forgetAll();
  await setLanguage(user.language);
  session.set({ state: 'signed-in', user });
}

export async function signOut(): Promise<void> {
  // The page forgets the user either way; without the server the session ends by itself.
  try { await api.post('/auth/logout'); } finally {
    forgetAll();
    session.set({ state: 'signed-out', expired: false });
  }
}

export async function refreshUser(): Promise<void> {
  const user = await api.get<User>('/auth/me');
  if (session.value.state === 'signed-in') session.set({ state: 'signed-in', user });
}

whenSignedOut(() => {
  if (session.value.state !== 'signed-in') return;
  forgetAll();
  session.set({ state: 'signed-out', expired: true });
});

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
