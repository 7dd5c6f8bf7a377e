import { fault } from '../errors/index.ts';

/** Milliseconds; null means no limit. */
export interface Timeouts {
  /** Until a connection stands. Of the client, not of one request. Default 5 s. */
  readonly connect?: number | null;
  /** Silence: until the head of the answer, then between two pieces of its body. Default 10 s. */
  readonly read?: number | null;
  /**
   * The whole call, with redirects, retries and the body; for `stream()` until the head of the answer, since a
   * stream may rightly go on for hours. Default 30 s.
   */
  readonly total?: number | null;
}

export interface EffectiveTimeouts {
  readonly connect: number | null;
  readonly read: number | null;
  readonly total: number | null;
}

export const defaultTimeouts: EffectiveTimeouts = { connect: 5000, read: 10_000, total: 30_000 };

const unlimited: EffectiveTimeouts = { connect: null, read: null, total: null };

/** A number is the total; null switches all of them off. */
export function effectiveTimeouts(
  given: number | null | Timeouts | undefined,
  base: EffectiveTimeouts,
): EffectiveTimeouts {
  if (given === undefined) return base;
  if (given === null) return unlimited;
  if (typeof given === 'number') return { ...base, total: checked('timeout', given) };
  return {
    connect: given.connect === undefined ? base.connect : checked('timeout.connect', given.connect),
    read: given.read === undefined ? base.read : checked('timeout.read', given.read),
    total: given.total === undefined ? base.total : checked('timeout.total', given.total),
  };
}

function checked(option: string, ms: number | null): number | null {
  if (ms === null) return null;
  // setTimeout turns what is above 2^31-1 into 1 ms.
  if (typeof ms === 'number' && ms > 0 && ms <= 0x7fffffff) return ms;
  throw fault('SBY_CLIENT_BAD_OPTION', {
    option,
    got: ms,
    expected: 'milliseconds above zero and at most 2147483647, null, or { connect, read, total }',
  });
}
