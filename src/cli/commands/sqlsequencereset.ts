import type { CommandDefinition } from '../command.ts';
import { loadProject } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
}

export const command: CommandDefinition<Options> = {
  name: 'sqlsequencereset',
  summary: 'Prints SQL that lets counted keys go on after the highest that is there',
  configure(command): void {
    command
      .argument('[models...]', 'labels of apps, or app.Model (default: all)')
      .option('--database <alias>', 'which database', 'default');
  },
  async run(context, options, labels): Promise<void> {
    const { sequenceResets } = await import('../data/load.ts');
    const { dataTables, pickTables } = await import('../data/tables.ts');
    const project = await loadProject(context);
    const backend = project.databases.get(options.database);
    const all = dataTables(project, backend);
    const statements = sequenceResets(backend, labels.length === 0 ? all : pickTables(all, labels));
    context.print(
      statements.length === 0
        ? `-- ${backend.vendor === 'sqlite' ? 'SQLite needs none: it counts on from the highest key' : 'no counted keys'}`
        : `BEGIN;\n${statements.map((sql) => `${sql};`).join('\n')}\nCOMMIT;`,
    );
  },
};
