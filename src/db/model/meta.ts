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
  'constructor prototype pk save delete refresh load clean fullClean isSaved changed equals getDisplay toString valueOf toJSON then catch finally hasOwnProperty'.split(
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
  /** All fields by name: of this model and of the models above it. */
  readonly fields = new Map<string, AnyField>();
  /** All columns of a row: those of tables above first. */
  readonly columns: ColumnField[] = [];
  /** The columns of the model's own table. */
  readonly local: ColumnField[] = [];
  /** The key to the row in the table above, of a model that extends one with a table. It is the primary key. */
  readonly link: ForeignKeyField | null = null;
  /** Fields of models above with tables of their own, and whose they are. */
  readonly #inherited = new Map<AnyField, Meta>();
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
    this.options = inheritedOptions(declared.options, parent);
    this.parent = parent;
    this.#app = declared.options.app ?? null;
    this.concrete = concrete ?? this;
    metas.set(model, this);
    if (concrete !== undefined) {
      // A proxy is the same table under another class.
      for (const [name, field] of concrete.fields) this.fields.set(name, field);
      this.columns.push(...concrete.columns);
      this.local.push(...concrete.local);
      for (const [name, field] of concrete.byAttname) this.byAttname.set(name, field);
      for (const [field, owner] of concrete.#inherited) this.#inherited.set(field, owner);
      this.hidden = concrete.hidden;
      this.link = concrete.link;
      this.pk = concrete.pk;
      generation++;
      return;
    }
    const above = parent !== null && !parent.abstract ? parent : null;
    if (above !== null)
      for (const [name, field] of above.fields) {
        this.fields.set(name, field);
        this.#inherited.set(field, above.#inherited.get(field) ?? above);
        if (!(field instanceof ColumnField)) continue;
        this.columns.push(field);
        this.byAttname.set(field.attname, field);
      }
    const seen = this.#declaredFields(parent?.abstract ? parent : null);
    if (above !== null) this.link = this.#linkTo(above, seen);
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
      if (this.fields.has(name))
        throw this.#bad(
          `its field "${name}" is a field of ${this.parent?.name} already`,
          'Rename one of them',
        );
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
      this.local.push(field);
      this.byAttname.set(field.attname, field);
    }
    this.pk = (this.local.find((field) => field.primaryKey) ?? this.local[0]) as ColumnField;
    generation++;
  }

  /** The fields of the class, after copies of those of its abstract base. */
  #declaredFields(base: Meta | null): [string, AnyField][] {
    const seen: [string, AnyField][] = [];
    if (base !== null) for (const [name, field] of base.fields) seen.push([name, copy(field)]);
    for (const name of Object.keys(this.declared.fields)) {
      const field = (this.declared.fields as Record<string, unknown>)[name];
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
    return seen;
  }

  /** The declared parentLink, or `<parent>Ptr`, put before the other fields. */
  #linkTo(above: Meta, seen: [string, AnyField][]): ForeignKeyField {
    const given = seen.find(
      ([, field]) => field instanceof ForeignKeyField && field.options['parentLink'] === true,
    );
    if (given !== undefined) {
      const field = given[1] as ForeignKeyField;
      if (field.kind !== 'oneToOne' || metaOf(field.to).concrete !== above.concrete || !field.primaryKey)
        throw this.#bad(
          `its parentLink "${given[0]}" is not the key to ${above.name}`,
          `Write oneToOne(${above.name}, { parentLink: true, primaryKey: true })`,
        );
      return field;
    }
    const name = `${above.name[0]?.toLowerCase()}${above.name.slice(1)}Ptr`;
    const field = new ForeignKeyField('oneToOne', above.model, {
      onDelete: 'cascade',
      primaryKey: true,
      parentLink: true,
    });
    seen.unshift([name, field]);
    return field;
  }

  /** The model in whose table a field of this one stands. */
  ownerOf(field: AnyField): Meta {
    return this.#inherited.get(field) ?? this;
  }
  /** Whether a field stands in the own table. */
  owns(field: AnyField): boolean {
    return !this.#inherited.has(field);
  }
  /** Whether a column of a table above always equals the own key: the keys along the chain of links. */
  sharesKey(field: AnyField): boolean {
    for (let meta: Meta | null = this; meta?.link != null; meta = meta.above)
      if (meta.link.target === field) return true;
    return false;
  }
  /** The model above that has a table of its own. */
  get above(): Meta | null {
    return this.link === null ? null : metaOf(this.link.to);
  }
  /** Whether rows of this model are rows of the other one: the same table, or one above it. */
  isKindOf(other: Meta): boolean {
    for (let meta: Meta | null = this; meta !== null; meta = meta.above)
      if (meta.concrete === other.concrete) return true;
    return false;
  }
  /** An undeclared other side of a relation, of this model or one above it. */
  hiddenField(name: string): AnyField | undefined {
    return this.hidden.get(name) ?? this.above?.hiddenField(name);
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
    for (const field of this.fields.values()) if (this.owns(field)) field.model = this.label;
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
      for (const field of meta.local)
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
      if (!(field instanceof ReverseField) && this.owns(field)) fields.push([name, field.deconstruct()]);
    const { app: _, table, ...rest } = this.options;
    const options: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(rest))
      if (value !== undefined) options[key] = typeof value === 'function' ? true : plain(value);
    if (table !== undefined) options['table'] = table;
    return { app: this.app, name: this.name, fields, options };
  }
}

/** What a model takes over from the options of the one it extends: all of an abstract one, the order of rows of any. */
function inheritedOptions(own: ModelOptions, parent: Meta | null): ModelOptions {
  if (parent === null) return own;
  if (!parent.abstract) {
    const { ordering, getLatestBy, relations } = parent.options;
    const out = { ordering, getLatestBy, relations, ...own };
    return Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined));
  }
  const { abstract: _, table: __, ...rest } = parent.options;
  return { ...rest, ...own };
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
setNaming((table, columns, constraint, parent) => {
  const meta = allMetas().find((one) => hasTable(one, table));
  if (meta === undefined) return { model: table, fields: columns };
  const known = (name: string): string | undefined => meta.local.find(({ column }) => column === name)?.name;
  const fields = columns.map((name) => known(name) ?? name);
  if (fields.length > 0 && columns.every((name) => known(name) !== undefined))
    return { model: meta.label, fields };
  const keys = meta.local.filter(
    (field) => field instanceof ForeignKeyField && metaOf(field.to).table === parent,
  );
  const key = keys.length > 1 ? keys.filter(({ column }) => constraint.includes(`_${column}_`)) : keys;
  if (key.length === 1) return { model: meta.label, fields: key.map(({ name }) => name) };
  return { model: meta.label, fields: constrained(meta, constraint) ?? fields };
});

/** The fields that a named constraint of the model's options is about. */
function constrained(meta: Meta, constraint: string): string[] | null {
  for (const part of meta.options.constraints ?? []) {
    const { options } = part.deconstruct();
    if (constraint === '' || options['name'] !== constraint) continue;
    const { fields, check, expressions } = options as {
      fields?: string[];
      check?: unknown;
      expressions?: unknown[];
    };
    const names = [
      ...(fields ?? []),
      ...(expressions ?? []).map((one) => (Array.isArray(one) ? one[0] : one)),
      ...lookupNames(check),
    ].filter((name): name is string => typeof name === 'string' && meta.fields.has(name));
    if (names.length > 0) return [...new Set(names)];
  }
  return null;
}

/** The fields in the lookups of a condition that is plain data. */
function lookupNames(condition: unknown): string[] {
  if (Array.isArray(condition)) return condition.flatMap(lookupNames);
  if (typeof condition !== 'object' || condition === null) return [];
  return Object.entries(condition).flatMap(([key, value]) =>
    key === '$field' ? [String(value)] : [key.split('__')[0] as string, ...lookupNames(value)],
  );
}

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
