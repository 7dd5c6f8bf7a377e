import { tracingChannel } from 'node:diagnostics_channel';

/** Message of `sobaya:sync.call`, traced as a promise: a function of a module runs in a thread or process. */
export interface SyncCallMessage {
  readonly module: string;
  readonly function: string;
  readonly threadSensitive: boolean;
  readonly kind: 'thread' | 'process';
  /** The thread or process it runs in. */
  thread?: number;
  /** In line for it, in ms. */
  waited?: number;
}
export const syncCallChannel = tracingChannel<SyncCallMessage, object>('sobaya:sync.call');
