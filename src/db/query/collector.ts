import { fault } from '../../errors/index.ts';
import type { ForeignKeyField } from '../fields/relations.ts';
import { type Instance, stateOf } from '../model/base.ts';
import type { Meta } from '../model/meta.ts';
import { QuerySetImpl } from './queryset.ts';
import { signals } from './signals.ts';

/** Keys per statement when rows are found by their keys. */
const CHUNK = 5000;

function set(meta: Meta, using: string | null): QuerySetImpl {
  const plain = new QuerySetImpl(meta);
  return using === null ? plain : plain.using(using);
}

/** Whether rows of a model can go in one statement: nothing points to them, nobody listens. */
export function deletesFast(meta: Meta): boolean {
  return (
    meta.link === null &&
    !signals.anyForDelete(meta) &&
    meta.incoming.every(({ field }) => field.onDelete === 'doNothing')
  );
}

interface Found {
  readonly meta: Meta;
  readonly rows: Map<unknown, Instance>;
}

/**
 * Finds what deleting rows entails, before anything is deleted: cascades, keys to set, rows that protect. Django's
 * Collector. Works level by level, one query per relation and level.
 */
export class Collector {
  readonly #using: string | null;
  readonly #found = new Map<Meta, Found>();
  readonly #updates: { meta: Meta; field: ForeignKeyField; keys: unknown[]; value: unknown }[] = [];
  /** Rows that nothing points to: deleted by their foreign key, without reading them. */
  readonly #fast: { meta: Meta; field: ForeignKeyField; keys: unknown[] }[] = [];
  readonly #restricted: { meta: Meta; field: ForeignKeyField; rows: Instance[]; by: Meta }[] = [];
  /** child → parents: children go first. */
  readonly #edges = new Map<Meta, Set<Meta>>();

  constructor(using: string | null) {
    this.#using = using;
  }

  async collect(meta: Meta, rows: readonly Instance[]): Promise<void> {
    const concrete = meta.concrete;
    let known = this.#found.get(concrete);
    if (known === undefined) this.#found.set(concrete, (known = { meta: concrete, rows: new Map() }));
    const fresh: Instance[] = [];
    for (const row of rows) {
      const key = row[concrete.pk.attname];
      if (known.rows.has(key)) continue;
      known.rows.set(key, row);
      fresh.push(row);
    }
    if (fresh.length === 0) return;
    if (concrete.above !== null) {
      this.#edge(concrete, concrete.above.concrete);
      await this.collect(concrete.above, fresh);
    }
    for (const { meta: other, field } of concrete.incoming) {
      if (field.onDelete === 'doNothing') continue;
      const keys = fresh
        .map((row) => row[field.target.attname])
        .filter((key) => key !== null && key !== undefined);
      for (let at = 0; at < keys.length; at += CHUNK)
        await this.#follow(concrete, other, field, keys.slice(at, at + CHUNK));
    }
  }

  async #follow(from: Meta, meta: Meta, field: ForeignKeyField, keys: unknown[]): Promise<void> {
    const rows = set(meta, this.#using)
      .filter({ [`${field.attname}__in`]: keys })
      .orderBy();
    switch (field.onDelete) {
      case 'cascade': {
        if (deletesFast(meta)) {
          this.#fast.push({ meta, field, keys });
          this.#edge(meta, from);
          return;
        }
        const found = (await rows.fetch()) as Instance[];
        if (found.length === 0) return;
        this.#edge(meta.concrete, from);
        await this.collect(meta, found);
        return;
      }
      case 'protect': {
        const count = await rows.count();
        if (count > 0) throw this.#protected(from, meta, field, count);
        return;
      }
      case 'restrict': {
        const found = (await rows.fetch()) as Instance[];
        if (found.length > 0) this.#restricted.push({ meta, field, rows: found, by: from });
        return;
      }
      case 'setNull':
        this.#updates.push({ meta, field, keys, value: null });
        return;
      case 'setDefault':
        this.#updates.push({ meta, field, keys, value: field.defaultValue() ?? null });
        return;
    }
  }

  #edge(child: Meta, parent: Meta): void {
    let parents = this.#edges.get(child);
    if (parents === undefined) this.#edges.set(child, (parents = new Set()));
    if (child !== parent) parents.add(parent);
  }

  #protected(from: Meta, meta: Meta, field: ForeignKeyField, count: number): Error {
    return fault('SBY_DB_PROTECTED', {
      model: from.label,
      by: `${meta.label}.${field.name}`,
      count,
      rule: field.onDelete,
    });
  }

  /** Deletes everything that was collected; within a transaction. */
  async delete(): Promise<[number, Record<string, number>]> {
    for (const { meta, field, rows, by } of this.#restricted) {
      // Rows that go anyway, by another way, do not restrict.
      const known = this.#found.get(meta.concrete)?.rows;
      const left = rows.filter((row) => !known?.has(row[meta.pk.attname]));
      if (left.length > 0) throw this.#protected(by, meta, field, left.length);
    }
    const counts: Record<string, number> = {};
    let total = 0;
    const add = (meta: Meta, count: number): void => {
      if (count === 0) return;
      total += count;
      counts[meta.label] = (counts[meta.label] ?? 0) + count;
    };
    const order = this.#sorted();
    for (const { meta, rows } of order)
      for (const row of rows.values()) await signals.preDelete.send(meta, { instance: row });
    for (const { meta, field, keys, value } of this.#updates)
      await set(meta, this.#using)
        .filter({ [`${field.attname}__in`]: keys })
        .update({ [field.attname]: value });
    for (const { meta, field, keys } of this.#fast)
      add(meta, await rawDelete(set(meta, this.#using).filter({ [`${field.attname}__in`]: keys })));
    for (const { meta, rows } of order) {
      const keys = [...rows.keys()];
      for (let at = 0; at < keys.length; at += CHUNK)
        add(meta, await rawDelete(set(meta, this.#using).filter({ pk__in: keys.slice(at, at + CHUNK) })));
      for (const row of rows.values()) await signals.postDelete.send(meta, { instance: row });
    }
    for (const { rows } of order)
      for (const row of rows.values()) {
        const state = stateOf(row);
        state.row = null;
        state.saved = null;
        state.values = null;
      }
    return [total, counts];
  }

  /** Children before their parents. */
  #sorted(): Found[] {
    const out: Found[] = [];
    const seen = new Set<Meta>();
    const visit = (meta: Meta): void => {
      if (seen.has(meta)) return;
      seen.add(meta);
      for (const [child, parents] of this.#edges) if (parents.has(meta)) visit(child);
      const found = this.#found.get(meta);
      if (found !== undefined) out.push(found);
    };
    for (const meta of this.#found.keys()) visit(meta);
    return out;
  }
}

/** DELETE of the rows of a queryset in one statement; looks at no relation. */
let rawDelete: (rows: QuerySetImpl) => Promise<number> = async () => 0;
export function setRawDelete(fn: typeof rawDelete): void {
  rawDelete = fn;
}
