import type { CommandDefinition } from '../command.ts';
import { sobayaVersion } from '../version.ts';

export const command: CommandDefinition = {
  name: 'version',
  summary: 'Prints the versions of Sobaya and Node',
  async run(context): Promise<void> {
    context.print(`sobaya ${sobayaVersion()}, node ${process.versions.node}`);
  },
};
