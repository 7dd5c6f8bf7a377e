import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

type Value = null | number | string | bigint | Uint8Array;

const patterns = new Map<string, RegExp>();
function pattern(source: string): RegExp {
  let found = patterns.get(source);
  if (found === undefined) {
    // Python's inline flags, as Django users write them.
    const flags = /^\(\?([ims]+)\)/.exec(source);
    found = new RegExp(flags ? source.slice(flags[0].length) : source, `u${flags?.[1] ?? ''}`);
    if (patterns.size > 200) patterns.clear();
    patterns.set(source, found);
  }
  return found;
}

const text = (value: Value): string => (typeof value === 'string' ? value : String(value));
const number = (value: Value): number => Number(value);

/** ISO 8601 week and week-numbering year of YYYY-MM-DD…. */
function isoWeek(value: string): [year: number, week: number] {
  const date = new Date(`${value.slice(0, 10)}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7));
  const year = date.getUTCFullYear();
  return [year, Math.ceil(((date.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7)];
}

const zones = new Map<string, Intl.DateTimeFormat>();
/** Milliseconds that the clocks of a zone are ahead of UTC at a moment. */
function ahead(ms: number, zone: string): number {
  let format = zones.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    });
    zones.set(zone, format);
  }
  const part: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(ms)) part[type] = value;
  const year = part['era'] === 'BC' ? 1 - Number(part['year']) : Number(part['year']);
  const wall = new Date(0);
  wall.setUTCFullYear(year, Number(part['month']) - 1, Number(part['day']));
  wall.setUTCHours(Number(part['hour']), Number(part['minute']), Number(part['second']));
  return wall.getTime() - Math.floor(ms / 1000) * 1000;
}
const moment = (value: string): number => Date.parse(`${value.slice(0, 23).replace(' ', 'T')}Z`);
const written = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 23);

/** Microseconds since 1970 of text as columns keep it. */
function micros(value: string): bigint {
  const fraction = value.slice(20, 26).padEnd(6, '0');
  return (
    BigInt(Date.parse(`${value.slice(0, 19).replace(' ', 'T')}${value.length > 10 ? '' : 'T00:00:00'}Z`)) *
      1000n +
    BigInt(fraction)
  );
}
function shift(value: string, by: bigint): string {
  const total = micros(value) + by;
  const rest = ((total % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const whole = new Date(Number((total - rest) / 1000n)).toISOString().replace('T', ' ').slice(0, 19);
  return rest === 0n ? whole : `${whole}.${String(rest).padStart(6, '0')}`;
}

/** A UTC moment as the clocks of a zone show it. */
function local(value: string, zone: string): string {
  const ms = moment(value);
  return Number.isNaN(ms) ? value : written(ms + ahead(ms, zone));
}
/** The moment at which the clocks of a zone show it; the earlier one where they show it twice. */
function utc(value: string, zone: string): string {
  const wall = moment(value);
  const before = ahead(wall - 86_400_000, zone);
  const after = ahead(wall + 86_400_000, zone);
  for (const offset of before > after ? [before, after] : [after, before])
    if (ahead(wall - offset, zone) === offset) return written(wall - offset).slice(0, 19);
  // A time that clocks skip: as they stood before the change.
  return written(wall - before).slice(0, 19);
}

/** PostgreSQL's jsonb @>. */
function jsonContains(whole: unknown, part: unknown, top = true): boolean {
  if (Array.isArray(part))
    return (
      Array.isArray(whole) && part.every((item) => whole.some((other) => jsonContains(other, item, false)))
    );
  if (Array.isArray(whole)) return top && !isObject(part) && whole.includes(part);
  if (!isObject(part) || !isObject(whole)) return whole === part;
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && jsonContains(whole[key], value, false),
  );
}
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Functions that other databases have and SQLite lacks. NULL in, NULL out. */
export function installFunctions(database: DatabaseSync): void {
  const add = (name: string, fn: (...values: never[]) => Value): void =>
    database.function(name, { deterministic: true, varargs: true }, (...values: Value[]) =>
      values.includes(null) ? null : fn(...(values as never[])),
    );
  add('regexp', (source: Value, value: Value) => (pattern(text(source)).test(text(value)) ? 1 : 0));
  add('sobaya_iregexp', (source: Value, value: Value) =>
    new RegExp(pattern(text(source)).source, 'iu').test(text(value)) ? 1 : 0,
  );
  add('sobaya_local', (value: Value, zone: Value) => local(text(value), text(zone)));
  add('sobaya_shift', (value: Value, by: Value) => shift(text(value), BigInt(Math.round(number(by)))));
  add('sobaya_between', (a: Value, b: Value) => micros(text(a)) - micros(text(b)));
  add('sobaya_utc', (value: Value, zone: Value) => utc(text(value), text(zone)));
  add('sobaya_hash', (name: Value, value: Value) =>
    createHash(text(name)).update(text(value), 'utf8').digest('hex'),
  );
  add('sobaya_json_contains', (whole: Value, part: Value) =>
    jsonContains(JSON.parse(text(whole)), JSON.parse(text(part))) ? 1 : 0,
  );
  add('sobaya_iso_week', (value: Value) => isoWeek(text(value))[1]);
  add('sobaya_iso_year', (value: Value) => isoWeek(text(value))[0]);
  add('sobaya_reverse', (value: Value) => [...text(value)].reverse().join(''));
  add('sobaya_repeat', (value: Value, times: Value) => text(value).repeat(Math.max(0, number(times))));
  add('sobaya_lpad', (value: Value, length: Value, fill: Value) =>
    pad(text(value), number(length), text(fill), true),
  );
  add('sobaya_rpad', (value: Value, length: Value, fill: Value) =>
    pad(text(value), number(length), text(fill), false),
  );
}

function pad(value: string, length: number, fill: string, left: boolean): string {
  const characters = [...value];
  if (characters.length >= length) return characters.slice(0, Math.max(0, length)).join('');
  const room = length - characters.length;
  const filling = [...fill.repeat(Math.ceil(room / Math.max(1, fill.length)))].slice(0, room).join('');
  return left ? filling + value : value + filling;
}
