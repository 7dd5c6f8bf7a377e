import type { Family } from '../../fields/kinds.ts';
import type { Dialect, Features } from '../base.ts';

export const sqliteFeatures: Features = {
  returning: true,
  insertedKey: true,
  selectForUpdate: false,
  skipLocked: false,
  arrays: false,
  fullText: false,
  distinctOn: false,
  alterTable: false,
  transactionalDdl: true,
  deferrableConstraints: true,
  schemas: false,
  comments: false,
  covering: false,
  exclusion: false,
  concurrentIndexes: false,
  notify: false,
  savepoints: true,
  isolationLevels: ['serializable'],
  maxParameters: 32766,
  nullsFirst: true,
  cursors: true,
  aliveFunction: 'sobaya_alive',
};

/** ECMAScript 2026; in Node 24's V8, not yet in the checker's library. */
interface RawJson {
  rawJSON(text: string): unknown;
}

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** `YYYY-MM-DD HH:MM:SS`, with microseconds when there are any: what Django keeps, and what sorts as text. */
export function dateTimeText(value: Date): string {
  const year = value.getUTCFullYear();
  const ms = value.getUTCMilliseconds();
  const head = `${year < 1000 ? String(year).padStart(4, '0') : year}-${two(value.getUTCMonth() + 1)}-${two(value.getUTCDate())} ${two(value.getUTCHours())}:${two(value.getUTCMinutes())}:${two(value.getUTCSeconds())}`;
  return ms === 0 ? head : `${head}.${String(ms).padStart(3, '0')}000`;
}

const adapters: Partial<Record<Family, (value: never) => unknown>> = {
  boolean: (value: boolean) => (value ? 1 : 0),
  dateTime: (value: Date | string) => (value instanceof Date ? dateTimeText(value) : value),
  json: (value: unknown) => JSON.stringify(value),
  array: (value: unknown) => JSON.stringify(value),
  duration: (value: number) => Math.round(value * 1000),
  uuid: (value: string) => value.toLowerCase(),
  // A view into Buffer's pool would travel to the worker with the whole pool.
  binary: (value: Uint8Array) => Uint8Array.prototype.slice.call(value),
  // One spelling for one time, since they are compared as text: as dateTimeText() writes it.
  time: (value: string) => {
    if (value.length === 5) return `${value}:00`;
    return value.includes('.') ? value.padEnd(15, '0').replace(/\.000000$/, '') : value;
  },
};

const formats: Record<string, string> = {
  year: '%Y',
  month: '%m',
  day: '%d',
  hour: '%H',
  minute: '%M',
  second: '%S',
};

const truncations: Record<string, (sql: string) => string> = {
  year: (x) => `strftime('%Y-01-01',${x})`,
  quarter: (x) => `(strftime('%Y',${x})||'-'||substr('0'||(((strftime('%m',${x})+2)/3)*3-2),-2)||'-01')`,
  month: (x) => `strftime('%Y-%m-01',${x})`,
  week: (x) => `date(${x},'-6 days','weekday 1')`,
  day: (x) => `strftime('%Y-%m-%d',${x})`,
  hour: (x) => `strftime('%Y-%m-%d %H:00:00',${x})`,
  minute: (x) => `strftime('%Y-%m-%d %H:%M:00',${x})`,
  second: (x) => `strftime('%Y-%m-%d %H:%M:%S',${x})`,
};

const casts: Partial<Record<Family, string>> = {
  integer: 'INTEGER',
  boolean: 'INTEGER',
  float: 'REAL',
  decimal: 'NUMERIC',
  text: 'TEXT',
  binary: 'BLOB',
};

export const sqliteDialect: Dialect = {
  vendor: 'sqlite',
  features: sqliteFeatures,
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  placeholder: () => '?',
  adapter: (family) => adapters[family] ?? null,
  selectColumn: (sql, kind) =>
    kind === 'bigInteger' || kind === 'positiveBigInteger' ? `CAST(${sql} AS TEXT)` : sql,
  // The driver binds numbers as doubles, and 7 / 2.0 is no division of integers.
  typedParameter: (sql, family) => (family === 'integer' ? `CAST(${sql} AS INTEGER)` : sql),
  inArray: (lhs, parameter) => `${lhs} IN (SELECT value FROM json_each(${parameter}))`,
  adaptArray: (values) =>
    JSON.stringify(values, (_, value: unknown) =>
      typeof value === 'bigint' ? (JSON as unknown as RawJson).rawJSON(String(value)) : value,
    ),
  textLookup(name, lhs, rhs) {
    switch (name) {
      case 'regex':
        return `${lhs} REGEXP ${rhs}`;
      case 'iregex':
        return `sobaya_iregexp(${rhs},${lhs})`;
      default:
        // SQLite's LIKE ignores case in ASCII, so contains and icontains are one, as in Django.
        return `${lhs} LIKE ${rhs} ESCAPE '\\'`;
    }
  },
  extract(part, sql, family, zone) {
    const x = family === 'dateTime' && zone !== undefined ? `sobaya_local(${sql},'${zone}')` : sql;
    const format = formats[part];
    if (format !== undefined) return `CAST(strftime('${format}',${x}) AS INTEGER)`;
    switch (part) {
      case 'iso_year':
        return `sobaya_iso_year(${x})`;
      case 'week':
        return `sobaya_iso_week(${x})`;
      case 'week_day':
        return `(CAST(strftime('%w',${x}) AS INTEGER)+1)`;
      case 'iso_week_day':
        return `((CAST(strftime('%w',${x}) AS INTEGER)+6)%7+1)`;
      case 'quarter':
        return `((CAST(strftime('%m',${x}) AS INTEGER)+2)/3)`;
      case 'date':
        return family === 'date' ? x : `date(${x})`;
      case 'time':
        return family === 'time' ? x : `SUBSTR(${x},12)`;
      case 'microsecond':
        return `CAST(substr(strftime('%f',${x}),4)||'000' AS INTEGER)`;
      case 'epoch':
        return `CAST(strftime('%s',${x}) AS INTEGER)`;
    }
    throw new TypeError(`no date part ${part}`);
  },
  truncate(part, sql, family, result, zone) {
    if (family === 'time')
      return `strftime('%H:${part === 'hour' ? '00:00' : part === 'minute' ? '%M:00' : '%M:%S'}',${sql})`;
    const local = family === 'dateTime' && zone !== undefined;
    const cut = (truncations[part] as (sql: string) => string)(
      local ? `sobaya_local(${sql},'${zone}')` : sql,
    );
    const days =
      part === 'year' || part === 'quarter' || part === 'month' || part === 'week' || part === 'day';
    if (result === 'date') return days ? cut : `date(${cut})`;
    if (result === 'time') return `time(${cut})`;
    if (family === 'date') return cut;
    const whole = days ? `(${cut}||' 00:00:00')` : cut;
    return local ? `sobaya_utc(${whole},'${zone}')` : whole;
  },
  cast(sql, family) {
    if (family === 'dateTime') return `strftime('%Y-%m-%d %H:%M:%S',${sql})`;
    if (family === 'date') return `date(${sql})`;
    if (family === 'time') return `time(${sql})`;
    return `CAST(${sql} AS ${casts[family] ?? 'TEXT'})`;
  },
  func(name, a) {
    switch (name) {
      case 'CONCAT':
        return `(${a.map((x) => `COALESCE(${x},'')`).join('||')})`;
      case 'GREATEST':
        return `MAX(${a.join(',')})`;
      case 'LEAST':
        return `MIN(${a.join(',')})`;
      case 'LEFT':
        return `SUBSTR(${a[0]},1,${a[1]})`;
      case 'RIGHT':
        return `(CASE WHEN ${a[1]}=0 THEN '' ELSE SUBSTR(${a[0]},-(${a[1]})) END)`;
      case 'STRPOS':
        return `INSTR(${a[0]},${a[1]})`;
      case 'ORD':
        return `UNICODE(${a[0]})`;
      case 'CHR':
        return `CHAR(${a[0]})`;
      case 'REVERSE':
        return `sobaya_reverse(${a[0]})`;
      case 'REPEAT':
        return `sobaya_repeat(${a.join(',')})`;
      case 'MD5':
      case 'SHA1':
      case 'SHA224':
      case 'SHA256':
      case 'SHA384':
      case 'SHA512':
        return `sobaya_hash('${name.toLowerCase()}',${a[0]})`;
      case 'COT':
        return `(1.0/TAN(${a[0]}))`;
      case 'LPAD':
        return `sobaya_lpad(${a.join(',')})`;
      case 'RPAD':
        return `sobaya_rpad(${a.join(',')})`;
      case 'NOW':
        return `(strftime('%Y-%m-%d %H:%M:%f','now')||'000')`;
      case 'RANDOM':
        return '((RANDOM()/9223372036854775808.0+1)/2)';
      case 'POWER':
        return `POW(${a.join(',')})`;
      case 'STDDEV_POP':
      case 'STDDEV_SAMP':
      case 'VAR_POP':
      case 'VAR_SAMP': {
        const x = a[0] as string;
        const deviations = `(SUM(1.0*${x}*${x})-SUM(1.0*${x})*SUM(1.0*${x})/COUNT(${x}))`;
        const variance = name.endsWith('POP')
          ? `MAX(0.0,${deviations}/COUNT(${x}))`
          : `MAX(0.0,${deviations}/NULLIF(COUNT(${x})-1,0))`;
        return name.startsWith('STDDEV') ? `SQRT(${variance})` : variance;
      }
      case 'STRING_AGG':
        return `GROUP_CONCAT(${a.join(',')})`;
      case 'ARRAY_AGG':
        return `JSON_GROUP_ARRAY(${a[0]})`;
      case 'JSON_AGG':
        return `JSON_GROUP_ARRAY(${a[0]})`;
      case 'BOOL_AND':
        return `MIN(${a[0]})`;
      case 'BOOL_OR':
        return `MAX(${a[0]})`;
      case 'JSON_OBJECT':
        return `JSON_OBJECT(${a.join(',')})`;
    }
    return null;
  },
  combine(operator, left, right, [leftFamily, rightFamily]) {
    if (operator === '^') return `POW(${left},${right})`;
    if (operator === '#') return `((${left}|${right})-(${left}&${right}))`;
    const moment = (family: Family | null): boolean => family === 'dateTime' || family === 'date';
    if (moment(leftFamily) && rightFamily === 'duration')
      return `sobaya_shift(${left},${operator === '-' ? '-' : ''}(${right}))`;
    if (leftFamily === 'duration' && moment(rightFamily)) return `sobaya_shift(${right},${left})`;
    if (moment(leftFamily) && moment(rightFamily) && operator === '-')
      return `sobaya_between(${left},${right})`;
    return `(${left} ${operator} ${right})`;
  },
  limit(limit, offset) {
    if (limit === null) return offset === null ? '' : ` LIMIT -1 OFFSET ${offset}`;
    return offset === null ? ` LIMIT ${limit}` : ` LIMIT ${limit} OFFSET ${offset}`;
  },
  jsonPath(sql, path, as) {
    const text = path
      .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `."${part.replaceAll('"', '\\"')}"`))
      .join('')
      .replaceAll("'", "''");
    return as === 'text' ? `(${sql}->>'$${text}')` : `(${sql}->'$${text}')`;
  },
  comparable: (sql, family) => (family === 'decimal' ? `CAST(${sql} AS NUMERIC)` : sql),
};
