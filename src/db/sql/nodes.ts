import { type ColumnField, ValueField } from '../fields/field.ts';
import type { Family } from '../fields/kinds.ts';
import type { Compiler, Convert } from './compiler.ts';

/** Types of what expressions give, where no field of a model says it. */
export const INTEGER = new ValueField('integer', {});
export const BIG = new ValueField('bigAuto', {});
export const FLOAT = new ValueField('float', {});
export const TEXT = new ValueField('text', {});
export const BOOLEAN = new ValueField('boolean', {});
export const DATE = new ValueField('date', {});
export const TIME = new ValueField('time', {});
export const DATE_TIME = new ValueField('dateTime', {});
export const DURATION = new ValueField('duration', {});
export const JSON_VALUE = new ValueField('json', {});
export const UUID = new ValueField('uuid', {});
export const BINARY = new ValueField('binary', {});
export const DECIMAL = new ValueField('decimal', { maxDigits: 38, decimalPlaces: 30 });

/** A piece of SQL whose names are resolved: columns know their table's alias. Immutable. */
export abstract class Node {
  /** What its values are; null when unknown. */
  abstract readonly output: ValueField | null;
  readonly aggregate: boolean;
  readonly window: boolean;
  readonly children: readonly Node[];

  constructor(children: readonly Node[] = []) {
    this.children = children;
    this.aggregate = children.some((child) => child.aggregate);
    this.window = children.some((child) => child.window);
  }

  abstract sql(c: Compiler): string;

  get family(): Family | null {
    return this.output?.spec.family ?? null;
  }

  /** Aliases whose row must exist for this to be true (or not null): what makes an outer join an inner one. */
  demands(): ReadonlySet<string> {
    return NOTHING;
  }

  /** Columns outside of aggregates: what GROUP BY needs. */
  groupBy(): readonly Node[] {
    if (this.aggregate) return this.children.flatMap((child) => child.groupBy());
    return this.children.length === 0 && !(this instanceof ColumnNode) ? [] : [this];
  }
}
export const NOTHING: ReadonlySet<string> = new Set();

export function union(nodes: readonly Node[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const node of nodes) for (const alias of node.demands()) all.add(alias);
  return all;
}

export class ColumnNode extends Node {
  readonly alias: string;
  readonly field: ColumnField;
  /** Whether it may be NULL: its field may, or its table is joined outer. */
  readonly nullable: boolean;

  constructor(alias: string, field: ColumnField, nullable: boolean) {
    super();
    this.alias = alias;
    this.field = field;
    this.nullable = nullable;
  }
  get output(): ValueField {
    return this.field.storage;
  }
  override demands(): ReadonlySet<string> {
    return new Set([this.alias]);
  }
  sql(c: Compiler): string {
    if (c.lift?.takes(this.alias)) return c.lift.column(this);
    return `${this.alias}.${c.quote(this.field.column)}`;
  }
}

/** A value of the query. */
export class ParamNode extends Node {
  readonly slot: number;
  readonly output: ValueField | null;
  readonly convert: Convert;
  /** Whether the database must be told its type: where it stands alone. */
  readonly typed: boolean;

  constructor(slot: number, output: ValueField | null, convert: Convert, typed: boolean) {
    super();
    this.slot = slot;
    this.output = output;
    this.convert = convert;
    this.typed = typed;
  }
  sql(c: Compiler): string {
    const sql = c.param(
      this.slot,
      this.convert ?? (this.output && c.dialect.adapter(this.output.spec.family)),
    );
    return this.typed ? c.dialect.typedParameter(sql, this.family) : sql;
  }
}

/** SQL written by the programmer, with parameters between its parts. */
export class RawNode extends Node {
  readonly parts: readonly string[];
  readonly output: ValueField | null;
  constructor(parts: readonly string[], params: readonly Node[], output: ValueField | null) {
    super(params);
    this.parts = parts;
    this.output = output;
  }
  sql(c: Compiler): string {
    return this.parts.map((part, i) => part + (this.children[i]?.sql(c) ?? '')).join('');
  }
}

export class FuncNode extends Node {
  readonly name: string;
  readonly output: ValueField | null;
  /** Functions that give NULL for a NULL argument demand what their arguments demand. */
  readonly strict: boolean;
  readonly template: ((args: readonly string[], c: Compiler) => string) | null;
  /** How it is written in ORDER BY, where that differs. */
  ordering: ((args: readonly string[], c: Compiler) => string) | null = null;

  constructor(
    name: string,
    args: readonly Node[],
    output: ValueField | null,
    strict = true,
    template: ((args: readonly string[], c: Compiler) => string) | null = null,
  ) {
    super(args);
    this.name = name;
    this.output = output;
    this.strict = strict;
    this.template = template;
  }
  override demands(): ReadonlySet<string> {
    return this.strict ? union(this.children) : NOTHING;
  }
  sql(c: Compiler): string {
    const args = this.children.map((child) => child.sql(c));
    if (this.template !== null) return this.template(args, c);
    const families = this.children.map((child) => child.family);
    return c.dialect.func(this.name, args, families) ?? `${this.name}(${args.join(',')})`;
  }
}

export class AggregateNode extends Node {
  override readonly aggregate = true;
  readonly name: string;
  readonly output: ValueField | null;
  readonly distinct: boolean;
  readonly condition: Node | null;
  readonly order: readonly OrderNode[];

  constructor(
    name: string,
    args: readonly Node[],
    output: ValueField | null,
    distinct: boolean,
    condition: Node | null,
    order: readonly OrderNode[] = [],
  ) {
    super([...args, ...(condition === null ? [] : [condition]), ...order]);
    this.name = name;
    this.output = output;
    this.distinct = distinct;
    this.condition = condition;
    this.order = order;
  }
  override groupBy(): readonly Node[] {
    return [];
  }
  sql(c: Compiler): string {
    const { lift } = c;
    if (lift === null) return this.#sql(c);
    if (lift.inside) return lift.column(this);
    lift.inside = true;
    try {
      return this.#sql(c);
    } finally {
      lift.inside = false;
    }
  }
  #sql(c: Compiler): string {
    const own = this.children.slice(
      0,
      this.children.length - this.order.length - (this.condition === null ? 0 : 1),
    );
    const args = own.map((child) => c.dialect.comparable(child.sql(c), child.family));
    if (args.length === 0) args.push('*');
    if (this.distinct) args[0] = `DISTINCT ${args[0]}`;
    if (this.order.length > 0) {
      const last = args.length - 1;
      args[last] = `${args[last]} ORDER BY ${this.order.map((node) => node.sql(c)).join(',')}`;
    }
    const families = own.map((child) => child.family);
    let text = c.dialect.func(this.name, args, families) ?? `${this.name}(${args.join(',')})`;
    if (this.condition !== null) {
      const filter = ` FILTER (WHERE ${this.condition.sql(c)})`;
      // A cast around the call, as some dialects add, comes after the filter.
      text = text.replace(/^([A-Z_]+\(.*\))(::[a-z ]+)?$/s, (_, call: string, cast = '') =>
        cast ? `(${call}${filter})${cast}` : `${call}${filter}`,
      );
    }
    return text;
  }
}

export class CombineNode extends Node {
  readonly operator: string;
  readonly output: ValueField | null;
  constructor(operator: string, left: Node, right: Node, output: ValueField | null) {
    super([left, right]);
    this.operator = operator;
    this.output = output;
  }
  override demands(): ReadonlySet<string> {
    return union(this.children);
  }
  sql(c: Compiler): string {
    const [left, right] = this.children as [Node, Node];
    return c.dialect.combine(
      this.operator,
      c.dialect.comparable(left.sql(c), left.family),
      c.dialect.comparable(right.sql(c), right.family),
      [left.family, right.family],
    );
  }
}

export class CaseNode extends Node {
  readonly output: ValueField | null;
  readonly cases: readonly (readonly [condition: Node, result: Node])[];
  readonly otherwise: Node | null;
  constructor(cases: CaseNode['cases'], otherwise: Node | null, output: ValueField | null) {
    super([...cases.flat(), ...(otherwise === null ? [] : [otherwise])]);
    this.cases = cases;
    this.otherwise = otherwise;
    this.output = output;
  }
  sql(c: Compiler): string {
    const whens = this.cases.map(([when, then]) => `WHEN ${when.sql(c)} THEN ${then.sql(c)}`);
    const last = this.otherwise === null ? '' : ` ELSE ${this.otherwise.sql(c)}`;
    return whens.length === 0 ? (this.otherwise?.sql(c) ?? 'NULL') : `CASE ${whens.join(' ')}${last} END`;
  }
}

export class OrderNode extends Node {
  readonly output: ValueField | null;
  readonly descending: boolean;
  readonly nulls: 'first' | 'last' | null;
  constructor(node: Node, descending: boolean, nulls: 'first' | 'last' | null) {
    super([node]);
    this.output = node.output;
    this.descending = descending;
    this.nulls = nulls;
  }
  get node(): Node {
    return this.children[0] as Node;
  }
  override groupBy(): readonly Node[] {
    return this.node.groupBy();
  }
  reversed(): OrderNode {
    const nulls = this.nulls === null ? null : this.nulls === 'first' ? 'last' : 'first';
    return new OrderNode(this.node, !this.descending, nulls);
  }
  sql(c: Compiler): string {
    const { node } = this;
    if (node instanceof FuncNode && node.ordering !== null)
      return this.ordered(
        node.ordering(
          node.children.map((child) => child.sql(c)),
          c,
        ),
      );
    return this.ordered(c.dialect.comparable(node.sql(c), node.family));
  }
  /** The direction applied to another spelling of the expression. */
  ordered(text: string): string {
    return `${text}${this.descending ? ' DESC' : ''}${this.nulls === null ? '' : ` NULLS ${this.nulls === 'first' ? 'FIRST' : 'LAST'}`}`;
  }
}

export class WindowNode extends Node {
  override readonly window = true;
  override readonly aggregate = false;
  readonly output: ValueField | null;
  readonly call: Node;
  readonly partition: readonly Node[];
  readonly order: readonly OrderNode[];
  readonly frame: string;
  constructor(call: Node, partition: readonly Node[], order: readonly OrderNode[], frame: string) {
    super([call, ...partition, ...order]);
    this.output = call.output;
    this.call = call;
    this.partition = partition;
    this.order = order;
    this.frame = frame;
  }
  sql(c: Compiler): string {
    if (c.lift !== null) return c.lift.column(this);
    const parts: string[] = [];
    if (this.partition.length > 0)
      parts.push(`PARTITION BY ${this.partition.map((p) => p.sql(c)).join(',')}`);
    if (this.order.length > 0) parts.push(`ORDER BY ${this.order.map((o) => o.sql(c)).join(',')}`);
    if (this.frame !== '') parts.push(this.frame);
    const call = this.call.sql(c);
    const over = ` OVER (${parts.join(' ')})`;
    const cast = /^(.*\))(::[a-z ]+)$/s.exec(call);
    return cast === null ? call + over : `(${cast[1]}${over})${cast[2]}`;
  }
}

/** Conditions under AND, OR or XOR, perhaps negated. */
export class WhereNode extends Node {
  readonly output = BOOLEAN;
  readonly connector: 'AND' | 'OR' | 'XOR';
  readonly negated: boolean;
  constructor(connector: 'AND' | 'OR' | 'XOR', negated: boolean, children: readonly Node[]) {
    super(children);
    this.connector = connector;
    this.negated = negated;
  }
  override demands(): ReadonlySet<string> {
    if (this.negated || this.connector === 'XOR' || this.children.length === 0) return NOTHING;
    if (this.connector === 'AND') return union(this.children);
    const [first, ...rest] = this.children.map((child) => child.demands()) as [ReadonlySet<string>];
    return new Set(
      [...first].filter((alias) => (rest as ReadonlySet<string>[]).every((set) => set.has(alias))),
    );
  }
  override groupBy(): readonly Node[] {
    return this.children.flatMap((child) => child.groupBy());
  }
  sql(c: Compiler): string {
    // Nothing to satisfy is true; so its negation is false.
    if (this.children.length === 0) return this.negated ? '1=0' : '1=1';
    let text: string;
    if (this.connector === 'XOR' && this.children.length > 1) {
      const sum = this.children.map((child) => `CASE WHEN ${child.sql(c)} THEN 1 ELSE 0 END`).join('+');
      text = `(${sum})%2=1`;
    } else text = this.children.map((child) => child.sql(c)).join(` ${this.connector} `);
    if (this.negated) return `NOT (${text})`;
    return this.children.length > 1 ? `(${text})` : text;
  }
}

/** A comparison: SQL from both sides, however the lookup writes it. */
export class CompareNode extends Node {
  readonly output = BOOLEAN;
  readonly write: (c: Compiler, sides: readonly string[]) => string;
  /** False for `IS NULL`: it is true for the row that an outer join did not find. */
  readonly strict: boolean;
  constructor(
    sides: readonly Node[],
    write: (c: Compiler, sides: readonly string[]) => string,
    strict: boolean,
  ) {
    super(sides);
    this.write = write;
    this.strict = strict;
  }
  override demands(): ReadonlySet<string> {
    return this.strict ? union(this.children) : NOTHING;
  }
  override groupBy(): readonly Node[] {
    return this.children.flatMap((child) => child.groupBy());
  }
  sql(c: Compiler): string {
    return this.write(
      c,
      this.children.map((child) => child.sql(c)),
    );
  }
}

export class LiteralNode extends Node {
  readonly output: ValueField | null;
  readonly text: string;
  constructor(text: string, output: ValueField | null) {
    super();
    this.text = text;
    this.output = output;
  }
  sql(): string {
    return this.text;
  }
}
