import type { Dialect } from '../backends/base.ts';

/** Turns a value of the query into what the driver takes. Null: as it is. */
export type Convert = ((value: never) => unknown) | null;

interface Param {
  /** Index into the values of the query; -1 for a constant. */
  readonly slot: number;
  readonly convert: Convert;
  readonly constant: unknown;
}

// Control characters cannot occur in SQL of ours, and names with NUL and the like are refused.
const OPEN = '\u0001';
const CLOSE = '\u0002';

/** What the outer part of `SELECT SUM(s.c0) FROM (SELECT … AS c0) s` needs from the inner one. */
export interface Lift {
  /** Whether a table of this alias belongs to the inner query. */
  takes(alias: string): boolean;
  /** Whether an aggregate is being written: one inside of it is computed in the inner query. */
  inside: boolean;
  /** The name of what the inner query computes. */
  column(node: object): string;
}

/** Binds the values of one execution. */
export type Bind = (values: readonly unknown[]) => unknown[];

/**
 * Collects the parameters of one statement while its text is put together in any order. A parameter used twice is one
 * parameter where placeholders are numbered, so that `GROUP BY f($1)` is the `f($1)` of the select list.
 */
export class Compiler {
  readonly dialect: Dialect;
  /** While set, columns of the query inside are written as columns of a subquery. */
  lift: Lift | null = null;
  readonly #params: Param[] = [];

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  param(slot: number, convert: Convert): string {
    const found = this.#params.findIndex((param) => param.slot === slot && param.convert === convert);
    const index = found >= 0 ? found : this.#params.push({ slot, convert, constant: undefined }) - 1;
    return OPEN + index + CLOSE;
  }

  constant(value: unknown): string {
    return OPEN + (this.#params.push({ slot: -1, convert: null, constant: value }) - 1) + CLOSE;
  }

  quote(name: string): string {
    return this.dialect.quote(name);
  }

  /** Text with the database's placeholders, and the function that binds the values in their order. */
  finish(text: string): { sql: string; bind: Bind } {
    const plan: Param[] = [];
    const numbers = new Map<number, number>();
    const numbered = this.dialect.placeholder(1) !== this.dialect.placeholder(2);
    const sql = text.replace(/\u0001(\d+)\u0002/g, (_, digits: string) => {
      const index = Number(digits);
      const before = numbers.get(index);
      if (numbered && before !== undefined) return this.dialect.placeholder(before);
      plan.push(this.#params[index] as Param);
      numbers.set(index, plan.length);
      return this.dialect.placeholder(plan.length);
    });
    return { sql, bind: binder(plan) };
  }
}

function binder(plan: readonly Param[]): Bind {
  const slots = plan.map((param) => param.slot);
  const converts = plan.map((param) => param.convert as ((value: unknown) => unknown) | null);
  const constants = plan.map((param) => param.constant);
  const length = plan.length;
  if (length === 0) return () => [];
  if (length === 1 && slots[0] !== -1) {
    const [slot] = slots as [number];
    const [convert] = converts;
    if (convert == null) return (values) => [values[slot]];
    return (values) => [convert(values[slot])];
  }
  return (values) => {
    const out = new Array<unknown>(length);
    for (let i = 0; i < length; i++) {
      const slot = slots[i] as number;
      const convert = converts[i];
      out[i] = slot === -1 ? constants[i] : convert == null ? values[slot] : convert(values[slot]);
    }
    return out;
  };
}
