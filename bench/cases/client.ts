/** Ten outgoing requests in a view, at once. */
import { type Case, get } from '../harness.ts';

const module = import.meta.resolve('../servers/fan-out.ts');
const SLOWEST = 40;

export default [
  {
    name: 'client: fan-out of ten requests in a view',
    sides: [
      { name: 'Sobaya', module, options: { kind: 'sobaya', ms: 0 } },
      { name: 'node:http, by hand', module, options: { kind: 'node:http', ms: 0 } },
      { name: 'node:http and fetch', module, options: { kind: 'fetch', ms: 0 } },
    ],
    load: { requests: [get('/')], connections: 8 },
    goals: [
      {
        text: 'cost against a hand-written node:http agent',
        metric: 'perCpuSecond',
        of: 'Sobaya',
        over: 'node:http, by hand',
        atLeast: 0.9,
      },
      {
        text: 'throughput against a hand-written node:http agent',
        metric: 'perSecond',
        of: 'Sobaya',
        over: 'node:http, by hand',
        atLeast: 0.9,
      },
    ],
  },
  {
    name: `client: fan-out of ten requests, the slowest ${SLOWEST} ms`,
    sides: [
      { name: 'Sobaya', module, options: { kind: 'sobaya', ms: SLOWEST } },
      { name: 'node:http, by hand', module, options: { kind: 'node:http', ms: SLOWEST } },
    ],
    load: { requests: [get('/')], connections: 4 },
    goals: [
      {
        text: 'median against the slowest upstream (ms)',
        metric: 'p50',
        of: 'Sobaya',
        atMost: SLOWEST * 1.3,
      },
    ],
  },
] satisfies Case[];
