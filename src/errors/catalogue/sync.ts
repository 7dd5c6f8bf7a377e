import { ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

const example = './heavy.ts';
const short = (module: string): string => module.split('/').at(-1) ?? module;

/** Errors of the room `sync`. */
export const syncErrors = {
  SBY_SYNC_NOT_A_MODULE: entry(UsageError, {
    about:
      'Threads share no memory: a function, with everything it refers to, cannot cross to another one. A module can, it is loaded there.',
    example: { callee: 'syncToAsync', got: (() => 1) as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee}() takes the URL of a module, got ${describe(got)}`,
      fix: `Put the function into a file of its own and write ${callee}<typeof import('${example}')>(import.meta.resolve('${example}'))`,
    }),
  }),
  SBY_SYNC_RELATIVE_MODULE: entry(UsageError, {
    about: 'A relative path has no meaning here: nobody knows which file it is relative to.',
    example: { callee: 'syncToAsync', got: './heavy.ts' },
    parts: ({ callee, got }: { callee: string; got: string }) => ({
      what: `${callee}() got ${describe(got)}, which is no URL`,
      fix: `Write ${callee}(import.meta.resolve(${describe(got)}))`,
    }),
  }),
  SBY_SYNC_NO_MODULE: entry(UsageError, {
    about: 'The module could not be loaded in the thread or process. The cause says why.',
    example: { module: 'file:///shop/heavy.ts', why: 'Cannot find module' },
    parts: ({ module, why }: { module: string; why: string }) => ({
      what: `${module} could not be loaded: ${why}`,
      fix: 'Check the path, and that the file runs on its own',
    }),
  }),
  SBY_SYNC_NO_FUNCTION: entry(UsageError, {
    about: 'What is called in a thread is an exported function of the module.',
    example: {
      module: 'file:///shop/heavy.ts',
      name: 'similarty',
      exports: ['similarity'] as readonly string[],
    },
    parts: ({ module, name, exports }: { module: string; name: string; exports: readonly string[] }) => ({
      what: `${short(module)} exports no function ${describe(name)}`,
      where: module,
      fix: exports.length > 0 ? `It exports ${exports.join(', ')}` : 'It exports no functions at all',
    }),
  }),
  SBY_SYNC_NOT_CLONEABLE: entry(UsageError, {
    about:
      'What goes into a thread and comes back is copied by the structured clone algorithm: plain data only.',
    example: { name: 'similarity', part: 'argument 2', got: (() => 1) as unknown },
    parts: ({ name, part, got }: { name: string; part: string; got: unknown }) => ({
      what: `${part} of ${name}() cannot be copied to another thread: ${describe(got)}`,
      fix: 'Pass plain data: no functions, sockets, or objects that hold such; move(buffer) hands memory over without a copy, and move(value, [buffer]) memory that lies inside of a value',
    }),
  }),
  SBY_SYNC_NOT_MOVABLE: entry(UsageError, {
    about:
      'move() hands over memory that one thread owns: an ArrayBuffer, or what is built on one, and message ports. After that it is gone on this side.',
    example: { got: 'soba' as unknown, why: 'it is no memory of its own' },
    parts: ({ got, why }: { got: unknown; why: string }) => ({
      what: `move() cannot hand over ${describe(got)}: ${why}`,
      fix: 'Give it an ArrayBuffer, a typed array or a MessagePort, or a value and the list of those inside of it: move(image, [image.pixels.buffer])',
    }),
  }),
  SBY_SYNC_NO_THREAD: entry(OperationalError, {
    about:
      'A thread or process could not be started at all. With --permission, Node needs --allow-worker for threads, --allow-child-process for processes, and --allow-fs-read for what they load.',
    example: { what: 'thread' as 'thread' | 'process', why: 'Access to this API has been restricted' },
    parts: ({ what, why }: { what: 'thread' | 'process'; why: string }) => ({
      what: `No ${what} could be started: ${why}`,
    }),
  }),
  SBY_SYNC_ON_LOOP: entry(UsageError, {
    about:
      'asyncToSync() blocks until the async function has ended. On the thread that has to run that function this would wait for ever.',
    example: { name: 'fetchPrice' },
    parts: ({ name }: { name: string }) => ({
      what: `${name}() was called through asyncToSync() on the thread of the event loop, it would wait for itself for ever`,
      fix: `Write await ${name}() here; asyncToSync() is for code that syncToAsync() runs in a thread`,
    }),
  }),
  SBY_SYNC_NO_WAY_BACK: entry(UsageError, {
    about:
      'A process shares no memory with its parent, and threads that are not ours have no line to the main loop.',
    example: { name: 'fetchPrice', where: 'a process of a ProcessPool' },
    parts: ({ name, where }: { name: string; where: string }) => ({
      what: `${name}() was called through asyncToSync() in ${where}, from where the main loop cannot be asked`,
      fix: 'Use it in a thread of syncToAsync() or of a ThreadPool',
    }),
  }),
  SBY_SYNC_DEADLOCK: entry(UsageError, {
    about:
      'The thread is blocked in asyncToSync(), and what it waits for needs the same thread for something that cannot run while it is blocked.',
    example: { module: 'file:///shop/heavy.ts', name: 'prices', why: 'prices() is async' },
    parts: ({ module, name, why }: { module: string; name: string; why: string }) => ({
      what: `${short(module)} ${name}() would deadlock: its thread is blocked in asyncToSync() and waits for this very call, but ${why}`,
      where: module,
      fix: 'Make it synchronous and its module free of top-level await, or call it with threadSensitive: false',
    }),
  }),
  SBY_SYNC_THREAD_DIED: entry(OperationalError, {
    about:
      'The thread or process ended during the call: it crashed, ran out of memory, or called process.exit(). It has been replaced.',
    example: {
      what: 'thread' as 'thread' | 'process',
      module: 'file:///shop/heavy.ts',
      name: 'similarity',
      why: 'it exited with code 1',
    },
    parts: ({
      what,
      module,
      name,
      why,
    }: {
      what: 'thread' | 'process';
      module: string;
      name: string;
      why: string;
    }) => ({
      what: `The ${what} that ran ${short(module)} ${name}() died: ${why}`,
      where: module,
    }),
  }),
  SBY_SYNC_QUEUE_FULL: entry(OperationalError, {
    about:
      'More calls wait for a thread than the pool allows. Refusing is better than a queue that only grows.',
    example: { name: 'default', maxQueue: 1000 },
    parts: ({ name, maxQueue }: { name: string; maxQueue: number }) => ({
      what: `${maxQueue} calls wait for the pool "${name}" already`,
      fix: 'Try again later, or give the pool more threads or a larger maxQueue',
    }),
  }),
  SBY_SYNC_CLOSED: entry(UsageError, {
    about: 'close() was called on the pool.',
    example: { name: 'default' },
    parts: ({ name }: { name: string }) => ({
      what: `The pool "${name}" is closed, it takes no more calls`,
      fix: 'Close it after its last call has been awaited',
    }),
  }),
  SBY_SYNC_BAD_OPTION: entry(ImproperlyConfigured, {
    about: 'Options of pools, and of calls into them, are checked when they are given.',
    example: { of: 'a pool', option: 'threads', got: 0 as unknown, expected: 'a whole number, 1 or more' },
    parts: ({
      of,
      option,
      got,
      expected,
    }: {
      of: string;
      option: string;
      got: unknown;
      expected: string;
    }) => ({
      what: `The option ${option} of ${of} is ${describe(got)}`,
      fix: `Give ${expected}`,
    }),
  }),
};
