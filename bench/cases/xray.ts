import { type Case, get } from '../harness.ts';

const module = import.meta.resolve('../servers/xray.ts');
const side = (name: string, options: object): Case['sides'][number] => ({ name, module, options });

export default [
  {
    name: 'xray: off, hello view',
    sides: [
      side('without x-ray', { view: 'hello', xray: 'none' }),
      side('x-ray off', { view: 'hello', xray: 'off' }),
    ],
    load: { requests: [get('/')] },
    rounds: 9,
    goals: [
      {
        text: 'off costs under 1 %',
        metric: 'perCpuSecond',
        of: 'x-ray off',
        over: 'without x-ray',
        atLeast: 0.99,
      },
    ],
  },
  {
    name: 'xray: on, a view with 5 queries and 10 outgoing requests',
    sides: [
      side('without x-ray', { view: 'busy', xray: 'none' }),
      side('x-ray on', { view: 'busy', xray: 'on' }),
      side('with call sites', { view: 'busy', xray: 'sites' }),
    ],
    load: { requests: [get('/busy/')] },
    goals: [
      {
        text: 'on costs under 15 %',
        metric: 'perCpuSecond',
        of: 'x-ray on',
        over: 'without x-ray',
        atLeast: 0.87,
      },
    ],
  },
  {
    name: 'xray: a recorded request of 50 spans, CPU of the loop',
    sides: [
      side('50 spans', { view: 'spans', xray: 'on' }),
      side('50 spans with call sites', { view: 'spans', xray: 'sites' }),
    ],
    goals: [
      { text: 'without call sites', metric: 'microseconds', of: '50 spans', atMost: 100 },
      { text: 'with call sites', metric: 'microseconds', of: '50 spans with call sites', atMost: 500 },
      { text: 'all are there', metric: 'spans', of: '50 spans', atLeast: 50 },
    ],
  },
] satisfies Case[];
