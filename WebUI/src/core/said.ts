import { words } from '../i18n';

// Texts of the server for people have a code and parameters beside them (`reason`, `reason_code`, `reason_parameters`): with these they
// are said in the viewer's language. What has no code, or one that is not known here, is shown as the server says it.

type Parameter = string | { text: string; code: string; parameters: Parameters | null };
type Parameters = Record<string, Parameter>;

const DEEPEST = 5;

function sentence(text: string, code: unknown, parameters: unknown, depth = 0): string {
  if (typeof code !== 'string' || depth > DEEPEST) return text;
  const said = words(`said.${code}`, '');
  if (!said) return text;
  const values = (typeof parameters === 'object' && parameters !== null ? parameters : {}) as Parameters;
  let isWhole = true;
  const whole = said.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = Object.entries(values).find(([known]) => known === name)?.[1];
    if (typeof value === 'string') return value;
    if (typeof value?.text === 'string') return sentence(value.text, value.code, value.parameters, depth + 1);
    isWhole = false;
    return '';
  });
  return isWhole ? whole : text;
}

/** The text under a key of an answer, in the viewer's language where that is known; null where there is none. */
export function said(answer: object, key: string): string | null {
  const facts = answer as Record<string, unknown>;
  const text = facts[key];
  return typeof text === 'string' ? sentence(text, facts[`${key}_code`], facts[`${key}_parameters`]) : null;
}

/** A value of the sentence under a key of an answer, as it is said in the viewer's language; null where the sentence has no such value. */
export function saidValue(answer: object, key: string, name: string): string | null {
  const values = (answer as Record<string, unknown>)[`${key}_parameters`];
  const value: unknown = typeof values === 'object' && values !== null ? Object.entries(values).find(([known]) => known === name)?.[1] : null;
  if (typeof value === 'string') return value;
  const inner = value as { text?: unknown; code?: unknown; parameters?: unknown } | null | undefined;
  return typeof inner?.text === 'string' ? sentence(inner.text, inner.code, inner.parameters) : null;
}

/** An entry of a list of texts with its code. */
export interface SaidText { text: string; code: string | null; parameters: unknown }

/** The texts of a list under a key of an answer (`notes`, with their codes in `notes_said`), in the viewer's language where they are known. */
export function saidList(answer: object, key: string): string[] {
  const facts = answer as Record<string, unknown>;
  const coded = facts[`${key}_said`];
  if (Array.isArray(coded)) return (coded as SaidText[]).map((one) => sentence(one.text, one.code, one.parameters));
  return Array.isArray(facts[key]) ? facts[key] as string[] : [];
}

/** Complaints about fields that every server of this kind words alike, by their type. */
const complaints: Record<string, string> = {
  missing: 'form.required', string_too_long: 'form.tooLong', string_too_short: 'form.tooShort', greater_than_equal: 'form.least', less_than_equal: 'form.most',
  int_parsing: 'form.whole', int_type: 'form.whole', int_from_float: 'form.whole', float_parsing: 'form.number', float_type: 'form.number', finite_number: 'form.number',
  literal_error: 'form.oneOf',
};
const limits = ['max_length', 'min_length', 'ge', 'le', 'expected'];

/** What is wrong with a field, of an entry of a 422 answer. */
export function complaint(problem: { type?: string; msg?: string; ctx?: Record<string, unknown> }): string {
  const plain = (problem.msg ?? '').replace(/^Value error, /, '');
  const own = said({ ...problem, msg: plain }, 'msg') ?? plain;
  if (own !== plain) return own;
  const known = words(complaints[problem.type ?? ''] ?? '', '');
  if (!known) return plain;
  const limit = limits.map((name) => problem.ctx?.[name]).find((value) => typeof value === 'number' || typeof value === 'string');
  return known.includes('{value}') && limit === undefined ? plain : known.replace('{value}', String(limit));
}
