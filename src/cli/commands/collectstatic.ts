import type { Command } from 'commander';
import type { CommandContext, CommandDefinition } from '../command.ts';

interface Options {
  readonly output: string;
  readonly compress?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'collectstatic',
  summary: 'Gathers static files under names with a hash, compressed beforehand',

  configure(command: Command): void {
    command
      .argument('<folders...>', 'folders of static files; of files with one name, the first counts')
      .requiredOption('--output <folder>', 'where they go; emptied of what an earlier run left')
      .option('--no-compress', 'without .br, .zst and .gz beside them');
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<void> {
    const { collectStatic } = await import('../../middleware/index.ts');
    const { resolve } = await import('node:path');
    const report = await collectStatic({
      folders: args.map((folder) => resolve(context.cwd, folder)),
      output: resolve(context.cwd, options.output),
      compress: options.compress !== false,
    });
    context.print(
      `${report.files} files, ${report.compressed} compressed, ${report.rewritten} with addresses rewritten, in ${options.output}`,
    );
  },
};
