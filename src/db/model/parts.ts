/** Indexes and constraints for a model's options. They are the database's: migrations make them, queries do not see them. */

import { fault } from '../../errors/index.ts';
import { ConditionTree } from '../expressions/condition.ts';
import { FExpr, ValueExpr } from '../expressions/expression.ts';
import type { DatabaseExpression } from '../typing/fields.ts';
import type { Condition } from '../typing/model.ts';
import type { Deconstructible } from './options.ts';

/** Lookups `{ views__gt: 0 }`, `Q(…)`, or SQL over column names as `{ sql }`. */
export type PartCondition = Readonly<Record<string, unknown>> | Condition<unknown> | DatabaseExpression;

interface Columns {
  /** Names of fields; `-name` is descending. */
  readonly fields?: readonly string[];
  /** SQL over column names, as `{ sql: 'lower(title)' }`. */
  readonly expressions?: readonly DatabaseExpression[];
  /** Default: made of the model, the fields and a fingerprint. At most 63 bytes. */
  readonly name?: string;
  /** Only rows that meet it. */
  readonly condition?: PartCondition;
  /** PostgreSQL: further fields kept in the index, so that queries need not read the table. */
  readonly include?: readonly string[];
  /** PostgreSQL: an operator class per field. */
  readonly opclasses?: readonly string[];
}
export interface IndexOptions extends Columns {
  /** PostgreSQL: gin, gist, brin, hash, spgist. Default btree. */
  readonly using?: string;
}
export interface UniqueOptions extends Columns {
  /** PostgreSQL: checked at the end of the transaction, or of each statement. Default: of each row. */
  readonly deferrable?: 'deferred' | 'immediate';
  /** PostgreSQL 15: false takes two NULLs for the same. Default true. */
  readonly nullsDistinct?: boolean;
}
export interface CheckOptions {
  readonly name?: string;
  /** What every row must meet. */
  readonly check: PartCondition;
}
export interface ExclusionOptions {
  readonly name?: string;
  /** Pairs of a field, or `{ sql }`, and an operator: `[['room', '='], ['during', '&&']]`. */
  readonly expressions: readonly (readonly [string | DatabaseExpression, string])[];
  /** Default gist. */
  readonly using?: string;
  readonly condition?: PartCondition;
}

function part(kind: string, options: object): Deconstructible {
  const { name } = options as { name?: unknown };
  if (name !== undefined && (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 63))
    throw fault('SBY_DB_BAD_NAME', { what: `name of an index or constraint (at most 63 bytes)`, got: name });
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options))
    if (value !== undefined)
      plain[key] = key === 'condition' || key === 'check' ? plainCondition(value) : value;
  return { deconstruct: () => ({ kind, options: plain }) };
}

/** An index: `index({ fields: ['-published', 'title'] })`. */
export function index(options: IndexOptions): Deconstructible {
  return part('index', needColumns('index', options));
}

/** No two rows (that meet `condition`) agree in these: `uniqueConstraint({ fields: ['room', 'day'] })`. */
export function uniqueConstraint(options: UniqueOptions): Deconstructible {
  return part('unique', needColumns('uniqueConstraint', options));
}

/** Every row meets it: `checkConstraint({ name: 'price_positive', check: { price__gte: '0' } })`. */
export function checkConstraint(options: CheckOptions): Deconstructible {
  if (typeof options?.check !== 'object' || options.check === null)
    throw fault('SBY_DB_BAD_NAME', { what: 'check of checkConstraint()', got: options?.check });
  return part('check', options);
}

/** PostgreSQL: no two rows for which all operators hold. */
export function exclusionConstraint(options: ExclusionOptions): Deconstructible {
  return part('exclusion', options);
}

function needColumns<O extends Columns>(callee: string, options: O): O {
  if ((options?.fields?.length ?? 0) + (options?.expressions?.length ?? 0) === 0)
    throw fault('SBY_DB_BAD_NAME', { what: `list of fields for ${callee}()`, got: options?.fields });
  return options;
}

/** A condition as plain data: lookups, `{ $all }`, `{ $any }`, `{ $not }`, `{ sql }`. */
function plainCondition(value: unknown): unknown {
  if (value instanceof ConditionTree) {
    if (value.connector === 'XOR')
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: 'condition', got: value, expected: 'and, or and not' });
    const parts = value.parts.map(plainCondition);
    const joined = parts.length === 1 ? parts[0] : { [value.connector === 'OR' ? '$any' : '$all']: parts };
    return value.negated ? { $not: joined } : joined;
  }
  if (typeof value !== 'object' || value === null)
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: 'condition',
      got: value,
      expected: 'lookups, Q(…) or { sql }',
    });
  const { sql } = value as { sql?: unknown };
  if (typeof sql === 'string' && Object.keys(value).length === 1) return { sql };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(key, item)]));
}

function plainValue(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => plainValue(key, item));
  if (value instanceof FExpr) return { $field: value.reference };
  if (value instanceof ValueExpr) return plainValue(key, value.value);
  if (value instanceof Date) return { $date: value.toISOString() };
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: key, got: value, expected: "a plain value or F('field')" });
}
