import type { CommandDefinition } from '../command.ts';
import { appOf, collect, loadMigrations, loadProject } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly name?: string;
  readonly empty?: boolean;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly input: boolean;
  readonly rename?: readonly string[];
  readonly renames: boolean;
  readonly default?: readonly string[];
}

export const command: CommandDefinition<Options> = {
  name: 'makemigrations',
  summary: 'Writes migrations for what changed in the models',
  configure(command): void {
    command
      .argument('[apps...]', 'labels of apps (default: all)')
      .option('--check', 'write nothing; exit with 1 if migrations are missing')
      .option('--dry-run', 'show the files instead of writing them')
      .option('-n, --name <name>', 'name of the migration, after its number')
      .option('--empty', 'an empty migration, for operations written by hand')
      .option('--merge', 'join branches of migrations that stand side by side')
      .option('--force', 'with --merge: join branches that change the same things')
      .option('--rename <old=new>', 'app.Model=New or app.Model.field=new; may be repeated', collect)
      .option('--no-renames', 'nothing was renamed: what is gone is removed')
      .option(
        '--default <field=value>',
        'what existing rows get: app.Model.field=JSON; may be repeated',
        collect,
      )
      .option('--no-input', 'ask nothing');
  },
  async run(context, options, labels): Promise<number> {
    const { makeMigrations } = await import('../make-migrations.ts');
    const project = await loadProject(context);
    for (const label of labels) appOf(project, label);
    const loader = await loadMigrations(project);
    return makeMigrations(context, project, loader, labels, options);
  },
};
