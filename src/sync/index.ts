/** Synchronous code beside the event loop: modules in threads and processes, and the way back. */
export { asyncToSync, checkCancelled, isCancelled, type SyncModule } from './async-to-sync.ts';
export type { OnCancel } from './call.ts';
export { type SyncCallMessage, syncCallChannel } from './channels.ts';
export {
  type CallOptions,
  defaultPool,
  Pool,
  type PoolOptions,
  type PoolStatistics,
  ProcessPool,
  ThreadPool,
} from './pool.ts';
export { threadSensitiveContext } from './sensitive.ts';
export { type AsyncModule, type SyncToAsyncOptions, syncToAsync } from './sync-to-async.ts';
export { move } from './wire.ts';
