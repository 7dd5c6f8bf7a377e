import { type Case, get, post } from '../harness.ts';
import { findUvicorn } from '../servers/uvicorn.ts';

const bare = import.meta.resolve('../servers/bare.ts');
const ours = import.meta.resolve('../servers/sobaya-bare.ts');
const uvicorn = import.meta.resolve('../servers/uvicorn.ts');
const echo = import.meta.resolve('../servers/json-echo.ts');

const hello = { requests: [get('/')], connections: 16 };
const kilobyte = JSON.stringify({
  order: 4711,
  table: 'window',
  paid: false,
  items: Array.from({ length: 12 }, (_, index) => ({
    name: `zaru soba ${index}`,
    price: 8.5 + index,
    extras: ['wasabi', 'nori'],
  })),
});

function noUvicorn(): string | null {
  const found = findUvicorn();
  return 'missing' in found ? found.missing : null;
}

export default [
  ...([1, 16] as const).flatMap((pipeline): Case[] => {
    const how = pipeline === 1 ? 'hello world' : `hello world, ${pipeline} requests pipelined`;
    return [
      {
        name: `server: ${how}`,
        sides: [
          { name: 'Sobaya', module: ours },
          { name: 'node:http', module: bare, options: 'node:http' },
        ],
        load: { ...hello, pipeline },
        goals: [
          { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.5 },
        ],
      },
      {
        name: `server: ${how}, Uvicorn`,
        sides: [
          { name: 'Sobaya', module: ours },
          { name: 'Uvicorn', module: uvicorn },
        ],
        load: { ...hello, pipeline },
        goals: [
          { text: 'against Uvicorn', metric: 'perSecond', of: 'Sobaya', over: 'Uvicorn', atLeast: 1.3 },
        ],
        skip: noUvicorn,
      },
    ];
  }),
  {
    name: 'server: 1 KB of JSON posted, parsed and echoed',
    sides: [
      { name: 'Sobaya', module: echo, options: 'sobaya' },
      { name: 'node:http', module: echo, options: 'node:http' },
    ],
    load: { requests: [post('/', kilobyte, 'application/json')], connections: 16, pipeline: 1 },
    goals: [
      { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.2 },
    ],
  },
  {
    name: 'server: a client that reads nothing of 200 MB',
    sides: [{ name: 'Sobaya', module: import.meta.resolve('../servers/non-reader.ts') }],
    goals: [{ text: 'resident memory grows, in MB', metric: 'grownMb', of: 'Sobaya', atMost: 8 }],
  },
] satisfies Case[];
