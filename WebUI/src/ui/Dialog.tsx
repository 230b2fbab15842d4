import { useEffect, useId, useRef, useState, type FormEvent, type ReactElement, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { t } from '../i18n';
import { Button } from './Button';
import { enterLayer } from './layers';

export interface DialogProps {
  title: string; onClose: () => void; children: ReactNode; actions?: ReactNode; wide?: boolean; className?: string;
  /** Makes the dialog a form. */
  onSubmit?: () => void | Promise<unknown>;
}

/** A modal dialog of the browser's own: focus stays inside and goes back where it was, Escape closes. */
export function Dialog({ title, onClose, children, actions, wide, className, onSubmit }: DialogProps): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    const leave = element ? enterLayer(element) : undefined;
    // A keyboard that pops up over a phone's screen is wanted by nobody.
    if (matchMedia('(pointer: fine)').matches) {
      element?.querySelector<HTMLElement>('.dialog-body :is(input:not([type="checkbox"], [type="file"]), select, textarea)')?.focus();
    }
    return () => {
      leave?.();
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  // Over a slow line the button is pressed twice: that is meant once.
  const isBusy = useRef(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isBusy.current) return;
    isBusy.current = true;
    void Promise.resolve(onSubmit?.()).finally(() => { isBusy.current = false; });
  };
  const content = (
    <>
      <header className="dialog-head">
        <h2 id={heading}>{title}</h2>
        <Button kind="quiet" icon="close" label={t('action.close')} onClick={onClose} />
      </header>
      <div className="dialog-body">{children}</div>
      {actions ? <footer className="dialog-actions">{actions}</footer> : null}
    </>
  );
  return (
    <dialog ref={dialog} className={`dialog${wide ? ' wide' : ''} ${className ?? ''}`} aria-labelledby={heading}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      // What was typed is not given up by a press beside it.
      onMouseDown={(event) => { if (event.target === dialog.current && !onSubmit) onClose(); }}>
      {onSubmit ? <form className="dialog-frame" noValidate onSubmit={submit}>{content}</form> : <div className="dialog-frame">{content}</div>}
    </dialog>
  );
}

interface Question { title: string; text: ReactNode; action: string; danger?: boolean; option?: string }

function Ask({ question, answer }: { question: Question; answer: (result: { option: boolean } | null) => void }): ReactElement {
  const [option, setOption] = useState(false);
  return (
    <Dialog title={question.title} onClose={() => answer(null)} onSubmit={() => answer({ option })} actions={
      <>
        <Button onClick={() => answer(null)}>{t('action.cancel')}</Button>
        <Button type="submit" kind={question.danger ? 'danger' : 'primary'} className={question.danger ? 'solid' : ''}>{question.action}</Button>
      </>
    }>
      <p>{question.text}</p>
      {question.option ? (
        <label className="check"><input type="checkbox" checked={option} onChange={(event) => setOption(event.target.checked)} /> {question.option}</label>
      ) : null}
    </Dialog>
  );
}

/** Asks before something that cannot be undone; null when the answer is no. */
export function ask(question: Question): Promise<{ option: boolean } | null> {
  return new Promise((resolve) => {
    const host = document.createElement('div');
    document.body.append(host);
    const root = createRoot(host);
    const answer = (result: { option: boolean } | null) => {
      root.unmount();
      host.remove();
      resolve(result);
    };
    root.render(<Ask question={question} answer={answer} />);
  });
}
