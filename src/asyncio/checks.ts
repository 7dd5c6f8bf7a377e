import { fault } from '../errors/index.ts';

/** Times are milliseconds: finite, zero or more. */
export function checkTime(callee: string, ms: unknown): asserts ms is number {
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw fault('SBY_ASYNCIO_BAD_TIME', { callee, got: ms });
}

/** A whole number, `least` or more; Infinity too where `infinite`. */
export function checkCount(
  callee: string,
  what: string,
  got: unknown,
  least: number,
  infinite = false,
): asserts got is number {
  if (infinite && got === Number.POSITIVE_INFINITY) return;
  if (!Number.isSafeInteger(got) || (got as number) < least)
    throw fault('SBY_ASYNCIO_BAD_COUNT', { callee, what, least, got });
}

/** The error for a promise, or anything else, where a function is due. */
export function notAFunction(callee: string, position: number, got: unknown): Error {
  // It runs already; its failure must not become an unhandled rejection on top of this error.
  (got as { then?: (a: null, b: () => void) => void } | null)?.then?.(null, () => {});
  return fault('SBY_ASYNCIO_NOT_A_FUNCTION', { callee, position, got });
}
