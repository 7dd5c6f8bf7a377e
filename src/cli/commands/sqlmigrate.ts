import type { CommandDefinition } from '../command.ts';
import { appOf, loadMigrations, loadProject } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly backwards?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'sqlmigrate',
  summary: 'Prints the SQL of a migration',
  configure(command): void {
    command
      .argument('<app>', 'label of an app')
      .argument('<migration>', 'the beginning of its name')
      .option('--database <alias>', 'for which database', 'default')
      .option('--backwards', 'the SQL that takes it back');
  },
  async run(context, options, [label = '', name = '']): Promise<void> {
    const { MigrationExecutor } = await import('../../db/migrations/index.ts');
    const project = await loadProject(context);
    appOf(project, label);
    const loader = await loadMigrations(project);
    const executor = new MigrationExecutor(project.databases, loader, options.database);
    const migration = loader.find(label, name);
    const atomic = migration.atomic && executor.backend.features.transactionalDdl;
    const lines = await executor.sql(migration, options.backwards === true);
    context.print([...(atomic ? ['BEGIN;'] : []), ...lines, ...(atomic ? ['COMMIT;'] : [])].join('\n'));
  },
};
