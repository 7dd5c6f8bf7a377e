import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/sync.ts');
const sides = (at: number, names: readonly string[]): Case['sides'] =>
  names.map((name) => ({ name, module, options: { side: name, at } }));

const compare = (at: number, what: string): Case => ({
  name: `sync: a call into a thread, ${what}`,
  sides: sides(at, ['thread', 'thread-sensitive', 'piscina', 'process']),
  goals: ['thread', 'thread-sensitive'].map((of) => ({
    text: `how much longer a call takes than piscina's (${of})`,
    metric: 'perSecond',
    of: 'piscina',
    over: of,
    atMost: 3,
  })),
});

export default [compare(1, 'one after another'), compare(50, '50 at a time')] satisfies Case[];
