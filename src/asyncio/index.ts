/** Structured concurrency in plain async/await. The rules: docs/design/concurrency.md. */
export {
  BrokenBarrierError,
  CancelledError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  TimeoutError,
} from '../errors/index.ts';
export { Barrier, type BarrierStatistics } from './barrier.ts';
export {
  type BlockedMessage,
  blockedChannel,
  type SleepMessage,
  sleepChannel,
  type TaskMessage,
  taskChannel,
  type WaitMessage,
  waitChannel,
} from './channels.ts';
export { type Clock, now, setClock } from './clock.ts';
export { Condition, type ConditionStatistics } from './condition.ts';
export {
  bindContext,
  Context,
  ContextVar,
  currentContext,
  currentSignal,
  portableVars,
  rootContext,
  runInContext,
  withArrived,
} from './context.ts';
export {
  currentDeadline,
  Deadline,
  type DeadlineBlock,
  type DeadlineOptions,
  moveOnAfter,
  moveOnAt,
  timeout,
  timeoutAt,
} from './deadline.ts';
export { type DeadlockLink, findDeadlocks, formatDeadlock } from './deadlock.ts';
export type { DebugOptions } from './debug/mode.ts';
export { Event, type EventStatistics } from './event.ts';
export { gather } from './gather.ts';
export { TaskGroup, type TaskGroupOptions, taskGroup } from './group.ts';
export { Inspection, type InspectionOptions, openInspection, type ProcessReport } from './inspection/open.ts';
export { type Inspected, inspectProcesses } from './inspection/read.ts';
export { CapacityLimiter, type CapacityLimiterStatistics } from './limiter.ts';
export { Held, Lock, type LockStatistics } from './lock.ts';
export {
  type ExceptionContext,
  type ExceptionHandler,
  type Executor,
  getRunningLoop,
  Handle,
  Loop,
} from './loop.ts';
export { type MapOptions, mapConcurrent } from './map.ts';
export { type NeverRetrievedHandler, setNeverRetrievedHandler } from './never-retrieved.ts';
export { allTasks } from './programs.ts';
export {
  LifoQueue,
  PriorityQueue,
  type PriorityQueueOptions,
  Queue,
  type QueueOptions,
  type QueueStatistics,
} from './queue.ts';
export { debugMode, debugWanted, type RunOptions, run, toBeAwaited } from './run.ts';
export { cancelled, DeadlineScope, Scope, Waiter } from './scope.ts';
export { BoundedSemaphore, Semaphore, type SemaphoreStatistics } from './semaphore.ts';
export { shield } from './shield.ts';
export { checkpoint, sleep, sleepForever, sleepUntil } from './sleep.ts';
export type { Order } from './store.ts';
export {
  background,
  createTask,
  currentTask,
  isCancellation,
  type Startable,
  Task,
  type TaskOptions,
  type TaskState,
} from './task.ts';
export { tracePromise } from './tracing.ts';
export { captureCallGraph, describeNode, formatCallGraph, printCallGraph, type TreeNode } from './tree.ts';
export { type SignalOptions, underSignal } from './under-signal.ts';
export { until, withSignal } from './until.ts';
export {
  type AsCompletedOptions,
  asCompleted,
  type Waited,
  type WaitOptions,
  wait,
  waitFor,
} from './wait.ts';
