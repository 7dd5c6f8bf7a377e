import { fault } from '../../errors/index.ts';
import type { Row } from '../backends/base.ts';
import { type Instance, type Siblings, stateOf } from '../model/base.ts';
import type { Meta } from '../model/meta.ts';
import { decimalText } from '../sql/lookups.ts';
import { AggregateNode, type Node } from '../sql/nodes.ts';
import type { LoadedRelation, Selection } from '../sql/select.ts';

type Decode = ((raw: never) => unknown) | null;

/** How the value of an expression is read. */
export function decoder(node: Node): Decode {
  const { output } = node;
  if (output === null) return null;
  if (node instanceof AggregateNode && node.name === 'JSON_AGG') {
    const [argument] = node.children;
    const each = argument === undefined ? null : (decoder(argument) as ((raw: unknown) => unknown) | null);
    return (raw: unknown) => {
      const list = (typeof raw === 'string' ? JSON.parse(raw) : raw) as unknown[];
      return each === null ? list : list.map((item) => (item === null ? null : each(item)));
    };
  }
  if (output.spec.family === 'decimal') {
    const places = Number(output.options['decimalPlaces']);
    return (raw: unknown) => {
      if (typeof raw === 'number' && places > 20) return String(raw);
      if (typeof raw === 'number') return decimalText(raw.toFixed(Math.min(places, 20)), places);
      return places > 20 ? trimZeros(String(raw)) : decimalText(String(raw), places);
    };
  }
  if (output.spec.family === 'integer' && output.spec.decode === undefined)
    return (raw: unknown) => (typeof raw === 'number' ? raw : Number(raw));
  return (output.spec.decode as Decode | undefined) ?? null;
}
const trimZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

const read = (decode: Decode, raw: unknown): unknown =>
  decode === null || raw === null || raw === undefined ? raw : (decode as (raw: unknown) => unknown)(raw);

/** Plain objects for values(): one generated function per shape, so all rows share a hidden class. */
export function valuesReader(selection: Selection): (row: Row) => unknown {
  const names = selection.columns.map(({ name }) => name);
  const decoders = selection.columns.map(({ node }) => decoder(node));
  return (row) => {
    const out: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) out[names[i] as string] = read(decoders[i] as Decode, row[i]);
    return out;
  };
}

export function listReader(selection: Selection): (row: Row) => unknown {
  const decoders = selection.columns.map(({ node }) => decoder(node));
  return (row) => {
    for (let i = 0; i < decoders.length; i++) {
      const decode = decoders[i] as Decode;
      if (decode !== null) row[i] = read(decode, row[i]);
    }
    if (row.length > decoders.length) row.length = decoders.length;
    return row;
  };
}

export function flatReader(selection: Selection): (row: Row) => unknown {
  const decode = decoder((selection.columns[0] as { node: Node }).node);
  return (row) => read(decode, row[0]);
}

type Hydrate = (row: Row, siblings: Siblings) => Instance;

/** Instances of a model, with annotations and the relations that came in the same row. */
export function instanceReader(meta: Meta, selection: Selection): Hydrate {
  const Model = meta.model as unknown as new (row: Row, position: number, siblings: Siblings) => Instance;
  const { annotations, related, deferred } = selection;
  if (annotations.length === 0 && related.length === 0 && deferred === null)
    return (row, siblings) => new Model(row, 0, siblings);
  const decoders = annotations.map(({ name, position, node }) => ({ name, position, decode: decoder(node) }));
  return (row, siblings) => {
    const instance = new Model(row, 0, siblings);
    if (deferred !== null) defer(instance, deferred, meta);
    for (const { name, position, decode } of decoders) instance[name] = read(decode, row[position]);
    for (const relation of related) attach(instance, relation, row, siblings.alias);
    return instance;
  };
}

function attach(instance: Instance, relation: LoadedRelation, row: Row, alias: string): void {
  const state = stateOf(instance);
  state.related ??= new Map();
  const { meta, position, name } = relation;
  const at = position + meta.columns.indexOf(meta.pk);
  if (row[at] === null) {
    state.related.set(name, null);
    return;
  }
  const Model = meta.model as unknown as new (row: Row, position: number, siblings: Siblings) => Instance;
  const list: Instance[] = [];
  const other = new Model(row, position, { alias, instances: list, mode: 'fetch', stash: null });
  list.push(other);
  if (relation.deferred !== null) defer(other, relation.deferred, meta);
  state.related.set(name, other);
  if (relation.back !== null) (stateOf(other).related ??= new Map()).set(relation.back, instance);
  for (const child of relation.children) attach(other, child, row, alias);
}

/** Fields that were not selected answer with an error that says so, instead of a wrong null. */
export function defer(instance: Instance, deferred: ReadonlySet<string>, meta: Meta): void {
  stateOf(instance).deferred = deferred;
  for (const name of deferred)
    Object.defineProperty(instance, name, {
      configurable: true,
      enumerable: false,
      get() {
        throw fault('SBY_DB_BAD_QUERY', {
          model: meta.label,
          problem: `did not select "${name}" (only() or defer())`,
          fix: `Call await instance.refresh({ fields: ['${name}'] }) first, or select it`,
        });
      },
      set(value: unknown) {
        undefer(this as Instance, name, value);
      },
    });
}

export function undefer(instance: Instance, name: string, value: unknown): void {
  Object.defineProperty(instance, name, { configurable: true, enumerable: true, writable: true, value });
  const state = stateOf(instance);
  if (state.deferred !== null) {
    const rest = new Set(state.deferred);
    rest.delete(name);
    state.deferred = rest.size > 0 ? rest : null;
  }
}
