import type { ComponentType, ReactElement } from 'react';
import { isAdmin, useUser } from '../core/session';
import { t, words } from '../i18n';
import { usePlace } from '../app/router';
import { Empty, PageHead, Tabs } from '../ui/Bits';
import { About } from './About';
import { Audit } from './Audit';
import { Backups } from './Backups';
import { Dashboard } from './Dashboard';
import { Logs } from './Logs';
import { ServerSettings } from './ServerSettings';
import { Storage } from './Storage';
import { Users } from './Users';

const parts: readonly { id: string; part: ComponentType; adminOnly: boolean }[] = [
  { id: 'dashboard', part: Dashboard, adminOnly: false },
  { id: 'users', part: Users, adminOnly: true },
  { id: 'settings', part: ServerSettings, adminOnly: true },
  { id: 'storage', part: Storage, adminOnly: true },
  { id: 'backups', part: Backups, adminOnly: true },
  { id: 'logs', part: Logs, adminOnly: true },
  { id: 'audit', part: Audit, adminOnly: true },
  { id: 'about', part: About, adminOnly: false },
];

export function SystemPage(): ReactElement {
  const user = useUser();
  const [, name = 'dashboard'] = usePlace().segments;
  const mine = parts.filter((part) => !part.adminOnly || isAdmin(user));
  const Part = mine.find((part) => part.id === name)?.part;
  return (
    <div className="page">
      <PageHead title={t('nav.system')} />
      <Tabs label={t('nav.system')} current={name} to={(id) => id === 'dashboard' ? '/system' : `/system/${id}`} tabs={mine.map(({ id }) => ({ id, label: words(`system.${id}`, id) }))} />
      {Part ? <Part /> : <Empty icon="search" title={t('error.noPage')} />}
    </div>
  );
}
