import { forwardRef, useRef, useState, type ButtonHTMLAttributes, type MouseEvent } from 'react';
import { Icon, type IconName } from './Icon';

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'onClick'> {
  icon?: IconName;
  kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  /** With an icon and without children the label is heard and shown as a tooltip. */
  label?: string;
  small?: boolean;
  /** A promise keeps the button from being pressed again until it is settled. */
  onClick?: (event: MouseEvent<HTMLButtonElement>) => void | Promise<unknown>;
}

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { icon, kind = 'plain', label, small, children, onClick, disabled, className, type = 'button', ...rest }, ref,
) {
  const [busy, setBusy] = useState(false);
  const isBusy = useRef(false);
  const press = (event: MouseEvent<HTMLButtonElement>) => {
    // Not disabled meanwhile: whoever pressed it by keyboard would lose the place.
    if (isBusy.current) return;
    const result = onClick?.(event);
    if (!(result instanceof Promise)) return;
    const mark = (is: boolean) => {
      isBusy.current = is;
      setBusy(is);
    };
    mark(true);
    void result.finally(() => mark(false));
  };
  const classes = ['button', kind, small ? 'small' : '', icon && !children ? 'icon-only' : '', busy ? 'busy' : '', className ?? ''];
  return (
    <button ref={ref} type={type} className={classes.filter(Boolean).join(' ')} disabled={disabled} aria-disabled={busy || undefined} aria-busy={busy || undefined}
      aria-label={label} title={label} onClick={onClick ? press : undefined} {...rest}>
      {icon ? <Icon name={icon} size={small ? 18 : 20} /> : null}
      {children ? <span>{children}</span> : null}
    </button>
  );
});
