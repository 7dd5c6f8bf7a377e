import { postgresMissing } from '../../tests/migrations/postgres.ts';
import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/migrations.ts');

export default [
  {
    name: 'migrations: makemigrations on 200 models without changes, the whole command',
    sides: [{ name: 'makemigrations', module, options: { side: 'no changes', count: 200 } }],
    rounds: 3,
    goals: [{ text: 'milliseconds', metric: 'ms', of: 'makemigrations', atMost: 1000 }],
  },
  {
    name: 'migrations: migrate over 500 migrations on SQLite, the whole command',
    sides: [{ name: 'migrate', module, options: { side: 'apply', count: 500 } }],
    rounds: 3,
    goals: [{ text: 'milliseconds', metric: 'ms', of: 'migrate', atMost: 10_000 }],
  },
  {
    name: 'migrations: loaddata of 100,000 rows on SQLite, against a bare bulk insert',
    sides: [
      { name: 'loaddata', module, options: { side: 'loaddata' } },
      { name: 'node:sqlite', module, options: { side: 'raw' } },
    ],
    goals: [
      { text: 'rows per second', metric: 'perSecond', of: 'loaddata', over: 'node:sqlite', atLeast: 0.7 },
    ],
  },
  {
    name: 'migrations: a table of 1,000,000 rows on PostgreSQL changed by the recipe under 50 clients',
    sides: [{ name: 'the recipe', module: import.meta.resolve('../servers/migrations-online.ts') }],
    rounds: 1,
    skip: async () => (await postgresMissing()) || null,
    goals: [
      { text: 'longest wait of a statement, ms', metric: 'longestWaitMs', of: 'the recipe', atMost: 500 },
    ],
  },
] satisfies Case[];
