import { inspect } from 'node:util';
import type { ColumnField } from '../fields/field.ts';
import { DECLARED, type Declared, type Holder, type Meta, metaOf, setOnMeta } from './meta.ts';

/** The rows of one query that came together: a relation loaded on one is fetched for all. */
export interface Siblings {
  readonly alias: string;
  readonly instances: readonly Instance[];
  /** 'raise': refuse relations that were not loaded. */
  readonly mode: 'fetch' | 'raise';
  /** Reverse relations fetched for all siblings, handed out once each. */
  stash: Map<string, Stash> | null;
}
export interface Stash {
  readonly epoch: number;
  readonly rows: Map<unknown, Instance[]>;
}

/** What an instance knows besides its fields. */
export class State {
  /** The row it was made from, and where in it its columns begin: what dirty tracking compares with. */
  row: readonly unknown[] | null;
  position: number;
  siblings: Siblings | null;
  /** Loaded relations, by name; and prefetched ones. */
  related: Map<string, unknown> | null = null;
  /** Attnames whose value was not selected (only, defer). */
  deferred: ReadonlySet<string> | null = null;
  /** Rows added by the database since: attname to driver value; overrides `row`. */
  saved: Map<string, unknown> | null = null;
  /** What was inserted, in the order of the model's columns, as field values; instead of `row`. */
  values: readonly unknown[] | null = null;
  alias: string | null = null;

  constructor(row: readonly unknown[] | null, position: number, siblings: Siblings | null) {
    this.row = row;
    this.position = position;
    this.siblings = siblings;
  }
}

/** The instance as the machinery sees it. */
export type Instance = ModelBase & Record<string, unknown>;

/**
 * The root of all model instances. Fields are own properties; everything else is private, so that JSON.stringify,
 * spread and deepEqual see fields only. The three private slots are what hydrating a row costs; a State is made
 * from them when somebody asks.
 */
export class ModelBase {
  #row: readonly unknown[] | null;
  #position: number;
  #extra: Siblings | State | null;

  constructor(row: readonly unknown[] | null, position: number, siblings: Siblings | null) {
    this.#row = row;
    this.#position = position;
    this.#extra = siblings;
  }

  static stateOf(instance: ModelBase): State {
    const extra = instance.#extra;
    if (extra instanceof State) return extra;
    const state = new State(instance.#row, instance.#position, extra);
    if (extra !== null) state.alias = extra.alias;
    instance.#row = null;
    instance.#extra = state;
    return state;
  }

  static place(
    instance: ModelBase,
    row: readonly unknown[] | null,
    position: number,
    siblings: Siblings | null,
  ): void {
    instance.#row = row;
    instance.#position = position;
    instance.#extra = siblings;
  }

  static is(value: unknown): value is Instance {
    return typeof value === 'object' && value !== null && #row in value;
  }

  [inspect.custom](_depth: number, options: import('node:util').InspectOptions): string {
    return `${this.constructor.name} ${inspect({ ...this }, options)}`;
  }
}
export const { stateOf } = ModelBase;
export const isInstance = ModelBase.is;

/** A decoder by family, or null where the driver's value is the field's. */
export function decoderOf(field: ColumnField): ((raw: unknown) => unknown) | null {
  return (field.storage.spec.decode as ((raw: unknown) => unknown) | undefined) ?? null;
}

function assignments(meta: Meta): Holder['init'] {
  const decoders = meta.columns.map(decoderOf);
  try {
    const lines = meta.columns.map((field, i) => {
      const { inline } = field.storage.spec;
      const raw = `r[p+${i}]`;
      if (decoders[i] === null) return `o.${field.attname}=${raw};`;
      return `v=${raw};o.${field.attname}=v===null||v===undefined?null:${inline === undefined ? `d[${i}](v)` : inline('v')};`;
    });
    return new Function('d', `return function init(o,r,p){let v;${lines.join('')}}`)(
      decoders,
    ) as Holder['init'];
  } catch {
    // No code generation in this runtime: about 0.3 µs more per row.
    const names = meta.columns.map((field) => field.attname);
    return (instance, row, position) => {
      for (let i = 0; i < names.length; i++) {
        const raw = (row as unknown[])[position + i];
        const decode = decoders[i];
        (instance as Record<string, unknown>)[names[i] as string] =
          decode == null || raw === null || raw === undefined ? raw : decode(raw);
      }
    };
  }
}

/** How an instance is filled from what the program gives; set by instance.ts. */
let fill: (instance: Instance, values: object | undefined) => void = () => {};
export function setFill(fn: typeof fill): void {
  fill = fn;
}
/** How relation properties behave; set by related.ts. */
let accessors: (meta: Meta) => void = () => {};
export function setAccessors(fn: typeof accessors): void {
  accessors = fn;
}

setOnMeta((meta, declared) => {
  if (meta.abstract) return;
  declared.holder.init = assignments(meta);
  accessors(meta);
});

const SKIP = -1;

/** A class between `parent` and the user's, with a constructor for both uses: (row, position, siblings) and (values). */
export function makeBase(
  parent: typeof ModelBase,
  fields: object,
  options: Declared['options'],
): typeof ModelBase {
  const holder: Holder = {
    init(instance, row, position) {
      metaOf(instance.constructor);
      if (holder.init !== first) holder.init(instance, row, position);
    },
  };
  const first = holder.init;
  const root = parent === ModelBase;
  class Base extends parent {
    constructor(row: readonly unknown[] | null, position: number, siblings: Siblings | null) {
      const hydrating = typeof position === 'number';
      if (root) super(hydrating ? row : null, position, siblings ?? null);
      else {
        // Bases above must not fill in fields of their own as well: the fields of the last one include theirs.
        super(null, SKIP, null);
        ModelBase.place(this, hydrating ? row : null, position, siblings ?? null);
      }
      if (position === SKIP) return;
      if (hydrating) holder.init(this, row, position);
      else fill(this as unknown as Instance, row as unknown as object | undefined);
    }
  }
  Object.defineProperty(Base, DECLARED, { value: { fields, options, holder } satisfies Declared });
  Object.defineProperty(Base, 'fields', { value: fields });
  return Base;
}
