import { int32 } from '../protocol/bytes.ts';
import { Interval } from './values.ts';

/** 2000-01-01T00:00:00Z, from where PostgreSQL counts. */
const epochMs = 946_684_800_000;
const epochDays = 10_957;
const maxInt32 = 2 ** 31 - 1;
const minInt32 = -(2 ** 31);

/** Raised by decoders; the caller makes a catalogue error of it. */
export class Undecodable extends Error {
  readonly fix: string;
  /** Name of the type. */
  readonly type: string;
  /** Asking again gives something that can be read. */
  readonly again: boolean;
  constructor(problem: string, fix: string, type = '', again = false) {
    super(problem);
    this.again = again;
    this.fix = fix;
    this.type = type;
  }
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** 64 bits at `p`; infinity is the largest and the smallest number. */
function isInfinity(high: number, low: number): 1 | -1 | 0 {
  if (high === maxInt32 && low === 0xffffffff) return 1;
  return high === minInt32 && low === 0 ? -1 : 0;
}

/** Microseconds since 2000 to milliseconds since 1970, rounded down, exact beyond 2^53 microseconds too. */
function toMs(high: number, low: number): number {
  if (high > -1_048_576 && high < 1_048_576) return Math.floor((high * 4294967296 + low) / 1000) + epochMs;
  const thousands = Math.floor(high / 1000);
  const rest = high - thousands * 1000;
  return thousands * 4294967296 + Math.floor((rest * 4294967296 + low) / 1000) + epochMs;
}

function inDate(ms: number): Date {
  if (ms > 8.64e15 || ms < -8.64e15)
    throw new Undecodable(
      'it is outside of what a Date can hold (the years -271821 to 275760)',
      "Read it as text: types: { timestamptz: 'iso' }",
    );
  return new Date(ms);
}

/** timestamptz or timestamp, binary, to a Date; ±Infinity for infinity. A timestamp without zone counts as UTC. */
export function dateFromBinary(b: Buffer, p: number): Date | number {
  const high = int32(b, p);
  const low = int32(b, p + 4) >>> 0;
  if (high === maxInt32 || high === minInt32) {
    const sign = isInfinity(high, low);
    if (sign !== 0) return sign * Number.POSITIVE_INFINITY;
  }
  const ms = toMs(high, low);
  return ms <= 8.64e15 && ms >= -8.64e15 ? new Date(ms) : inDate(ms);
}

function years(year: number): { text: string; era: string } {
  return year > 0 ? { text: pad(year, 4), era: '' } : { text: pad(1 - year, 4), era: ' BC' };
}

/** Year, month and day of a day counted from 1970 (proleptic Gregorian; Hinnant's civil_from_days). */
function civil(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor(
    (doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365,
  );
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return {
    year: yoe + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: doy - Math.floor((153 * mp + 2) / 5) + 1,
  };
}

function clock(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const fraction = micros - seconds * 1e6;
  const text = `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return fraction === 0 ? text : `${text}.${pad(fraction, 6).replace(/0+$/, '')}`;
}

/** timestamptz or timestamp, binary, as ISO 8601 text with all its microseconds. */
export function isoFromBinary(b: Buffer, p: number, zone: string): string {
  const high = int32(b, p);
  const low = int32(b, p + 4) >>> 0;
  const sign = isInfinity(high, low);
  if (sign !== 0) return sign > 0 ? 'infinity' : '-infinity';
  const micros = b.readBigInt64BE(p);
  const day = 86_400_000_000n;
  let days = micros / day;
  let rest = micros - days * day;
  if (rest < 0n) {
    days -= 1n;
    rest += day;
  }
  const { year, month, day: dayOfMonth } = civil(Number(days) + epochDays);
  const { text, era } = years(year);
  return `${text}-${pad(month)}-${pad(dayOfMonth)}T${clock(Number(rest))}${zone}${era}`;
}

/** date, binary, as `YYYY-MM-DD`: a day is no moment, so it is no Date. */
export function dayFromBinary(b: Buffer, p: number): string {
  const days = int32(b, p);
  if (days === maxInt32) return 'infinity';
  if (days === minInt32) return '-infinity';
  const { year, month, day } = civil(days + epochDays);
  const { text, era } = years(year);
  return `${text}-${pad(month)}-${pad(day)}${era}`;
}

/** time without zone, binary, as `HH:MM:SS[.ffffff]`. */
export function timeFromBinary(b: Buffer, p: number): string {
  return clock(int32(b, p) * 4294967296 + (int32(b, p + 4) >>> 0));
}

export function intervalFromBinary(b: Buffer, p: number): Interval {
  return new Interval({
    microseconds: b.readBigInt64BE(p),
    days: int32(b, p + 8),
    months: int32(b, p + 12),
  });
}

const timestampPattern =
  /^(\d{4,})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/;

/** The text form (DateStyle ISO) to a Date. */
export function dateFromText(text: string): Date | number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  const m = timestampPattern.exec(text);
  if (m === null)
    throw new Undecodable(
      `"${text.slice(0, 40)}" is no timestamp`,
      'Leave DateStyle at ISO for this session',
    );
  const year = m[12] === undefined ? Number(m[1]) : 1 - Number(m[1]);
  const date = new Date(0);
  date.setUTCFullYear(year, Number(m[2]) - 1, Number(m[3]));
  const offset =
    (Number(m[9] ?? 0) * 3600 + Number(m[10] ?? 0) * 60 + Number(m[11] ?? 0)) * (m[8] === '-' ? -1000 : 1000);
  const ms = Number((m[7] ?? '').padEnd(3, '0').slice(0, 3));
  const time = Number(m[4]) * 3_600_000 + Number(m[5]) * 60_000 + Number(m[6]) * 1000 + ms;
  return inDate(date.getTime() + time - offset);
}

/** The text form to ISO 8601 with its microseconds, in UTC where there is a zone. */
export function isoFromText(text: string, zone: string): string {
  if (text.endsWith('infinity')) return text;
  const m = timestampPattern.exec(text);
  if (m === null)
    throw new Undecodable(
      `"${text.slice(0, 40)}" is no timestamp`,
      'Leave DateStyle at ISO for this session',
    );
  const fraction = m[7] === undefined ? '' : `.${m[7]}`;
  if (zone === '') return `${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}${fraction}${m[12] ?? ''}`;
  const date = dateFromText(text) as Date;
  const { text: year, era } = years(date.getUTCFullYear());
  const day = `${year}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  const hms = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  return `${day}T${hms}${fraction}${zone}${era}`;
}

/** The text form of an interval (IntervalStyle postgres): `1 year 2 mons -3 days 04:05:06.789`. */
export function intervalFromText(text: string): Interval {
  let months = 0;
  let days = 0;
  let microseconds = 0n;
  for (const m of text.matchAll(/([+-]?\d+) (year|mon|day)s?|([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?/g)) {
    if (m[2] === 'year') months += Number(m[1]) * 12;
    else if (m[2] === 'mon') months += Number(m[1]);
    else if (m[2] === 'day') days += Number(m[1]);
    else {
      const value =
        BigInt(m[4]!) * 3_600_000_000n +
        BigInt(m[5]!) * 60_000_000n +
        BigInt(m[6]!) * 1_000_000n +
        BigInt((m[7] ?? '').padEnd(6, '0'));
      microseconds += m[3] === '-' ? -value : value;
    }
  }
  return new Interval({ months, days, microseconds });
}

/** A Date as text that every date and time type of PostgreSQL reads, UTC. */
export function dateToText(date: Date): string {
  const { text, era } = years(date.getUTCFullYear());
  return `${text}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())} ${pad(date.getUTCHours())}:${pad(
    date.getUTCMinutes(),
  )}:${pad(date.getUTCSeconds())}.${pad(date.getUTCMilliseconds(), 3)}+00${era}`;
}

/** The day of a Date in UTC, as text for the type date. */
export function dayToText(date: Date): string {
  const { text, era } = years(date.getUTCFullYear());
  return `${text}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}${era}`;
}
