import { AssertionError } from 'node:assert';
import { brief, ms, place } from './analysis/hints.ts';
import { type Recording, record } from './recording.ts';

type Work<T> = () => T | PromiseLike<T>;

async function recorded<T>(
  fn: Work<T>,
  options: Parameters<typeof record>[1] = {},
): Promise<Recording<Awaited<T>>> {
  const recording = await record(fn, options);
  if (recording.failed) throw recording.error;
  return recording;
}

function fail(
  message: string,
  recording: Recording<unknown>,
  details: { actual: unknown; expected: unknown; operator: string },
  from: Function,
): never {
  throw new AssertionError({
    message: `${message}\n\n${String(recording)}`,
    stackStartFn: from as (...args: unknown[]) => unknown,
    ...details,
  });
}

export interface GatheredOptions {
  /** Least saving, in ms, that counts. Default: 10. */
  readonly minSaving?: number;
}

/**
 * Runs `fn` and fails, with the waterfall, when it awaited one after another what could have been gathered. Gives
 * what `fn` gave.
 */
export async function assertGathered<T>(fn: Work<T>, options: GatheredOptions = {}): Promise<Awaited<T>> {
  const recording = await recorded(fn, { minSaving: options.minSaving ?? 10 });
  const found = recording.hints.filter((hint) => hint.rule === 'sequential');
  if (found.length > 0)
    fail(
      `Awaited one after another what could run at the same time: ${found.map((hint) => `${hint.title}${hint.site ? ` (${place(hint.site)})` : ''}`).join('; ')}. Use gather(() => …, () => …)`,
      recording,
      { actual: found.length, expected: 0, operator: 'assertGathered' },
      assertGathered,
    );
  return recording.result as Awaited<T>;
}

/** Runs `fn` and fails, with the queries and the waterfall, when it did not make exactly `count` queries. */
export async function assertNumQueries<T>(count: number, fn: Work<T>): Promise<Awaited<T>> {
  const recording = await recorded(fn);
  const actual = recording.request.counts.query ?? 0;
  if (actual !== count) {
    const queries = recording.request.spans.filter((span) => span.kind === 'query');
    const listed = queries
      .slice(0, 50)
      .map(
        (span, index) =>
          `  ${index + 1}. ${brief(span.name, 200)}${place(span.site) ? `  (${place(span.site)})` : ''}`,
      );
    if (queries.length > 50) listed.push(`  … and ${queries.length - 50} more`);
    fail(
      `Expected ${count} ${count === 1 ? 'query' : 'queries'}, got ${actual}${listed.length > 0 ? `:\n${listed.join('\n')}` : ''}`,
      recording,
      { actual, expected: count, operator: 'assertNumQueries' },
      assertNumQueries,
    );
  }
  return recording.result as Awaited<T>;
}

export interface NotBlockedOptions {
  /** Longest stretch, in ms, that the loop may be held. Default: 100. */
  readonly ms?: number;
}

/**
 * Runs `fn` and fails when the event loop was held for longer than `ms` meanwhile, by whomever. With loop blame on
 * (debug mode) the message names function and line.
 */
export async function assertNotBlocked<T>(fn: Work<T>, options: NotBlockedOptions = {}): Promise<Awaited<T>> {
  const limit = options.ms ?? 100;
  let longest = 0;
  let last = performance.now();
  // A heartbeat: where it is late, the loop was held.
  const step = Math.max(1, Math.min(10, limit / 4));
  const beat = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last - step);
    last = now;
  };
  const timer = setInterval(beat, step);
  let recording: Recording<Awaited<T>>;
  try {
    recording = await recorded(async () => {
      last = performance.now();
      const value = await fn();
      beat();
      // A report of loop blame comes when its worker has seen the heart beat again.
      if (longest > limit) await new Promise((resolve) => setTimeout(resolve, 80));
      return value;
    });
  } finally {
    clearInterval(timer);
  }
  if (longest > limit) {
    const blame = recording.hints.filter((hint) => hint.rule === 'blocked' || hint.rule === 'delayed');
    fail(
      `The event loop was held for ${ms(longest)}, longer than ${ms(limit)}${blame.length > 0 ? `: ${blame.map((hint) => hint.title).join('; ')}` : '. Run with debug mode to learn by whom'}`,
      recording,
      { actual: longest, expected: limit, operator: 'assertNotBlocked' },
      assertNotBlocked,
    );
  }
  return recording.result as Awaited<T>;
}

/** Runs `fn`; when it throws, the waterfall of what it did is added to the error's message. For tests. */
export async function withWaterfall<T>(fn: Work<T>): Promise<Awaited<T>> {
  const recording = await record(fn);
  if (!recording.failed) return recording.result as Awaited<T>;
  const { error } = recording;
  if (error instanceof Error) {
    try {
      const before = error.message;
      error.message = `${before}\n\n${String(recording)}`;
      if (typeof error.stack === 'string' && error.stack.includes(before))
        error.stack = error.stack.replace(before, () => error.message);
    } catch {
      // A frozen error is thrown as it is.
    }
  }
  throw error;
}
