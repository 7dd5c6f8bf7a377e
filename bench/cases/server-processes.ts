import { availableParallelism } from 'node:os';
import type { Case } from '../harness.ts';

const restart = import.meta.resolve('../servers/server/restart.ts');
const workers = import.meta.resolve('../servers/server/workers.ts');

export default [
  {
    // Ten seconds of load; `--seconds 60` for the minute that is promised.
    name: 'server: rolling restarts under 200 clients',
    sides: [{ name: 'Sobaya', module: restart, options: 'restart' }],
    rounds: 1,
    warmUp: false,
    goals: [
      { text: 'failed requests', metric: 'failed', of: 'Sobaya', atMost: 0 },
      { text: 'restarts of all workers meanwhile', metric: 'restarts', of: 'Sobaya', atLeast: 2 },
    ],
  },
  {
    name: 'server: kill -9 of one of two workers under 200 clients',
    sides: [{ name: 'Sobaya', module: restart, options: 'kill' }],
    rounds: 3,
    warmUp: false,
    goals: [
      {
        text: 'failed requests that were in no killed worker',
        metric: 'failedElsewhere',
        of: 'Sobaya',
        atMost: 0,
      },
      { text: 'more failed than were under way in it', metric: 'tooMany', of: 'Sobaya', atMost: 0 },
      { text: 'refused connections', metric: 'refused', of: 'Sobaya', atMost: 0 },
      { text: 'longest time without an answer, ms', metric: 'longestSilenceMs', of: 'Sobaya', atMost: 1000 },
    ],
  },
  {
    name: 'server: two workers on two cores',
    sides: [
      { name: 'one worker', module: workers, options: 1 },
      { name: 'two workers', module: workers, options: 2 },
    ],
    skip: () => (availableParallelism() >= 2 ? null : 'there is one core'),
    goals: [
      {
        text: 'throughput against one',
        metric: 'perSecond',
        of: 'two workers',
        over: 'one worker',
        atLeast: 1.8,
      },
      {
        text: 'answers per second of processor time, against one',
        metric: 'perCpuSecond',
        of: 'two workers',
        over: 'one worker',
        atLeast: 0.9,
      },
    ],
  },
] satisfies Case[];
