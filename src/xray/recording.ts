import type { AnalysisOptions, Hint } from './analysis/index.ts';
import { analyse } from './analysis/index.ts';
import { errorText } from './observers.ts';
import { DEFAULT_MEMORY, Recorder, type RecorderOptions } from './recorder.ts';
import type { RequestRecord } from './records.ts';
import { snapshot } from './snapshot.ts';
import { readSourceLine } from './source.ts';
import { drawText } from './text.ts';
import type { Trace } from './trace.ts';

/** What ran inside `record`: its own timeline, and one for every request that an `xray()` application served meanwhile. */
export interface Recording<T> {
  /** What the function gave; undefined when it threw. */
  readonly result: T | undefined;
  readonly error: unknown;
  readonly failed: boolean;
  readonly request: RequestRecord;
  readonly hints: readonly Hint[];
  /** The waterfall, for a terminal. */
  toString(): string;
}

/** Call sites and values are on: this is for tests and tools. */
export async function record<T>(
  fn: () => T | PromiseLike<T>,
  options: RecorderOptions & AnalysisOptions = {},
): Promise<Recording<Awaited<T>>> {
  const recorder = new Recorder({
    callSites: true,
    values: true,
    headers: false,
    memory: 8 * DEFAULT_MEMORY,
    ...options,
  }).start();
  const trace = recorder.open('recording') as Trace;
  let result: Awaited<T> | undefined;
  let error: unknown;
  let failed = false;
  try {
    result = await recorder.run(trace, async () => await fn());
    recorder.close(trace, 'done');
  } catch (thrown) {
    error = thrown;
    failed = true;
    recorder.close(trace, 'failed', errorText(thrown));
  } finally {
    recorder.stop();
  }
  const request = snapshot(trace) as RequestRecord;
  let hints: Hint[] | null = null;
  const hintsOf = (): readonly Hint[] => {
    hints ??= analyse(request, { source: readSourceLine, ...options });
    return hints;
  };
  return {
    result,
    error,
    failed,
    request,
    get hints(): readonly Hint[] {
      return hintsOf();
    },
    toString: () => drawText(request, { hints: hintsOf() }),
  };
}
