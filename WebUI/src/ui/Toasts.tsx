import { useSyncExternalStore, type ReactElement } from 'react';
import { createPortal } from 'react-dom';
import { Failure } from '../core/api';
import { beforeSignOut } from '../core/session';
import { Store, useStore } from '../core/store';
import { t } from '../i18n';
import { Button } from './Button';
import { Icon } from './Icon';
import { layers } from './layers';

interface Toast { id: number; text: string; kind: 'good' | 'bad' | 'plain'; action?: { label: string; run: () => void } }

const toasts = new Store<Toast[]>([]);
let next = 1;

interface Wait { run: () => void; /** Milliseconds. */ left: number; since: number; timer: ReturnType<typeof setTimeout> | undefined }

/** Time that stands still while somebody is at the messages, with pointer or keyboard: none goes away under the finger. */
class Patience {
  private isHeld = false;
  private readonly waiting = new Set<Wait>();

  /** Runs something after so many milliseconds, not counting those in which somebody was there; the answer calls it off. */
  after(milliseconds: number, run: () => void): () => void {
    const one: Wait = { run, left: milliseconds, since: 0, timer: undefined };
    this.waiting.add(one);
    if (!this.isHeld) this.go(one);
    return () => {
      clearTimeout(one.timer);
      this.waiting.delete(one);
    };
  }

  hold(isHeld: boolean): void {
    if (isHeld === this.isHeld) return;
    this.isHeld = isHeld;
    for (const one of this.waiting) {
      if (!isHeld) this.go(one);
      else {
        clearTimeout(one.timer);
        one.left = Math.max(1000, one.left - (performance.now() - one.since));
      }
    }
  }

  private go(one: Wait): void {
    one.since = performance.now();
    one.timer = setTimeout(() => {
      this.waiting.delete(one);
      one.run();
    }, one.left);
  }
}
const patience = new Patience();

export function toast(text: string, kind: Toast['kind'] = 'good', action?: Toast['action'], seconds = kind === 'bad' ? 9 : 5): () => void {
  const id = next++;
  const close = () => {
    toasts.update((held) => held.filter((one) => one.id !== id));
    // Nobody is said to leave what goes away under the pointer or the focus; they may be at another one still.
    requestAnimationFrame(() => patience.hold(document.querySelector('.toasts:hover, .toasts:focus-within') !== null));
  };
  toasts.update((held) => [...held.slice(-3), action ? { id, text, kind, action } : { id, text, kind }]);
  patience.after(seconds * 1000, close);
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
const pending = new Set<() => Promise<unknown>>();
const runAll = () => Promise.all([...pending].map((run) => run()));
addEventListener('pagehide', () => { void runAll(); });
beforeSignOut(runAll);

/** Does something a little later, so that it can still be taken back. `apply` shows it as done at once, `revert` as not done. */
export function undoable(text: string, steps: { apply: () => void; revert: () => void; run: () => Promise<unknown> }): void {
  steps.apply();
  let isOver = false;
  const run = async () => {
    if (isOver) return;
    isOver = true;
    pending.delete(run);
    callOff();
    try { await steps.run(); } catch (problem) {
      steps.revert();
      complain(problem);
    }
  };
  const callOff = patience.after(UNDO_SECONDS * 1000, () => { void run(); });
  pending.add(run);
  const close = toast(text, 'plain', {
    label: t('action.undo'),
    run: () => {
      if (isOver) return;
      isOver = true;
      pending.delete(run);
      callOff();
      close();
      steps.revert();
    },
  }, UNDO_SECONDS);
}

const watchFullScreen = (listener: () => void): (() => void) => {
  document.addEventListener('fullscreenchange', listener);
  return () => document.removeEventListener('fullscreenchange', listener);
};

export function Toasts(): ReactElement {
  const shown = useStore(toasts);
  const dialogs = useStore(layers);
  const full = useSyncExternalStore(watchFullScreen, () => document.fullscreenElement);
  // Only what lies inside of the uppermost layer can be seen and pressed.
  const host = dialogs[dialogs.length - 1] ?? full;
  const list = (
    <div className="toasts" role="status" aria-live="polite" onPointerEnter={() => patience.hold(true)} onPointerLeave={() => patience.hold(false)} onFocus={() => patience.hold(true)} onBlur={() => patience.hold(false)}>
      {shown.map((one) => (
        <div key={one.id} className={`toast ${one.kind}`}>
          <Icon name={one.kind === 'bad' ? 'warning' : one.kind === 'good' ? 'check' : 'info'} />
          <span>{one.text}</span>
          {one.action ? <Button kind="quiet" small onClick={one.action.run}>{one.action.label}</Button> : null}
        </div>
      ))}
    </div>
  );
  return host ? createPortal(list, host) : list;
}
