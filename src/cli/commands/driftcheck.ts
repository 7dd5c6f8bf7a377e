import type { CommandDefinition } from '../command.ts';
import { loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
}

export const command: CommandDefinition<Options> = {
  name: 'driftcheck',
  summary: 'Compares the tables of a live database with the models',
  configure(command): void {
    command.option('--database <alias>', 'which database', 'default');
  },
  async run(context, options): Promise<number> {
    const { findDrift, liveState, schemaSpec, tablesOf } = await import('../../db/migrations/index.ts');
    const project = await loadProject(context);
    return withDatabases(project, async () => {
      const backend = project.databases.get(options.database);
      const state = liveState(project.apps);
      const spec = schemaSpec(backend);
      const tables = [...state.models.values()].flatMap((model) => tablesOf(state, model, spec));
      const drifts = await findDrift(backend, tables);
      for (const { table, problem } of drifts) context.print(`${table}: ${problem}`);
      if (drifts.length === 0) context.print(`${tables.length} tables are as the models want them`);
      return drifts.length === 0 ? 0 : 1;
    });
  },
};
