import { fault } from '../../errors/index.ts';
import { FExpr } from '../expressions/expression.ts';
import { snakeCase } from '../fields/field.ts';
import { ForeignKeyField, ManyToManyField, ReverseField } from '../fields/relations.ts';
import {
  type Instance,
  isInstance,
  ModelBase,
  makeBase,
  type Stash,
  setAccessors,
  stateOf,
} from '../model/base.ts';
import { type AnyModel, type Meta, metaOf, prepare, setPrepare } from '../model/meta.ts';
import { throughOf } from '../sql/query.ts';
import { atomic } from '../transaction.ts';
import { doesNotExist } from './errors.ts';
import { QuerySetImpl, setPlugins, setSetKnown } from './queryset.ts';
import { noteWrite, writeEpoch } from './route.ts';
import { m2mChanged, type RelationMessage } from './signals.ts';

const quiet = (instance: Instance): Map<string, unknown> => {
  const state = stateOf(instance);
  return (state.related ??= new Map());
};

function refuseInRaiseMode(instance: Instance, meta: Meta, relation: string): void {
  const mode = stateOf(instance).siblings?.mode;
  if (mode === 'raise' || (mode !== undefined && meta.options.relations === 'raise'))
    throw fault('SBY_DB_RELATION_NOT_LOADED', { model: meta.label, relation });
}

/** Rows that came with this one and lack the same relation: they are loaded together. */
function peers(instance: Instance, lacks: (peer: Instance) => boolean): Instance[] {
  const siblings = stateOf(instance).siblings?.instances ?? [];
  const out = siblings.filter(
    (peer) =>
      isInstance(peer) && peer !== instance && peer.constructor === instance.constructor && lacks(peer),
  );
  out.unshift(instance);
  return out;
}

/** An unloaded foreign key: the key, and a way to load it, for all siblings at once. */
class UnloadedRef {
  readonly #instance: Instance;
  readonly #field: ForeignKeyField;
  readonly pk: unknown;
  constructor(instance: Instance, field: ForeignKeyField, key: unknown) {
    this.#instance = instance;
    this.#field = field;
    this.pk = key;
  }
  load(): Promise<unknown> {
    return loadForeign(this.#instance, this.#field);
  }
}

async function loadForeign(instance: Instance, field: ForeignKeyField): Promise<unknown> {
  const meta = metaOf(instance.constructor);
  const known = loadedForeign(instance, field);
  if (known !== undefined) return known;
  refuseInRaiseMode(instance, meta, field.name);
  const all = peers(
    instance,
    (peer) => peer[field.attname] !== null && loadedForeign(peer, field) === undefined,
  );
  await fillForeign(all, field, stateOf(instance).alias);
  const found = loadedForeign(instance, field);
  if (found === undefined)
    throw doesNotExist(metaOf(field.to), `${field.target.name}=${String(instance[field.attname])}`);
  return found;
}

/** The loaded instance, null for a null key, undefined when it has to be loaded. */
function loadedForeign(instance: Instance, field: ForeignKeyField): unknown {
  const key = instance[field.attname];
  if (key === null || key === undefined) return null;
  const cached = stateOf(instance).related?.get(field.name) as Instance | null | undefined;
  if (cached === undefined || cached === null) return undefined;
  return cached[field.target.attname] === key ? cached : undefined;
}

async function fillForeign(
  instances: readonly Instance[],
  field: ForeignKeyField,
  using: string | null,
  base?: QuerySetImpl,
): Promise<Instance[]> {
  const keys = [
    ...new Set(instances.map((one) => one[field.attname]).filter((key) => key !== null && key !== undefined)),
  ];
  if (keys.length === 0) return [];
  let set = base ?? new QuerySetImpl(metaOf(field.to));
  if (using !== null) set = set.using(using);
  const { target } = field;
  const rows = (await set
    .filter({ [`${target.name === metaOf(field.to).pk.name ? 'pk' : target.name}__in`]: keys })
    .fetch()) as Instance[];
  const byKey = new Map(rows.map((row) => [row[target.attname], row]));
  for (const one of instances) {
    const row = byKey.get(one[field.attname]);
    if (row !== undefined) quiet(one).set(field.name, row);
  }
  return rows;
}

/** The name under which the rows of a relation know its owner, and how they are found. */
function backOf(
  field: ReverseField | ManyToManyField,
  owner: Meta,
): { target: Meta; path: string; key: string; many: boolean } {
  if (field instanceof ReverseField) {
    const target = metaOf(field.to);
    const via = target.fields.get(field.via);
    if (via instanceof ForeignKeyField)
      return { target, path: via.name, key: via.target.attname, many: false };
    return { target, path: field.via, key: owner.ownerOf(field).pk.attname, many: true };
  }
  const declaring = metaOf(field.owner);
  prepare(declaring);
  const target = metaOf(field.to);
  const path = hiddenName(declaring, field);
  return { target, path, key: declaring.pk.attname, many: true };
}

function hiddenName(owner: Meta, field: ManyToManyField): string {
  return `rev_${owner.name.replaceAll('_', '')}_${field.name.replaceAll('_', '')}`;
}

/** Rows of a to-many relation for several owners, in one query. */
async function fetchMany(
  instances: readonly Instance[],
  field: ReverseField | ManyToManyField,
  using: string | null,
  base?: QuerySetImpl,
): Promise<Map<unknown, Instance[]>> {
  const owner = metaOf((instances[0] as Instance).constructor);
  const { target, path, key, many } = backOf(field, owner);
  const keys = [...new Set(instances.map((one) => one[key]))];
  let set = base ?? new QuerySetImpl(target);
  if (using !== null) set = set.using(using);
  set = set.filter({ [`${path}__in`]: keys });
  if (many) set = set.annotate({ sobayaOwner: new FExpr(path) });
  const rows = (await set.fetch()) as Instance[];
  const byKey = new Map<unknown, Instance[]>(keys.map((one) => [one, []]));
  const owners = new Map(instances.map((one) => [one[key], one]));
  for (const row of rows) {
    const at = many ? row['sobayaOwner'] : row[(target.fields.get(path) as ForeignKeyField).attname];
    if (many) delete row['sobayaOwner'];
    else {
      const one = owners.get(at);
      if (one !== undefined) quiet(row).set(path, one);
    }
    byKey.get(at)?.push(row);
  }
  return byKey;
}

/** The rows on the far side of a to-many relation of one instance. */
export class RelatedManagerImpl extends QuerySetImpl {
  readonly owner: Instance;
  readonly field: ReverseField | ManyToManyField;

  constructor(owner: Instance, field: ReverseField | ManyToManyField) {
    const meta = metaOf(owner.constructor);
    const back = backOf(field, meta);
    const key = owner[back.key];
    if (key === null || key === undefined)
      throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: `${meta.label}.${field.name}` });
    const plain = new QuerySetImpl(back.target).filter({ [back.path]: key });
    const { alias } = stateOf(owner);
    super(back.target, plain.shape, plain.vals, {
      ...plain.extras,
      using: alias === 'default' ? null : alias,
      known: back.many ? [] : [[back.path, owner]],
    });
    this.owner = owner;
    this.field = field;
  }

  /** What is derived from a manager is a plain queryset. */
  override clone(
    shape: this['shape'],
    vals: this['vals'] = this.vals,
    extras: this['extras'] = this.extras,
  ): this {
    return new QuerySetImpl(this.meta, shape, vals, extras) as unknown as this;
  }

  get #loaded(): readonly Instance[] | undefined {
    return stateOf(this.owner).related?.get(this.field.name) as readonly Instance[] | undefined;
  }

  get items(): readonly Instance[] {
    const loaded = this.#loaded;
    if (loaded === undefined)
      throw fault('SBY_DB_RELATION_NOT_LOADED', {
        model: metaOf(this.owner.constructor).label,
        relation: this.field.name,
      });
    return loaded;
  }
  get length(): number {
    return this.items.length;
  }
  [Symbol.iterator](): Iterator<Instance> {
    return this.items[Symbol.iterator]();
  }

  override async fetch(): Promise<unknown[]> {
    const loaded = this.#loaded;
    if (loaded !== undefined) return [...loaded];
    const meta = metaOf(this.owner.constructor);
    refuseInRaiseMode(this.owner, meta, this.field.name);
    const { siblings } = stateOf(this.owner);
    if (siblings === null || siblings.instances.length < 2) return super.fetch();
    const { key } = backOf(this.field, meta);
    const mine = this.owner[key];
    // Fetched for all siblings, handed out once each, and only while nothing was written meanwhile.
    let stash: Stash | undefined = siblings.stash?.get(this.field.name);
    if (stash === undefined || stash.epoch !== writeEpoch() || !stash.rows.has(mine)) {
      const all = peers(this.owner, (peer) => stateOf(peer).related?.get(this.field.name) === undefined);
      const epoch = writeEpoch();
      stash = { epoch, rows: await fetchMany(all, this.field, this.extras.using) };
      siblings.stash ??= new Map();
      siblings.stash.set(this.field.name, stash);
    }
    const rows = stash.rows.get(mine) ?? [];
    stash.rows.delete(mine);
    return rows;
  }
  override async count(): Promise<number> {
    return this.#loaded?.length ?? super.count();
  }
  override async exists(): Promise<boolean> {
    const loaded = this.#loaded;
    return loaded === undefined ? super.exists() : loaded.length > 0;
  }

  #forget(): void {
    stateOf(this.owner).related?.delete(this.field.name);
    noteWrite();
  }

  /** Whether the relation goes through a table between. */
  get #between(): ReturnType<typeof throughOf> | null {
    const { field } = this;
    if (field instanceof ManyToManyField) return throughOf(field, false);
    const via = this.meta.fields.get(field.via);
    return via instanceof ManyToManyField ? throughOf(via, true) : null;
  }

  get #symmetrical(): boolean {
    const { field } = this;
    return (
      field instanceof ManyToManyField &&
      metaOf(field.to).concrete === metaOf(this.owner.constructor).concrete &&
      field.options['symmetrical'] !== false
    );
  }

  override async create(
    values: Readonly<Record<string, unknown>>,
    through: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    const between = this.#between;
    const all = new QuerySetImpl(this.meta, undefined, undefined, { ...this.extras, known: [] });
    this.#forget();
    if (between === null) {
      const via = (this.field as ReverseField).via;
      return all.create({ ...values, [via]: this.owner });
    }
    return atomic(
      async () => {
        const row = (await all.create(values)) as Instance;
        await this.#link([row], through);
        return row;
      },
      this.extras.using === null ? {} : { using: this.extras.using },
    );
  }

  /** Rows that are made through the relation belong to its owner. */
  override async bulkCreate(rows: readonly unknown[], options: object = {}): Promise<Instance[]> {
    const all = new QuerySetImpl(this.meta, undefined, undefined, { ...this.extras, known: [] });
    this.#forget();
    if (this.#between === null) {
      const { via } = this.field as ReverseField;
      const owned = rows.map((row) => {
        if (!isInstance(row)) return { ...(row as object), [via]: this.owner };
        row[via] = this.owner;
        return row;
      });
      return all.bulkCreate(owned, options);
    }
    return atomic(
      async () => {
        const made = await all.bulkCreate(rows, options);
        await this.#link(made, {});
        return made;
      },
      this.extras.using === null ? {} : { using: this.extras.using },
    );
  }

  /** Tells who listens, before and after, what happens to the rows between. */
  async #telling(
    what: 'Add' | 'Remove' | 'Clear',
    keys: readonly unknown[] | null,
    change: () => Promise<void>,
  ): Promise<void> {
    if (!m2mChanged.active) return change();
    const { field } = this;
    const reverse = field instanceof ReverseField;
    const declaring = reverse ? this.meta : metaOf((field as ManyToManyField).owner);
    const senders = [declaring, (this.#between as NonNullable<ReturnType<typeof throughOf>>).meta];
    const message = { instance: this.owner, reverse, model: this.meta.model, keys };
    await m2mChanged.send(senders, { ...message, action: `pre${what}` } satisfies RelationMessage);
    await change();
    await m2mChanged.send(senders, { ...message, action: `post${what}` } satisfies RelationMessage);
  }

  async #link(rows: readonly unknown[], extra: Readonly<Record<string, unknown>>): Promise<void> {
    const { meta, near, far } = this.#between as NonNullable<ReturnType<typeof throughOf>>;
    const mine = this.owner[near.target.attname];
    const keys = rows.map((row) => this.#key(row, far));
    const links = new QuerySetImpl(meta, undefined, undefined, { ...this.extras, known: [] });
    const there = new Set(
      await links
        .filter({ [near.name]: mine, [`${far.name}__in`]: keys })
        .valuesList(far.attname, { flat: true })
        .fetch(),
    );
    const fresh = [...new Set(keys)].filter((key) => !there.has(key));
    const made = fresh.map((key) => ({ ...extra, [near.name]: mine, [far.name]: key }));
    if (this.#symmetrical) {
      const back = new Set(
        await links
          .filter({ [far.name]: mine, [`${near.name}__in`]: keys })
          .valuesList(near.attname, { flat: true })
          .fetch(),
      );
      for (const key of new Set(keys))
        if (!back.has(key) && key !== mine) made.push({ ...extra, [near.name]: key, [far.name]: mine });
    }
    if (made.length > 0) await this.#telling('Add', fresh, async () => void (await links.bulkCreate(made)));
  }

  #key(row: unknown, far: ForeignKeyField): unknown {
    if (!isInstance(row)) return row;
    if (!metaOf(row.constructor).isKindOf(this.meta))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: this.field.name,
        got: row,
        expected: `instances of ${this.meta.label}`,
      });
    const key = row[far.target.attname];
    if (key === null || key === undefined)
      throw fault('SBY_DB_NOT_SAVED', { model: this.meta.label, operation: `${this.field.name}.add()` });
    return key;
  }

  async add(...given: unknown[]): Promise<void> {
    this.#forget();
    const last = given.at(-1);
    const defaults =
      typeof last === 'object' && last !== null && !isInstance(last) && Object.hasOwn(last, 'throughDefaults')
        ? (last as { throughDefaults: Readonly<Record<string, unknown>> }).throughDefaults
        : null;
    const rows = defaults === null ? given : given.slice(0, -1);
    if (rows.length === 0) return;
    const options = this.extras.using === null ? {} : { using: this.extras.using };
    if (this.#between !== null) return atomic(() => this.#link(rows, defaults ?? {}), options);
    if (defaults !== null)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: `has no table between, for which add() got throughDefaults`,
        fix: 'Leave throughDefaults out',
      });
    const via = this.meta.fields.get((this.field as ReverseField).via) as ForeignKeyField;
    const keys = rows.map((row) => this.#instanceKey(row));
    await new QuerySetImpl(this.meta, undefined, undefined, { ...this.extras, known: [] })
      .filter({ pk__in: keys })
      .update({ [via.name]: this.owner[via.target.attname] });
    for (const row of rows) if (isInstance(row)) row[via.name] = this.owner;
  }

  #instanceKey(row: unknown): unknown {
    if (!isInstance(row) || !metaOf(row.constructor).isKindOf(this.meta))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: this.field.name,
        got: row,
        expected: `instances of ${this.meta.label}`,
      });
    const key = row[this.meta.pk.attname];
    if (key === null || key === undefined)
      throw fault('SBY_DB_NOT_SAVED', { model: this.meta.label, operation: `${this.field.name}.add()` });
    return key;
  }

  async remove(...rows: unknown[]): Promise<void> {
    this.#forget();
    if (rows.length === 0) return;
    const between = this.#between;
    if (between !== null) {
      const { meta, near, far } = between;
      const mine = this.owner[near.target.attname];
      const keys = rows.map((row) => this.#key(row, far));
      const links = new QuerySetImpl(meta, undefined, undefined, { ...this.extras, known: [] });
      return this.#telling('Remove', keys, async () => {
        await links.filter({ [near.name]: mine, [`${far.name}__in`]: keys }).delete();
        if (this.#symmetrical) await links.filter({ [far.name]: mine, [`${near.name}__in`]: keys }).delete();
      });
    }
    const via = this.#nullableVia('remove');
    const keys = rows.map((row) => this.#instanceKey(row));
    await this.filter({ pk__in: keys }).update({ [via.name]: null });
    for (const row of rows) if (isInstance(row)) row[via.attname] = null;
  }

  #nullableVia(method: string): ForeignKeyField {
    const via = this.meta.fields.get((this.field as ReverseField).via) as ForeignKeyField;
    if (!via.null)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: `cannot ${method}() rows from a relation whose foreign key "${via.name}" may not be null`,
        fix: 'Delete the rows, or give them to somebody else with add()',
      });
    return via;
  }

  async clear(): Promise<void> {
    this.#forget();
    const between = this.#between;
    if (between !== null) {
      const { meta, near, far } = between;
      const mine = this.owner[near.target.attname];
      const links = new QuerySetImpl(meta, undefined, undefined, { ...this.extras, known: [] });
      return this.#telling('Clear', null, async () => {
        await links.filter({ [near.name]: mine }).delete();
        if (this.#symmetrical) await links.filter({ [far.name]: mine }).delete();
      });
    }
    const via = this.#nullableVia('clear');
    await this.filter().update({ [via.name]: null });
  }

  async set(
    rows: readonly unknown[],
    how: { readonly clear?: boolean; readonly throughDefaults?: Readonly<Record<string, unknown>> } = {},
  ): Promise<void> {
    const options = this.extras.using === null ? {} : { using: this.extras.using };
    const more = how.throughDefaults === undefined ? [] : [{ throughDefaults: how.throughDefaults }];
    await atomic(async () => {
      const between = this.#between;
      if (how.clear === true) {
        await this.clear();
        await this.add(...rows, ...more);
        return;
      }
      const current = (await this.filter()
        .clone(this.shape)
        .valuesList('pk', { flat: true })
        .fetch()) as unknown[];
      const wanted = new Set(
        rows.map((row) => (between === null ? this.#instanceKey(row) : this.#key(row, between.far))),
      );
      const gone = current.filter((key) => !wanted.has(key));
      if (gone.length > 0) {
        if (between !== null) await this.remove(...gone);
        else {
          const via = this.#nullableVia('set');
          await this.filter({ pk__in: gone }).update({ [via.name]: null });
        }
      }
      const there = new Set(current);
      await this.add(
        ...rows.filter(
          (row) => !there.has(between === null ? this.#instanceKey(row) : this.#key(row, between.far)),
        ),
        ...more,
      );
      this.#forget();
    }, options);
  }
}

/** The other side of a one-to-one key, not loaded. */
class UnloadedOne {
  readonly #instance: Instance;
  readonly #field: ReverseField;
  constructor(instance: Instance, field: ReverseField) {
    this.#instance = instance;
    this.#field = field;
  }
  async load(): Promise<unknown> {
    const instance = this.#instance;
    const field = this.#field;
    const meta = metaOf(instance.constructor);
    refuseInRaiseMode(instance, meta, field.name);
    const all = peers(instance, (peer) => !stateOf(peer).related?.has(field.name));
    await fillOne(all, field, stateOf(instance).alias);
    return quiet(instance).get(field.name) ?? null;
  }
}
async function fillOne(
  instances: readonly Instance[],
  field: ReverseField,
  using: string | null,
  base?: QuerySetImpl,
): Promise<Instance[]> {
  const found = await fetchMany(instances, field, using, base);
  const { key } = backOf(field, metaOf((instances[0] as Instance).constructor));
  for (const one of instances) quiet(one).set(field.name, found.get(one[key])?.[0] ?? null);
  return [...found.values()].flat();
}

/** Makes the table between two models a model, when the field does not name one. */
function ensureThrough(meta: Meta, field: ManyToManyField): void {
  if (field.through !== null) return;
  const target = metaOf(field.to);
  const given = field.options['through'];
  if (typeof given === 'function') {
    field.through = (given as () => unknown)();
    const through = metaOf(field.through);
    const named = field.options['throughFields'] as readonly [string, string] | undefined;
    const keys = through.columns.filter((one): one is ForeignKeyField => one instanceof ForeignKeyField);
    const to = (one: Meta): string[] =>
      keys.filter((key) => metaOf(key.to).concrete === one.concrete).map((key) => key.name);
    const self = target.concrete === meta.concrete;
    const source = named?.[0] ?? to(meta)[0];
    const far = named?.[1] ?? to(target)[self ? 1 : 0];
    if (source === undefined || far === undefined)
      throw fault('SBY_DB_BAD_MODEL', {
        model: through.label,
        problem: `it is the table between ${meta.label} and ${target.label}, but lacks a foreign key to one of them`,
        fix: 'Add it, or name both in throughFields',
      });
    field.sourceField = source;
    field.targetField = far;
    return;
  }
  const self = target.concrete === meta.concrete;
  const lower = (one: Meta): string => one.name[0]?.toLowerCase() + one.name.slice(1);
  field.sourceField = self ? `from_${lower(meta)}` : lower(meta);
  field.targetField = self ? `to_${lower(target)}` : lower(target);
  const column = (name: string, one: Meta): string =>
    `${self ? `${name.split('_')[0]}_` : ''}${one.name.toLowerCase()}_id`;
  const fields: Record<string, unknown> = {};
  fields[field.sourceField] = new ForeignKeyField('foreignKey', meta.model, {
    onDelete: 'cascade',
    column: column(field.sourceField, meta),
  });
  fields[field.targetField] = new ForeignKeyField('foreignKey', field.to, {
    onDelete: 'cascade',
    column: column(field.targetField, target),
  });
  const options = {
    get table(): string {
      return (field.options['table'] as string | undefined) ?? `${meta.table}_${snakeCase(field.name)}`;
    },
    uniqueTogether: [[field.sourceField, field.targetField]],
  };
  const Base = makeBase(ModelBase, fields, options);
  const Through = class extends Base {};
  Object.defineProperty(Through, 'name', { value: `${meta.name}_${field.name}` });
  field.through = Through;
  metaOf(Through as unknown as AnyModel).owner = meta;
}

function define(
  prototype: object,
  name: string,
  get: (this: Instance) => unknown,
  set?: (this: Instance, value: unknown) => void,
): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: false,
    get,
    ...(set ? { set } : {}),
  });
}

setAccessors((meta) => {
  const { prototype } = meta.model;
  if (meta.pk.attname !== 'pk')
    define(
      prototype,
      'pk',
      function () {
        return this[meta.pk.attname];
      },
      function (value) {
        this[meta.pk.attname] = value;
      },
    );
  for (const field of meta.fields.values()) {
    if (field instanceof ForeignKeyField)
      define(
        prototype,
        field.name,
        function () {
          const loaded = loadedForeign(this, field);
          if (loaded !== undefined) return loaded;
          return new UnloadedRef(this, field, this[field.attname]);
        },
        function (value) {
          assignForeign(this, field, value);
        },
      );
    else if (field instanceof ManyToManyField) {
      define(prototype, field.name, function () {
        return new RelatedManagerImpl(this, field);
      });
    } else if (field instanceof ReverseField) {
      if (field.single)
        define(prototype, field.name, function () {
          const loaded = stateOf(this).related?.get(field.name);
          return loaded === undefined ? new UnloadedOne(this, field) : loaded;
        });
      else
        define(prototype, field.name, function () {
          return new RelatedManagerImpl(this, field);
        });
    }
  }
});

/** Relations through tables need both models; set up when a query first goes over one. */
setPrepare((meta) => {
  for (const field of meta.fields.values())
    if (field instanceof ManyToManyField && field.through === null && meta.owns(field)) {
      ensureThrough(meta, field);
      const target = metaOf(field.to);
      const name = hiddenName(meta, field);
      if (!target.hidden.has(name)) {
        const back = new ReverseField(meta.model, field.name, false);
        back.bind(target.label, name);
        target.hidden.set(name, back);
      }
    }
});

export function assignForeign(instance: Instance, field: ForeignKeyField, value: unknown): void {
  if (isInstance(value)) {
    const meta = metaOf(value.constructor);
    if (!meta.isKindOf(metaOf(field.to)))
      throw fault('SBY_DB_BAD_VALUE', {
        model: field.model,
        field: field.name,
        got: value,
        expected: `an instance of ${metaOf(field.to).label} or its key`,
      });
    instance[field.attname] = value[field.target.attname];
    quiet(instance).set(field.name, value);
    return;
  }
  if (value instanceof UnloadedRef) {
    instance[field.attname] = value.pk;
    return;
  }
  instance[field.attname] = value;
}

setSetKnown((row, name, instance) => quiet(row).set(name, instance));

/** Prefetch('articles', Article.filter(…)): which rows to fetch for a relation. */
export class PrefetchSpec {
  readonly path: string;
  readonly queryset: QuerySetImpl | undefined;
  readonly to: string | undefined;
  constructor(path: string, queryset?: QuerySetImpl, to?: string) {
    this.path = path;
    this.queryset = queryset;
    this.to = to;
  }
}

export async function prefetch(
  instances: readonly Instance[],
  lookups: readonly unknown[],
  using: string | null,
): Promise<void> {
  for (const lookup of lookups) {
    const spec = lookup instanceof PrefetchSpec ? lookup : new PrefetchSpec(String(lookup));
    await level(instances, spec.path.split('__'), spec, using, spec.path);
  }
}

async function level(
  instances: readonly Instance[],
  parts: readonly string[],
  spec: PrefetchSpec,
  using: string | null,
  path: string,
): Promise<void> {
  const [name = '', ...rest] = parts;
  const first = instances[0];
  if (first === undefined) return;
  const meta = metaOf(first.constructor);
  const field = meta.relation(name);
  if (field === undefined)
    throw fault('SBY_DB_UNKNOWN_FIELD', {
      model: meta.label,
      path: `prefetchRelated: ${path}`,
      name,
      known: [...meta.fields.keys()].filter((one) => meta.relation(one) !== undefined),
    });
  const base = rest.length === 0 ? spec.queryset : undefined;
  const target = rest.length === 0 && spec.to !== undefined ? spec.to : name;
  let next: Instance[] = [];
  if (field instanceof ForeignKeyField) {
    const missing = instances.filter((one) => loadedForeign(one, field) === undefined);
    if (missing.length > 0) await fillForeign(missing, field, using, base);
    next = instances
      .map((one) => loadedForeign(one, field))
      .filter((one): one is Instance => isInstance(one));
  } else if (field instanceof ReverseField && field.single) {
    const missing = instances.filter((one) => !stateOf(one).related?.has(name));
    if (missing.length > 0) await fillOne(missing, field, using, base);
    next = instances
      .map((one) => stateOf(one).related?.get(name))
      .filter((one): one is Instance => isInstance(one));
  } else {
    const missing =
      base === undefined ? instances.filter((one) => !stateOf(one).related?.has(target)) : instances;
    if (missing.length > 0) {
      const found = await fetchMany(missing, field, using, base);
      const { key } = backOf(field, meta);
      for (const one of missing) {
        const rows = found.get(one[key]) ?? [];
        if (target === name) quiet(one).set(name, rows);
        else one[target] = rows;
      }
    }
    next = instances.flatMap(
      (one) => (target === name ? stateOf(one).related?.get(name) : one[target]) as Instance[],
    );
  }
  next = [...new Set(next)];
  if (rest.length > 0) await level(next, rest, spec, using, path);
}
setPlugins({ prefetch });
