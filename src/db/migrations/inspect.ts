/** Typed models from a live database: `sobaya inspectdb`. */
import type { LiveColumn, LiveForeignKey, LiveTable } from '../schema/index.ts';
import { snakeCase } from '../schema/spec.ts';
import { quote } from './writer.ts';

const NUMBER = /^(\w+)(?:\s*\((\d+)(?:\s*,\s*(\d+))?\))?/;

interface Kind {
  readonly callee: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What a person should look at. */
  readonly doubt?: string;
}

/** The field that fits a column's type. */
function kindOf(column: LiveColumn): Kind {
  const type = column.type.toLowerCase();
  if (type.endsWith('[]')) {
    const of = kindOf({ ...column, type: type.slice(0, -2) });
    return { callee: 'array', options: { of } };
  }
  const [, word = '', size, places] = NUMBER.exec(type.replace('character varying', 'varchar')) ?? [];
  const length = size === undefined ? {} : { maxLength: Number(size) };
  if (type.startsWith('timestamp') || word === 'datetime') return { callee: 'dateTime', options: {} };
  if (type.startsWith('time')) return { callee: 'time', options: {} };
  if (type.startsWith('double') || ['real', 'float', 'float4', 'float8'].includes(word))
    return { callee: 'float', options: {} };
  const unsigned = type.includes('unsigned');
  switch (word) {
    case 'varchar':
    case 'nvarchar':
    case 'text':
    case 'clob':
    case 'citext':
      return { callee: 'text', options: length };
    case 'char':
    case 'character':
    case 'bpchar':
      if (size === '36') return { callee: 'uuid', options: {} };
      return size === '39' ? { callee: 'ipAddress', options: {} } : { callee: 'text', options: length };
    case 'bool':
    case 'boolean':
      return { callee: 'boolean', options: {} };
    case 'smallint':
    case 'int2':
    case 'tinyint':
      return { callee: unsigned ? 'positiveSmallInteger' : 'smallInteger', options: {} };
    case 'bigint':
    case 'int8':
      return { callee: unsigned ? 'positiveBigInteger' : 'bigInteger', options: {} };
    case 'integer':
    case 'int':
    case 'int4':
    case 'mediumint':
      return { callee: unsigned ? 'positiveInteger' : 'integer', options: {} };
    case 'numeric':
    case 'decimal':
      return size === undefined
        ? {
            callee: 'decimal',
            options: { maxDigits: 38, decimalPlaces: 10 },
            doubt: 'the column has no limits',
          }
        : { callee: 'decimal', options: { maxDigits: Number(size), decimalPlaces: Number(places ?? 0) } };
    case 'date':
      return { callee: 'date', options: {} };
    case 'interval':
      return { callee: 'duration', options: {} };
    case 'json':
    case 'jsonb':
      return { callee: 'json', options: {} };
    case 'blob':
    case 'bytea':
      return { callee: 'binary', options: {} };
    case 'uuid':
      return { callee: 'uuid', options: {} };
    case 'inet':
    case 'cidr':
      return { callee: 'ipAddress', options: {} };
    default:
      return { callee: 'text', options: {}, doubt: `the column's type is ${column.type || 'not given'}` };
  }
}

const RESERVED = new Set(
  'constructor prototype pk save delete refresh load clean fullClean isSaved changed toString valueOf toJSON then catch finally hasOwnProperty'.split(
    ' ',
  ),
);

function camelCase(name: string): string {
  let plain = name
    .replace(/[^A-Za-z0-9]+([A-Za-z0-9])?/g, (_, next: string | undefined) => next?.toUpperCase() ?? '')
    .replace(/^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/, (head) => head.toLowerCase());
  if (!/^[A-Za-z]/.test(plain)) plain = `field${plain}`;
  return RESERVED.has(plain) ? `${plain}Field` : plain;
}

function className(table: string): string {
  const name = camelCase(table.replace(/^.*\./, ''));
  const upper = name.charAt(0).toUpperCase() + name.slice(1);
  return /^(Model|Object|Date|Error|Map|Set|Promise|Array|String|Number|Boolean|Symbol|Function)$/.test(upper)
    ? `${upper}Row`
    : upper;
}

export interface InspectOptions {
  /** Only these tables. */
  readonly tables?: readonly string[];
  readonly views?: boolean;
}

/** Source of a module with one model per table. They are unmanaged: migrations leave their tables alone. */
export function inspectModels(live: ReadonlyMap<string, LiveTable>, options: InspectOptions = {}): string {
  const wanted = [...live.values()].filter(
    (table) =>
      table.name !== 'sobaya_migrations' &&
      (options.tables === undefined || options.tables.length === 0 || options.tables.includes(table.name)) &&
      (table.kind === 'table' || options.views === true || options.tables?.includes(table.name)),
  );
  const classes = new Map<string, string>();
  for (const table of wanted) {
    let name = className(table.name);
    while ([...classes.values()].includes(name)) name += 'Row';
    classes.set(table.name, name);
  }
  const used = new Set<string>(['Model']);
  const bodies = wanted.map((table) => modelText(table, classes, live, used));
  return `/** Made by sobaya inspectdb. Look at names, at lines with TODO, and remove managed: false where migrations shall keep the table. */
import { ${[...used].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)).join(', ')} } from 'sobaya/db';

${bodies.join('\n')}`;
}

function modelText(
  table: LiveTable,
  classes: ReadonlyMap<string, string>,
  live: ReadonlyMap<string, LiveTable>,
  used: Set<string>,
): string {
  const keys = table.columns.filter((column) => column.primaryKey);
  const taken = new Set<string>();
  const lines: string[] = [];
  const optionLines = [`table: ${quote(table.name)}`, 'managed: false'];
  const names = new Map<string, string>();
  for (const column of table.columns) {
    const key = table.foreignKeys.find((one) => one.columns.length === 1 && one.columns[0] === column.name);
    const target = key === undefined ? undefined : classes.get(key.table);
    const isKey = target !== undefined && key !== undefined;
    let name = camelCase(isKey ? column.name.replace(/_id$/i, '') : column.name);
    while (taken.has(name)) name += 'Field';
    taken.add(name);
    names.set(column.name, name);
    const onlyKey = column.primaryKey && keys.length === 1;
    if (onlyKey && column.name === 'id' && column.auto) continue;
    const unique = table.indexes.some(
      (index) =>
        index.unique &&
        !index.primary &&
        !index.partial &&
        index.columns.length === 1 &&
        index.columns[0] === column.name,
    );
    const indexed = table.indexes.some(
      (index) =>
        !index.unique &&
        !index.partial &&
        index.columns.length === 1 &&
        index.columns[0] === column.name &&
        index.method === 'btree',
    );
    lines.push(
      ...fieldLines({
        column,
        name,
        key: isKey ? key : undefined,
        target,
        onlyKey,
        unique,
        indexed,
        live,
        used,
      }),
    );
  }
  if (keys.length === 0)
    lines.push('  // TODO the table has no primary key: give one of its fields primaryKey: true');
  if (keys.length > 1)
    optionLines.push(
      `uniqueTogether: [[${keys.map((column) => quote(names.get(column.name) as string)).join(', ')}]]`,
    );
  for (const index of table.indexes)
    if (
      index.unique &&
      !index.primary &&
      !index.partial &&
      index.columns.length > 1 &&
      index.columns.every((one) => one !== null)
    )
      optionLines.push(
        `uniqueTogether: [[${index.columns.map((column) => quote(names.get(column as string) ?? (column as string))).join(', ')}]]`,
      );
  const groups = optionLines.filter((line) => line.startsWith('uniqueTogether'));
  const others = optionLines.filter((line) => !line.startsWith('uniqueTogether'));
  if (groups.length > 0)
    others.push(
      `uniqueTogether: [${groups.map((line) => line.slice('uniqueTogether: ['.length, -1)).join(', ')}]`,
    );
  const composite =
    keys.length > 1
      ? `// TODO the primary key is (${keys.map((column) => column.name).join(', ')}); a model has one column as its key\n`
      : '';
  return `${composite}export class ${classes.get(table.name)} extends Model(
  {
${lines.map((line) => `  ${line}`).join('\n')}
  },
  { ${others.join(', ')} },
) {}
`;
}

interface FieldInput {
  readonly column: LiveColumn;
  readonly name: string;
  readonly key: LiveForeignKey | undefined;
  readonly target: string | undefined;
  readonly onlyKey: boolean;
  readonly unique: boolean;
  readonly indexed: boolean;
  readonly live: ReadonlyMap<string, LiveTable>;
  readonly used: Set<string>;
}

function fieldLines({
  column,
  name,
  key,
  target,
  onlyKey,
  unique,
  indexed,
  live,
  used,
}: FieldInput): string[] {
  const options: string[] = [];
  const expected = key === undefined ? snakeCase(name) : `${snakeCase(name)}_id`;
  if (expected !== column.name) options.push(`column: ${quote(column.name)}`);
  if (onlyKey) options.push('primaryKey: true');
  if (column.null && !onlyKey) options.push('null: true');
  if (key !== undefined && target !== undefined) {
    const callee = unique ? 'oneToOne' : 'foreignKey';
    used.add(callee);
    if (!unique && !indexed) options.push('index: false');
    const there = live.get(key.table)?.columns.find((one) => one.name === key.targets[0]);
    if (there !== undefined && !there.primaryKey) options.push(`toField: ${quote(camelCase(there.name))}`);
    const args = options.length > 0 ? `, { ${options.join(', ')} }` : '';
    return [`  get ${name}() {`, `    return ${callee}(${target}${args});`, '  },'];
  }
  if (unique && !onlyKey) options.push('unique: true');
  if (indexed && !unique && !onlyKey) options.push('index: true');
  if (column.auto && onlyKey) {
    const callee = column.type.startsWith('big') || column.type === 'integer' ? 'bigAuto' : 'auto';
    used.add(callee);
    return [`  ${name}: ${callee}({ ${options.join(', ')} }),`];
  }
  const kind = kindOf(column);
  used.add(kind.callee);
  const own = Object.entries(kind.options)
    .filter(([option]) => option !== 'of')
    .map(([option, value]) => `${option}: ${String(value)}`);
  const all = [...own, ...options];
  const text = all.length > 0 ? `{ ${all.join(', ')} }` : '';
  const doubt = kind.doubt === undefined ? [] : [`  // TODO ${kind.doubt}`];
  if (column.default !== null && !onlyKey)
    doubt.push(`  // the database's default is ${column.default.replaceAll('\n', ' ')}`);
  if (column.generated !== null)
    doubt.push(`  // TODO the database computes it: ${column.generated.replaceAll('\n', ' ')}`);
  if (kind.callee === 'array') {
    const of = kind.options['of'] as Kind;
    used.add(of.callee);
    const inner = Object.entries(of.options).map(([option, value]) => `${option}: ${String(value)}`);
    return [
      ...doubt,
      `  ${name}: array(${of.callee}(${inner.length > 0 ? `{ ${inner.join(', ')} }` : ''})${text === '' ? '' : `, ${text}`}),`,
    ];
  }
  return [...doubt, `  ${name}: ${kind.callee}(${text}),`];
}
