import { type Fault, SobayaError } from './base.ts';

/**
 * A wait ended because its scope was cancelled. Let it pass: catching it to carry on is almost always a bug,
 * and every further wait in the same scope fails again. Its name is `AbortError`, what `fetch` and the rest of
 * the platform use, so libraries that treat aborts specially treat ours so too.
 */
export class CancelledError extends SobayaError {
  static override readonly fault: Fault = 'flow';
  override get name(): string {
    return 'AbortError';
  }
}

/** A deadline passed. Thrown outside the timed block; inside it, waits fail with `CancelledError`. */
export class TimeoutError extends SobayaError {
  static override readonly fault: Fault = 'world';
  override get name(): string {
    return 'TimeoutError';
  }
}

/** A queue has nothing to take right now. */
export class QueueEmpty extends SobayaError {
  static override readonly fault: Fault = 'flow';
}

/** A queue has no room right now. */
export class QueueFull extends SobayaError {
  static override readonly fault: Fault = 'flow';
}

/** A queue takes and gives nothing more. */
export class QueueShutDown extends SobayaError {
  static override readonly fault: Fault = 'flow';
}

/** A barrier was reset or aborted while somebody waited at it. */
export class BrokenBarrierError extends SobayaError {
  static override readonly fault: Fault = 'flow';
}
