import { fault, isSobayaError, type ValidationError } from '../../errors/index.ts';
import type { ColumnField, ValueField } from '../fields/field.ts';
import { ForeignKeyField } from '../fields/relations.ts';
import { type Instance, stateOf } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Validator } from '../typing/fields.ts';
import { QuerySetImpl } from './queryset.ts';
import { isSaved } from './write.ts';

type Messages = Record<string, string[]>;

// The part before @ after RFC 5322's dot-atom; the domain by its labels (RFC 1034, 3.5), or an address in brackets.
const EMAIL =
  /^[-!#$%&'*+/=?^_`{}|~\w]+(\.[-!#$%&'*+/=?^_`{}|~\w]+)*@(([a-z0-9\u00a1-\uffff]([a-z0-9\u00a1-\uffff-]{0,61}[a-z0-9\u00a1-\uffff])?\.)+[a-z\u00a1-\uffff][a-z0-9\u00a1-\uffff-]{0,61}[a-z0-9\u00a1-\uffff]|localhost|\[[0-9a-f.:]+\])$/iu;
const SLUG = /^[-\w]+$/;
const IP4 = /^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$/;

function isUrl(value: string): boolean {
  if (/\s/.test(value) || !URL.canParse(value)) return false;
  return ['http:', 'https:', 'ftp:', 'ftps:'].includes(new URL(value).protocol);
}
function isAddress(value: string): boolean {
  return IP4.test(value) || (value.includes(':') && URL.canParse(`http://[${value}]/`));
}

/** What is wrong with one field's value. */
export function fieldErrors(field: ColumnField, value: unknown): string[] {
  const { options } = field;
  if (value === null || value === undefined)
    return field.null || field.databaseFills ? [] : ['This field may not be null.'];
  const storage = field instanceof ForeignKeyField ? field.storage : (field as ValueField);
  if (value === '' && storage.spec.family === 'text')
    return options['blank'] === true ? [] : ['This field may not be empty.'];
  if (!storage.spec.accepts(value, storage.options))
    return [`It takes ${storage.spec.expected(storage.options)}.`];
  const out: string[] = [];
  const choices = options['choices'] as readonly unknown[] | undefined;
  if (
    choices !== undefined &&
    !choices.some((choice) => (Array.isArray(choice) ? choice[0] : choice) === value)
  )
    out.push(`${JSON.stringify(value)} is not one of the choices.`);
  const { kind } = field;
  if (kind === 'email' && !EMAIL.test(value as string)) out.push('Enter a valid e-mail address.');
  if (kind === 'url' && !isUrl(value as string)) out.push('Enter a valid URL.');
  if (kind === 'slug' && !SLUG.test(value as string))
    out.push('Use letters, digits, underscores and hyphens only.');
  if (kind === 'ipAddress' && !isAddress(value as string)) out.push('Enter a valid IPv4 or IPv6 address.');
  const { min, max, minLength } = options as { min?: number; max?: number; minLength?: number };
  if (typeof value === 'number' && min !== undefined && value < min) out.push(`It is at least ${min}.`);
  if (typeof value === 'number' && max !== undefined && value > max) out.push(`It is at most ${max}.`);
  if (typeof value === 'string' && minLength !== undefined && [...value].length < minLength)
    out.push(`It has at least ${minLength} characters.`);
  for (const validator of (options['validators'] as readonly Validator<unknown>[] | undefined) ?? []) {
    try {
      const message = validator(value);
      if (typeof message === 'string') out.push(message);
    } catch (error) {
      out.push(error instanceof Error ? error.message : String(error));
    }
  }
  return out;
}

export interface CleanOptions {
  readonly exclude?: readonly string[];
  readonly unique?: boolean;
}

/** Fields, then clean(), then uniqueness: everything that is wrong is reported at once. */
export async function fullClean(instance: Instance, options: CleanOptions): Promise<void> {
  const meta = metaOf(instance.constructor);
  const errors: Messages = {};
  const exclude = new Set(options.exclude);
  const { deferred } = stateOf(instance);
  for (const field of meta.columns) {
    if (exclude.has(field.name) || deferred?.has(field.attname) || field.generated) continue;
    if (field.options['autoNow'] === true || field.options['autoNowAdd'] === true) continue;
    const found = fieldErrors(field, instance[field.attname]);
    if (found.length > 0) errors[field.name] = found;
  }
  try {
    await (instance as unknown as { clean(): void | Promise<void> }).clean();
  } catch (error) {
    if (!isSobayaError(error) && !(error instanceof Error)) throw error;
    const given = (error as Partial<ValidationError>).errors;
    if (given !== undefined)
      for (const [name, messages] of Object.entries(given))
        errors[name] = [...(errors[name] ?? []), ...messages];
    else if (isSobayaError(error)) throw error;
    else errors['all'] = [...(errors['all'] ?? []), (error as Error).message];
  }
  if (options.unique !== false) await uniqueErrors(instance, meta, errors, exclude);
  if (Object.keys(errors).length > 0) throw invalid(meta.label, errors);
}

/** A ValidationError with messages by field; for clean() and forms. */
export function invalid(model: string, errors: Readonly<Record<string, readonly string[]>>): ValidationError {
  const error = fault('SBY_DB_INVALID', { model, errors });
  error.errors = { ...errors };
  return error;
}

async function uniqueErrors(
  instance: Instance,
  meta: Meta,
  errors: Messages,
  exclude: ReadonlySet<string>,
): Promise<void> {
  const groups: ColumnField[][] = meta.columns
    .filter((field) => field.unique && !(field.primaryKey && isSaved(instance)))
    .map((field) => [field]);
  for (const names of meta.options.uniqueTogether ?? [])
    groups.push(names.map((name) => meta.fields.get(name) as ColumnField));
  for (const constraint of meta.options.constraints ?? []) {
    const { kind, options } = constraint.deconstruct();
    // Those that hold for some rows only, or over expressions, are the database's to check.
    if (kind !== 'unique' || options['condition'] !== undefined || options['expressions'] !== undefined)
      continue;
    groups.push((options['fields'] as string[]).map((name) => meta.fields.get(name) as ColumnField));
  }
  for (const group of groups) {
    if (group.some((field) => exclude.has(field.name) || errors[field.name] !== undefined)) continue;
    const values = group.map((field) => instance[field.attname]);
    if (values.some((value) => value === null || value === undefined)) continue;
    // What is unique is so in the table that has the field.
    const owner = meta.ownerOf(group[0] as ColumnField);
    let set = new QuerySetImpl(owner).filter(
      Object.fromEntries(group.map((field, i) => [field.attname, values[i]])),
    );
    const key = instance[owner.pk.attname];
    if (isSaved(instance)) set = set.exclude({ pk: key });
    if (!(await set.exists())) continue;
    const names = group.map((field) => field.name).join(' and ');
    const at = group.length === 1 ? (group[0] as ColumnField).name : 'all';
    errors[at] = [...(errors[at] ?? []), `${meta.name} with this ${names} already exists.`];
  }
}
