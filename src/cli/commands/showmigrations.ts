import type { CommandDefinition } from '../command.ts';
import { appOf, loadMigrations, loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly plan?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'showmigrations',
  summary: 'Lists migrations, and which of them a database has had',
  configure(command): void {
    command
      .argument('[apps...]', 'labels of apps (default: all)')
      .option('--database <alias>', 'which database', 'default')
      .option('--plan', 'in the order in which they are applied');
  },
  async run(context, options, labels): Promise<void> {
    const { MigrationRecorder } = await import('../../db/migrations/index.ts');
    const project = await loadProject(context);
    for (const label of labels) appOf(project, label);
    const loader = await loadMigrations(project);
    await withDatabases(project, async () => {
      const applied = await new MigrationRecorder(project.databases.get(options.database)).applied();
      const graph = loader.graph(applied);
      const line = (key: string, shown: string): string => {
        const one = graph.get(key);
        const record = applied.get(key);
        const replaced = one.replaces.length > 0 && one.replaces.every((other) => applied.has(other));
        const mark = record === undefined ? (replaced ? 'x' : ' ') : record.step === null ? 'x' : '~';
        const notes = [
          record !== undefined && record.step !== null
            ? `${record.step} of ${one.operations.length} operations`
            : '',
          record !== undefined && record.hash !== '' && record.hash !== one.hash ? 'edited since' : '',
          one.replaces.length > 0 ? `${one.replaces.length} squashed` : '',
        ].filter((note) => note !== '');
        return `[${mark}] ${shown}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
      };
      const order = graph.inOrder();
      if (options.plan) {
        for (const key of order)
          if (labels.length === 0 || labels.includes(graph.get(key).app)) context.print(line(key, key));
        return;
      }
      for (const app of project.apps) {
        if (labels.length > 0 && !labels.includes(app.label)) continue;
        context.print(app.label);
        const own = order.filter((key) => graph.get(key).app === app.label);
        for (const key of own) context.print(` ${line(key, graph.get(key).name)}`);
        if (own.length === 0) context.print(' (no migrations)');
      }
    });
  },
};
