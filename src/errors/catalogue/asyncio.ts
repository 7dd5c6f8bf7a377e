import { UsageError } from '../base.ts';
import { CancelledError, TimeoutError } from '../flow.ts';
import { describe, entry } from './define.ts';

export const asyncioErrors = {
  SBY_ASYNCIO_CANCELLED: entry(CancelledError, {
    about:
      'A wait ended because the scope it ran in was cancelled: the client left, a deadline passed, a sibling failed, or somebody called cancel().',
    example: { why: 'task "customer 1" was cancelled' },
    parts: ({ why }: { why: string }) => ({ what: why }),
  }),
  SBY_ASYNCIO_TIMEOUT: entry(TimeoutError, {
    about: 'The block given to timeout() or timeoutAt() did not end in time. Its scope was cancelled.',
    example: { ms: 500, name: 'fetchPrice' as string | undefined },
    parts: ({ ms, name }: { ms: number; name: string | undefined }) => ({
      what: `${name ? `${name} was` : 'The work was'} not done within ${ms} ms`,
    }),
  }),
  SBY_ASYNCIO_NOT_A_FUNCTION: entry(UsageError, {
    about:
      'Promises are hot: a promise already runs, in a scope that is not ours to cancel. What can be started, named and cancelled is a function.',
    example: { callee: 'gather', position: 2, got: Promise.resolve() as unknown },
    parts: ({ callee, position, got }: { callee: string; position: number; got: unknown }) => ({
      what: `${callee}() takes functions, but argument ${position} is ${describe(got)}`,
      fix: `Write ${callee}(() => work()), not ${callee}(work()): a promise already runs, outside the scope, and could not be cancelled`,
    }),
  }),
  SBY_ASYNCIO_BAD_TIME: entry(UsageError, {
    about: 'Times are milliseconds: finite numbers, zero or more.',
    example: { callee: 'sleep', got: -1 as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee}() takes a time in milliseconds, got ${describe(got)}`,
      fix: 'Give a finite number that is zero or more',
    }),
  }),
  SBY_ASYNCIO_GROUP_CLOSED: entry(UsageError, {
    about:
      'A task group accepts tasks until its block and all its tasks have ended, and no more once it was cancelled.',
    example: { state: 'finished' as 'finished' | 'shutting down' },
    parts: ({ state }: { state: 'finished' | 'shutting down' }) => ({
      what: `This task group is ${state}, it takes no more tasks`,
      fix: 'Start the task inside the block given to taskGroup(), or with createTask() or background() elsewhere',
    }),
  }),
  SBY_ASYNCIO_NESTED_RUN: entry(UsageError, {
    about: 'run() makes the root scope of a program. Inside it, everything is already running.',
    example: {},
    parts: (_: object) => ({
      what: 'run() was called inside a running scope',
      fix: 'Call the function and await it, or start it with createTask()',
    }),
  }),
};
