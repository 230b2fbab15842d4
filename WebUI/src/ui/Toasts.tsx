import type { ReactElement } from 'react';
import { Failure } from '../core/api';
import { Store, useStore } from '../core/store';
import { t } from '../i18n';
import { Button } from './Button';
import { Icon } from './Icon';

interface Toast { id: number; text: string; kind: 'good' | 'bad' | 'plain'; action?: { label: string; run: () => void } }

const toasts = new Store<Toast[]>([]);
let next = 1;

export function toast(text: string, kind: Toast['kind'] = 'good', action?: Toast['action'], seconds = kind === 'bad' ? 9 : 5): () => void {
  const id = next++;
  const close = () => toasts.update((held) => held.filter((one) => one.id !== id));
  toasts.update((held) => [...held.slice(-3), action ? { id, text, kind, action } : { id, text, kind }]);
  setTimeout(close, seconds * 1000);
  return close;
}

/** What went wrong, in the viewer's words where there are any. */
export function reason(problem: unknown): string {
  if (problem instanceof Failure) {
    if (problem.status === 0) return t('error.unreachable');
    if (problem.status === 403 && problem.message === 'Admin privileges required') return t('error.forbidden');
    return problem.words;
  }
  return problem instanceof Error ? problem.message : String(problem);
}

export function complain(problem: unknown): void { toast(reason(problem), 'bad'); }

/** Runs an action and tells when it fails. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action();
    if (done) toast(done);
    return true;
  } catch (problem) {
    complain(problem);
    return false;
  }
}

const UNDO_SECONDS = 6;
const pending = new Set<() => void>();
addEventListener('pagehide', () => { for (const run of [...pending]) run(); });

/** Does something a little later, so that it can still be taken back. `apply` shows it as done at once, `revert` as not done. */
export function undoable(text: string, steps: { apply: () => void; revert: () => void; run: () => Promise<unknown> }): void {
  steps.apply();
  let isOver = false;
  const run = () => {
    if (isOver) return;
    isOver = true;
    pending.delete(run);
    clearTimeout(timer);
    steps.run().catch((problem: unknown) => {
      steps.revert();
      complain(problem);
    });
  };
  const timer = setTimeout(run, UNDO_SECONDS * 1000);
  pending.add(run);
  const close = toast(text, 'plain', {
    label: t('action.undo'),
    run: () => {
      if (isOver) return;
      isOver = true;
      pending.delete(run);
      clearTimeout(timer);
      close();
      steps.revert();
    },
  }, UNDO_SECONDS);
}

export function Toasts(): ReactElement {
  const shown = useStore(toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((one) => (
        <div key={one.id} className={`toast ${one.kind}`}>
          <Icon name={one.kind === 'bad' ? 'warning' : one.kind === 'good' ? 'check' : 'info'} />
          <span>{one.text}</span>
          {one.action ? <Button kind="quiet" small onClick={one.action.run}>{one.action.label}</Button> : null}
        </div>
      ))}
    </div>
  );
}
