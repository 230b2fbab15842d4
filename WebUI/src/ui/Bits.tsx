import { useEffect, useRef, type ReactElement, type ReactNode, type RefObject } from 'react';
import type { Failure } from '../core/api';
import { t } from '../i18n';
import { Link } from '../app/router';
import { Button } from './Button';
import { Icon, type IconName } from './Icon';
import { reason } from './Toasts';

export function Spinner({ label = t('state.loading') }: { label?: string }): ReactElement {
  return <div className="spinner" role="status"><span className="wheel" aria-hidden="true" /><span>{label}</span></div>;
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }): ReactElement {
  return <div className="empty"><Icon name={icon} size={44} /><h2>{title}</h2>{children}</div>;
}

export function Problem({ failure, retry }: { failure: Failure | Error; retry?: () => void | Promise<unknown> }): ReactElement {
  return (
    <div className="empty" role="alert"><Icon name="warning" size={44} /><h2>{t('error.title')}</h2><p>{reason(failure)}</p>
      {retry ? <Button onClick={retry}>{t('action.retry')}</Button> : null}
    </div>
  );
}

/** Names the page in the browser's tab and history. */
export function useTitle(name: string): void {
  useEffect(() => { document.title = `${name} · VibeNVR`; }, [name]);
}

/** The head of a page: its name, and what can be done. */
export function PageHead({ title, children, back }: { title: string; children?: ReactNode; back?: string }): ReactElement {
  useTitle(title);
  return (
    <header className="page-head">
      {back ? <Link to={back} className="button quiet icon-only" aria-label={t('action.back')} title={t('action.back')}><Icon name="back" /></Link> : null}
      <h1>{title}</h1>
      <div className="page-actions">{children}</div>
    </header>
  );
}

/** A row of tabs that is wider than a phone: the one that is shown is to be seen. */
export function useTabRow(current: string): RefObject<HTMLElement> {
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = row.current;
    const here = element?.querySelector<HTMLElement>('[aria-current]');
    if (element && here) element.scrollLeft += here.getBoundingClientRect().left - element.getBoundingClientRect().left - (element.clientWidth - here.offsetWidth) / 2;
  }, [current]);
  return row;
}

export function Tabs<T extends string>({ tabs, current, to, label }: { tabs: readonly { id: T; label: string }[]; current: T; to: (id: T) => string; label: string }): ReactElement {
  const row = useTabRow(current);
  return (
    <nav className="tabs" aria-label={label} ref={row}>
      {tabs.map((tab) => <Link key={tab.id} to={to(tab.id)} aria-current={tab.id === current ? 'page' : undefined}>{tab.label}</Link>)}
    </nav>
  );
}

export function Card({ title, children, actions, className }: { title?: string; children: ReactNode; actions?: ReactNode; className?: string }): ReactElement {
  return (
    <section className={`card ${className ?? ''}`}>
      {title || actions ? <header className="card-head">{title ? <h2>{title}</h2> : <span />}{actions}</header> : null}
      {children}
    </section>
  );
}

export function Badge({ kind = 'plain', children }: { kind?: 'plain' | 'good' | 'bad' | 'warn' | 'accent'; children: ReactNode }): ReactElement {
  return <span className={`badge ${kind}`}>{children}</span>;
}

/** One of a few, as buttons side by side. */
export function Choice<T extends string>({ label, options, value, onValue }: { label: string; options: readonly { value: T; label: string; icon?: IconName }[]; value: T; onValue: (value: T) => void }): ReactElement {
  return (
    <div className="choice" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.value} type="button" aria-pressed={option.value === value} title={option.label} aria-label={option.icon ? option.label : undefined} onClick={() => onValue(option.value)}>
          {option.icon ? <Icon name={option.icon} size={18} /> : option.label}
        </button>
      ))}
    </div>
  );
}
