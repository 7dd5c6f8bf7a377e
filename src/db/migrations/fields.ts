/**
 * `field.text({ maxLength: 100 })`: how migration files write fields. Plain data, frozen in the file's time; the
 * classes of models.ts may change, what a migration meant must not.
 */
import type { FieldState } from './state.ts';

/** SQL as a default or expression; written by the programmer, never from input. */
export interface SqlText {
  readonly sql: string;
}

interface Common {
  readonly null?: boolean;
  readonly blank?: boolean;
  readonly unique?: boolean;
  readonly index?: boolean;
  readonly primaryKey?: boolean;
  readonly column?: string;
  /** The model computes the default with a function, which a migration cannot store. */
  readonly defaultFunction?: true;
  readonly verboseName?: string;
  readonly helpText?: string;
  readonly editable?: boolean;
  readonly comment?: string;
  /** A column the database computes from others. */
  readonly generated?: { readonly sql: string; readonly stored: boolean };
  /** Options of other makers: stored and compared, and otherwise left alone. */
  readonly [option: string]: unknown;
}
interface Valued<V> extends Common {
  readonly default?: V | null;
  readonly dbDefault?: V | SqlText | null;
  readonly choices?: readonly (V | readonly [V, string])[];
}
interface Text extends Valued<string> {
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly collation?: string;
}
interface Numeric<V> extends Valued<V> {
  readonly min?: V;
  readonly max?: V;
}
interface Decimal extends Valued<string> {
  readonly maxDigits: number;
  readonly decimalPlaces: number;
}
interface Moment<V> extends Valued<V> {
  readonly autoNow?: boolean;
  readonly autoNowAdd?: boolean;
}
interface Relation extends Common {
  readonly onDelete?: 'cascade' | 'protect' | 'restrict' | 'setNull' | 'setDefault' | 'doNothing';
  readonly toField?: string;
  readonly constraint?: boolean;
  readonly default?: unknown;
}
interface ManyToMany {
  /** The model between, `shop.Membership`; without it a table of its own is made. */
  readonly through?: string;
  readonly table?: string;
  readonly symmetrical?: boolean;
  readonly verboseName?: string;
  readonly [option: string]: unknown;
}

/** Values that JSON cannot hold, in the form in which states are stored and compared. */
export function encodeValue(value: unknown): unknown {
  if (value instanceof Date) return { $date: value.toISOString() };
  if (typeof value === 'bigint') return { $bigint: String(value) };
  return value;
}

/** The other way: `{ $date: '…' }` to a Date, `{ $bigint: '…' }` to a bigint. */
export function decodeValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { $date, $bigint } = value as { $date?: unknown; $bigint?: unknown };
  if (typeof $date === 'string') return new Date($date);
  if (typeof $bigint === 'string') return BigInt($bigint);
  return value;
}

function state(kind: string, options: object = {}): FieldState {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options))
    if (value !== undefined) plain[key] = encodeValue(value);
  return Object.freeze({ kind, options: Object.freeze(plain) });
}

export interface FieldBuilders {
  smallAuto(options: Common & { readonly primaryKey: true }): FieldState;
  auto(options: Common & { readonly primaryKey: true }): FieldState;
  bigAuto(options: Common & { readonly primaryKey: true }): FieldState;
  smallInteger(options?: Numeric<number>): FieldState;
  integer(options?: Numeric<number>): FieldState;
  positiveSmallInteger(options?: Numeric<number>): FieldState;
  positiveInteger(options?: Numeric<number>): FieldState;
  bigInteger(options?: Numeric<bigint>): FieldState;
  positiveBigInteger(options?: Numeric<bigint>): FieldState;
  float(options?: Numeric<number>): FieldState;
  decimal(options: Decimal): FieldState;
  boolean(options?: Valued<boolean>): FieldState;
  text(options?: Text): FieldState;
  email(options?: Text): FieldState;
  url(options?: Text): FieldState;
  slug(options?: Text): FieldState;
  ipAddress(options?: Valued<string>): FieldState;
  uuid(options?: Valued<string>): FieldState;
  date(options?: Moment<string>): FieldState;
  time(options?: Moment<string>): FieldState;
  dateTime(options?: Moment<Date>): FieldState;
  duration(options?: Valued<number>): FieldState;
  json(options?: Valued<unknown>): FieldState;
  binary(options?: Valued<Uint8Array>): FieldState;
  array(of: FieldState, options?: Valued<readonly unknown[]>): FieldState;
  foreignKey(to: string, options?: Relation): FieldState;
  oneToOne(to: string, options?: Relation): FieldState;
  manyToMany(to: string, options?: ManyToMany): FieldState;
  /** A kind of field that is not Sobaya's own. */
  custom(kind: string, options?: Readonly<Record<string, unknown>>): FieldState;
}

export const plainKinds = [
  'smallAuto',
  'auto',
  'bigAuto',
  'smallInteger',
  'integer',
  'positiveSmallInteger',
  'positiveInteger',
  'bigInteger',
  'positiveBigInteger',
  'float',
  'decimal',
  'boolean',
  'text',
  'email',
  'url',
  'slug',
  'ipAddress',
  'uuid',
  'date',
  'time',
  'dateTime',
  'duration',
  'json',
  'binary',
] as const;
export const relationKinds = ['foreignKey', 'oneToOne', 'manyToMany'] as const;

/** Fields for migration files, one function per kind. */
export const field: FieldBuilders = Object.freeze({
  ...Object.fromEntries(plainKinds.map((kind) => [kind, (options?: object) => state(kind, options)])),
  ...Object.fromEntries(
    relationKinds.map((kind) => [
      kind,
      (to: string, options?: object) =>
        state(kind, kind === 'manyToMany' ? { to, ...options } : { onDelete: 'cascade', to, ...options }),
    ]),
  ),
  array: (of: FieldState, options?: object) => state('array', { ...options, of }),
  custom: (kind: string, options?: object) => state(kind, options),
}) as unknown as FieldBuilders;
