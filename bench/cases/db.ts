import { serverOrSkip } from '../../tests/db/support/postgres.ts';
import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/db.ts');
const url = process.env['SOBAYA_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432';

export default [
  {
    name: 'db: compile and bind a known shape, three lookups over a join',
    sides: [{ name: 'sobaya', module, options: { on: 'compile' } }],
    goals: [{ text: 'microseconds', metric: 'us', of: 'sobaya', atMost: 1 }],
  },
  {
    name: 'db: SQLite, get by key from 64 callers and autocommit inserts',
    sides: [
      { name: 'sobaya', module, options: { on: 'sqlite', side: 'sobaya' } },
      { name: 'node:sqlite inline', module, options: { on: 'sqlite', side: 'inline' } },
    ],
    goals: [
      {
        text: 'main-thread CPU per get',
        metric: 'getUs',
        of: 'sobaya',
        over: 'node:sqlite inline',
        atMost: 1,
      },
      {
        text: 'inserts per second',
        metric: 'insertsPerSecond',
        of: 'sobaya',
        over: 'node:sqlite inline',
        atLeast: 4,
      },
      {
        text: 'inserts per second of the backend alone',
        metric: 'backendInsertsPerSecond',
        of: 'sobaya',
        over: 'node:sqlite inline',
        atLeast: 4,
      },
      {
        text: 'ms that the event loop is late during a query of 300 ms, p99',
        metric: 'loopP99',
        of: 'sobaya',
        atMost: 20,
      },
    ],
  },
  {
    name: 'db: PostgreSQL on pg, get by key at 16 in flight, main-thread CPU',
    sides: [
      { name: 'sobaya', module, options: { on: 'postgresql', side: 'sobaya', url } },
      { name: 'pg, named statement', module, options: { on: 'postgresql', side: 'pg', url } },
    ],
    skip: async () => serverOrSkip('bench').skip || null,
    goals: [
      {
        text: 'main-thread CPU per get',
        metric: 'getUs',
        of: 'sobaya',
        over: 'pg, named statement',
        atMost: 0.6,
      },
    ],
  },
] satisfies Case[];
