import { type Case, get } from '../harness.ts';

const bare = import.meta.resolve('../servers/bare.ts');
const ours = import.meta.resolve('../servers/sobaya-bare.ts');

export default [
  {
    name: 'server: hello world',
    sides: [
      { name: 'Sobaya', module: ours },
      { name: 'node:http', module: bare, options: 'node:http' },
    ],
    load: { requests: [get('/')], connections: 16, pipeline: 1 },
    goals: [
      { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.5 },
    ],
  },
  {
    name: 'server: hello world, 16 requests pipelined',
    sides: [
      { name: 'Sobaya', module: ours },
      { name: 'node:http', module: bare, options: 'node:http' },
    ],
    load: { requests: [get('/')], connections: 16, pipeline: 16 },
    goals: [
      { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.5 },
    ],
  },
] satisfies Case[];
