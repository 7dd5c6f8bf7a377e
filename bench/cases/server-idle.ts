import { readFileSync } from 'node:fs';
import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/server/idle.ts');
const connections = 10_000;

/** Each process holds one end of every connection, and some files more. */
function skip(): string | null {
  let limit = Number.POSITIVE_INFINITY;
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (line !== null) limit = Number(line[1]);
  } catch {
    // Another system: it will say itself what it does not allow.
  }
  return limit > connections + 200 ? null : `only ${limit} open files are allowed (ulimit -n)`;
}

export default [
  {
    name: 'server: 10,000 idle keep-alive connections',
    sides: [
      { name: 'Sobaya', module, options: { kind: 'Sobaya', connections } },
      { name: 'node:http', module, options: { kind: 'node:http', connections } },
    ],
    rounds: 3,
    skip,
    goals: [
      {
        text: 'resident memory per connection, against node:http',
        metric: 'bytesPerConnection',
        of: 'Sobaya',
        over: 'node:http',
        atMost: 1,
      },
      {
        text: 'median latency of another client beside them, against without',
        metric: 'slower',
        of: 'Sobaya',
        atMost: 1.3,
      },
    ],
  },
] satisfies Case[];
