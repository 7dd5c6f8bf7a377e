import { fault } from '../../errors/index.ts';
import type { ValueField } from '../fields/field.ts';
import {
  AggregateNode,
  BIG,
  BOOLEAN,
  DECIMAL,
  FLOAT,
  FuncNode,
  JSON_VALUE,
  type Node,
  type OrderNode,
  TEXT,
} from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Aggregate, Condition, NumberOfPath, OfPath, Ordering } from '../typing/model.ts';
import { ConditionExpr, type ConditionTree } from './condition.ts';
import { Expr, FExpr, type OrderBy, operand, type Resolver, type Writer } from './expression.ts';

export interface AggregateOptions<D = unknown> {
  /** Over different values only. */
  readonly distinct?: boolean;
  /** Over rows that fulfil a condition only. */
  readonly filter?: Condition<unknown>;
  /** Instead of NULL, where there are no rows. */
  readonly default?: D;
}

type Out = (argument: Node | null) => ValueField | null;

/** A function over the rows of a group. */
export class AggregateExpr extends Expr {
  readonly name: string;
  readonly arguments: readonly Expr[];
  readonly options: AggregateOptions & { readonly orderBy?: readonly OrderBy[] };
  readonly out: Out;

  constructor(name: string, args: readonly Expr[], options: AggregateExpr['options'], out: Out) {
    super();
    this.name = name;
    this.arguments = args;
    this.options = options;
    this.out = out;
  }
  write(w: Writer): void {
    w.text += `${this.name}(${this.options.distinct ? 'D' : ''}`;
    for (const argument of this.arguments) argument.write(w);
    if (this.options.filter !== undefined) {
      w.text += '?';
      (this.options.filter as unknown as ConditionTree).write(w);
    }
    if (this.options.default !== undefined) {
      w.text += '|';
      this.#default.write(w);
    }
    for (const order of this.options.orderBy ?? []) order.write(w);
    w.text += ')';
  }
  get #default(): Expr {
    return (this.#fallback ??= operand(this.options.default));
  }
  #fallback: Expr | null = null;

  resolve(r: Resolver): Node {
    const args = this.arguments.map((argument) => argument.resolve(r));
    for (const argument of args)
      if (argument.aggregate && !r.summarize)
        throw fault('SBY_DB_BAD_QUERY', {
          model: r.query.meta.label,
          problem: `cannot compute ${this.name}() of an aggregate`,
          fix: 'Aggregate the annotated query: annotate(…).aggregate(…)',
        });
    const condition =
      this.options.filter === undefined
        ? null
        : new ConditionExpr(this.options.filter as unknown as ConditionTree).resolve(r);
    const output = this.out(args[0] ?? null);
    const order: OrderNode[] = (this.options.orderBy ?? []).map((one) => one.resolve(r));
    const node = new AggregateNode(this.name, args, output, this.options.distinct ?? false, condition, order);
    if (this.options.default === undefined) return node;
    return new FuncNode('COALESCE', [node, this.#default.resolve(r)], output, false);
  }
}

const argument = (given: string | Expr): Expr => (typeof given === 'string' ? new FExpr(given) : given);
type Given<P extends string> = P | Expression<unknown>;

function make<T>(name: string, given: unknown, options: object | undefined, out: Out): T {
  const args = given === '*' ? [] : [argument(given as string | Expr)];
  return new AggregateExpr(name, args, (options ?? {}) as AggregateOptions, out) as unknown as T;
}
const same: Out = (node) => node?.output ?? null;
const number: Out = (node) => {
  if (node?.family === 'decimal')
    return (node.output as ValueField).options['maxDigits'] === undefined ? DECIMAL : DECIMAL;
  return node?.family === 'duration' ? (node.output as ValueField) : FLOAT;
};

/** How many rows have a value at the path; '*' counts rows. */
export function Count<const P extends string = '*'>(
  path?: Given<P>,
  options?: AggregateOptions,
): Aggregate<number, P> {
  return make('COUNT', path ?? '*', options, () => BIG);
}
/** The sum; null over no rows. */
export function Sum<const P extends string, const O extends AggregateOptions = {}>(
  path: Given<P>,
  options?: O,
): Aggregate<NumberOfPath, P> {
  return make('SUM', path, options, (node) =>
    node?.family === 'integer' || node?.family === 'boolean' ? BIG : same(node),
  );
}
/** The mean; null over no rows. */
export function Avg<const P extends string>(
  path: Given<P>,
  options?: AggregateOptions,
): Aggregate<NumberOfPath, P> {
  return make('AVG', path, options, number);
}
export function Min<const P extends string>(
  path: Given<P>,
  options?: AggregateOptions,
): Aggregate<OfPath, P> {
  return make('MIN', path, options, same);
}
export function Max<const P extends string>(
  path: Given<P>,
  options?: AggregateOptions,
): Aggregate<OfPath, P> {
  return make('MAX', path, options, same);
}
/** Standard deviation, of the population unless `sample`. */
export function StdDev<const P extends string>(
  path: Given<P>,
  options: AggregateOptions & { readonly sample?: boolean } = {},
): Aggregate<number | null, P> {
  return make(options.sample ? 'STDDEV_SAMP' : 'STDDEV_POP', path, options, () => FLOAT);
}
/** Variance, of the population unless `sample`. */
export function Variance<const P extends string>(
  path: Given<P>,
  options: AggregateOptions & { readonly sample?: boolean } = {},
): Aggregate<number | null, P> {
  return make(options.sample ? 'VAR_SAMP' : 'VAR_POP', path, options, () => FLOAT);
}
export interface OrderedOptions extends AggregateOptions {
  /** The order of the values: 'name', '-name', F('name').desc(). */
  readonly orderBy?: string | Ordering | readonly (string | Ordering)[];
}
function ordered({ orderBy, ...options }: OrderedOptions): AggregateExpr['options'] {
  if (orderBy === undefined) return options;
  const items = (Array.isArray(orderBy) ? orderBy : [orderBy]) as (string | OrderBy | Expr)[];
  return {
    ...options,
    orderBy: items.map((item) => {
      if (typeof item !== 'string') return item instanceof Expr ? item.asc() : item;
      return item.startsWith('-') ? new FExpr(item.slice(1)).desc() : new FExpr(item).asc();
    }),
  };
}

/** All values as an array. */
export function ArrayAgg<const P extends string>(
  path: Given<P>,
  options: OrderedOptions = {},
): Aggregate<unknown[] | null, P> {
  return make('JSON_AGG', path, ordered(options), () => JSON_VALUE);
}
/** All values as one text with a delimiter between. */
export function StringAgg<const P extends string>(
  path: Given<P>,
  delimiter: string,
  options: OrderedOptions = {},
): Aggregate<string | null, P> {
  return new AggregateExpr(
    'STRING_AGG',
    [argument(path as string | Expr), operand(delimiter)],
    ordered(options),
    () => TEXT,
  ) as unknown as Aggregate<string | null, P>;
}
/** Whether all are true. */
export function BoolAnd<const P extends string>(
  path: Given<P>,
  options?: AggregateOptions,
): Aggregate<boolean | null, P> {
  return make('BOOL_AND', path, options, () => BOOLEAN);
}
/** Whether one is true. */
export function BoolOr<const P extends string>(
  path: Given<P>,
  options?: AggregateOptions,
): Aggregate<boolean | null, P> {
  return make('BOOL_OR', path, options, () => BOOLEAN);
}
