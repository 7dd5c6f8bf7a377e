/** Functions over the rows around each row. */
import { fault } from '../../errors/index.ts';
import { BIG, FLOAT, type Node, type OrderNode, WindowNode } from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed, Ordering } from '../typing/model.ts';
import { Expr, FExpr, OrderBy, operand, type Resolver, type Writer } from './expression.ts';
import { type Argument, argument, call, Func, first } from './func.ts';

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
