import { CancelledError } from '../errors/index.ts';

let guarded = false;

/**
 * A promise that nobody awaits and that ends because its scope was cancelled is no reason to end the process.
 * Called when the first scope is cancelled. Every other unhandled rejection does what Node does by default.
 */
export function guardFloatingPromises(): void {
  if (guarded) return;
  guarded = true;
  process.on('unhandledRejection', (error) => {
    if (error instanceof CancelledError || process.listenerCount('unhandledRejection') > 1) return;
    throw error;
  });
}
