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
