import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Task } from './task.ts';

/** Message of `sobaya:asyncio.task`: `start` when a task starts, `end` when it and all it started have ended. */
export interface TaskMessage {
  readonly task: Task<unknown>;
}
export const taskChannel = tracingChannel<TaskMessage, object>('sobaya:asyncio.task');

/** Message of `sobaya:asyncio.sleep`, traced as a promise: `start`, and `asyncEnd` in the sleeper's context. */
export interface SleepMessage {
  readonly ms: number;
}
export const sleepChannel = tracingChannel<SleepMessage, object>('sobaya:asyncio.sleep');

/** Message of `sobaya:asyncio.wait`: somebody has to wait for a lock, a queue, an event. Events as for sleep. */
export interface WaitMessage {
  /** "lock "stove", held by task "customer 1"". */
  readonly what: string;
  readonly kind: string;
  cancelled?: boolean;
}
export const waitChannel = tracingChannel<WaitMessage, object>('sobaya:asyncio.wait');

/** Message of `sobaya:asyncio.blocked`: somebody held the event loop. Only in debug mode. */
export interface BlockedMessage {
  /** How long, and from when on the loop's clock, in ms. */
  readonly ms: number;
  readonly from: number;
  readonly task: string | null;
  /** Where that task was created, "file:line:column". */
  readonly taskSite: string | null;
  /** Names of the tasks from the top down to the guilty one. */
  readonly path: readonly string[];
  /** The guilty frame of the user's, "function (file:line:column)"; null when it could not be seen. */
  readonly where: string | null;
  readonly functionName: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The native call, "fs.readFileSync"; null for JavaScript. */
  readonly native: string | null;
  /** False: the stack was seen only after the native call had returned, the line may be a little later. */
  readonly exact: boolean;
  /** The ambient context of the guilty code; null when it is not known. */
  readonly context: object | null;
  /** Names of the tasks that had to wait meanwhile. */
  readonly delayed: readonly string[];
  readonly frames: readonly string[];
}
export const blockedChannel = channel('sobaya:asyncio.blocked');
