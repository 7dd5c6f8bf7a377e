/** Database functions, by Django's names. A string names a field, as in Django; text itself is Value('text'). */
import { fault } from '../../errors/index.ts';
import type { ValueField } from '../fields/field.ts';
import type { Family } from '../fields/kinds.ts';
import {
  BIG,
  DATE,
  DATE_TIME,
  FLOAT,
  FuncNode,
  INTEGER,
  JSON_VALUE,
  type Node,
  type OrderNode,
  TEXT,
  TIME,
  WindowNode,
} from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed, Ordering } from '../typing/model.ts';
import { Expr, FExpr, OrderBy, operand, type Resolver, type Writer } from './expression.ts';
import { type OutputKind, outputOf } from './values.ts';

type Out = ValueField | ((nodes: readonly Node[]) => ValueField | null) | null;
type Template = (
  args: readonly string[],
  c: Parameters<Node['sql']>[0],
  families: readonly (Family | null)[],
) => string;

/** A call of a database function. */
export class Func extends Expr {
  readonly name: string;
  readonly args: readonly Expr[];
  readonly out: Out;
  readonly template: Template | null;
  readonly strict: boolean;
  /** What distinguishes calls of one name, besides their arguments. */
  readonly detail: string;

  constructor(
    name: string,
    args: readonly Expr[],
    out: Out,
    options: { template?: Template; strict?: boolean; detail?: string } = {},
  ) {
    super();
    this.name = name;
    this.args = args;
    this.out = out;
    this.template = options.template ?? null;
    this.strict = options.strict ?? true;
    this.detail = options.detail ?? '';
  }
  write(w: Writer): void {
    w.text += `${this.name}${this.detail}(`;
    for (const arg of this.args) arg.write(w);
    w.text += ')';
  }
  resolve(r: Resolver): Node {
    const nodes = this.args.map((arg) => arg.resolve(r));
    const { out, template } = this;
    const output = typeof out === 'function' ? out(nodes) : out;
    const families = nodes.map((node) => node.family);
    const write =
      template === null
        ? null
        : (args: readonly string[], c: Parameters<Node['sql']>[0]) => template(args, c, families);
    return new FuncNode(this.name, nodes, output, this.strict, write);
  }
}

/** A field by name, an expression, or a plain value that is no text. */
export type Argument = string | number | boolean | Date | Expression<unknown>;
const argument = (given: unknown): Expr => (typeof given === 'string' ? new FExpr(given) : operand(given));
/** Where Django takes plain text as text: delimiters, patterns. */
const literal = (given: unknown): Expr => operand(given);
const first = (nodes: readonly Node[]): ValueField | null => nodes[0]?.output ?? null;
const known = (nodes: readonly Node[]): ValueField | null =>
  nodes.find((node) => node.output !== null)?.output ?? null;
function call<V>(
  name: string,
  args: readonly Expr[],
  out: Out,
  options?: ConstructorParameters<typeof Func>[3],
): Computed<V> {
  return new Func(name, args, out, options) as unknown as Computed<V>;
}

// ---- text
export const Lower = (x: Argument): Computed<string> => call('LOWER', [argument(x)], TEXT);
export const Upper = (x: Argument): Computed<string> => call('UPPER', [argument(x)], TEXT);
/** Characters. */
export const Length = (x: Argument): Computed<number> => call('LENGTH', [argument(x)], INTEGER);
export const Trim = (x: Argument): Computed<string> => call('TRIM', [argument(x)], TEXT);
export const LTrim = (x: Argument): Computed<string> => call('LTRIM', [argument(x)], TEXT);
export const RTrim = (x: Argument): Computed<string> => call('RTRIM', [argument(x)], TEXT);
export const Reverse = (x: Argument): Computed<string> => call('REVERSE', [argument(x)], TEXT);
/** Texts one after another; NULL counts as empty. */
export const Concat = (...xs: readonly Argument[]): Computed<string> =>
  call('CONCAT', xs.map(argument), TEXT, { strict: false });
/** From `position`, counted from 1. */
export const Substr = (
  x: Argument,
  position: number | Expression<number>,
  length?: number | Expression<number>,
): Computed<string> =>
  call('SUBSTR', [argument(x), operand(position), ...(length === undefined ? [] : [operand(length)])], TEXT);
export const Left = (x: Argument, length: number | Expression<number>): Computed<string> =>
  call('LEFT', [argument(x), operand(length)], TEXT);
export const Right = (x: Argument, length: number | Expression<number>): Computed<string> =>
  call('RIGHT', [argument(x), operand(length)], TEXT);
export const LPad = (
  x: Argument,
  length: number | Expression<number>,
  fill: string | Expression<string> = ' ',
): Computed<string> => call('LPAD', [argument(x), operand(length), literal(fill)], TEXT);
export const RPad = (
  x: Argument,
  length: number | Expression<number>,
  fill: string | Expression<string> = ' ',
): Computed<string> => call('RPAD', [argument(x), operand(length), literal(fill)], TEXT);
export const Repeat = (x: Argument, times: number | Expression<number>): Computed<string> =>
  call('REPEAT', [argument(x), operand(times)], TEXT);
export const Replace = (
  x: Argument,
  from: string | Expression<string>,
  to: string | Expression<string> = '',
): Computed<string> => call('REPLACE', [argument(x), literal(from), literal(to)], TEXT);
/** Position of the first occurrence, counted from 1; 0 if there is none. */
export const StrIndex = (x: Argument, part: string | Expression<string>): Computed<number> =>
  call('STRPOS', [argument(x), literal(part)], INTEGER);
export const Chr = (x: Argument): Computed<string> => call('CHR', [argument(x)], TEXT);
export const Ord = (x: Argument): Computed<number> => call('ORD', [argument(x)], INTEGER);

// ---- numbers
export const Abs = (x: Argument): Computed<number> => call('ABS', [argument(x)], first);
export const Ceil = (x: Argument): Computed<number> => call('CEIL', [argument(x)], first);
export const Floor = (x: Argument): Computed<number> => call('FLOOR', [argument(x)], first);
export const Round = (x: Argument, places = 0): Computed<number> =>
  call('ROUND', [argument(x), operand(places)], first);
export const Sqrt = (x: Argument): Computed<number> => call('SQRT', [argument(x)], FLOAT);
export const Exp = (x: Argument): Computed<number> => call('EXP', [argument(x)], FLOAT);
export const Ln = (x: Argument): Computed<number> => call('LN', [argument(x)], FLOAT);
export const Log = (base: Argument, x: Argument): Computed<number> =>
  call('LOG', [argument(base), argument(x)], FLOAT);
export const Power = (x: Argument, exponent: Argument): Computed<number> =>
  call('POWER', [argument(x), argument(exponent)], FLOAT);
export const Mod = (x: Argument, by: Argument): Computed<number> =>
  call('MOD', [argument(x), argument(by)], FLOAT);
export const Sign = (x: Argument): Computed<number> => call('SIGN', [argument(x)], INTEGER);
export const Sin = (x: Argument): Computed<number> => call('SIN', [argument(x)], FLOAT);
export const Cos = (x: Argument): Computed<number> => call('COS', [argument(x)], FLOAT);
export const Tan = (x: Argument): Computed<number> => call('TAN', [argument(x)], FLOAT);
export const Pi = (): Computed<number> => call('PI', [], FLOAT);
/** A number from 0 to 1, another for each row. */
export const Random = (): Computed<number> => call('RANDOM', [], FLOAT, { strict: false });

// ---- comparisons
/** The first that is not NULL. */
export const Coalesce = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('COALESCE', xs.map(argument), known, { strict: false });
export const Greatest = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('GREATEST', xs.map(argument), known, { strict: false });
export const Least = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('LEAST', xs.map(argument), known, { strict: false });
/** NULL where both are equal, else the first. */
export const NullIf = <V = unknown>(a: Argument, b: Argument): Computed<V | null> =>
  call('NULLIF', [argument(a), argument(b)], first, { strict: false });
export function Cast<K extends OutputKind>(x: Argument, to: K): Expression<CastTypes[K]> {
  const output = outputOf(to) as ValueField;
  return call('CAST', [argument(x)], output, {
    detail: to,
    template: ([sql], c) => c.dialect.cast(sql as string, output.spec.family),
  });
}
interface CastTypes {
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
/** An object made from fields: JSONObject({ name: 'author__name' }). */
export function JSONObject(fields: Readonly<Record<string, Argument>>): Computed<Record<string, unknown>> {
  const args = Object.entries(fields).flatMap(([name, value]) => [operand(name), argument(value)]);
  return call('JSON_OBJECT', args, JSON_VALUE, { strict: false });
}

// ---- dates and times
/** The moment of the statement. */
export const Now = (): Computed<Date> => call('NOW', [], DATE_TIME, { strict: false });
export type DatePart =
  | 'year'
  | 'iso_year'
  | 'quarter'
  | 'month'
  | 'week'
  | 'day'
  | 'week_day'
  | 'iso_week_day'
  | 'hour'
  | 'minute'
  | 'second';
/** A part of a date or time as a number. */
export function Extract(x: Argument, part: DatePart): Computed<number> {
  return call('EXTRACT', [argument(x)], INTEGER, {
    detail: part,
    template: ([sql], c, [family]) => c.dialect.extract(part, sql as string, family ?? 'dateTime'),
  });
}
export const ExtractYear = (x: Argument): Computed<number> => Extract(x, 'year');
export const ExtractIsoYear = (x: Argument): Computed<number> => Extract(x, 'iso_year');
export const ExtractQuarter = (x: Argument): Computed<number> => Extract(x, 'quarter');
export const ExtractMonth = (x: Argument): Computed<number> => Extract(x, 'month');
export const ExtractWeek = (x: Argument): Computed<number> => Extract(x, 'week');
export const ExtractDay = (x: Argument): Computed<number> => Extract(x, 'day');
export const ExtractWeekDay = (x: Argument): Computed<number> => Extract(x, 'week_day');
export const ExtractIsoWeekDay = (x: Argument): Computed<number> => Extract(x, 'iso_week_day');
export const ExtractHour = (x: Argument): Computed<number> => Extract(x, 'hour');
export const ExtractMinute = (x: Argument): Computed<number> => Extract(x, 'minute');
export const ExtractSecond = (x: Argument): Computed<number> => Extract(x, 'second');

export type TruncPart = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second';
/** A date or time cut down to the beginning of its year, month, …. */
export function Trunc(x: Argument, part: TruncPart): Computed<Date | null> {
  return call('TRUNC', [argument(x)], first, {
    detail: part,
    template: ([sql], c, [family]) =>
      c.dialect.truncate(part, sql as string, family ?? 'dateTime', family ?? 'dateTime'),
  });
}
export const TruncYear = (x: Argument): Computed<Date | null> => Trunc(x, 'year');
export const TruncQuarter = (x: Argument): Computed<Date | null> => Trunc(x, 'quarter');
export const TruncMonth = (x: Argument): Computed<Date | null> => Trunc(x, 'month');
export const TruncWeek = (x: Argument): Computed<Date | null> => Trunc(x, 'week');
export const TruncDay = (x: Argument): Computed<Date | null> => Trunc(x, 'day');
export const TruncHour = (x: Argument): Computed<Date | null> => Trunc(x, 'hour');
export const TruncMinute = (x: Argument): Computed<Date | null> => Trunc(x, 'minute');
export const TruncSecond = (x: Argument): Computed<Date | null> => Trunc(x, 'second');
const cutTo = (x: Argument, part: 'date' | 'time'): Func =>
  new Func('EXTRACT', [argument(x)], part === 'date' ? DATE : TIME, {
    detail: part,
    template: ([sql], c, [family]) => c.dialect.extract(part, sql as string, family ?? 'dateTime'),
  });
/** The calendar date of a moment, in UTC. */
export const TruncDate = (x: Argument): Computed<string | null> =>
  cutTo(x, 'date') as unknown as Computed<string | null>;
/** The time of day of a moment, in UTC. */
export const TruncTime = (x: Argument): Computed<string | null> =>
  cutTo(x, 'time') as unknown as Computed<string | null>;

// ---- windows
export interface WindowOptions {
  readonly partitionBy?: Argument | readonly Argument[];
  readonly orderBy?: string | Ordering | readonly (string | Ordering)[];
  /** ROWS or RANGE between offsets: [-2, 0] is the two rows before and this one; null is unbounded. */
  readonly frame?: {
    readonly type: 'rows' | 'range';
    readonly start: number | null;
    readonly end: number | null;
  };
}
class WindowExpr extends Expr {
  readonly inner: Expr;
  readonly partition: readonly Expr[];
  readonly order: readonly OrderBy[];
  readonly frame: string;
  constructor(inner: Expr, options: WindowOptions) {
    super();
    this.inner = inner;
    const { partitionBy = [], orderBy = [], frame } = options;
    this.partition = ((Array.isArray(partitionBy) ? partitionBy : [partitionBy]) as Argument[]).map(argument);
    this.order = ((Array.isArray(orderBy) ? orderBy : [orderBy]) as (string | OrderBy | Expr)[]).map(
      (item) => {
        if (item instanceof OrderBy) return item;
        if (item instanceof Expr) return item.asc();
        return item.startsWith('-') ? new FExpr(item.slice(1)).desc() : new FExpr(item).asc();
      },
    );
    this.frame = frame === undefined ? '' : frameSql(frame);
  }
  write(w: Writer): void {
    w.text += `W${this.frame}(`;
    this.inner.write(w);
    w.text += '|';
    for (const expr of this.partition) expr.write(w);
    w.text += '|';
    for (const order of this.order) order.write(w);
    w.text += ')';
  }
  resolve(r: Resolver): Node {
    const order: OrderNode[] = this.order.map((one) => one.resolve(r));
    return new WindowNode(
      this.inner.resolve(r),
      this.partition.map((one) => one.resolve(r)),
      order,
      this.frame,
    );
  }
}
function frameSql({ type, start, end }: NonNullable<WindowOptions['frame']>): string {
  const bound = (n: number | null, which: 'PRECEDING' | 'FOLLOWING'): string => {
    if (n === null) return `UNBOUNDED ${which}`;
    if (!Number.isSafeInteger(n))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: 'frame', got: n, expected: 'whole numbers or null' });
    return n === 0 ? 'CURRENT ROW' : n < 0 ? `${-n} PRECEDING` : `${n} FOLLOWING`;
  };
  return `${type === 'rows' ? 'ROWS' : 'RANGE'} BETWEEN ${bound(start, 'PRECEDING')} AND ${bound(end, 'FOLLOWING')}`;
}
/** A function over the rows around each row: Window(RowNumber(), { partitionBy: 'author', orderBy: '-views' }). */
export function Window<V>(expression: Expression<V>, options: WindowOptions = {}): Computed<V> {
  return new WindowExpr(expression as unknown as Expr, options) as unknown as Computed<V>;
}
export const RowNumber = (): Expression<number> => call('ROW_NUMBER', [], BIG);
export const Rank = (): Expression<number> => call('RANK', [], BIG);
export const DenseRank = (): Expression<number> => call('DENSE_RANK', [], BIG);
export const PercentRank = (): Expression<number> => call('PERCENT_RANK', [], FLOAT);
export const CumeDist = (): Expression<number> => call('CUME_DIST', [], FLOAT);
export const Ntile = (buckets: number): Expression<number> =>
  call('NTILE', [operand(buckets)], BIG, { template: ([n]) => `NTILE(CAST(${n} AS INTEGER))` });
const shifted = (name: string, x: Argument, offset: number, fallback?: Argument): Expr =>
  new Func(
    name,
    [argument(x), operand(offset), ...(fallback === undefined ? [] : [argument(fallback)])],
    first,
    {
      strict: false,
      template: ([value, n, other]) =>
        `${name}(${value},CAST(${n} AS INTEGER)${other === undefined ? '' : `,${other}`})`,
    },
  );
export const Lag = <V = unknown>(x: Argument, offset = 1, fallback?: Argument): Expression<V | null> =>
  shifted('LAG', x, offset, fallback) as unknown as Expression<V | null>;
export const Lead = <V = unknown>(x: Argument, offset = 1, fallback?: Argument): Expression<V | null> =>
  shifted('LEAD', x, offset, fallback) as unknown as Expression<V | null>;
export const FirstValue = <V = unknown>(x: Argument): Expression<V> =>
  call('FIRST_VALUE', [argument(x)], first);
export const LastValue = <V = unknown>(x: Argument): Expression<V> =>
  call('LAST_VALUE', [argument(x)], first);
export const NthValue = <V = unknown>(x: Argument, n: number): Expression<V | null> =>
  shifted('NTH_VALUE', x, n) as unknown as Expression<V | null>;
