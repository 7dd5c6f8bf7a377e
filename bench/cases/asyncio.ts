import { type Case, type Goal, get } from '../harness.ts';

const module = import.meta.resolve('../servers/asyncio.ts');
const side = (name: string): Case['sides'][number] => ({ name, module, options: { side: name } });
const against = (of: string, over: string, atMost: number): Goal => ({
  text: `${of}, against ${over}`,
  metric: 'cpuNanos',
  of,
  over,
  atMost,
});
/** How much longer it takes by the clock on the wall. */
const longer = (of: string, over: string, atMost: number): Goal => ({
  text: `how much longer ${of} takes than ${over}`,
  metric: 'perSecond',
  of: over,
  over: of,
  atMost,
});
const compare = (name: string, of: string, over: string, ...goals: Goal[]): Case => ({
  name: `asyncio: ${name}`,
  sides: [side(of), side(over)],
  goals,
});
const grow = (name: string, operations: number): Case => ({
  name: `asyncio: the heap over ${operations.toLocaleString('en')} × ${name}`,
  sides: [{ name, module, options: { side: name, operations }, execArgv: ['--expose-gc'] }],
  rounds: 1,
  goals: [
    { text: 'bytes left per operation', metric: 'bytesPerOperation', of: name, atMost: 1 },
    { text: 'waiters and scopes left', metric: 'left', of: name, atMost: 0 },
  ],
});
const hello = (debug: string): Case['sides'][number] => ({
  name: debug,
  module: import.meta.resolve('../servers/asyncio-hello.ts'),
  options: debug,
});

export default [
  compare(
    'a task, against a call in an AsyncLocalStorage',
    'createTask',
    'bare call',
    against('createTask', 'bare call', 2),
  ),
  compare(
    'gather of 100, waiting for a timer of Node',
    'gather of 100 timers',
    'Promise.all of 100 timers',
    longer('gather of 100 timers', 'Promise.all of 100 timers', 1.5),
  ),
  compare(
    'gather of 100, each sleeping',
    'gather of 100 sleeps',
    'Promise.all of 100 sleeps',
    longer('gather of 100 sleeps', 'Promise.all of 100 sleeps', 1.5),
  ),
  compare(
    'gather of 100, each waiting a turn in a context of its own',
    'gather of 100 turns',
    'Promise.all of 100 turns',
    against('gather of 100 turns', 'Promise.all of 100 turns', 1.5),
  ),
  compare(
    'gather of 100 calls, each in a context of its own',
    'gather of 100 calls',
    'Promise.all of 100 calls',
    against('gather of 100 calls', 'Promise.all of 100 calls', 1.5),
  ),
  compare('timeout, against a race with a timer', 'timeout', 'bare timeout'),
  grow('sleep', 1_000_000),
  grow('timeout', 100_000),
  grow('cancelled task', 100_000),
  {
    name: 'asyncio: debug mode under a server',
    sides: [hello('off'), hello('on')],
    load: { requests: [get('/')] },
    goals: [{ text: 'debug mode on', metric: 'perCpuSecond', of: 'on', over: 'off', atLeast: 0.9 }],
  },
] satisfies Case[];
