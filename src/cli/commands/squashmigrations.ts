import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fault } from '../../errors/index.ts';
import type { CommandDefinition } from '../command.ts';
import { appOf, loadMigrations, loadProject } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly name?: string;
  readonly optimize: boolean;
  readonly dryRun?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'squashmigrations',
  summary: 'Makes one migration of many that does the same',
  configure(command): void {
    command
      .argument('<app>', 'label of an app')
      .argument('<first>', 'the last migration to take, or with a second name the first')
      .argument('[last]', 'the last migration to take')
      .option('-n, --name <name>', 'name of the new migration')
      .option('--no-optimize', 'keep every operation as it is')
      .option('--dry-run', 'show the file instead of writing it');
  },
  async run(context, options, [label = '', first = '', last]): Promise<void> {
    const { folderOf, squash } = await import('../../db/migrations/index.ts');
    const { textOf, writeAll } = await import('../make-migrations.ts');
    const project = await loadProject(context);
    const folder = folderOf(appOf(project, label));
    if (folder === null) throw fault('SBY_MIGRATIONS_NO_FOLDER', { app: label });
    const loader = await loadMigrations(project);
    const { migration, taken, before, after, code } = squash(loader, label, {
      ...(last === undefined ? { to: first } : { from: first, to: last }),
      name: options.name,
      optimize: options.optimize,
    });
    const path = join(folder, `${migration.name}.ts`);
    const text = textOf(migration);
    if (options.dryRun) {
      context.print(text);
      return;
    }
    if (existsSync(path))
      throw fault('SBY_MIGRATIONS_CANNOT_WRITE_FILE', { path, reason: 'it exists already' });
    await writeAll([{ path, text }]);
    context.print(
      `${relative(context.cwd, path)}: ${taken.length} migrations, ${before} operations made ${after}`,
    );
    if (code.length > 0)
      context.warn(
        `It holds code copied from ${code.length} data ${code.length === 1 ? 'step' : 'steps'}: add what that imports, or mark the step elidable: true`,
      );
    context.print(
      'Databases that have had all of them take it for applied; when every one has, delete the old files and `replaces`.',
    );
  },
};
