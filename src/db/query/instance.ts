/** What every instance can do, and what `new Article({ … })` does. Importing it completes the models. */
import { fault } from '../../errors/index.ts';
import { setTransformTail } from '../expressions/expression.ts';
import { ForeignKeyField } from '../fields/relations.ts';
import { type Instance, isInstance, ModelBase, makeBase, setFill, stateOf } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import { setEquip } from '../model/model.ts';
import type { ModelOptions } from '../model/options.ts';
import { transformed } from '../sql/lookups.ts';
import { FuncNode, JSON_VALUE, type Node } from '../sql/nodes.ts';
import { setTail } from '../sql/select.ts';
import { deleteInstance, type SaveOptions, saveInstance } from './actions.ts';
import { errorClasses } from './errors.ts';
import { undefer } from './hydrate.ts';
import { QuerySetImpl } from './queryset.ts';
import { assignForeign } from './related.ts';
import { fullClean } from './validation.ts';
import { changedFields, isSaved, remember } from './write.ts';

const tail = (node: Node, rest: readonly string[], path: string): Node => {
  const { node: done, lookup, json } = transformed(node, rest, path);
  if (json !== null) return jsonTail(json, lookup);
  if (lookup !== 'exact') {
    const parts = path.split('__');
    throw fault('SBY_DB_UNKNOWN_FIELD', { model: 'the path', path, name: parts.at(-1) as string, known: [] });
  }
  return done;
};
function jsonTail(json: { base: Node; path: string[] }, lookup: string): Node {
  const path = lookup === 'exact' ? json.path : [...json.path, lookup];
  const node = new FuncNode('json', [json.base], JSON_VALUE, true, ([x], c) =>
    c.dialect.jsonPath(x as string, path, 'json'),
  );
  // Where JSON is text, numbers are ordered by what they are, not by their digits.
  node.ordering = ([x], c) =>
    c.dialect.jsonPath(x as string, path, c.dialect.features.arrays ? 'json' : 'text');
  return node;
}
setTail(tail);
setTransformTail(tail);

setFill((instance, values) => {
  const meta = metaOf(instance.constructor);
  if (meta.abstract)
    throw fault('SBY_DB_BAD_MODEL', {
      model: meta.name,
      problem: 'it is abstract',
      fix: 'Extend it: class X extends Base.extend({ … }) {}',
    });
  const given = values ?? {};
  for (const field of meta.columns) instance[field.attname] = undefined;
  for (const name of Object.keys(given)) {
    const value = (given as Record<string, unknown>)[name];
    const field = name === 'pk' ? meta.pk : (meta.fields.get(name) ?? meta.byAttname.get(name));
    if (field === undefined || !meta.columns.includes(field as never))
      throw fault('SBY_DB_UNKNOWN_FIELD', {
        model: meta.label,
        path: name,
        name,
        known: meta.columns.map((one) => one.name),
      });
    if (value === undefined) continue;
    if (field instanceof ForeignKeyField && name === field.name) assignForeign(instance, field, value);
    else instance[(field as unknown as { attname: string }).attname] = value;
  }
  for (const field of meta.columns)
    if (instance[field.attname] === undefined) {
      const value = field.hasDefault ? field.defaultValue() : null;
      if (field instanceof ForeignKeyField && isInstance(value)) assignForeign(instance, field, value);
      else instance[field.attname] = value ?? (field.hasDefault ? value : emptyOf(field.kind, field.null));
    }
});

/** Text that is not given is the empty text, as in Django; anything else is null. */
function emptyOf(kind: string, mayBeNull: boolean): unknown {
  if (mayBeNull) return null;
  return kind === 'text' || kind === 'email' || kind === 'url' || kind === 'slug' ? '' : null;
}

function method(target: object, name: string, value: (this: Instance, ...args: never[]) => unknown): void {
  Object.defineProperty(target, name, { configurable: true, writable: true, enumerable: false, value });
}

const { prototype } = ModelBase;
method(prototype, 'load', async function () {
  return this;
});
method(prototype, 'save', function (options?: SaveOptions) {
  return saveInstance(this, options);
});
method(prototype, 'delete', function (options?: { using?: string }) {
  return deleteInstance(this, options);
});
method(prototype, 'refresh', function (options?: RefreshOptions) {
  return refresh(this, options ?? {});
});
method(prototype, 'fullClean', function (options?: { exclude?: readonly string[]; unique?: boolean }) {
  return fullClean(this, options ?? {});
});
method(prototype, 'clean', () => {});
method(prototype, 'changed', function () {
  return changedFields(this, metaOf(this.constructor)).map((field) => field.name);
});
method(prototype, 'equals', function (other: unknown) {
  if (this === other) return true;
  if (!isInstance(other)) return false;
  const meta = metaOf(this.constructor);
  const key = this[meta.pk.attname];
  return (
    metaOf(other.constructor).concrete === meta.concrete &&
    key !== null &&
    key !== undefined &&
    key === other[meta.pk.attname]
  );
});
method(prototype, 'getDisplay', function (name: string) {
  const meta = metaOf(this.constructor);
  const field = meta.fields.get(name);
  if (field === undefined)
    throw fault('SBY_DB_UNKNOWN_FIELD', {
      model: meta.label,
      path: `getDisplay('${name}')`,
      name,
      known: [...meta.fields.keys()],
    });
  const value = this[name];
  const choices = (field.options['choices'] ?? []) as readonly unknown[];
  for (const choice of choices) if (Array.isArray(choice) && choice[0] === value) return String(choice[1]);
  return value === null || value === undefined ? '' : String(value);
});
method(prototype, 'isSaved', function () {
  return isSaved(this);
});

interface RefreshOptions {
  readonly fields?: readonly string[];
  readonly using?: string;
}

async function refresh(instance: Instance, options: RefreshOptions): Promise<Instance> {
  const meta = metaOf(instance.constructor);
  const key = instance[meta.pk.attname];
  if (key === null || key === undefined)
    throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: 'refresh()' });
  const state = stateOf(instance);
  let set = new QuerySetImpl(meta).filter({ pk: key });
  const alias = options.using ?? state.alias;
  if (alias !== null && alias !== 'default') set = set.using(alias);
  if (options.fields !== undefined) set = set.only(...options.fields);
  const fresh = (await set.get()) as Instance;
  const skip = stateOf(fresh).deferred;
  const read = meta.columns.filter((field) => !skip?.has(field.attname));
  for (const field of read) {
    if (state.deferred?.has(field.attname)) undefer(instance, field.attname, fresh[field.attname]);
    else instance[field.attname] = fresh[field.attname];
    // A loaded relation belongs to the old key.
    if (field instanceof ForeignKeyField) state.related?.delete(field.name);
  }
  remember(instance, read);
  return instance;
}

/** A model as its statics see it. */
interface Self {
  readonly prototype: object;
  objects(): QuerySetImpl;
}
const named = [
  'all',
  'none',
  'using',
  'filter',
  'exclude',
  'get',
  'create',
  'getOrCreate',
  'updateOrCreate',
  'bulkCreate',
  'bulkUpdate',
  'first',
  'last',
  'count',
  'exists',
] as const;

/** Querysets are immutable: one beginning per model is enough. */
const bases = new WeakMap<object, QuerySetImpl>();

setEquip((base) => {
  const define = (name: string, value: unknown): void =>
    void Object.defineProperty(base, name, { configurable: true, writable: true, enumerable: false, value });
  define('objects', function (this: object) {
    let found = bases.get(this);
    if (found === undefined) bases.set(this, (found = new QuerySetImpl(usable(this))));
    return found;
  });
  for (const name of named)
    define(name, function (this: Self, ...args: unknown[]) {
      const set = this.objects() as unknown as Record<string, (...args: unknown[]) => unknown>;
      return (set[name] as (...args: unknown[]) => unknown).apply(set, args);
    });
  // The two that requests are made of, without the detour.
  define('filter', function (this: Self, ...conditions: unknown[]) {
    return this.objects().filter(...conditions);
  });
  define('get', function (this: Self, ...conditions: unknown[]) {
    return this.objects().get(...conditions);
  });
  define('extend', function (this: typeof ModelBase, fields: object, options: ModelOptions = {}) {
    return makeBase(this, fields, options);
  });
  for (const [name, kind] of [
    ['DoesNotExist', 'missing'],
    ['MultipleObjectsReturned', 'several'],
  ] as const)
    Object.defineProperty(base, name, {
      configurable: true,
      get(this: object) {
        return errorClasses(metaOf(this))[kind];
      },
    });
});

function usable(model: object): Meta {
  const meta = metaOf(model);
  if (meta.abstract)
    throw fault('SBY_DB_BAD_MODEL', {
      model: meta.name,
      problem: 'it is abstract and has no rows',
      fix: 'Query the models that extend it',
    });
  return meta;
}
