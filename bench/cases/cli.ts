/** How long it takes from `sobaya serve` to the first answer. */
import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/startup.ts');

export default [
  {
    name: 'cli: from sobaya serve to the first answer',
    sides: [
      { name: 'sobaya serve, as published', module, options: 'published' },
      { name: 'sobaya serve, from source', module, options: 'source' },
      { name: 'node -e, node:http', module, options: 'node:http' },
    ],
    goals: [
      { text: 'milliseconds, as published', metric: 'ms', of: 'sobaya serve, as published', atMost: 250 },
      { text: 'milliseconds, from source', metric: 'ms', of: 'sobaya serve, from source', atMost: 250 },
    ],
  },
  {
    name: 'cli: cold start of the soba shop, from sobaya serve to its first page',
    sides: [
      { name: 'shop, as published', module, options: 'shop as published' },
      { name: 'shop, from source', module, options: 'shop from source' },
      { name: 'bare application', module, options: 'published' },
    ],
    goals: [
      { text: 'milliseconds, as published', metric: 'ms', of: 'shop, as published', atMost: 400 },
      { text: 'milliseconds, from source', metric: 'ms', of: 'shop, from source', atMost: 400 },
    ],
  },
] satisfies Case[];
