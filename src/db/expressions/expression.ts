import { describe, fault } from '../../errors/index.ts';
import type { ValueField } from '../fields/field.ts';
import {
  BIG,
  BINARY,
  BOOLEAN,
  CombineNode,
  DATE_TIME,
  DECIMAL,
  DURATION,
  FLOAT,
  INTEGER,
  type Node,
  OrderNode,
  ParamNode,
  TEXT,
} from '../sql/nodes.ts';
import type { Query } from '../sql/query.ts';

/** Writes down the structure of an expression as text, and its values in order: equal text is equal SQL. */
export class Writer {
  text = '';
  readonly values: unknown[];
  /** Where the values of each part begin; kept only when the shape is new. */
  readonly slots: Map<object, number> | null;

  constructor(values: unknown[], slots: Map<object, number> | null) {
    this.values = values;
    this.slots = slots;
  }

  value(owner: object, value: unknown): void {
    this.slots?.set(owner, this.values.length);
    this.values.push(value);
  }
}

/** What an expression needs to become SQL: the query it stands in. */
export interface Resolver {
  readonly query: Query;
  readonly slots: ReadonlyMap<object, number>;
  /** Added to every slot: the values of a subquery begin further on. */
  readonly offset: number;
  /** Joins that may be reused; null for any. */
  readonly reuse: Set<string> | null;
  /** In aggregate(): what is aggregated may be an aggregate of each row itself. */
  readonly summarize?: boolean;
}

/** Something that is computed by the database. */
export abstract class Expr {
  abstract write(w: Writer): void;
  abstract resolve(r: Resolver): Node;
  /** What prefetching and typing call a default name: `views__sum`. */
  get defaultAlias(): string | null {
    return null;
  }

  add(other: unknown): Expr {
    return new Combined('+', this, operand(other));
  }
  sub(other: unknown): Expr {
    return new Combined('-', this, operand(other));
  }
  mul(other: unknown): Expr {
    return new Combined('*', this, operand(other));
  }
  div(other: unknown): Expr {
    return new Combined('/', this, operand(other));
  }
  mod(other: unknown): Expr {
    return new Combined('%', this, operand(other));
  }
  pow(other: unknown): Expr {
    return new Combined('^', this, operand(other));
  }
  bitAnd(other: unknown): Expr {
    return new Combined('&', this, operand(other));
  }
  bitOr(other: unknown): Expr {
    return new Combined('|', this, operand(other));
  }
  bitXor(other: unknown): Expr {
    return new Combined('#', this, operand(other));
  }
  asc(options: { nullsFirst?: boolean; nullsLast?: boolean } = {}): OrderBy {
    return new OrderBy(this, false, options);
  }
  desc(options: { nullsFirst?: boolean; nullsLast?: boolean } = {}): OrderBy {
    return new OrderBy(this, true, options);
  }
}

/** An expression, or a plain value made into one. */
export function operand(value: unknown): Expr {
  return value instanceof Expr ? value : new ValueExpr(value, null);
}

export class OrderBy {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nulls: 'first' | 'last' | null;
  constructor(expr: Expr, descending: boolean, options: { nullsFirst?: boolean; nullsLast?: boolean }) {
    this.expr = expr;
    this.descending = descending;
    this.nulls = options.nullsFirst ? 'first' : options.nullsLast ? 'last' : null;
  }
  write(w: Writer): void {
    w.text += `o${this.descending ? '-' : '+'}${this.nulls ?? ''}`;
    this.expr.write(w);
  }
  resolve(r: Resolver): OrderNode {
    return new OrderNode(this.expr.resolve(r), this.descending, this.nulls);
  }
}

function tagOf(value: unknown): [tag: string, output: ValueField | null] {
  switch (typeof value) {
    case 'string':
      return ['s', TEXT];
    case 'number':
      return Number.isInteger(value) ? ['i', Math.abs(value) < 2 ** 31 ? INTEGER : BIG] : ['f', FLOAT];
    case 'bigint':
      return ['n', BIG];
    case 'boolean':
      return ['b', BOOLEAN];
  }
  if (value === null) return ['0', null];
  if (value instanceof Date) return ['d', DATE_TIME];
  if (value instanceof Uint8Array) return ['x', BINARY];
  throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
    path: 'Value()',
    got: value,
    expected: 'text, a number, a bigint, a boolean, a Date, a Uint8Array, null or an expression',
  });
}

/** A plain value. */
export class ValueExpr extends Expr {
  readonly value: unknown;
  readonly output: ValueField | null;
  constructor(value: unknown, output: ValueField | null) {
    super();
    if (
      value === undefined ||
      (typeof value === 'number' && !Number.isFinite(value)) ||
      (typeof value === 'string' && value.includes('\0'))
    )
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: 'Value()',
        got: value,
        expected: 'a value that a database can hold',
      });
    this.value = value;
    this.output = output;
  }
  write(w: Writer): void {
    w.text += `v${this.output?.kind ?? tagOf(this.value)[0]};`;
    w.value(this, this.value);
  }
  resolve(r: Resolver): Node {
    const output = this.output ?? tagOf(this.value)[1];
    return new ParamNode((r.slots.get(this) as number) + r.offset, output, null, output !== null);
  }
}

/** The value of a field, or of an annotation, of the same row. */
export class FExpr extends Expr {
  readonly reference: string;
  constructor(reference: string) {
    super();
    if (typeof reference !== 'string' || reference === '')
      throw fault('SBY_DB_BAD_NAME', { what: 'field reference', got: reference });
    this.reference = reference;
  }
  write(w: Writer): void {
    w.text += `F${this.reference};`;
  }
  resolve(r: Resolver): Node {
    const { node, rest } = r.query.walk(this.reference, r.reuse);
    return rest.length === 0 ? node : transformTail(node, rest, this.reference);
  }
}

/** Set by lookups: what follows a field in a reference, `created__year`. */
let transformTail: (node: Node, rest: readonly string[], path: string) => Node = (node) => node;
export function setTransformTail(fn: typeof transformTail): void {
  transformTail = fn;
}

function combinedOutput(operator: string, left: Node, right: Node): ValueField | null {
  const families = [left.family, right.family];
  const moment = (i: number): boolean => families[i] === 'dateTime' || families[i] === 'date';
  if (moment(0) && moment(1) && operator === '-') return DURATION;
  if (moment(0)) return families[1] === 'duration' ? DATE_TIME : left.output;
  if (moment(1)) return right.output;
  if (families.includes('duration')) return DURATION;
  if (families.includes('decimal')) {
    const fields = [left, right]
      .filter((node) => node.family === 'decimal')
      .map((node) => node.output as ValueField);
    const places = fields.map((field) => Number(field.options['decimalPlaces'] ?? 2));
    return operator === '/' || operator === '*' || families.includes('float')
      ? DECIMAL_OUT(operator, places)
      : (fields[0] as ValueField);
  }
  if (families.includes('float')) return FLOAT;
  if (operator === '^') return FLOAT;
  return left.output ?? right.output;
}
const DECIMAL_OUT = (_operator: string, _places: number[]): ValueField => DECIMAL;

export class Combined extends Expr {
  readonly operator: string;
  readonly left: Expr;
  readonly right: Expr;
  constructor(operator: string, left: Expr, right: Expr) {
    super();
    this.operator = operator;
    this.left = left;
    this.right = right;
  }
  write(w: Writer): void {
    w.text += `(${this.operator}`;
    this.left.write(w);
    this.right.write(w);
    w.text += ')';
  }
  resolve(r: Resolver): Node {
    const left = this.left.resolve(r);
    const right = this.right.resolve(r);
    return new CombineNode(this.operator, left, right, combinedOutput(this.operator, left, right));
  }
}

export const describeOperand = describe;
