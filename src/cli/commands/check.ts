import type { Command } from 'commander';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { ownApplication } from '../own-application.ts';

interface Options {
  readonly deploy?: boolean;
  readonly failLevel?: string;
}
const levels = ['info', 'warning', 'error'];

export const command: CommandDefinition<Options> = {
  name: 'check',
  summary: 'Looks for mistakes in the application: routes, settings',

  configure(command: Command): void {
    command
      .option('--deploy', 'also what only matters where strangers come')
      .option(
        '--fail-level <level>',
        'findings from this level on make exit code 1: info, warning, error',
        'error',
      );
  },

  async run(context: CommandContext, options: Options): Promise<number> {
    const { checkApplication } = await import('../../application/index.ts');
    const application = await ownApplication(context, 'check');
    const messages = checkApplication(application, { deploy: options.deploy === true });
    for (const { id, level, message, hint } of messages)
      context.print(`${level}: ${id}: ${message}.\n  ${hint}.`);
    const count = messages.length;
    context.print(count === 0 ? 'No findings.' : `${count} finding${count === 1 ? '' : 's'}.`);
    const from = Math.max(levels.indexOf(options.failLevel ?? 'error'), 0);
    return messages.some((message) => levels.indexOf(message.level) >= from) ? 1 : 0;
  },
};
