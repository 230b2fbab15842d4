import { useEffect, useRef, useState, type FormEvent, type ReactElement } from 'react';
import { api, Failure } from '../core/api';
import { enter, session } from '../core/session';
import { useStore } from '../core/store';
import type { User } from '../core/types';
import { chooseLanguage, language, languages, t } from '../i18n';
import { Button } from '../ui/Button';
import { SelectField, TextField } from '../ui/Field';
import { Mark } from '../ui/Icon';
import { reason } from '../ui/Toasts';

const DEVICE = 'vibenvr.device';

function held(name: string): string {
  try { return localStorage.getItem(name) ?? ''; } catch { return ''; }
}
function hold(name: string, value: string): void {
  // Without storage the device is asked for a code each time.
  try { localStorage.setItem(name, value); } catch { /* See above. */ }
}

async function signIn(username: string, password: string, more: Record<string, string> = {}): Promise<void> {
  const form = new URLSearchParams({ username, password, ...more });
  const device = held(`${DEVICE}.${username}`);
  if (device) form.set('device_token', device);
  const answer = await api.post<{ device_token: string | null }>('/auth/login', form);
  if (answer.device_token) hold(`${DEVICE}.${username}`, answer.device_token);
  await enter(await api.get<User>('/auth/me'));
}

function Frame({ title, children, hint, isAgain = false }: { title: string; hint?: string; children: ReactElement; isAgain?: boolean }): ReactElement {
  const shown = useStore(language);
  return (
    <div className="auth">
      <main className="auth-card">
        <p className="brand"><Mark size={40} /><span>VibeNVR</span></p>
        <h1>{title}</h1>
        {hint ? <p className="soft">{hint}</p> : null}
        {children}
      </main>
      {/* Another language draws everything anew: what is typed behind a second sign-in would be gone. */}
      {isAgain ? null : (
        <div className="auth-language">
          <SelectField label={t('profile.language')} value={shown} onValue={(tag) => { void chooseLanguage(tag); }}
            options={Object.entries(languages).map(([value, { name }]) => ({ value, label: name }))} />
        </div>
      )}
    </div>
  );
}

const isThisMachine = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);

function SetUp(): ReactElement {
  const [form, setForm] = useState({ username: '', email: '', password: '', again: '', code: '' });
  const [needsCode, setNeedsCode] = useState(!isThisMachine);
  const [problem, setProblem] = useState<string | null>(null);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const set = (name: keyof typeof form) => (value: string) => setForm((old) => ({ ...old, [name]: value }));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const faults: Record<string, string> = {};
    if (!form.username.trim()) faults['username'] = t('form.required');
    if (form.password.length < 8) faults['password'] = t('auth.passwordShort');
    else if (form.password !== form.again) faults['again'] = t('auth.passwordsDiffer');
    setWrong(faults);
    setProblem(null);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    try {
      await api.post('/auth/setup', {
        username: form.username, password: form.password, ...(form.email ? { email: form.email } : {}), ...(form.code ? { code: form.code.trim() } : {}),
      });
      await signIn(form.username, form.password);
    } catch (failure) {
      if (failure instanceof Failure) {
        setWrong(failure.fields);
        if (failure.status === 403) setNeedsCode(true);
      }
      setProblem(reason(failure));
    } finally { setBusy(false); }
  };
  return (
    <Frame title={t('auth.setupTitle')} hint={t('auth.setupHint')}>
      <form id="setup-form" className="stack" noValidate onSubmit={(event) => { void submit(event); }}>
        <TextField label={t('auth.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus required
          value={form.username} onValue={set('username')} error={wrong['username']} />
        <TextField label={t('auth.email')} name="email" type="email" autoComplete="email" value={form.email} onValue={set('email')} error={wrong['email']} hint={t('form.optional')} />
        <TextField label={t('auth.password')} name="password" type="password" autoComplete="new-password" required value={form.password} onValue={set('password')}
          error={wrong['password']} hint={t('auth.passwordHint')} />
        <TextField label={t('auth.passwordAgain')} name="again" type="password" autoComplete="new-password" required value={form.again} onValue={set('again')} error={wrong['again']} />
        {needsCode ? <TextField label={t('auth.setupCode')} name="code" autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} value={form.code} onValue={set('code')}
          error={wrong['code']} hint={t('auth.setupCodeHint')} /> : null}
        {problem ? <p className="problem" role="alert" id="auth-problem">{problem}</p> : null}
        <Button type="submit" kind="primary" id="auth-submit" disabled={busy}>{t('auth.create')}</Button>
      </form>
    </Frame>
  );
}

function SignIn({ expired, known }: { expired: boolean; known?: User }): ReactElement {
  const [username, setUsername] = useState(known?.username ?? '');
  const [password, setPassword] = useState('');
  const [step, setStep] = useState<'password' | 'code' | 'recovery'>('password');
  const [code, setCode] = useState('');
  const [trusts, setTrusts] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const more: Record<string, string> = {};
      if (step === 'code') more['totp_code'] = code.replace(/\s/g, '');
      if (step === 'recovery') more['recovery_code'] = code.trim();
      if (step !== 'password' && trusts) Object.assign(more, { trust_device: 'true', device_name: deviceName() });
      await signIn(username, password, more);
    } catch (failure) {
      if (failure instanceof Failure && failure.status === 401 && failure.message === '2FA_REQUIRED') {
        setStep('code');
        setCode('');
      } else if (failure instanceof Failure && failure.status === 401) {
        setProblem(step === 'password' ? t('auth.wrong') : t('auth.wrongCode'));
        // What was typed is typed again.
        const typed = form.current?.querySelector<HTMLInputElement>(step === 'password' ? '[name=password]' : '[name=code]');
        typed?.focus();
        typed?.select();
      } else if (failure instanceof Failure && failure.status === 429) setProblem(t('auth.tooMany'));
      else setProblem(reason(failure));
    } finally { setBusy(false); }
  };
  return (
    <Frame title={t('auth.signIn')} isAgain={known !== undefined} {...(expired ? { hint: t('auth.expired') } : {})}>
      <form id="auth-form" className="stack" ref={form} onSubmit={(event) => { void submit(event); }}>
        {step === 'password' ? (
          <>
            <TextField label={t('auth.username')} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus={!known} required value={username} onValue={setUsername} />
            <TextField label={t('auth.password')} name="password" type="password" autoComplete="current-password" autoFocus={known !== undefined} required value={password} onValue={setPassword} />
          </>
        ) : (
          <>
            <TextField key={step} label={t(step === 'code' ? 'auth.code' : 'auth.recoveryCode')} name="code" autoComplete="one-time-code" inputMode={step === 'code' ? 'numeric' : 'text'}
              autoFocus required value={code} onValue={setCode} hint={t(step === 'code' ? 'auth.codeHint' : 'auth.recoveryHint')} />
            <label className="check"><input type="checkbox" name="trust" checked={trusts} onChange={(event) => setTrusts(event.target.checked)} /> {t('auth.trust')}</label>
          </>
        )}
        {problem ? <p className="problem" role="alert" id="auth-problem">{problem}</p> : null}
        <Button type="submit" kind="primary" id="auth-submit" disabled={busy}>{t('auth.signIn')}</Button>
        {step === 'password' ? null : (
          <div className="row spread">
            <Button kind="quiet" small onClick={() => { setStep('password'); setPassword(''); setProblem(null); }}>{t('action.back')}</Button>
            <Button kind="quiet" small onClick={() => { setStep(step === 'code' ? 'recovery' : 'code'); setCode(''); setProblem(null); }}>
              {t(step === 'code' ? 'auth.useRecovery' : 'auth.useCode')}
            </Button>
          </div>
        )}
      </form>
    </Frame>
  );
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox' : /Chrom/.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : 'Browser';
  const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Windows/.test(agent) ? 'Windows' : /Mac OS/.test(agent) ? 'macOS' : 'Linux';
  return `${browser}, ${system}`;
}

/** Signing in once more over a page that stays as it is: what was being typed is there afterwards. */
export function SignInAgain({ user }: { user: User }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    element?.querySelector<HTMLElement>('[name=password]')?.focus();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} className="auth-again" aria-label={t('auth.signIn')} onCancel={(event) => event.preventDefault()} onClose={() => { if (dialog.current?.isConnected) dialog.current.showModal(); }}>
      <SignIn expired known={user} />
    </dialog>
  );
}

export function Auth(): ReactElement | null {
  const now = useStore(session);
  if (now.state === 'setup') return <SetUp />;
  if (now.state === 'signed-out') return <SignIn expired={now.expired} />;
  return null;
}
