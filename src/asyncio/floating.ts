import { CancelledError, describe } from '../errors/index.ts';

let guarded = false;

/**
 * A promise that nobody awaits and that ends because its scope was cancelled is no reason to end the process.
 * Called when the first scope is cancelled. Every other unhandled rejection does what Node does without a listener,
 * which depends on --unhandled-rejections.
 */
export function guardFloatingPromises(): void {
  if (guarded) return;
  guarded = true;
  const mode = unhandledMode();
  process.on('unhandledRejection', (error) => {
    if (error instanceof CancelledError || process.listenerCount('unhandledRejection') > 1) return;
    // In the other modes Node itself warns, or nothing happens.
    if (mode === 'throw') throw error instanceof Error ? error : rejectedWith(error);
    if (mode !== 'warn-with-error-codes') return;
    process.exitCode = 1;
    process.emitWarning(error instanceof Error ? error : rejectedWith(error));
  });
}

function unhandledMode(): string {
  const flags = [...(process.env['NODE_OPTIONS'] ?? '').split(' '), ...process.execArgv];
  const at = flags.findLastIndex((flag) => flag.startsWith('--unhandled-rejections'));
  if (at === -1) return 'throw';
  return flags[at]?.split('=')[1] ?? flags[at + 1] ?? 'throw';
}

/** What is thrown for a promise that was rejected with something that is no error. */
function rejectedWith(reason: unknown): Error {
  const error = new Error(`A promise was rejected with ${describe(reason)}, and nobody handled it`);
  return Object.assign(error, { name: 'UnhandledPromiseRejection', code: 'ERR_UNHANDLED_REJECTION' });
}
