import { t } from '../i18n';
import { useQuery } from './query';

/** The parts of JSON Schema that describe fields of a form. */
export interface Schema {
  type?: string | string[]; enum?: (string | number)[]; minimum?: number; maximum?: number; minLength?: number; maxLength?: number; pattern?: string;
  format?: string; description?: string; default?: unknown; anyOf?: Schema[]; items?: Schema;
}
interface Document { components: { schemas: Record<string, { properties?: Record<string, Schema>; required?: string[] }> } }

/** What a field takes, without the forms that only programs need. */
export interface FieldFacts {
  kind: 'boolean' | 'integer' | 'number' | 'choice' | 'time' | 'list' | 'text'; isNullable: boolean; choices: (string | number)[];
  minimum: number | undefined; maximum: number | undefined; minLength: number; maxLength: number | undefined; description: string | undefined; standard: unknown;
}

export function facts(schema: Schema): FieldFacts {
  const forms = schema.anyOf ?? [schema];
  const types = forms.flatMap((form) => form.type ?? []);
  const main = forms.find((form) => form.type !== 'null') ?? schema;
  const type = [main.type ?? []].flat().find((one) => one !== 'null') ?? 'string';
  const kind: FieldFacts['kind'] = main.enum ? 'choice' : type === 'boolean' ? 'boolean' : type === 'integer' ? 'integer' : type === 'number' ? 'number' : type === 'array' ? 'list'
    : main.pattern?.includes('2[0-3]') ? 'time' : 'text';
  return {
    kind, isNullable: types.includes('null'), choices: main.enum ?? [], minimum: main.minimum, maximum: main.maximum, minLength: main.minLength ?? 0, maxLength: main.maxLength,
    description: schema.description ?? main.description, standard: schema.default,
  };
}

/** What is wrong with a value, before the server is asked; undefined when nothing is. */
export function fault(field: FieldFacts, value: unknown, isRequired: boolean): string | undefined {
  if (value === null || value === '') return isRequired || (value === '' && field.minLength > 0 && !field.isNullable) ? t('form.required') : undefined;
  if (field.kind === 'integer' || field.kind === 'number') {
    const number = typeof value === 'number' ? value : Number(value);
    if (!Number.isFinite(number) || (field.kind === 'integer' && !Number.isInteger(number))) return t(field.kind === 'integer' ? 'form.whole' : 'form.number');
    if (field.minimum !== undefined && number < field.minimum) return t('form.least', { value: field.minimum });
    if (field.maximum !== undefined && number > field.maximum) return t('form.most', { value: field.maximum });
  }
  if (typeof value === 'string' && field.maxLength !== undefined && value.length > field.maxLength) return t('form.tooLong', { value: field.maxLength });
  return undefined;
}

/** Fields of a named schema. */
export function useSchema(name: string): Record<string, FieldFacts> | undefined {
  const { data } = useQuery<Document>('/openapi.json');
  const properties = data?.components.schemas[name]?.properties;
  if (!properties) return undefined;
  return Object.fromEntries(Object.entries(properties).map(([field, schema]) => [field, facts(schema)]));
}
