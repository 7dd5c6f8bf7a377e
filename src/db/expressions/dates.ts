/** Dates and times: their parts, and cutting them down. */
import { fault } from '../../errors/index.ts';
import { DATE, DATE_TIME, INTEGER, TIME } from '../sql/nodes.ts';
import type { Computed } from '../typing/model.ts';
import { type Argument, argument, call, Func, first } from './func.ts';

export interface ZoneOptions {
  /** Whose calendar and clock counts for a moment: 'Europe/Prague'. Default UTC. */
  readonly timeZone?: string;
}
const known = new Set<string>();
/** A name that the runtime knows, and that can stand in SQL; undefined for UTC. */
function zoneOf({ timeZone }: ZoneOptions): string | undefined {
  if (timeZone === undefined || timeZone === 'UTC') return undefined;
  if (!known.has(timeZone)) {
    try {
      if (!/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(timeZone)) throw new RangeError(timeZone);
      new Intl.DateTimeFormat('en-US', { timeZone });
    } catch {
      throw fault('SBY_DB_BAD_NAME', { what: 'time zone', got: timeZone });
    }
    known.add(timeZone);
  }
  return timeZone;
}

/** The moment of the statement. */
export const Now = (): Computed<Date> => call('NOW', [], DATE_TIME, { strict: false });
export type DatePart =
  | 'year'
  | 'iso_year'
  | 'quarter'
  | 'month'
  | 'week'
  | 'day'
  | 'week_day'
  | 'iso_week_day'
  | 'hour'
  | 'minute'
  | 'second';
/** A part of a date or time as a number. */
export function Extract(x: Argument, part: DatePart, options: ZoneOptions = {}): Computed<number> {
  const zone = zoneOf(options);
  return call('EXTRACT', [argument(x)], INTEGER, {
    detail: `${part}@${zone ?? ''}`,
    template: ([sql], c, [family]) => c.dialect.extract(part, sql as string, family ?? 'dateTime', zone),
  });
}
export const ExtractYear = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'year', options);
export const ExtractIsoYear = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'iso_year', options);
export const ExtractQuarter = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'quarter', options);
export const ExtractMonth = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'month', options);
export const ExtractWeek = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'week', options);
export const ExtractDay = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'day', options);
export const ExtractWeekDay = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'week_day', options);
export const ExtractIsoWeekDay = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'iso_week_day', options);
export const ExtractHour = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'hour', options);
export const ExtractMinute = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'minute', options);
export const ExtractSecond = (x: Argument, options?: ZoneOptions): Computed<number> =>
  Extract(x, 'second', options);

export type TruncPart = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second';
/** A date or time cut down to the beginning of its year, month, …. */
export function Trunc(x: Argument, part: TruncPart, options: ZoneOptions = {}): Computed<Date | null> {
  const zone = zoneOf(options);
  return call('TRUNC', [argument(x)], first, {
    detail: `${part}@${zone ?? ''}`,
    template: ([sql], c, [family]) =>
      c.dialect.truncate(part, sql as string, family ?? 'dateTime', family ?? 'dateTime', zone),
  });
}
/** The same as a calendar date, whatever it was cut from: what dates() lists. */
export function truncatedDate(x: Argument, part: TruncPart): Func {
  return new Func('TRUNC', [argument(x)], DATE, {
    detail: `${part}:date`,
    template: ([sql], c, [family]) => c.dialect.truncate(part, sql as string, family ?? 'dateTime', 'date'),
  });
}
export const TruncYear = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'year', options);
export const TruncQuarter = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'quarter', options);
export const TruncMonth = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'month', options);
export const TruncWeek = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'week', options);
export const TruncDay = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'day', options);
export const TruncHour = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'hour', options);
export const TruncMinute = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'minute', options);
export const TruncSecond = (x: Argument, options?: ZoneOptions): Computed<Date | null> =>
  Trunc(x, 'second', options);
const cutTo = (x: Argument, part: 'date' | 'time', options: ZoneOptions = {}): Func => {
  const zone = zoneOf(options);
  return new Func('EXTRACT', [argument(x)], part === 'date' ? DATE : TIME, {
    detail: `${part}@${zone ?? ''}`,
    template: ([sql], c, [family]) => c.dialect.extract(part, sql as string, family ?? 'dateTime', zone),
  });
};
/** The calendar date of a moment, in UTC unless a time zone is given. */
export const TruncDate = (x: Argument, options?: ZoneOptions): Computed<string | null> =>
  cutTo(x, 'date', options) as unknown as Computed<string | null>;
/** The time of day of a moment, in UTC unless a time zone is given. */
export const TruncTime = (x: Argument, options?: ZoneOptions): Computed<string | null> =>
  cutTo(x, 'time', options) as unknown as Computed<string | null>;
