import type { CommandDefinition } from '../command.ts';
import { loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly includeViews?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'inspectdb',
  summary: 'Prints typed models for the tables of a live database',
  configure(command): void {
    command
      .argument('[tables...]', 'names of tables (default: all)')
      .option('--database <alias>', 'which database', 'default')
      .option('--include-views', 'views too');
  },
  async run(context, options, tables): Promise<void> {
    const { inspectModels, liveTables } = await import('../../db/migrations/index.ts');
    const { fault } = await import('../../errors/index.ts');
    const project = await loadProject(context, { apps: false });
    await withDatabases(project, async () => {
      const backend = project.databases.get(options.database);
      const live = await liveTables(backend);
      for (const table of tables)
        if (!live.has(table)) throw fault('SBY_CLI_UNKNOWN_TABLE', { table, known: [...live.keys()] });
      context.print(
        inspectModels(live, {
          tables,
          views: options.includeViews === true,
          vendor: backend.vendor,
        }).trimEnd(),
      );
    });
  },
};
