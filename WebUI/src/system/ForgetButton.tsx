import type { ReactElement } from 'react';
import { api } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { showBytes } from '../core/time';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { ask } from '../ui/Dialog';
import { attempt, complain, toast } from '../ui/Toasts';

interface Footage { recordings: number; snapshots: number; bytes: number }

/** Gives up what lies on a volume that is gone for good; shown only where the server can. It asks twice, the first time with the numbers. */
export function ForgetButton({ path, name }: { /** Of the profile in the API. */ path: string; name: string }): ReactElement | null {
  const paths = useQuery<{ paths: Record<string, unknown> }>('/openapi.json').data?.paths;
  if (!paths || !Object.keys(paths).includes(`${path.replace(/\d+$/, '{profile_id}')}/forget`)) return null;
  const forget = async () => {
    try {
      const { recordings, snapshots, bytes } = await api.post<Footage>(`${path}/forget`, undefined, { dry_run: true });
      if (recordings + snapshots === 0) {
        toast(t('storage.forgetNothing'), 'plain');
        return;
      }
      const title = t('storage.forgetTitle', { name });
      if (!await ask({ title, text: t('storage.forgetText', { recordings, snapshots, size: showBytes(bytes), name }), action: t('storage.forget'), danger: true })) return;
      if (!await ask({ title, text: t('storage.forgetAgainText'), action: t('storage.forgetAgain'), danger: true })) return;
      await attempt(() => api.post(`${path}/forget`, { recordings, snapshots, bytes }), t('storage.forgotten', { name }));
      await invalidate('/storage', '/events', '/stats');
    } catch (problem) { complain(problem); }
  };
  return <Button small kind="danger" className="forget" onClick={forget}>{t('storage.forget')}</Button>;
}
