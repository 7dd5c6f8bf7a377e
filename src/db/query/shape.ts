import { fault } from '../../errors/index.ts';
import { type Backend, StatementShape } from '../backends/base.ts';
import { checkKey } from '../expressions/condition.ts';
import type { Meta } from '../model/meta.ts';
import { type Bind, Compiler } from '../sql/compiler.ts';
import { Query } from '../sql/query.ts';
import { build, type Mode, type Operation, type Step } from './operations.ts';

/** A compiled statement of one shape on one kind of database. */
export interface Compiled {
  readonly shape: StatementShape;
  readonly bind: Bind;
  readonly query: Query;
  /** What else the terminal needs: the hydrator, column lists. */
  readonly extra: unknown;
}

let count = 0;
let clock = 0;
let limit = 10_000;
const roots = new Set<Shape>();

/** How many shapes are kept. For tests; keys made by users could grow the tree, so it is bounded. */
export function setShapeLimit(n: number): void {
  limit = n;
}
export function shapeCount(): number {
  return count;
}

/** Shapes that were not used since the last sweep go, with all that hangs below them. */
function sweep(): void {
  const before = clock - 1;
  const prune = (shape: Shape): boolean => {
    let used = shape.used > before;
    for (const [key, child] of shape.next) {
      if (prune(child)) used = true;
      else {
        shape.next.delete(key);
        count--;
      }
    }
    return used;
  };
  clock++;
  for (const root of roots) prune(root);
  if (count > limit * 0.9)
    for (const root of roots) {
      root.next.clear();
      count = 0;
    }
}

/**
 * The structure of a queryset without its values: a node in a tree whose edges are steps. Text of SQL, binder,
 * hydrator and measured cost hang here, so a query whose shape is known costs a few Map lookups.
 */
export class Shape implements Step {
  readonly meta: Meta;
  readonly parent: Shape | null;
  readonly operation: Operation | null;
  readonly before: number;
  /** Values up to and including this step. */
  readonly size: number;
  readonly slots: ReadonlyMap<object, number> | null;
  readonly next = new Map<string, Shape>();
  /** Of a lookup step: the same lookup with a value that changes the SQL. */
  mode: Mode | 'open' = 'value';
  used = clock;
  /** Whether the lookups of this step's filter() are negated. */
  readonly negated: boolean;
  /** Compiled statements by terminal, of the kind of database they were last compiled for. */
  readonly #compiled = new Map<string, Compiled>();
  #vendor = '';

  constructor(
    meta: Meta,
    parent: Shape | null,
    operation: Operation | null,
    added: number,
    slots: ReadonlyMap<object, number> | null,
    negated = false,
  ) {
    this.meta = meta;
    this.parent = parent;
    this.operation = operation;
    this.before = parent?.size ?? 0;
    this.size = this.before + added;
    this.slots = slots;
    this.negated = negated;
  }

  static root(meta: Meta): Shape {
    const shape = new Shape(meta, null, null, 0, null);
    roots.add(shape);
    return shape;
  }

  #add(edge: string, shape: Shape, check: boolean): Shape {
    if (check) shape.build();
    if (++count > limit) sweep();
    this.next.set(edge, shape);
    return shape;
  }

  /** Where the lookups of one filter() or exclude() begin. Has no operation of its own. */
  open(negated: boolean): Shape {
    const edge = negated ? '\u0001x' : '\u0001f';
    const known = this.next.get(edge);
    if (known !== undefined) {
      known.used = clock;
      return known;
    }
    const shape = new Shape(this.meta, this, null, 0, null, negated);
    shape.mode = 'open';
    return this.#add(edge, shape, false);
  }

  /** The step for one lookup with a plain value; what kind of value it takes is in its `mode`. */
  lookup(key: string): Shape {
    const known = this.next.get(key);
    if (known !== undefined) {
      known.used = clock;
      return known;
    }
    checkKey(key);
    const mode: Mode = key.endsWith('__isnull') ? 'true' : key.endsWith('__range') ? 'range' : 'value';
    return this.#lookup(key, key, mode);
  }

  lookupMode(key: string, mode: Mode): Shape {
    const edge = `${key}\u0001${mode}`;
    const known = this.next.get(edge);
    if (known !== undefined) {
      known.used = clock;
      return known;
    }
    checkKey(key);
    return this.#lookup(edge, key, mode);
  }

  #lookup(edge: string, key: string, mode: Mode): Shape {
    const operation: Operation = {
      kind: 'filter',
      negated: this.negated,
      key,
      mode,
      first: this.mode === 'open',
    };
    const added = mode === 'value' ? 1 : mode === 'range' ? 2 : 0;
    const shape = new Shape(this.meta, this, operation, added, null, this.negated);
    shape.mode = mode;
    return this.#add(edge, shape, true);
  }

  /** Any other step. `make` is called when the step is new. */
  step(
    edge: string,
    added: number,
    make: () => { operation: Operation; slots: ReadonlyMap<object, number> | null },
    check = true,
  ): Shape {
    const known = this.next.get(edge);
    if (known !== undefined) {
      known.used = clock;
      return known;
    }
    const { operation, slots } = make();
    const shape = new Shape(this.meta, this, operation, added, slots, this.negated);
    return this.#add(edge, shape, check);
  }

  /** Builds the query: checks all names on the way. */
  build(outer: Query | null = null, offset = 0): Query {
    const prefix = outer === null ? 't' : `${outer.prefix}u`;
    return build(new Query(this.meta, prefix, outer), this, offset);
  }

  /** What was compiled for a terminal before. */
  known(backend: Backend, terminal: string): Compiled | undefined {
    return this.#vendor === backend.vendor ? this.#compiled.get(terminal) : undefined;
  }

  compiled(
    backend: Backend,
    terminal: string,
    compile: (query: Query, c: Compiler) => { sql: string; reads: boolean; extra?: unknown },
  ): Compiled {
    if (this.#vendor === backend.vendor) {
      const known = this.#compiled.get(terminal);
      if (known !== undefined) return known;
    } else {
      this.#compiled.clear();
      this.#vendor = backend.vendor;
    }
    const query = this.build();
    const compiler = new Compiler(backend.dialect);
    const { sql, reads, extra } = compile(query, compiler);
    const finished = compiler.finish(sql);
    const compiled: Compiled = {
      shape: new StatementShape(finished.sql, reads),
      bind: finished.bind,
      query,
      extra,
    };
    if (reads && backend.features.aliveFunction !== null) {
      const again = this.build();
      again.alive = true;
      const second = new Compiler(backend.dialect);
      compiled.shape.stoppable = second.finish(compile(again, second).sql).sql;
    }
    this.#compiled.set(terminal, compiled);
    return compiled;
  }
}

export function badSlice(meta: Meta, got: unknown, what: string): Error {
  return fault('SBY_DB_BAD_LOOKUP_VALUE', {
    path: `${meta.label} ${what}()`,
    got,
    expected: 'a whole number that is zero or more',
  });
}
