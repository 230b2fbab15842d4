import type { ReactElement } from 'react';
import type { FieldFacts } from '../core/schema';
import { useQuery } from '../core/query';
import { showNumber } from '../core/time';
import type { Bucket, StorageProfile } from '../core/types';
import { t, words } from '../i18n';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { idleFields, knownChoices, units } from './fields';

export interface CameraFieldProps {
  name: string; facts: FieldFacts; value: unknown; error: string | undefined; onValue: (value: unknown) => void; isRequired?: boolean;
}

export const fieldLabel = (name: string): string => words(`field.${name}`, name.replaceAll('_', ' '));
export const choiceLabel = (value: string): string => value === '' ? t('form.none') : words(`choice.${value}`, value);
const hintOf = (name: string): string | undefined => {
  const own = words(`hint.${name}`, '');
  // What does nothing here says so where it is set.
  return (idleFields.has(name) ? [own, t('cameras.idleField')].filter(Boolean).join(' ') : own) || undefined;
};

/** One field of a camera, as its type wants it. */
export function CameraField({ name, facts, value, error, onValue, isRequired }: CameraFieldProps): ReactElement {
  const label = fieldLabel(name);
  const hint = hintOf(name) ?? (facts.minimum !== undefined && facts.maximum !== undefined && facts.maximum < 100_000 ? `${showNumber(facts.minimum)} – ${showNumber(facts.maximum)}` : undefined);
  const text = value === null || value === undefined ? '' : Array.isArray(value) ? value.join(', ') : String(value);
  if (name.endsWith('storage_profile_id')) return <ProfileField label={label} name={name} text={text} error={error} onValue={onValue} />;
  if (facts.kind === 'boolean') return <SwitchField label={label} name={name} hint={hintOf(name)} error={error} value={value === true} onValue={onValue} />;
  const choices = facts.kind === 'choice' ? facts.choices.map(String) : knownChoices[name];
  if (choices) {
    const all = choices.includes(text) ? choices : [text, ...choices];
    return (
      <SelectField label={label} name={name} hint={hintOf(name)} error={error} value={text} options={all.map((choice) => ({ value: choice, label: choiceLabel(choice) }))}
        onValue={(next) => onValue(next === '' ? null : typeof facts.choices[0] === 'number' ? Number(next) : next)} />
    );
  }
  if (facts.kind === 'integer' || facts.kind === 'number') {
    return (
      <TextField label={label} name={name} hint={hint} error={error} type="number" inputMode={facts.kind === 'integer' ? 'numeric' : 'decimal'} min={facts.minimum} max={facts.maximum}
        step={facts.kind === 'integer' ? 1 : 'any'} value={text} {...(units[name] ? { suffix: units[name]! } : {})}
        onValue={(next) => onValue(next === '' ? null : Number(next))} />
    );
  }
  if (facts.kind === 'list') {
    return <TextField label={label} name={name} hint={hintOf(name)} error={error} value={text} onValue={(next) => onValue(next.split(',').map((item) => item.trim()).filter(Boolean))} />;
  }
  const isSecret = /password|token/.test(name) && !name.includes('profile_token');
  const isURL = name.endsWith('_url');
  return (
    <TextField label={label} name={name} hint={hintOf(name)} error={error} wide={isURL} required={isRequired} type={isSecret ? 'password' : facts.kind === 'time' ? 'time' : 'text'}
      autoComplete={isSecret ? 'new-password' : 'off'} spellCheck={isURL ? false : undefined} maxLength={facts.maxLength} value={text}
      onValue={(next) => onValue(next === '' && facts.isNullable ? null : next)} />
  );
}

function ProfileField({ label, name, text, error, onValue }: { label: string; name: string; text: string; error: string | undefined; onValue: (value: number | null) => void }): ReactElement {
  const isArchive = name === 'archive_storage_profile_id';
  const profiles = useQuery<StorageProfile[]>('/storage/profiles?limit=1000').data ?? [];
  // Old footage may also move into buckets, where the server can do that: these have negative numbers.
  const buckets = (useQuery<Bucket[]>(isArchive ? '/storage/s3' : null).data ?? []).filter((bucket) => bucket.archive !== undefined);
  const options = [
    { value: '', label: t(isArchive ? 'form.none' : 'storage.standard') }, ...profiles.map((profile) => ({ value: String(profile.id), label: profile.name })),
    ...buckets.map((bucket) => ({ value: String(-bucket.id), label: t('offsite.asArchive', { name: bucket.name }) })),
  ];
  // What is chosen stays so when it cannot be listed.
  if (!options.some((option) => option.value === text)) options.push({ value: text, label: text });
  return <SelectField label={label} name={name} error={error} value={text} options={options} onValue={(next) => onValue(next === '' ? null : Number(next))} />;
}
