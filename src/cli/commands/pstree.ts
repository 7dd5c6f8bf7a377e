import type { CommandContext, CommandDefinition } from '../command.ts';
import { askProcesses, chooseProcess, notesOf, type ProcessOptions } from '../process-choice.ts';

export const command: CommandDefinition<ProcessOptions> = {
  name: 'pstree',
  summary: 'Shows the tree of tasks of running processes, and what each waits for',
  configure: chooseProcess,

  async run(context: CommandContext, options: ProcessOptions, args: readonly string[]): Promise<void> {
    const { formatCallGraph } = await import('../../asyncio/index.ts');
    for (const { report } of await askProcesses(context, options, args[0])) {
      if (report === null) continue;
      context.print(`${report.pid} ${report.name}`);
      context.print(
        report.tree.length === 0 ? '  nothing runs' : formatCallGraph(report.tree).replaceAll(/^/gm, '  '),
      );
      for (const note of notesOf(report)) context.print(note);
    }
  },
};
