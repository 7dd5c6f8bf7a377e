import type { Family } from '../../fields/kinds.ts';
import type { Dialect, Features } from '../base.ts';
import { columnType } from './types.ts';

export const postgresFeatures: Features = {
  returning: true,
  insertedKey: false,
  selectForUpdate: true,
  skipLocked: true,
  arrays: true,
  fullText: true,
  distinctOn: true,
  alterTable: true,
  transactionalDdl: true,
  deferrableConstraints: true,
  schemas: true,
  comments: true,
  covering: true,
  exclusion: true,
  concurrentIndexes: true,
  notify: true,
  savepoints: true,
  isolationLevels: ['read uncommitted', 'read committed', 'repeatable read', 'serializable'],
  maxParameters: 65535,
  nullsFirst: false,
  cursors: true,
  aliveFunction: null,
};

/** An array literal; elements are quoted, so nothing in them can end it. */
export function arrayLiteral(values: readonly unknown[]): string {
  let out = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) out += ',';
    const value = values[i];
    if (value === null || value === undefined) out += 'NULL';
    else if (Array.isArray(value)) out += arrayLiteral(value);
    else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
      out += String(value);
    else {
      const text =
        value instanceof Uint8Array
          ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
          : value instanceof Date
            ? value.toISOString()
            : String(value);
      out += `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    }
  }
  return `${out}}`;
}

const adapters: Partial<Record<Family, (value: never) => unknown>> = {
  dateTime: (value: Date | string) => (value instanceof Date ? value.toISOString() : value),
  json: (value: unknown) => JSON.stringify(value),
  array: (value: readonly unknown[]) => arrayLiteral(value),
  duration: (value: number) => `${Math.round(value * 1000)} microseconds`,
  uuid: (value: string) => value.toLowerCase(),
  binary: (value: Uint8Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
};

/** Casts `x`, `DISTINCT x` and `x ORDER BY y` where x stands. */
const castFirst = (sql: string): string => {
  const found = /^(DISTINCT )?(.*?)( ORDER BY .*)?$/s.exec(sql) as RegExpExecArray;
  return `${found[1] ?? ''}(${found[2]})::text${found[3] ?? ''}`;
};

const types: Record<Family, string> = {
  text: 'text',
  integer: 'bigint',
  float: 'double precision',
  decimal: 'numeric',
  boolean: 'boolean',
  date: 'date',
  time: 'time',
  dateTime: 'timestamptz',
  duration: 'interval',
  json: 'jsonb',
  binary: 'bytea',
  uuid: 'uuid',
  array: 'text[]',
};

const parts: Record<string, string> = {
  year: 'YEAR',
  iso_year: 'ISOYEAR',
  month: 'MONTH',
  day: 'DAY',
  week: 'WEEK',
  quarter: 'QUARTER',
  hour: 'HOUR',
  minute: 'MINUTE',
  iso_week_day: 'ISODOW',
  epoch: 'EPOCH',
};

export const postgresDialect: Dialect = {
  vendor: 'postgresql',
  features: postgresFeatures,
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  placeholder: (n) => `$${n}`,
  adapter: (family) => adapters[family] ?? null,
  selectColumn: (sql) => sql,
  typedParameter: (sql, family) => (family === null ? sql : `${sql}::${types[family]}`),
  inArray: (lhs, parameter, family, field) =>
    family === 'array' && field !== undefined
      ? `${lhs} IN (SELECT e::${columnType(field)} FROM UNNEST(${parameter}::text[]) e)`
      : `${lhs} = ANY(${parameter}::${types[family]}[])`,
  adaptArray: (values) => arrayLiteral(values),
  textLookup(name, lhs, rhs, family) {
    const text = family === 'text' ? lhs : `${lhs}::text`;
    switch (name) {
      case 'regex':
        return `${text} ~ ${rhs}`;
      case 'iregex':
        return `${text} ~* ${rhs}`;
      case 'iexact':
      case 'icontains':
      case 'istartswith':
      case 'iendswith':
        return `UPPER(${text}) LIKE UPPER(${rhs})`;
      default:
        return `${text} LIKE ${rhs}`;
    }
  },
  extract(part, sql, family, zone = 'UTC') {
    const x = family === 'dateTime' ? `(${sql} AT TIME ZONE '${zone}')` : sql;
    if (part === 'week_day') return `(EXTRACT(DOW FROM ${x})+1)::int`;
    if (part === 'second') return `FLOOR(EXTRACT(SECOND FROM ${x}))::int`;
    if (part === 'microsecond') return `(EXTRACT(MICROSECONDS FROM ${x})::bigint%1000000)::int`;
    if (part === 'date') return family === 'date' ? sql : `${x}::date`;
    if (part === 'time') return family === 'time' ? sql : `${x}::time`;
    const name = parts[part];
    if (name === undefined) throw new TypeError(`no date part ${part}`);
    return `EXTRACT(${name} FROM ${x})::${part === 'epoch' ? 'bigint' : 'int'}`;
  },
  truncate(part, sql, family, result, zone = 'UTC') {
    const x = family === 'dateTime' ? `${sql} AT TIME ZONE '${zone}'` : sql;
    if (family === 'time') return `DATE_TRUNC('${part}',${sql})::time`;
    const cut = `DATE_TRUNC('${part}',${x})`;
    if (result === 'date') return `(${cut})::date`;
    if (result === 'time') return `(${cut})::time`;
    return `(${cut} AT TIME ZONE '${zone}')`;
  },
  cast: (sql, family) => `(${sql})::${family === 'integer' ? 'integer' : types[family]}`,
  func(name, a, families) {
    switch (name) {
      case 'CONCAT':
        return `CONCAT(${a.map((x) => `${x}::text`).join(',')})`;
      case 'NOW':
        return 'STATEMENT_TIMESTAMP()';
      case 'ORD':
        return `ASCII(${a[0]})`;
      case 'LOG':
        return `LOG((${a[0]})::numeric,(${a[1]})::numeric)`;
      case 'ROUND':
        return a[1] === undefined ? null : `ROUND((${a[0]})::numeric,(${a[1]})::int)`;
      case 'MOD':
        return `MOD((${a[0]})::numeric,(${a[1]})::numeric)`;
      case 'POWER':
        return `POWER((${a[0]})::double precision,(${a[1]})::double precision)`;
      case 'SIGN':
        return `SIGN((${a[0]})::numeric)`;
      case 'LPAD':
      case 'RPAD':
        return `${name}(${a[0]}::text,(${a[1]})::int,${a[2]}::text)`;
      case 'LEFT':
      case 'RIGHT':
      case 'REPEAT':
        return `${name}(${a[0]}::text,(${a[1]})::int)`;
      case 'SUBSTR':
        return `SUBSTR(${a[0]}::text,(${a[1]})::int${a[2] === undefined ? '' : `,(${a[2]})::int`})`;
      case 'CHR':
        return `CHR((${a[0]})::int)`;
      case 'REPLACE':
        return `REPLACE(${a[0]}::text,${a[1]}::text,${a[2]}::text)`;
      case 'STRPOS':
        return `STRPOS(${a[0]}::text,${a[1]}::text)`;
      case 'STRING_AGG':
        return `STRING_AGG(${a[0]}::text,${a[1]}::text)`;
      case 'JSON_AGG':
        // As text, which loses no digit.
        return `JSONB_AGG(${families[0] === 'decimal' ? castFirst(a[0] as string) : a[0]})`;
      case 'JSON_OBJECT':
        return `JSONB_BUILD_OBJECT(${a.map((x, i) => (i % 2 === 0 ? `${x}::text` : x)).join(',')})`;
      case 'STDDEV_POP':
      case 'STDDEV_SAMP':
      case 'VAR_POP':
      case 'VAR_SAMP':
        return families[0] === 'decimal' ? `${name}(${a[0]})` : `${name}(${a[0]})::double precision`;
      case 'AVG':
        return families[0] === 'decimal' || families[0] === 'duration'
          ? null
          : `AVG(${a[0]})::double precision`;
      case 'MD5':
        return `MD5(${a[0]}::text)`;
      case 'SHA1':
        // Not built in: the extension pgcrypto has it.
        return `ENCODE(DIGEST(${a[0]}::text,'sha1'),'hex')`;
      case 'SHA224':
      case 'SHA256':
      case 'SHA384':
      case 'SHA512':
        return `ENCODE(${name}(CONVERT_TO(${a[0]}::text,'UTF8')),'hex')`;
      case 'ATAN2':
        return `ATAN2((${a[0]})::double precision,(${a[1]})::double precision)`;
    }
    return null;
  },
  combine(operator, left, right) {
    return `(${left} ${operator} ${right})`;
  },
  limit: (limit, offset) =>
    `${limit === null ? '' : ` LIMIT ${limit}`}${offset === null ? '' : ` OFFSET ${offset}`}`,
  jsonPath(sql, path, as) {
    const keys = `'{${path.map((part) => `"${part.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}'`;
    const quoted = `'${keys.slice(1, -1).replaceAll("'", "''")}'`;
    return `(${sql} ${as === 'text' ? '#>>' : '#>'} ${quoted})`;
  },
  comparable: (sql) => sql,
};
