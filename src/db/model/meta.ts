import { fault } from '../../errors/index.ts';
import { setNaming } from '../backends/naming.ts';
import { AnyField, ColumnField, tableName, ValueField } from '../fields/field.ts';
import { ForeignKeyField, ManyToManyField, ReverseField, setMetaOf } from '../fields/relations.ts';
import type { Deconstructed } from '../typing/fields.ts';
import type { ModelOptions } from './options.ts';

/** Any model class, for the machinery: users see the typed `ModelClass`. */
export interface AnyModel {
  new (row?: unknown, position?: number, result?: unknown): object;
  readonly name: string;
  readonly prototype: object;
}

/** Own static of a class returned by Model() or extend(): what was declared there. */
export const DECLARED: unique symbol = Symbol('sobaya.db.declared');
export interface Declared {
  readonly fields: object;
  readonly options: ModelOptions;
  /** Where the constructor finds its field assignments once they are known. */
  readonly holder: Holder;
}
export interface Holder {
  init: (instance: object, row: unknown, position: number) => void;
}

const metas = new WeakMap<object, Meta>();
/** All models with an app, by `label.Name`; relations to a model are found here. */
const registry = new Map<string, Meta>();
let generation = 0;

const RESERVED = new Set(
  'constructor prototype pk save delete refresh load clean fullClean isSaved changed toString valueOf toJSON then catch finally hasOwnProperty'.split(
    ' ',
  ),
);
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*$/;

/** A foreign key of some model that points here. */
export interface Incoming {
  readonly meta: Meta;
  readonly field: ForeignKeyField;
}

/** What the machinery knows of one model: Django's `_meta`. */
export class Meta {
  readonly model: AnyModel;
  readonly name: string;
  readonly options: ModelOptions;
  /** The model whose table this is: itself, except for proxies (a subclass without fields of its own). */
  readonly concrete: Meta;
  readonly parent: Meta | null;
  readonly fields = new Map<string, AnyField>();
  readonly columns: ColumnField[] = [];
  /** Other sides of relations that this model does not declare; for our own queries. */
  readonly hidden = new Map<string, AnyField>();
  /** Of the table between two models: the model whose field made it. */
  owner: Meta | null = null;
  /** By attname: `id`, `title`, `authorId`. */
  readonly byAttname = new Map<string, ColumnField>();
  readonly pk: ColumnField;
  #app: string | null;
  #incoming: Incoming[] | null = null;
  #incomingAt = -1;

  readonly declared: Declared;

  constructor(model: AnyModel, declared: Declared, parent: Meta | null, concrete?: Meta) {
    this.declared = declared;
    this.model = model;
    this.name = model.name;
    this.options = declared.options;
    this.parent = parent;
    this.#app = declared.options.app ?? null;
    this.concrete = concrete ?? this;
    metas.set(model, this);
    const seen: [string, AnyField][] = [];
    if (parent !== null && concrete === undefined) {
      if (!parent.abstract)
        throw this.#bad(
          `it extends ${parent.name}, which has a table of its own`,
          `Give ${parent.name} abstract: true, or point to it with oneToOne(${parent.name})`,
        );
      for (const [name, field] of parent.fields) seen.push([name, copy(field)]);
    }
    if (concrete !== undefined)
      for (const [name, field] of concrete.fields)
        if (name !== 'id' || !(concrete.pk === field && field.kind === 'bigAuto'))
          seen.push([name, copy(field)]);
    for (const name of concrete === undefined ? Object.keys(declared.fields) : []) {
      const field = (declared.fields as Record<string, unknown>)[name];
      if (!(field instanceof AnyField))
        throw this.#bad(`"${name}" is not a field`, 'Use text(), integer(), foreignKey(…), …');
      if (!FIELD_NAME.test(name) || RESERVED.has(name))
        throw this.#bad(
          `the field name ${JSON.stringify(name)} is ${RESERVED.has(name) ? 'taken by the model itself' : 'malformed'}`,
          'Use letters, digits and single underscores, beginning with a letter',
        );
      const at = seen.findIndex(([other]) => other === name);
      const entry: [string, AnyField] = [name, field.name === '' ? field : copy(field)];
      if (at >= 0) seen[at] = entry;
      else seen.push(entry);
    }
    const keys = seen.filter(([, field]) => field instanceof ColumnField && field.primaryKey);
    if (keys.length > 1)
      throw this.#bad(`it has two primary keys, ${keys.map(([name]) => name).join(' and ')}`, 'Keep one');
    if (keys.length === 0 && !this.abstract) {
      if (seen.some(([name]) => name === 'id'))
        throw this.#bad('its field "id" is not the primary key', 'Give it primaryKey: true, or rename it');
      seen.unshift(['id', new ValueField('bigAuto', Object.freeze({ primaryKey: true }))]);
    }
    const columnNames = new Map<string, string>();
    for (const [name, field] of seen) {
      field.bind(this.name, name);
      this.fields.set(name, field);
      if (field instanceof ManyToManyField) field.owner = model;
      if (!(field instanceof ColumnField)) continue;
      const other = columnNames.get(field.column.toLowerCase());
      if (other !== undefined || this.byAttname.has(field.attname))
        throw this.#bad(
          `the fields ${other ?? field.attname} and ${name} share the column "${field.column}"`,
          'Give one of them another name or `column`',
        );
      columnNames.set(field.column.toLowerCase(), name);
      this.columns.push(field);
      this.byAttname.set(field.attname, field);
    }
    this.pk = (this.columns.find((field) => field.primaryKey) ?? this.columns[0]) as ColumnField;
    generation++;
  }

  #bad(problem: string, fix: string): Error {
    metas.delete(this.model);
    return fault('SBY_DB_BAD_MODEL', { model: this.name || '(anonymous)', problem, fix });
  }

  get abstract(): boolean {
    return this.options.abstract === true;
  }
  get app(): string {
    return this.#app ?? this.owner?.app ?? (this.concrete === this ? '' : this.concrete.app);
  }
  /** `app.Name`, or the name alone while there is no app. */
  get label(): string {
    const app = this.app;
    return app ? `${app}.${this.name}` : this.name;
  }

  get table(): string {
    if (this.concrete !== this) return this.concrete.table;
    if (this.options.table !== undefined) return this.options.table;
    if (this.#app === null) throw fault('SBY_DB_MODEL_WITHOUT_APP', { model: this.name });
    return tableName(this.#app, this.name);
  }

  register(app: string): void {
    const before = registry.get(`${app}.${this.name}`);
    if (before !== undefined && before.model !== this.model)
      throw fault('SBY_DB_MODEL_TWICE', { label: app, model: this.name });
    if (this.#app !== null && this.#app !== app) registry.delete(this.label);
    this.#app = app;
    registry.set(this.label, this);
    for (const field of this.fields.values()) field.model = this.label;
    generation++;
  }

  relation(name: string): ForeignKeyField | ManyToManyField | ReverseField | undefined {
    const field = this.fields.get(name);
    return field instanceof ForeignKeyField ||
      field instanceof ManyToManyField ||
      field instanceof ReverseField
      ? field
      : undefined;
  }

  /** Foreign keys of all known models that point to this one: what deleting has to look at. */
  get incoming(): readonly Incoming[] {
    if (this.#incoming !== null && this.#incomingAt === generation) return this.#incoming;
    for (const meta of allMetas()) prepareHook(meta);
    const found: Incoming[] = [];
    for (const meta of allMetas())
      for (const field of meta.columns)
        if (field instanceof ForeignKeyField && metaOf(field.to).concrete === this.concrete)
          found.push({ meta, field });
    this.#incoming = found;
    this.#incomingAt = generation;
    return found;
  }

  /** The model as plain data, for migrations: names, options, fields in their order. */
  deconstruct(): ModelState {
    const fields: [string, Deconstructed][] = [];
    for (const [name, field] of this.fields)
      if (!(field instanceof ReverseField)) fields.push([name, field.deconstruct()]);
    const { app: _, table, ...rest } = this.options;
    const options: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(rest))
      if (value !== undefined) options[key] = typeof value === 'function' ? true : plain(value);
    if (table !== undefined) options['table'] = table;
    return { app: this.app, name: this.name, fields, options };
  }
}

/** A model as plain data. */
export interface ModelState {
  readonly app: string;
  readonly name: string;
  readonly fields: readonly (readonly [string, Deconstructed])[];
  readonly options: Readonly<Record<string, unknown>>;
}

interface SelfDescribing {
  deconstruct(): unknown;
}
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof (value as SelfDescribing | null)?.deconstruct === 'function')
    return (value as SelfDescribing).deconstruct();
  return value;
}

function copy(field: AnyField): AnyField {
  if (field instanceof ValueField) return new ValueField(field.kind, field.options);
  if (field instanceof ForeignKeyField) return new ForeignKeyField(field.kind, field.to, field.options);
  if (field instanceof ManyToManyField) return new ManyToManyField(field.to, field.options);
  const reverse = field as ReverseField;
  return new ReverseField(reverse.to, reverse.via, reverse.single);
}

const known: WeakRef<AnyModel>[] = [];
function allMetas(): Meta[] {
  const all = new Set<Meta>();
  for (const ref of known) {
    const model = ref.deref();
    const meta = model && metas.get(model);
    if (meta !== undefined && !meta.abstract && meta.concrete === meta) all.add(meta);
  }
  return [...all];
}

/** Runs when a model's Meta is first made: installs what depends on fields (constructor, accessors). */
let onMeta: (meta: Meta, declared: Declared) => void = () => {};
export function setOnMeta(fn: (meta: Meta, declared: Declared) => void): void {
  onMeta = fn;
}

/** Sets up the many-to-many tables of a model; related.ts. */
let prepareHook: (meta: Meta) => void = () => {};
export function setPrepare(fn: (meta: Meta) => void): void {
  prepareHook = fn;
}
export function prepare(meta: Meta): void {
  prepareHook(meta);
}

/** The Meta of a model class. Built at its first use, when all classes that it names exist. */
export function metaOf(model: unknown): Meta {
  const found = metas.get(model as object);
  if (found !== undefined) return found;
  if (typeof model !== 'function')
    throw fault('SBY_DB_BAD_MODEL', {
      model: String(model),
      problem: 'it is not a model class',
      fix: 'Declare it with class X extends Model({ … }) {}; refer to models declared later in a getter',
    });
  const base = Object.getPrototypeOf(model) as object;
  let declared: Declared | undefined;
  let parent: Meta | null = null;
  if (Object.hasOwn(base, DECLARED)) {
    declared = (base as { [DECLARED]: Declared })[DECLARED];
    const above = Object.getPrototypeOf(base) as object;
    if (typeof above === 'function' && DECLARED in above) parent = metaOf(above);
  } else if (DECLARED in base) {
    // A subclass without fields of its own: the same table, other methods.
    const concrete = metaOf(base).concrete;
    const meta = new Meta(
      model as AnyModel,
      { ...concrete.declared, options: { ...concrete.options } },
      concrete.parent,
      concrete,
    );
    return meta;
  }
  if (declared === undefined)
    throw fault('SBY_DB_BAD_MODEL', {
      model: (model as AnyModel).name || 'this class',
      problem: Object.hasOwn(model, DECLARED) ? 'it was not given a name' : 'it does not extend Model({ … })',
      fix: 'Write class X extends Model({ … }) {}',
    });
  const meta = new Meta(model as AnyModel, declared, parent);
  known.push(new WeakRef(model as AnyModel));
  onMeta(meta, declared);
  return meta;
}
setMetaOf(metaOf);
setNaming((table, columns) => {
  const meta = allMetas().find((one) => hasTable(one, table));
  if (meta === undefined) return { model: table, fields: columns };
  const fields = columns.map((name) => meta.columns.find((field) => field.column === name)?.name ?? name);
  return { model: meta.label, fields };
});
function hasTable(meta: Meta, table: string): boolean {
  return (meta.options.table !== undefined || meta.app !== '') && meta.table === table;
}

/** Gives models their app label, and so their tables. Called by defineApp. */
export function registerModels(label: string, models: readonly unknown[]): void {
  if (typeof label !== 'string' || !/^[a-z][a-z0-9_]*$/.test(label))
    throw fault('SBY_DB_BAD_NAME', { what: 'app label', got: label });
  for (const model of models) metaOf(model).register(label);
}

/** All registered models, in the order of registration. */
export function registeredModels(): readonly Meta[] {
  return [...registry.values()];
}
