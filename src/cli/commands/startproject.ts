import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';

interface Options {
  readonly name?: string;
  readonly sobaya?: string;
}

export const command: CommandDefinition<Options> = {
  name: 'startproject',
  summary: 'Makes a new project: an application, a page, a test',

  configure(command: Command): void {
    command
      .argument('<folder>', 'where; "." for here')
      .option('--name <name>', 'the name of the package (default: the folder’s)')
      .option(
        '--sobaya <version>',
        'what the project depends on: a version, or file:… (default: this version; from a checkout, its packed files)',
      );
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<void> {
    const folder = resolve(context.cwd, args[0]!);
    const name = (options.name ?? basename(folder)).toLowerCase();
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(name) || name === 'sobaya')
      throw fault('SBY_CLI_BAD_NAME', { what: 'project', got: name });
    const { projectFiles } = await import('../project-files.ts');
    const { writeFiles } = await import('../write-files.ts');
    const { sobayaVersion } = await import('../version.ts');
    const { isCheckout, packCheckout } = await import('../checkout.ts');
    const packed = options.sobaya === undefined && isCheckout();
    const files = projectFiles(
      name,
      options.sobaya ?? (packed ? `file:sobaya-${sobayaVersion()}.tgz` : `^${sobayaVersion()}`),
    );
    writeFiles(folder, files);
    if (packed) await packCheckout(folder);
    context.print(`Made ${name}: ${Object.keys(files).join(', ')}`);
    context.print(`\n  ${args[0] === '.' ? '' : `cd ${args[0]} && `}npm install && npm start`);
  },
};
