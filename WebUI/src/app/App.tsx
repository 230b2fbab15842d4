import { lazy, useEffect, useState, type ComponentType, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { connection } from '../core/connection';
import { begin, isAdmin, session, useUser } from '../core/session';
import { useStore } from '../core/store';
import { usePrefs } from '../core/prefs';
import { serverZone } from '../core/time';
import type { ServerFacts } from '../core/types';
import { language, setLanguage, t } from '../i18n';
import { Empty, Spinner } from '../ui/Bits';
import { Toasts } from '../ui/Toasts';
import { LivePage } from '../live/LivePage';
import { Auth, SignInAgain } from './Auth';
import { fetched } from './fetched';
import { Link, navigate, place, usePlace } from './router';
import { Shell } from './Shell';

const CamerasPage = lazy(fetched(async () => ({ default: (await import('../cameras/CamerasPage')).CamerasPage })));
const EventsPage = lazy(fetched(async () => ({ default: (await import('../events/EventsPage')).EventsPage })));
const ReplayPage = lazy(fetched(async () => ({ default: (await import('../replay/ReplayPage')).ReplayPage })));
const SystemPage = lazy(fetched(async () => ({ default: (await import('../system/SystemPage')).SystemPage })));
const ProfilePage = lazy(fetched(async () => ({ default: (await import('../system/ProfilePage')).ProfilePage })));

const pages: Record<string, { page: ComponentType; adminOnly?: boolean }> = {
  live: { page: LivePage }, replay: { page: ReplayPage }, events: { page: EventsPage }, cameras: { page: CamerasPage, adminOnly: true },
  system: { page: SystemPage }, profile: { page: ProfilePage },
};

/** The page that the server's setting names; the live view where it does not say. */
async function goToFirstPage(): Promise<void> {
  const places: Record<string, string> = { dashboard: '/system', timeline: '/replay', live: '/live' };
  let path = '/live';
  try { path = places[(await api.get<{ value: string | null }>('/settings/default_landing_page')).value ?? 'live'] ?? path; } catch { /* As if it were not set. */ }
  if (place.value.segments.length === 0) navigate(path, { replace: true });
}

function Page(): ReactElement {
  const here = usePlace();
  const user = useUser();
  const name = here.segments[0];
  useEffect(() => { if (!name) void goToFirstPage(); }, [name]);
  if (!name) return <div className="page"><Spinner /></div>;
  const found = pages[name];
  if (!found || (found.adminOnly && !isAdmin(user))) {
    return <div className="page"><h1 className="visually-hidden">VibeNVR</h1><Empty icon="search" title={t('error.noPage')}><Link className="button primary" to="/live">{t('nav.live')}</Link></Empty></div>;
  }
  const Found = found.page;
  return <Found />;
}

async function learnServer(): Promise<void> {
  try {
    const facts = await (await fetch('/ui/server.json')).json() as ServerFacts;
    new Intl.DateTimeFormat('en', { timeZone: facts.time_zone });
    serverZone.set(facts.time_zone);
  } catch { /* A zone that the browser does not know: times are shown in the viewer's. */ }
}

export function App(): ReactElement {
  const now = useStore(session);
  const shown = useStore(language);
  const { zone } = usePrefs();
  useStore(serverZone);
  const [problem, setProblem] = useState<Failure | null>(null);
  useEffect(() => {
    const start = () => {
      begin().then(() => setProblem(null), (failure: unknown) => {
        if (failure instanceof Failure) setProblem(failure);
        else throw failure;
      });
    };
    void setLanguage(null).then(start);
    void learnServer();
    return connection.whenBack(() => { if (session.value.state === 'unknown') start(); });
  }, []);
  let content: ReactElement;
  if (now.state === 'unknown') content = <div className="auth"><Spinner label={t(problem ? 'banner.offline' : 'state.loading')} /></div>;
  else if (now.state === 'signed-in') content = <><Shell key={now.user.id}><Page /></Shell>{now.isOver ? <SignInAgain user={now.user} /> : null}</>;
  else content = <Auth />;
  // Another language or zone changes every text: all is drawn anew.
  return <div className="app" key={`${shown} ${zone}`}>{content}<Toasts /></div>;
}
