/** Migrations as TypeScript files that read well. */
import { fault } from '../../errors/index.ts';
import { plainKinds, relationKinds } from './fields.ts';
import type { MigrationArgs } from './migration.ts';
import { Operation } from './operations/base.ts';
import type { FieldState, PartState } from './state.ts';

const WIDTH = 100;
const PACKAGE = 'sobaya/db/migrations';
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const PARTS = new Set(['index', 'unique', 'check', 'exclusion']);

/** Text of the file, and what it imports from where. */
export class MigrationWriter {
  readonly #args: MigrationArgs;
  readonly #header: string;
  readonly #imports = new Map<string, Set<string>>();

  constructor(args: MigrationArgs, header = '') {
    this.#args = args;
    this.#header = header;
  }

  text(): string {
    this.#use(PACKAGE, 'migration');
    const { initial, dependencies, replaces, runBefore, atomic, databases, operations } = this.#args;
    const entries: [string, string][] = [];
    if (initial) entries.push(['initial', 'true']);
    if (replaces !== undefined && replaces.length > 0) entries.push(['replaces', this.#value(replaces, 2)]);
    entries.push(['dependencies', this.#value(dependencies ?? [], 2)]);
    if (runBefore !== undefined && runBefore.length > 0)
      entries.push(['runBefore', this.#value(runBefore, 2)]);
    if (databases !== undefined) entries.push(['databases', this.#value(databases, 2)]);
    if (atomic === false) entries.push(['atomic', 'false']);
    const list = operations.map((operation) => `    ${this.#operation(operation, 4)},\n`).join('');
    entries.push(['operations', list === '' ? '[]' : `[\n${list}  ]`]);
    const body = entries.map(([key, value]) => `  ${key}: ${value},\n`).join('');
    return `${this.#header}${this.#importLines()}\nexport default migration({\n${body}});\n`;
  }

  #use(module: string, name: string): string {
    const names = this.#imports.get(module) ?? new Set();
    names.add(name);
    this.#imports.set(module, names);
    return name;
  }

  #importLines(): string {
    return [...this.#imports]
      .map(([module, names]) => {
        const sorted = [...names].sort();
        const line = `import { ${sorted.join(', ')} } from '${module}';\n`;
        return line.length <= WIDTH + 1
          ? line
          : `import {\n${sorted.map((name) => `  ${name},\n`).join('')}} from '${module}';\n`;
      })
      .join('');
  }

  #operation(operation: Operation, indent: number): string {
    const callee = this.#use(operation.module ?? PACKAGE, operation.callee);
    return `${callee}(${this.#value(operation.deconstruct(), indent)})`;
  }

  /** A value as source. `indent` is that of the line on which it begins. */
  #value(value: unknown, indent: number): string {
    if (value === undefined) return 'undefined';
    if (value === null || typeof value === 'boolean') return String(value);
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
    if (typeof value === 'string') return quote(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Date) return `new Date(${quote(value.toISOString())})`;
    if (value instanceof Uint8Array) return `Uint8Array.from([${[...value].join(', ')}])`;
    if (value instanceof Operation) return this.#operation(value, indent);
    if (typeof value === 'function') return functionText(value as () => unknown);
    if (Array.isArray(value))
      return this.#list(
        '[',
        ']',
        value.map((item) => this.#value(item, indent + 2)),
        indent,
      );
    if (typeof value !== 'object') throw fault('SBY_MIGRATIONS_CANNOT_WRITE', { got: value });
    const plain = value as Record<string, unknown>;
    if (typeof plain['$date'] === 'string') return `new Date(${quote(plain['$date'])})`;
    if (typeof plain['$bigint'] === 'string') return `${plain['$bigint']}n`;
    if (isField(plain)) return this.#field(plain, indent);
    if (isPart(plain)) {
      const callee = this.#use(PACKAGE, plain.kind);
      return `${callee}(${this.#value(plain.options, indent)})`;
    }
    return this.#object(plain, indent);
  }

  #field({ kind, options }: FieldState, indent: number): string {
    this.#use(PACKAGE, 'field');
    const known = (plainKinds as readonly string[]).includes(kind);
    const args: string[] = [];
    const rest: Record<string, unknown> = { ...options };
    if ((relationKinds as readonly string[]).includes(kind)) {
      args.push(this.#value(rest['to'], indent));
      delete rest['to'];
    } else if (kind === 'array') {
      args.push(this.#value(rest['of'], indent));
      delete rest['of'];
    } else if (!known) args.push(quote(kind));
    if (Object.keys(rest).length > 0) args.push(this.#value(rest, indent));
    const callee = known || kind === 'array' || args[0] !== quote(kind) ? kind : 'custom';
    return `field.${callee}(${args.join(', ')})`;
  }

  #object(value: Record<string, unknown>, indent: number): string {
    const items = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `${IDENTIFIER.test(key) ? key : quote(key)}: ${this.#value(item, indent + 2)}`);
    return this.#list('{', '}', items, indent, 'fields' in value && !Array.isArray(value['fields']));
  }

  #list(open: string, close: string, items: readonly string[], indent: number, always = false): string {
    if (items.length === 0) return open + close;
    const space = open === '{' ? ' ' : '';
    const line = `${open}${space}${items.join(', ')}${space}${close}`;
    if (!always && !line.includes('\n') && indent + line.length <= WIDTH - 20) return line;
    const pad = ' '.repeat(indent + 2);
    return `${open}\n${items.map((item) => `${pad}${item},\n`).join('')}${' '.repeat(indent)}${close}`;
  }
}

/** The source of a data step; a method's shorthand becomes a function of its own. */
function functionText(fn: () => unknown): string {
  const text = fn.toString();
  if (/\[native code\]\s*\}$/.test(text)) throw fault('SBY_MIGRATIONS_CANNOT_WRITE', { got: fn });
  if (/^(async\s+)?(function\b|\(|[\w$]+\s*=>)/.test(text)) return text;
  return text.replace(
    /^(async\s+)?(\*?)\s*/,
    (_, isAsync: string | undefined, star: string) => `${isAsync ?? ''}function${star} `,
  );
}

export function quote(text: string): string {
  const json = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`;
}

function isPlainPair(value: Record<string, unknown>): boolean {
  return (
    Object.keys(value).length === 2 &&
    typeof value['kind'] === 'string' &&
    typeof value['options'] === 'object' &&
    value['options'] !== null
  );
}
function isPart(value: Record<string, unknown>): value is Record<string, unknown> & PartState {
  return isPlainPair(value) && PARTS.has(value['kind'] as string);
}
function isField(value: Record<string, unknown>): value is Record<string, unknown> & FieldState {
  return isPlainPair(value) && !PARTS.has(value['kind'] as string);
}
