import { useEffect, useState, type ReactElement } from 'react';
import { guardLeaving } from '../app/router';
import { api, codeOf, Failure } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { saidValue } from '../core/said';
import { fault, useSchema, type FieldFacts } from '../core/schema';
import { showNumber } from '../core/time';
import { t, words } from '../i18n';
import { Button } from '../ui/Button';
import { Card, Problem, Spinner } from '../ui/Bits';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { complain, reason, toast } from '../ui/Toasts';
import { choiceLabel } from '../cameras/CameraField';

type Values = Record<string, { value: string; description: string }>;

interface Group { id: string; keys: readonly string[]; /** The server keeps them and does nothing with them yet. */ isIdle?: boolean }

const groups: readonly Group[] = [
  { id: 'interface', keys: ['default_live_view_mode', 'default_landing_page'] },
  { id: 'keeping', keys: ['max_global_storage_gb', 'storage_floor_gb', 'cleanup_enabled', 'cleanup_interval_hours', 'retention_event_days', 'retention_labelled_days', 'retention_minimum_days', 'retention_max_share_percent', 'archival_enabled', 'archival_interval_hours', 'archival_max_mb_per_second'] },
  { id: 'backups', keys: ['backup_auto_enabled', 'backup_auto_frequency_hours', 'backup_auto_retention'] },
  { id: 'logs', keys: ['log_max_size_mb', 'log_backup_count', 'audit_retention_days'] },
  { id: 'messages', keys: ['notify_webhook_url', 'notify_webhook_secret'] },
];

/** Settings of the programs that this one is compatible with. */
const later: readonly Group[] = [
  { id: 'detection', isIdle: true, keys: ['opt_motion_analysis_height', 'opt_motion_fps_throttle', 'ai_enabled', 'ai_model', 'ai_hardware'] },
  { id: 'mail', isIdle: true, keys: ['smtp_server', 'smtp_port', 'smtp_username', 'smtp_password', 'smtp_from_email', 'smtp_verify_cert', 'notify_email_recipient'] },
  { id: 'telegram', isIdle: true, keys: ['telegram_bot_token', 'telegram_chat_id', 'telegram_proxy_enabled', 'telegram_proxy_url', 'telegram_proxy_retries', 'telegram_proxy_retry_delay'] },
  { id: 'mqtt', isIdle: true, keys: ['mqtt_enabled', 'mqtt_host', 'mqtt_port', 'mqtt_username', 'mqtt_password', 'mqtt_topic_prefix'] },
  { id: 'signOn', isIdle: true, keys: ['oauth_global_enabled', 'oauth_auto_redirect', 'oauth_provider_name', 'oauth_client_id', 'oauth_client_secret', 'oauth_metadata_url'] },
  { id: 'tuning', isIdle: true, keys: ['opt_live_view_quality', 'opt_live_view_height_limit', 'opt_live_view_fps_throttle', 'opt_snapshot_quality', 'opt_ffmpeg_preset', 'opt_verbose_engine_logs', 'log_rotation_check_minutes'] },
];

/** How the server's document ends what it says of a setting that it keeps and does not act on (`SettingKey.idleNote`). */
const idleNote = '(kept, but this server does not act on it)';

function Setting({ name, facts, value, hint, error, onValue }: { name: string; facts: FieldFacts; value: string; hint: string; error: string | undefined; onValue: (value: string) => void }): ReactElement {
  const label = words(`setting.${name}`, name.replaceAll('_', ' '));
  const idle = facts.description?.endsWith(idleNote) ? t('setting.idle') : undefined;
  if (facts.kind === 'choice' && facts.choices.length === 2 && facts.choices.includes('true')) {
    return <SwitchField label={label} name={name} hint={idle} error={error} value={value === 'true'} onValue={(on) => onValue(String(on))} />;
  }
  if (facts.kind === 'choice') {
    return <SelectField label={label} name={name} hint={idle} error={error} value={value} onValue={onValue} options={facts.choices.map((choice) => ({ value: String(choice), label: choiceLabel(String(choice)) }))} />;
  }
  const isNumber = facts.kind === 'integer' || facts.kind === 'number';
  const isSecret = /password|token|secret/.test(name);
  return (
    <TextField label={label} name={name} error={error} value={value} onValue={onValue} type={isNumber ? 'number' : isSecret ? 'password' : 'text'} min={facts.minimum} max={facts.maximum} step={facts.kind === 'integer' ? 1 : 'any'}
      maxLength={facts.maxLength} autoComplete={isSecret ? 'new-password' : 'off'} spellCheck={false} hint={idle ? idle : isNumber && facts.minimum !== undefined && facts.maximum !== undefined ? `${showNumber(facts.minimum)} – ${showNumber(facts.maximum)}` : hint} />
  );
}

export function ServerSettings(): ReactElement {
  const { data, failure, refresh } = useQuery<Values>('/settings');
  const schema = useSchema('SettingChanges');
  const [draft, setDraft] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const changed = Object.entries(draft).filter(([name, value]) => data && data[name]?.value !== value);
  const isChanged = changed.length > 0;
  useEffect(() => {
    guardLeaving(isChanged ? () => window.confirm(t('cameras.leave')) : null);
    const stay = (event: BeforeUnloadEvent) => { if (isChanged) event.preventDefault(); };
    addEventListener('beforeunload', stay);
    return () => {
      guardLeaving(null);
      removeEventListener('beforeunload', stay);
    };
  }, [isChanged]);
  const [refusals, setRefusals] = useState(0);
  // The first field that is wrong may be far from what was pressed.
  useEffect(() => { if (refusals > 0) document.querySelector<HTMLElement>('#main .field.wrong :is(input, select)')?.focus(); }, [refusals]);
  if (failure && !data) return <Problem failure={failure} retry={refresh} />;
  if (!data || !schema) return <Spinner />;
  const listed = new Set([...groups, ...later].flatMap((group) => group.keys));
  const others = Object.keys(schema).filter((name) => !listed.has(name) && name !== 'telemetry_enabled' && name !== 'go2rtc_enabled');
  const show = (faults: Record<string, string>) => {
    setErrors(faults);
    setRefusals((old) => old + 1);
  };
  const save = async () => {
    const faults = Object.fromEntries(changed.flatMap(([name, value]) => {
      const found = schema[name] && fault(schema[name]!, value, false);
      return found ? [[name, found]] : [];
    }));
    if (Object.keys(faults).length > 0) return show(faults);
    try {
      await api.post('/settings/bulk', Object.fromEntries(changed));
      await invalidate('/settings');
      setDraft({});
      setErrors({});
      toast(t('state.saved'));
    } catch (problem) {
      const held = problem instanceof Failure && codeOf(problem) === 'setting_wrong' ? problem.body as object : null;
      const name = held && saidValue(held, 'detail', 'key');
      if (held && name && schema[name]) show({ [name]: saidValue(held, 'detail', 'reason') ?? reason(problem) });
      else if (problem instanceof Failure && Object.keys(problem.fields).length > 0) show(problem.fields);
      else complain(problem);
    }
    return undefined;
  };
  const card = ({ id, keys, isIdle }: Group) => (
    <Card key={id} title={words(`settings.${id}`, id)}>
      {isIdle ? <p className="note"><Icon name="info" /><span>{t('cameras.idle')}</span></p> : null}
      <div className="form-grid">
        {keys.filter((name) => schema[name] && data[name]).map((name) => (
          <Setting key={name} name={name} facts={schema[name]!} value={draft[name] ?? data[name]!.value} hint="" error={errors[name]}
            onValue={(value) => {
              setDraft((old) => ({ ...old, [name]: value }));
              if (errors[name]) setErrors(({ [name]: _, ...rest }) => rest);
            }} />
        ))}
      </div>
    </Card>
  );
  return (
    <>
      {groups.map(card)}
      {others.length > 0 ? card({ id: 'others', keys: others }) : null}
      {later.map(card)}
      {isChanged ? (
        <div className="save-bar" role="region" aria-label={t('state.unsaved')}>
          <span>{t('state.unsaved')}</span><span className="spring" />
          <Button onClick={() => { setDraft({}); setErrors({}); }}>{t('action.discard')}</Button>
          <Button kind="primary" id="save-settings" onClick={save}>{t('action.save')}</Button>
        </div>
      ) : null}
    </>
  );
}
