/** The harness on itself: two sides that are the same must come out the same. */
import { type Case, get } from '../harness.ts';

const module = import.meta.resolve('../servers/bare.ts');

export default {
  name: 'bench: the same server twice',
  sides: [
    { name: 'node:http', module, options: 'node:http' },
    { name: 'node:http again', module, options: 'node:http' },
    { name: 'Fastify', module, options: 'fastify' },
  ],
  load: { requests: [get('/')], connections: 16, pipeline: 4 },
  goals: [
    {
      text: 'a server against itself',
      metric: 'perCpuSecond',
      of: 'node:http again',
      over: 'node:http',
      atLeast: 0.85,
      atMost: 1.18,
    },
  ],
} satisfies Case;
