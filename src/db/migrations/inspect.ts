/** Typed models from a live database: `sobaya inspectdb`. */
import type { LiveColumn, LiveForeignKey, LiveIndex, LiveTable, Vendor } from '../schema/index.ts';
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
  /** Whose tables they are: an `integer` that counts itself up has 64 bits on SQLite. */
  readonly vendor?: Vendor;
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
  const bodies = wanted.map((table) => modelText(table, classes, live, used, options.vendor ?? 'postgresql'));
  return `/** Made by sobaya inspectdb. Look at names, at lines with TODO, and remove managed: false where migrations shall keep the table. */
import { ${[...used].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)).join(', ')} } from 'sobaya/db';

${bodies.join('\n')}`;
}

function modelText(
  table: LiveTable,
  classes: ReadonlyMap<string, string>,
  live: ReadonlyMap<string, LiveTable>,
  used: Set<string>,
  vendor: Vendor,
): string {
  const keys = table.columns.filter((column) => column.primaryKey);
  const taken = new Set<string>();
  const lines: string[] = [];
  const optionLines = [`table: ${quote(table.name)}`, 'managed: false'];
  const names = new Map<string, string>();
  /** Indexes that a field says by itself. */
  const claimed = new Set<string>();
  for (const column of table.columns) {
    const key = table.foreignKeys.find((one) => one.columns.length === 1 && one.columns[0] === column.name);
    const target = key === undefined ? undefined : classes.get(key.table);
    const isKey = target !== undefined && key !== undefined;
    let name = camelCase(isKey ? column.name.replace(/_id$/i, '') : column.name);
    while (taken.has(name)) name += 'Field';
    taken.add(name);
    names.set(column.name, name);
    const onlyKey = column.primaryKey && keys.length === 1;
    const big = vendor === 'sqlite' ? !refersShort(table, column, live) : column.type.startsWith('big');
    if (onlyKey && column.name === 'id' && column.auto && big) continue;
    const alone = table.indexes.filter(
      (index) =>
        !index.primary &&
        !claimed.has(index.name) &&
        isPlain(index) &&
        index.columns.length === 1 &&
        index.columns[0] === column.name,
    );
    const uniqueIndex = alone.find((index) => index.unique);
    const plainIndex = alone.find((index) => !index.unique);
    const unique = uniqueIndex !== undefined;
    // A unique field has no index besides: that one stands in the options.
    const indexed = !unique && plainIndex !== undefined;
    if (uniqueIndex !== undefined) claimed.add(uniqueIndex.name);
    else if (plainIndex !== undefined && !onlyKey) claimed.add(plainIndex.name);
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
        big,
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
    if (index.unique && !index.primary && !index.partial && isPlain(index) && index.columns.length > 1)
      optionLines.push(
        `uniqueTogether: [[${index.columns.map((column) => quote(names.get(column as string) ?? (column as string))).join(', ')}]]`,
      );
  const groups = optionLines.filter((line) => line.startsWith('uniqueTogether'));
  const others = optionLines.filter((line) => !line.startsWith('uniqueTogether'));
  if (groups.length > 0)
    others.push(
      `uniqueTogether: [${groups.map((line) => line.slice('uniqueTogether: ['.length, -1)).join(', ')}]`,
    );
  const name = (column: string): string => names.get(column) ?? column;
  const parts = partLines(table, name, used, claimed);
  if (parts.indexes.length > 0) others.push(`indexes: [${parts.indexes.join(', ')}]`);
  if (parts.constraints.length > 0) others.push(`constraints: [${parts.constraints.join(', ')}]`);
  if (table.comment !== null) others.push(`comment: ${quote(table.comment)}`);
  lines.push(...parts.doubts.map((doubt) => `  // TODO ${doubt}`));
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

/** SQLite's own keys are all alike; the columns that refer to them tell how long they were meant to be. */
function refersShort(table: LiveTable, column: LiveColumn, live: ReadonlyMap<string, LiveTable>): boolean {
  for (const other of live.values())
    for (const key of other.foreignKeys)
      if (key.table === table.name && (key.targets[0] ?? column.name) === column.name)
        for (const one of other.columns)
          if (one.name === key.columns[0] && !one.auto && /^int(eger)?$/.test(one.type)) return true;
  return false;
}

/** What `unique: true`, `index: true` and `uniqueTogether` can say. */
function isPlain(index: LiveIndex): boolean {
  return (
    index.method === 'btree' &&
    !index.partial &&
    index.include.length === 0 &&
    index.columns.every((column) => column !== null) &&
    (index.unique || !index.descending.some(Boolean))
  );
}

interface Parts {
  readonly indexes: string[];
  readonly constraints: string[];
  readonly doubts: string[];
}

/** The indexes and constraints that no field can say by itself. */
function partLines(
  table: LiveTable,
  name: (column: string) => string,
  used: Set<string>,
  claimed: ReadonlySet<string>,
): Parts {
  const parts: Parts = { indexes: [], constraints: [], doubts: [] };
  const exclusions = new Set(
    table.checks.filter((check) => check.sql.startsWith('EXCLUDE')).map((check) => check.name),
  );
  for (const index of table.indexes) {
    if (index.primary || exclusions.has(index.name) || index.name.startsWith('sqlite_autoindex')) continue;
    if (claimed.has(index.name) || (isPlain(index) && index.unique && index.columns.length > 1)) continue;
    const fields = index.columns.map((column, at) =>
      column === null ? null : quote((index.descending[at] ? '-' : '') + name(column)),
    );
    const expressions = index.columns.flatMap((column, at) =>
      column === null ? [`{ sql: ${quote(bare(index.sql[at] ?? ''))} }`] : [],
    );
    if (
      fields.includes(null) &&
      fields.some((one, at) => one !== null && fields.slice(0, at).includes(null))
    ) {
      parts.doubts.push(`the index ${index.name} has expressions before columns: ${index.sql.join(', ')}`);
      continue;
    }
    const plain = fields.filter((one) => one !== null);
    const options = [`name: ${quote(index.name)}`];
    if (plain.length > 0) options.push(`fields: [${plain.join(', ')}]`);
    if (expressions.length > 0) options.push(`expressions: [${expressions.join(', ')}]`);
    if (index.where !== null) options.push(`condition: { sql: ${quote(bare(index.where))} }`);
    if (index.include.length > 0)
      options.push(`include: [${index.include.map((column) => quote(name(column))).join(', ')}]`);
    if (index.method !== 'btree' && !index.unique) options.push(`using: ${quote(index.method)}`);
    const callee = index.unique ? 'uniqueConstraint' : 'index';
    used.add(callee);
    parts[index.unique ? 'constraints' : 'indexes'].push(`${callee}({ ${options.join(', ')} })`);
  }
  for (const check of table.checks) {
    if (exclusions.has(check.name)) {
      parts.doubts.push(`the constraint ${check.name} is ${check.sql}`);
      continue;
    }
    used.add('checkConstraint');
    const sql = bare(check.sql.replace(/^CHECK /, '').replace(/ NOT VALID$/, ''));
    const named = check.name === '' ? '' : `name: ${quote(check.name)}, `;
    parts.constraints.push(`checkConstraint({ ${named}check: { sql: ${quote(sql)} } })`);
  }
  for (const key of table.foreignKeys)
    if (key.columns.length > 1)
      parts.doubts.push(
        `(${key.columns.join(', ')}) refers to ${key.table}: a foreign key has one column here`,
      );
  return parts;
}

/** Without parentheses around all of it. */
function bare(sql: string): string {
  let text = sql.trim();
  for (;;) {
    if (!text.startsWith('(') || !text.endsWith(')')) return text;
    let depth = 0;
    for (let at = 0; at < text.length - 1; at++) {
      if (text[at] === '(') depth++;
      else if (text[at] === ')' && --depth === 0) return text;
    }
    text = text.slice(1, -1).trim();
  }
}

/** The default as a value where it is a plain one, and else as SQL. */
function defaultText(sql: string, callee: string): string {
  const plain = /^'((?:[^']|'')*)'(?:::[\w ]+)?$/.exec(sql)?.[1];
  if (plain !== undefined && ['text', 'email', 'url', 'slug'].includes(callee))
    return quote(plain.replaceAll("''", "'"));
  if (/^-?\d+(\.\d+)?$/.test(sql) && /nteger$|^float$/.test(callee))
    return /big/i.test(callee) ? `${sql}n` : sql;
  if (callee === 'boolean' && /^(true|false|0|1)$/i.test(sql)) return String(/^(true|1)$/i.test(sql));
  return `{ sql: ${quote(sql)} }`;
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
  /** A key that counts itself up has 64 bits. */
  readonly big: boolean;
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
  big,
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
    const callee = big ? 'bigAuto' : 'auto';
    used.add(callee);
    return [`  ${name}: ${callee}({ ${options.join(', ')} }),`];
  }
  const kind = kindOf(column);
  used.add(kind.callee);
  const own = Object.entries(kind.options)
    .filter(([option]) => option !== 'of')
    .map(([option, value]) => `${option}: ${String(value)}`);
  if (column.default !== null && !onlyKey)
    options.push(`dbDefault: ${defaultText(column.default, kind.callee)}`);
  if (column.comment !== null) options.push(`comment: ${quote(column.comment)}`);
  if (column.generated !== null) {
    used.add('generated');
    const type = `${kind.callee}(${own.length > 0 ? `{ ${own.join(', ')} }` : ''})`;
    const rest = [
      ...(column.stored ? [] : ['stored: false']),
      ...(expected !== column.name ? [`column: ${quote(column.name)}`] : []),
    ];
    return [
      `  ${name}: generated(${type}, { sql: ${quote(bare(column.generated))} }${rest.length > 0 ? `, { ${rest.join(', ')} }` : ''}),`,
    ];
  }
  const all = [...own, ...options];
  const text = all.length > 0 ? `{ ${all.join(', ')} }` : '';
  const doubt = kind.doubt === undefined ? [] : [`  // TODO ${kind.doubt}`];
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
