/** A large body in either direction: memory must not follow its length. */
import type { Case } from '../harness.ts';

const module = import.meta.resolve('../servers/transfer.ts');
const ways: readonly (readonly [string, string])[] = [
  ['upload, request.stream()', 'stream'],
  ['upload, multipart to disk', 'form'],
  ['download, fileResponse', 'file'],
  ['download, a generator', 'generator'],
];

export default {
  name: 'framework: 1 GB up and down',
  rounds: 3,
  sides: ways.map(([name, kind]) => ({ name, module, options: { kind } })),
  goals: ways.map(([name]) => ({ text: `memory of ${name}, MB`, metric: 'moreMb', of: name, atMost: 64 })),
} satisfies Case;
