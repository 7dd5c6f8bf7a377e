import type { Task } from './task.ts';

/**
 * What debug mode hangs into the kernel. All null when it is off: one check each. Kept apart so that the kernel
 * does not import debug mode.
 */
export const hooks: {
  /** Gives where the user's code called us. */
  site: (() => string | null) | null;
  /** A task has ended. */
  ended: ((task: Task<unknown>) => void) | null;
  /** Watches a promise that somebody should await. */
  watch: (<T>(promise: Promise<T>, what: string) => Promise<T>) | null;
} = { site: null, ended: null, watch: null };
