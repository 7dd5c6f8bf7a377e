import { OperationalError, UsageError } from '../base.ts';
import {
  BrokenBarrierError,
  CancelledError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  TimeoutError,
} from '../flow.ts';
import { describe, entry } from './define.ts';

const called = (what: string, name: string): string => (name ? `${what} "${name}"` : `this ${what}`);

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
  SBY_ASYNCIO_SELF_AWAIT: entry(UsageError, {
    about: 'A task that waits for its own end would wait for ever.',
    example: { name: 'customer 1' },
    parts: ({ name }: { name: string }) => ({
      what: `Task "${name}" awaits itself, it would wait for ever`,
      fix: 'Return the value instead, or await the task from outside of it',
    }),
  }),
  SBY_ASYNCIO_NOT_DONE: entry(UsageError, {
    about: 'task.result() gives what is there already; it does not wait.',
    example: { name: 'customer 1' },
    parts: ({ name }: { name: string }) => ({
      what: `Task "${name}" is still running, it has no result yet`,
      fix: 'Write await task, or check task.done first',
    }),
  }),
  SBY_ASYNCIO_NEVER_READY: entry(UsageError, {
    about: 'group.startUntilReady() waits until the task calls ready().',
    example: { name: 'server' },
    parts: ({ name }: { name: string }) => ({
      what: `Task "${name}" ended without calling ready()`,
      fix: 'Call the function that it gets as its argument once it can be used, or start it with group.start()',
    }),
  }),
  SBY_ASYNCIO_NOT_A_TASK: entry(UsageError, {
    about: 'wait() looks at tasks without owning them, so they have to run already.',
    example: { callee: 'wait', position: 1, got: (() => 1) as unknown },
    parts: ({ callee, position, got }: { callee: string; position: number; got: unknown }) => ({
      what: `${callee}() takes tasks, but item ${position} is ${describe(got)}`,
      fix: 'Start it first: createTask(() => work())',
    }),
  }),
  SBY_ASYNCIO_NOT_A_PROMISE: entry(UsageError, {
    about: 'until() waits for a promise of somebody else, one that runs already.',
    example: { callee: 'until', got: (() => 1) as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee}() takes a promise, got ${describe(got)}`,
      fix: `Call the function: ${callee}(work()). What is no promise needs no waiting for`,
    }),
  }),
  SBY_ASYNCIO_BAD_OPTION: entry(UsageError, {
    about: 'An option has one of a few values.',
    example: { callee: 'wait', option: 'returnWhen', got: 'first' as unknown, expected: '"firstCompleted"' },
    parts: ({
      callee,
      option,
      got,
      expected,
    }: {
      callee: string;
      option: string;
      got: unknown;
      expected: string;
    }) => ({
      what: `The option ${option} of ${callee}() is ${describe(got)}`,
      fix: `Give ${expected}`,
    }),
  }),
  SBY_ASYNCIO_NOT_ITERABLE: entry(UsageError, {
    about: 'What is gone through is an array, another iterable, or an async iterable.',
    example: { callee: 'mapConcurrent', got: 5 as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee}() goes through an iterable, got ${describe(got)}`,
      fix: 'Give an array, a generator or an async iterable',
    }),
  }),
  SBY_ASYNCIO_NO_TASKS: entry(UsageError, {
    about: 'Waiting for none of nothing is a mistake more often than not.',
    example: { callee: 'wait' },
    parts: ({ callee }: { callee: string }) => ({
      what: `${callee}() got no tasks`,
      fix: 'Give it at least one, or skip the call when there is none',
    }),
  }),
  SBY_ASYNCIO_BAD_COUNT: entry(UsageError, {
    about: 'Counts are whole numbers with a least value.',
    example: { callee: 'mapConcurrent', what: 'limit', least: 1, got: 0 as unknown },
    parts: ({ callee, what, least, got }: { callee: string; what: string; least: number; got: unknown }) => ({
      what: `${callee}: ${what} is ${describe(got)}`,
      fix: `Give a whole number that is ${least} or more`,
    }),
  }),
  SBY_ASYNCIO_BAD_SIGNAL: entry(UsageError, {
    about: 'What cancels from outside is an AbortSignal, not the controller it belongs to.',
    example: { callee: 'createTask', got: new AbortController() as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee}() takes an AbortSignal, got ${describe(got)}`,
      fix: 'Give controller.signal, not the controller',
    }),
  }),
  SBY_ASYNCIO_NOT_HELD: entry(UsageError, {
    about:
      'Releasing what nobody holds means that somewhere an acquire() is missing, or a release() is too many.',
    example: { what: 'Lock', name: 'stove' },
    parts: ({ what, name }: { what: string; name: string }) => ({
      what: `release() was called on ${called(what, name)}, which is not held`,
      fix: 'Acquire it first; `using held = await lock.acquire()` releases exactly once',
    }),
  }),
  SBY_ASYNCIO_OVER_RELEASED: entry(UsageError, {
    about: 'A bounded semaphore never has more places than it began with.',
    example: { name: 'seats', value: 3 },
    parts: ({ name, value }: { name: string; value: number }) => ({
      what: `release() was called more often than acquire() on ${called('BoundedSemaphore', name)} of ${value}`,
      fix: 'Release once per acquire; `using held = await semaphore.acquire()` does',
    }),
  }),
  SBY_ASYNCIO_ALREADY_BORROWED: entry(UsageError, {
    about: 'A capacity limiter lends one token per borrower; a second one could wait for the first for ever.',
    example: { name: 'connections', who: 'task "customer 1"' },
    parts: ({ name, who }: { name: string; who: string }) => ({
      what: `${who} already holds a token of ${called('CapacityLimiter', name)}`,
      fix: 'Release it first, run the second use in a task of its own, or use a Semaphore',
    }),
  }),
  SBY_ASYNCIO_CONDITION_UNLOCKED: entry(UsageError, {
    about: 'A condition is waited for and notified by whoever holds its lock, or notifications get lost.',
    example: { callee: 'notify', name: '' },
    parts: ({ callee, name }: { callee: string; name: string }) => ({
      what: `${callee}() was called on ${called('Condition', name)} without its lock`,
      fix: 'Write await condition.run(() => condition.notify())',
    }),
  }),
  SBY_ASYNCIO_BARRIER_BROKEN: entry(BrokenBarrierError, {
    about: 'Not all parties will come: somebody aborted or reset the barrier.',
    example: { name: 'start', why: 'was aborted' },
    parts: ({ name, why }: { name: string; why: string }) => ({ what: `${called('Barrier', name)} ${why}` }),
  }),
  SBY_ASYNCIO_QUEUE_EMPTY: entry(QueueEmpty, {
    about: 'getNowait() does not wait.',
    example: { name: 'orders' },
    parts: ({ name }: { name: string }) => ({
      what: `${called('Queue', name)} is empty`,
      fix: 'Write await queue.get() to wait for an item',
    }),
  }),
  SBY_ASYNCIO_QUEUE_FULL: entry(QueueFull, {
    about: 'putNowait() does not wait.',
    example: { name: 'orders', maxsize: 10 },
    parts: ({ name, maxsize }: { name: string; maxsize: number }) => ({
      what: `${called('Queue', name)} is full with ${maxsize} item${maxsize === 1 ? '' : 's'}`,
      fix: 'Write await queue.put(item) to wait for room',
    }),
  }),
  SBY_ASYNCIO_QUEUE_SHUT_DOWN: entry(QueueShutDown, {
    about: 'shutdown() was called on the queue: nothing more goes in, and what was in has been taken.',
    example: { name: 'orders' },
    parts: ({ name }: { name: string }) => ({
      what: `${called('Queue', name)} is shut down`,
      fix: '`for await (const item of queue)` ends by itself when that happens',
    }),
  }),
  SBY_ASYNCIO_TASK_DONE_TOO_OFTEN: entry(UsageError, {
    about: 'taskDone() says that one item has been dealt with.',
    example: { name: 'orders' },
    parts: ({ name }: { name: string }) => ({
      what: `taskDone() was called more often than items were put into ${called('Queue', name)}`,
      fix: 'Call it once for each item taken',
    }),
  }),
  SBY_ASYNCIO_NO_ORDER: entry(UsageError, {
    about: 'A priority queue has to know which item is smaller.',
    example: { got: {} as unknown },
    parts: ({ got }: { got: unknown }) => ({
      what: `A priority queue cannot sort by ${describe(got)}`,
      fix: 'Give { key: (item) => … } that gives a number, string, date, or an array of such',
    }),
  }),
  SBY_ASYNCIO_DEADLINE_OVER: entry(UsageError, {
    about: 'A deadline can be moved while its block runs and before it has passed.',
    example: { expired: false },
    parts: ({ expired }: { expired: boolean }) => ({
      what: `reschedule() was called on a deadline ${expired ? 'that has passed' : 'whose block has ended'}`,
      fix: 'Reschedule it inside the block given to timeout(), before it passes',
    }),
  }),
  SBY_ASYNCIO_NO_EXECUTOR: entry(UsageError, {
    about: 'A function cannot cross to a thread, a module can; pools for that are in another room.',
    example: {},
    parts: (_: object) => ({
      what: 'runInExecutor() got no executor and there is no default one',
      fix: "Give it a pool: new ThreadPool() from 'sobaya/sync', or set one with setDefaultExecutor()",
    }),
  }),
  SBY_ASYNCIO_INSPECTION_FOLDER: entry(OperationalError, {
    about:
      'The sockets of `sobaya ps` lie in a folder that belongs to the user and that nobody else can enter. One that somebody else made is not used.',
    example: { folder: '/tmp/sobaya-1000' },
    parts: ({ folder }: { folder: string }) => ({
      what: `${folder} is no folder of this user alone, so this process cannot be looked at with sobaya ps`,
      fix: 'Remove it, or set XDG_RUNTIME_DIR to a private folder',
    }),
  }),
};
