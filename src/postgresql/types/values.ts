/** An interval as PostgreSQL keeps it: months, days and microseconds do not add up to one another. */
export class Interval {
  readonly months: number;
  readonly days: number;
  readonly microseconds: bigint;

  constructor(parts: { months?: number; days?: number; microseconds?: bigint | number } = {}) {
    this.months = parts.months ?? 0;
    this.days = parts.days ?? 0;
    this.microseconds = BigInt(parts.microseconds ?? 0);
  }

  /** Milliseconds, a day taken as 24 hours and a month as 30 days, as `EXTRACT(EPOCH …)` nearly does. */
  get milliseconds(): number {
    return (this.months * 30 + this.days) * 86_400_000 + Number(this.microseconds) / 1000;
  }

  /** What PostgreSQL reads: `1 mons 2 days 3 us`. */
  toString(): string {
    return `${this.months} mons ${this.days} days ${this.microseconds} us`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** A range. A bound that is null is infinite. */
export class Range<T> {
  readonly lower: T | null;
  readonly upper: T | null;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly empty: boolean;

  /** `bounds` as PostgreSQL writes them, `[)` by default; `empty` for the range that contains nothing. */
  constructor(lower: T | null, upper: T | null, bounds: '[)' | '[]' | '(]' | '()' | 'empty' = '[)') {
    this.empty = bounds === 'empty';
    this.lower = this.empty ? null : lower;
    this.upper = this.empty ? null : upper;
    this.lowerInclusive = !this.empty && this.lower !== null && bounds[0] === '[';
    this.upperInclusive = !this.empty && this.upper !== null && bounds[1] === ']';
  }

  static empty<T>(): Range<T> {
    return new Range<T>(null, null, 'empty');
  }
}

/** JSON that is text already: sent as it is. Without it a string is a JSON string, and gets its quotes. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
