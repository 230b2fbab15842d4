import { Suspense, useEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';
import { connection } from '../core/connection';
import { useWarnings } from './warnings';
import { isAdmin, signOut, useUser } from '../core/session';
import { useStore } from '../core/store';
import { t, type Key } from '../i18n';
import { Button } from '../ui/Button';
import { Spinner } from '../ui/Bits';
import { Icon, Mark, type IconName } from '../ui/Icon';
import { attempt, toast } from '../ui/Toasts';
import { Boundary } from './Boundary';
import { Link, mayLeave, usePlace } from './router';

interface Entry { path: string; key: Key; icon: IconName; adminOnly?: boolean }

const main: readonly Entry[] = [
  { path: 'live', key: 'nav.live', icon: 'live' },
  { path: 'replay', key: 'nav.replay', icon: 'replay' },
  { path: 'events', key: 'nav.events', icon: 'events' },
  { path: 'cameras', key: 'nav.cameras', icon: 'cameras', adminOnly: true },
  { path: 'system', key: 'nav.system', icon: 'system' },
];

function Banner(): ReactElement | null {
  const isUp = useStore(connection.isUp);
  const isNew = useStore(connection.hasNewVersion);
  const [isBack, setBack] = useState(false);
  const { lines, isGrave } = useWarnings();
  // Hidden until something else is wrong.
  const [hidden, setHidden] = useState('');
  useEffect(() => connection.whenBack(() => {
    setBack(true);
    setTimeout(() => setBack(false), 4000);
  }), []);
  // That all is well again is told as well, to those who saw what was wrong.
  const before = useRef(0);
  useEffect(() => {
    if (before.current > 0 && lines.length === 0) toast(t('health.wellAgain'));
    before.current = lines.length;
  }, [lines.length]);
  if (!isUp) return <div className="banner bad" role="alert"><Icon name="offline" /><span>{t('banner.offline')}</span></div>;
  if (isNew) return <div className="banner" role="status"><Icon name="info" /><span>{t('banner.newVersion')}</span><Button small onClick={() => location.reload()}>{t('action.reload')}</Button></div>;
  const told = lines.map((line) => line.key).join();
  if (lines.length > 0 && told !== hidden) {
    return (
      <div className={`banner ${isGrave ? 'bad' : 'warn'}`} role="status" id="health-banner">
        <Icon name="warning" />
        <span className="banner-text">{lines.map((line) => <span key={line.key}>{line.text}</span>)}</span>
        {lines.length > 1 ? <span className="banner-more" aria-hidden="true">+{lines.length - 1}</span> : null}
        <Link to={lines[0]!.to}>{t('health.look')}</Link>
        <Button kind="quiet" small icon="close" label={t('health.hide')} onClick={() => setHidden(told)} />
      </div>
    );
  }
  if (isBack) return <div className="banner good" role="status"><Icon name="check" /><span>{t('banner.back')}</span></div>;
  return null;
}

export function Shell({ children }: { children: ReactNode }): ReactElement {
  const user = useUser();
  const place = usePlace();
  const current = place.segments[0] ?? 'live';
  const isKiosk = place.query.get('kiosk') === '1';
  // When what had the focus is gone with its page, the keyboard goes on at the new one.
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current && document.activeElement === document.body) document.getElementById('main')?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [place.path]);
  const entries = main.filter((entry) => !entry.adminOnly || isAdmin(user));
  const content = <Boundary place={place.segments.slice(0, 2).join('/')}><Suspense fallback={<div className="page"><Spinner /></div>}>{children}</Suspense></Boundary>;
  if (isKiosk) return <div className="shell kiosk"><Banner /><main id="main" className="main">{content}</main></div>;
  return (
    <div className="shell">
      <a className="skip" href="#main">{t('nav.skip')}</a>
      <aside className="sidebar">
        <Link to="/live" className="brand"><Mark /><span>VibeNVR</span></Link>
        <nav aria-label={t('nav.main')}>
          {entries.map((entry) => (
            <Link key={entry.path} id={`nav-${entry.path}`} to={`/${entry.path}`} aria-current={entry.path === current ? 'page' : undefined}>
              <Icon name={entry.icon} size={22} /><span>{t(entry.key)}</span>
            </Link>
          ))}
        </nav>
        <div className="sidebar-foot">
          <Link to="/profile" aria-current={current === 'profile' ? 'page' : undefined} id="nav-profile" title={t('nav.profile')}>
            {user.avatar_path ? <img className="avatar" src={user.avatar_path} alt="" /> : <span className="avatar" aria-hidden="true">{user.username.slice(0, 1).toUpperCase()}</span>}
            <span className="who">{user.username}</span>
          </Link>
          <Button kind="quiet" icon="signOut" label={t('auth.signOut')} id="sign-out" onClick={() => mayLeave('/') ? attempt(signOut) : undefined} />
        </div>
      </aside>
      <Banner />
      <main id="main" className="main" tabIndex={-1}>{content}</main>
    </div>
  );
}
