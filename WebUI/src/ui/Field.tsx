import { useId, useState, type InputHTMLAttributes, type ReactElement, type ReactNode } from 'react';
import { t } from '../i18n';
import { Button } from './Button';

interface Shell { label: string; hint?: ReactNode; error?: string | undefined; wide?: boolean }

function useShell({ hint, error }: Shell): { id: string; described: string | undefined; below: ReactElement | null } {
  const id = useId();
  const described = error || hint ? `${id}-about` : undefined;
  const below = described
    ? <span id={described} className={error ? 'field-error' : 'field-hint'} role={error ? 'alert' : undefined}>{error ?? hint}</span>
    : null;
  return { id, described, below };
}

export interface TextFieldProps extends Shell, Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'> {
  value: string; onValue: (value: string) => void; suffix?: string;
}

export function TextField(props: TextFieldProps): ReactElement {
  const { label, hint, error, wide, value, onValue, suffix, type = 'text', ...rest } = props;
  const { id, described, below } = useShell({ label, hint, error });
  const [isShown, setShown] = useState(false);
  const isSecret = type === 'password';
  return (
    <div className={`field${wide ? ' wide' : ''}${error ? ' wrong' : ''}`}>
      <label htmlFor={id}>{label}{rest.required ? <span className="required" aria-hidden="true"> *</span> : null}</label>
      <div className="field-row">
        <input id={id} type={isSecret && isShown ? 'text' : type} value={value} onChange={(event) => onValue(event.target.value)}
          aria-invalid={error ? true : undefined} aria-describedby={described} {...rest} />
        {suffix ? <span className="suffix">{suffix}</span> : null}
        {isSecret ? <Button kind="quiet" icon={isShown ? 'eyeOff' : 'eye'} label={t(isShown ? 'form.hide' : 'form.show')} onClick={() => setShown(!isShown)} /> : null}
      </div>
      {below}
    </div>
  );
}

export interface SelectFieldProps extends Shell {
  value: string; onValue: (value: string) => void; options: readonly { value: string; label: string }[]; name?: string; disabled?: boolean;
}

export function SelectField(props: SelectFieldProps): ReactElement {
  const { label, hint, error, wide, value, onValue, options, name, disabled } = props;
  const { id, described, below } = useShell({ label, hint, error });
  return (
    <div className={`field${wide ? ' wide' : ''}${error ? ' wrong' : ''}`}>
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name} value={value} disabled={disabled} onChange={(event) => onValue(event.target.value)} aria-invalid={error ? true : undefined} aria-describedby={described}>
        {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
      </select>
      {below}
    </div>
  );
}

export interface SwitchFieldProps extends Shell { value: boolean; onValue: (value: boolean) => void; name?: string; disabled?: boolean }

export function SwitchField(props: SwitchFieldProps): ReactElement {
  const { label, hint, error, wide, value, onValue, name, disabled } = props;
  const { id, described, below } = useShell({ label, hint, error });
  return (
    <div className={`field switch-field${wide ? ' wide' : ''}${error ? ' wrong' : ''}`}>
      <label htmlFor={id} className="switch">
        <input id={id} name={name} type="checkbox" role="switch" checked={value} disabled={disabled} onChange={(event) => onValue(event.target.checked)} aria-describedby={described} />
        <span className="track" aria-hidden="true" />
        <span>{label}</span>
      </label>
      {below}
    </div>
  );
}

export function TextArea(props: Shell & { value: string; onValue: (value: string) => void; rows?: number; name?: string }): ReactElement {
  const { label, hint, error, wide, value, onValue, rows = 3, name } = props;
  const { id, described, below } = useShell({ label, hint, error });
  return (
    <div className={`field${wide ? ' wide' : ''}${error ? ' wrong' : ''}`}>
      <label htmlFor={id}>{label}</label>
      <textarea id={id} name={name} rows={rows} value={value} onChange={(event) => onValue(event.target.value)} aria-invalid={error ? true : undefined} aria-describedby={described} />
      {below}
    </div>
  );
}
