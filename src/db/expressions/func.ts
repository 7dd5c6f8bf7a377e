/** What functions of a database are made of; the functions themselves stand in functions.ts and its neighbours. */
import type { ValueField } from '../fields/field.ts';
import type { Family } from '../fields/kinds.ts';
import { FuncNode, type Node } from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed } from '../typing/model.ts';
import { Expr, FExpr, operand, type Resolver, type Writer } from './expression.ts';

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
export const argument = (given: unknown): Expr =>
  typeof given === 'string' ? new FExpr(given) : operand(given);
export const first = (nodes: readonly Node[]): ValueField | null => nodes[0]?.output ?? null;
export function call<V>(
  name: string,
  args: readonly Expr[],
  out: Out,
  options?: ConstructorParameters<typeof Func>[3],
): Computed<V> {
  return new Func(name, args, out, options) as unknown as Computed<V>;
}
