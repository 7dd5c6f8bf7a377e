import { fault } from '../../errors/index.ts';
import type { Deconstructed } from '../typing/fields.ts';
import { type Family, type Kind, type KindSpec, kindSpec } from './kinds.ts';

export type Options = Readonly<Record<string, unknown>>;

/** Options that are about the class, not the column: migrations do not see them. */
const NOT_DATA = new Set(['validators', 'of', 'to', 'through', 'throughFields']);

/** Options as plain data: functions cannot be stored, so a default function becomes a mark. */
export function plainOptions(options: Options): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const key of Object.keys(options).sort()) {
    const value = options[key];
    if (NOT_DATA.has(key) || value === undefined) continue;
    if (typeof value === 'function') plain[`${key}Function`] = true;
    else if (typeof value === 'bigint') plain[key] = { $bigint: String(value) };
    else if (value instanceof Date) plain[key] = { $date: value.toISOString() };
    else plain[key] = value;
  }
  return plain;
}

/** What the model's fields share. `name` and `model` are known once the model's class is first used. */
export abstract class AnyField {
  abstract readonly kind: Kind;
  readonly options: Options;
  name = '';
  /** Label of the model that declares it, for messages. */
  model = '';

  constructor(options: Options) {
    this.options = options;
  }

  abstract deconstruct(): Deconstructed;

  bind(model: string, name: string): void {
    this.model = model;
    this.name = name;
  }
}

/** A field with a column in the model's own table. */
export abstract class ColumnField extends AnyField {
  /** The property that holds the column's value: `authorId` for a foreign key `author`, else the name. */
  attname = '';
  column = '';

  get null(): boolean {
    return this.options['null'] === true;
  }
  get primaryKey(): boolean {
    return this.options['primaryKey'] === true;
  }
  get unique(): boolean {
    return this.primaryKey || this.options['unique'] === true;
  }
  get hasDefault(): boolean {
    return 'default' in this.options && this.options['default'] !== undefined;
  }
  /** The database fills it in when an INSERT leaves it out. */
  get databaseFills(): boolean {
    return this.auto || this.options['dbDefault'] !== undefined || this.generated;
  }
  get auto(): boolean {
    return this.kind === 'bigAuto' || this.kind === 'auto' || this.kind === 'smallAuto';
  }
  get generated(): boolean {
    return this.options['generated'] !== undefined;
  }

  /** The field whose kind decides how values are stored: itself, or for a foreign key what it points to. */
  abstract get storage(): ValueField;

  get family(): Family {
    return this.storage.spec.family;
  }

  defaultValue(): unknown {
    const value = this.options['default'];
    return typeof value === 'function' ? (value as () => unknown)() : value;
  }

  /** Throws a DataError unless `value` fits. Null is judged by whoever writes. */
  check(value: unknown): void {
    const { spec, options } = this.storage;
    if (!spec.accepts(value, options))
      throw fault('SBY_DB_BAD_VALUE', {
        model: this.model,
        field: this.name,
        got: value,
        expected: spec.expected(options),
      });
  }
}

/** A column that holds a value of its own. */
export class ValueField extends ColumnField {
  readonly kind: Kind;
  readonly spec: KindSpec;

  constructor(kind: Kind, options: Options) {
    super(options);
    this.kind = kind;
    this.spec = kindSpec(kind);
  }

  override get storage(): ValueField {
    return this;
  }

  override bind(model: string, name: string): void {
    super.bind(model, name);
    this.attname = name;
    this.column = columnName(name, this.deconstruct());
  }

  deconstruct(): Deconstructed {
    const options = plainOptions(this.options);
    const of = this.options['of'];
    if (of instanceof ValueField) options['of'] = of.deconstruct();
    return { kind: this.kind, options };
  }
}

export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** The column of a field: its `column` option, or its name in snake_case, with `_id` for a foreign key. */
export function columnName(name: string, { kind, options }: Deconstructed): string {
  if (typeof options['column'] === 'string') return options['column'];
  return kind === 'foreignKey' || kind === 'oneToOne' ? `${snakeCase(name)}_id` : snakeCase(name);
}

/** The table of a model: its `table` option, or `<app>_<model>` in lower case, as Django names it. */
export function tableName(app: string, model: string, table?: string | undefined): string {
  return table ?? `${app}_${model.toLowerCase()}`;
}
