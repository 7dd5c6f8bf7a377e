import { fault } from '../../errors/index.ts';
import type { ValueField } from '../fields/field.ts';
import type { Family } from '../fields/kinds.ts';
import { SubNode } from '../sql/lookups.ts';
import {
  BIG,
  BINARY,
  BOOLEAN,
  CaseNode,
  DATE,
  DATE_TIME,
  DECIMAL,
  DURATION,
  FLOAT,
  FuncNode,
  INTEGER,
  JSON_VALUE,
  type Node,
  RawNode,
  TEXT,
  TIME,
  UUID,
} from '../sql/nodes.ts';
import { selection, selectSql } from '../sql/select.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed, Condition, FieldReference, Operand } from '../typing/model.ts';
import { asPart, ConditionTree, ExistsNode, isQuerySource, type QuerySource } from './condition.ts';
import { Expr, FExpr, operand, type Resolver, ValueExpr, type Writer } from './expression.ts';

/** The value of a field of the same row, or of an annotation: F('views').add(1). */
export function F<const P extends string>(path: P): FieldReference<P> {
  return new FExpr(path) as unknown as FieldReference<P>;
}

const outputs = {
  text: TEXT,
  integer: INTEGER,
  bigInteger: BIG,
  float: FLOAT,
  decimal: DECIMAL,
  boolean: BOOLEAN,
  date: DATE,
  time: TIME,
  dateTime: DATE_TIME,
  duration: DURATION,
  json: JSON_VALUE,
  binary: BINARY,
  uuid: UUID,
} satisfies Partial<Record<Family | 'bigInteger', ValueField>>;
interface OutputTypes {
  text: string;
  integer: number;
  bigInteger: number;
  float: number;
  decimal: string;
  boolean: boolean;
  date: string;
  time: string;
  dateTime: Date;
  duration: number;
  json: unknown;
  binary: Uint8Array;
  uuid: string;
}
/** What an expression gives, where it has to be said. */
export type OutputKind = keyof OutputTypes;
export function outputOf(kind: OutputKind | undefined): ValueField | null {
  if (kind === undefined) return null;
  const found = outputs[kind];
  if (found === undefined) throw fault('SBY_DB_BAD_NAME', { what: 'output kind', got: kind });
  return found;
}

/** A plain value as an expression. */
export function Value<const V extends string | number | bigint | boolean | Date | Uint8Array | null>(
  value: V,
): Computed<V>;
export function Value<K extends OutputKind>(value: unknown, output: K): Computed<OutputTypes[K]>;
export function Value(value: unknown, output?: OutputKind): Computed<unknown> {
  return new ValueExpr(value, outputOf(output)) as unknown as Computed<unknown>;
}

/** Lookups to combine: Q({ a: 1 }).or({ b: 2 }).not(). Checked against the model where they are used. */
export function Q<const L extends object = {}>(lookups?: L): Condition<L> {
  if (lookups === undefined) return new ConditionTree('AND', false, []) as unknown as Condition<L>;
  return new ConditionTree('AND', false, [asPart(lookups)]) as unknown as Condition<L>;
}

class CaseExpr extends Expr {
  readonly cases: readonly WhenSpec[];
  readonly otherwise: Expr | null;
  readonly output: ValueField | null;
  constructor(cases: readonly WhenSpec[], otherwise: Expr | null, output: ValueField | null) {
    super();
    this.cases = cases;
    this.otherwise = otherwise;
    this.output = output;
  }
  write(w: Writer): void {
    w.text += `CASE${this.output?.kind ?? ''}`;
    for (const { condition, then } of this.cases) {
      condition.write(w);
      w.text += '>';
      then.write(w);
    }
    if (this.otherwise !== null) {
      w.text += 'else';
      this.otherwise.write(w);
    }
    w.text += 'END';
  }
  resolve(r: Resolver): Node {
    const sign = { current: false, branch: false, whole: true };
    const cases = this.cases.map(({ condition, then }) => {
      const when = condition instanceof ConditionTree ? condition.resolveTree(r, sign) : condition.resolve(r);
      return [when, then.resolve(r)] as const;
    });
    const otherwise = this.otherwise?.resolve(r) ?? null;
    const output =
      this.output ?? cases.find(([, then]) => then.output !== null)?.[1].output ?? otherwise?.output ?? null;
    return new CaseNode(cases, otherwise, output);
  }
}
class WhenSpec {
  readonly condition: ConditionTree | Expr;
  readonly then: Expr;
  constructor(condition: ConditionTree | Expr, then: Expr) {
    this.condition = condition;
    this.then = then;
  }
}
declare const WHEN: unique symbol;
export interface WhenClause<V> {
  readonly [WHEN]?: V;
}
type ValueOf<T> =
  T extends Expression<infer V>
    ? V
    : T extends string
      ? string
      : T extends number
        ? number
        : T extends boolean
          ? boolean
          : T;

/** One case of Case(): a condition and what holds then (a value or an expression). */
export function When<const T>(
  condition: Condition<unknown> | Expression<boolean> | Readonly<Record<string, unknown>>,
  then: T,
): WhenClause<ValueOf<T>> {
  const part = asPart(condition);
  const tree =
    part instanceof ConditionTree || part instanceof Expr ? part : new ConditionTree('AND', false, [part]);
  return new WhenSpec(tree, operand(then)) as unknown as WhenClause<ValueOf<T>>;
}
/** The first case whose condition holds; else `default`, else null. */
export function Case<V, const D = null>(
  cases: readonly WhenClause<V>[],
  options: { readonly default?: D; readonly output?: OutputKind } = {},
): Computed<V | ValueOf<D>> {
  const otherwise = options.default === undefined ? null : operand(options.default);
  return new CaseExpr(
    cases as unknown as readonly WhenSpec[],
    otherwise,
    outputOf(options.output),
  ) as unknown as Computed<V | ValueOf<D>>;
}

/** A field of the query around a subquery. */
class OuterRefExpr extends Expr {
  readonly path: string;
  constructor(path: string) {
    super();
    this.path = path;
  }
  write(w: Writer): void {
    w.text += `^${this.path};`;
  }
  resolve(r: Resolver): Node {
    const { outer } = r.query;
    if (outer === null) return new Placeholder(this.path);
    const { node, rest } = outer.walk(this.path, null);
    if (rest.length > 0)
      throw fault('SBY_DB_UNKNOWN_FIELD', {
        model: outer.meta.label,
        path: this.path,
        name: rest[0] as string,
        known: [...outer.meta.fields.keys()],
      });
    return node;
  }
}
/** Stands for the outer field while the subquery is checked on its own; it cannot run like that. */
class Placeholder extends FuncNode {
  constructor(path: string) {
    super('outer', [], null, false, () => {
      throw fault('SBY_DB_BAD_QUERY', {
        model: 'with OuterRef()',
        problem: `refers to "${path}" of an outer query, but there is none`,
        fix: 'Put it into Subquery() or Exists()',
      });
    });
  }
}
export function OuterRef<const P extends string>(path: P): Expression<never> {
  return new OuterRefExpr(path) as unknown as Expression<never>;
}

class SubqueryExpr extends Expr {
  readonly source: QuerySource;
  readonly exists: boolean;
  readonly output: ValueField | null;
  constructor(source: QuerySource, exists: boolean, output: ValueField | null) {
    super();
    if (!isQuerySource(source))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: exists ? 'Exists()' : 'Subquery()',
        got: source,
        expected: 'a queryset',
      });
    this.source = source;
    this.exists = exists;
    this.output = output;
  }
  write(w: Writer): void {
    w.text += this.exists ? 'EXISTS(' : `SUB${this.output?.kind ?? ''}(`;
    w.slots?.set(this, w.values.length);
    this.source.writeQuery(w);
    w.text += ')';
  }
  resolve(r: Resolver): Node {
    const inner = this.source.buildQuery(r.query, (r.slots.get(this) as number) + r.offset);
    if (this.exists) return new ExistsNode(inner);
    const output = this.output ?? selection(inner).columns[0]?.node.output ?? null;
    return new SubNode((c) => selectSql(inner, c, 'subquery'), [], output);
  }
  not(): Expr {
    return new NotExpr(this);
  }
}
class NotExpr extends Expr {
  readonly inner: Expr;
  constructor(inner: Expr) {
    super();
    this.inner = inner;
  }
  write(w: Writer): void {
    w.text += '!';
    this.inner.write(w);
  }
  resolve(r: Resolver): Node {
    return new FuncNode('NOT', [this.inner.resolve(r)], BOOLEAN, false, ([x]) => `NOT ${x}`);
  }
  not(): Expr {
    return this.inner;
  }
}

interface Rows<R> {
  then<A>(onRows: (rows: R[]) => A): PromiseLike<A>;
}
type Single<R> = R extends readonly [infer V, ...unknown[]]
  ? V
  : R extends Readonly<Record<string, infer V>>
    ? V
    : R;
/** The first column of the first row of a queryset, computed for each row around it. */
export function Subquery<R>(
  queryset: Rows<R>,
  options?: { readonly output?: undefined },
): Computed<Single<R> | null>;
export function Subquery<K extends OutputKind>(
  queryset: Rows<unknown>,
  options: { readonly output: K },
): Computed<OutputTypes[K] | null>;
export function Subquery(
  queryset: Rows<unknown>,
  options: { readonly output?: OutputKind | undefined } = {},
): Computed<unknown> {
  return new SubqueryExpr(
    queryset as unknown as QuerySource,
    false,
    outputOf(options.output),
  ) as unknown as Computed<unknown>;
}
export interface ExistsExpression extends Expression<boolean> {
  not(): ExistsExpression;
}
/** Whether a queryset has rows, asked for each row around it. */
export function Exists(queryset: Rows<unknown>): ExistsExpression {
  return new SubqueryExpr(queryset as unknown as QuerySource, true, null) as unknown as ExistsExpression;
}

class RawExpr extends Expr {
  readonly parts: readonly string[];
  readonly params: readonly Expr[];
  readonly output: ValueField | null;
  constructor(parts: readonly string[], params: readonly unknown[], output: ValueField | null) {
    super();
    this.parts = parts;
    this.params = params.map(operand);
    this.output = output;
  }
  write(w: Writer): void {
    w.text += `R${this.output?.kind ?? ''}${this.parts.join('\u0003')}`;
    for (const param of this.params) param.write(w);
    w.text += ';';
  }
  resolve(r: Resolver): Node {
    return new RawNode(
      this.parts
        .map((part, i) => (i === 0 ? `(${part}` : part))
        .map((part, i, all) => (i === all.length - 1 ? `${part})` : part)),
      this.params.map((param) => param.resolve(r)),
      this.output,
    );
  }
}
/** SQL written by the programmer inside a query; what is interpolated becomes a parameter: rawSql('integer')`length(${F('title')})`. */
export function rawSql<K extends OutputKind>(
  output: K,
): (parts: TemplateStringsArray, ...params: readonly Operand[]) => Computed<OutputTypes[K]> {
  const field = outputOf(output);
  return (parts, ...params) => new RawExpr(parts, params, field) as unknown as Computed<OutputTypes[K]>;
}
