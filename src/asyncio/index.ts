/** Structured concurrency in plain async/await. The rules: docs/design/concurrency.md. */
export { CancelledError, TimeoutError } from '../errors/index.ts';
export { Context, ContextVar, currentContext, currentSignal, rootContext, runInContext } from './context.ts';
export { gather, TaskGroup, taskGroup } from './group.ts';
export { run } from './run.ts';
export { Scope, Waiter } from './scope.ts';
export {
  background,
  createTask,
  currentTask,
  isCancellation,
  type Startable,
  setNeverRetrievedHandler,
  Task,
  type TaskOptions,
  type TaskState,
} from './task.ts';
export { checkpoint, shield, sleep, timeout, until, withSignal } from './wait.ts';
