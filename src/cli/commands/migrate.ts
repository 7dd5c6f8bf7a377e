import type { CommandDefinition } from '../command.ts';
import { appOf, loadMigrations, loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly plan?: boolean;
  readonly fake?: boolean;
  readonly fakeInitial?: boolean;
  readonly acceptEdited?: boolean;
  readonly check?: boolean;
  readonly lockTimeout?: string;
  readonly statementTimeout?: string;
}

export const command: CommandDefinition<Options> = {
  name: 'migrate',
  summary: 'Brings a database to the newest migrations, or to a given one',
  configure(command): void {
    command
      .argument('[app]', 'label of an app (default: all)')
      .argument('[migration]', 'where to go: the beginning of a name, or "zero" for before the first')
      .option('--database <alias>', 'which database', 'default')
      .option('--plan', 'show what would be done')
      .option('--check', 'do nothing; exit with 1 if something is to be done')
      .option('--fake', 'record the migrations without running them')
      .option(
        '--fake-initial',
        "record an app's first migration without running it, where its tables are there",
      )
      .option('--accept-edited', 'take edited files as they are for what was applied')
      .option(
        '--lock-timeout <ms>',
        'PostgreSQL: how long a statement may wait for a lock; then it is tried again',
      )
      .option('--statement-timeout <ms>', 'PostgreSQL: how long a statement may run');
  },
  async run(context, options, [label, name]): Promise<number> {
    const { MigrationExecutor, Autodetector, liveState, categorySign } = await import(
      '../../db/migrations/index.ts'
    );
    const project = await loadProject(context);
    if (label !== undefined) appOf(project, label);
    const loader = await loadMigrations(project);
    return withDatabases(project, async () => {
      const executor = new MigrationExecutor(project.databases, loader, options.database);
      const target = { app: label, name };
      if (options.plan || options.check) {
        const plan = await executor.plan(target);
        if (plan.length === 0) context.print('Nothing to do');
        for (const { migration, backwards } of plan) {
          context.print(`${backwards ? 'undo ' : ''}${migration.key}`);
          const operations = backwards ? [...migration.operations].reverse() : migration.operations;
          for (const operation of operations)
            context.print(
              `  ${backwards ? 'undo: ' : `${categorySign[operation.category]} `}${operation.describe()}`,
            );
        }
        for (const finding of await executor.lint(plan)) context.print(`  warning: ${finding.message}`);
        return options.check && plan.length > 0 ? 1 : 0;
      }
      const terminal = process.stdout.isTTY === true;
      let width = 0;
      const plan = await executor.migrate({
        target,
        fake: options.fake === true,
        fakeInitial: options.fakeInitial === true,
        acceptEdited: options.acceptEdited === true,
        ...(options.lockTimeout === undefined ? {} : { lockTimeout: Number(options.lockTimeout) }),
        ...(options.statementTimeout === undefined
          ? {}
          : { statementTimeout: Number(options.statementTimeout) }),
        onEvent(event): void {
          if (event.type === 'begin' && terminal) {
            const text = `  ${event.index + 1}/${event.total} ${event.step.migration.key} …`;
            width = text.length;
            process.stdout.write(text);
          } else if (event.type === 'done') {
            if (terminal) process.stdout.write(`\r${' '.repeat(width)}\r`);
            const how = {
              ran: `${Math.round(event.ms)} ms`,
              faked: 'recorded only',
              found: 'applied by another process',
            }[event.how];
            context.print(
              `  ${event.step.backwards ? 'took back' : 'applied'} ${event.step.migration.key} (${how})`,
            );
          } else if (event.type === 'resume')
            context.print(`  ${event.migration.key}: going on after its first ${event.from} operations`);
          else if (event.type === 'waiting') context.warn(`  waiting for ${event.what}`);
          else if (event.type === 'warning') context.warn(`  warning: ${event.text}`);
        },
      });
      if (plan.length === 0) context.print('Nothing to migrate');
      if (label === undefined) {
        // Only whether something changed is asked here, not how.
        const no = async (): Promise<boolean> => false;
        const detector = new Autodetector(loader.state(), liveState(project.apps), {
          questioner: { renamedModel: no, movedModel: no, renamedField: no, fill: async () => undefined },
        });
        const missing = await detector.operations();
        if (missing.length > 0)
          context.warn(
            `The models of ${[...new Set(missing.map((step) => step.app))].join(', ')} have changes that no migration has yet: run sobaya makemigrations`,
          );
      }
      return 0;
    });
  },
};
