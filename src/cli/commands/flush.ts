import { createInterface } from 'node:readline/promises';
import { fault } from '../../errors/index.ts';
import type { CommandDefinition } from '../command.ts';
import { loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly input: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'flush',
  summary: 'Deletes all rows of all models, and counts keys from 1 again',
  configure(command): void {
    command
      .option('--database <alias>', 'which database', 'default')
      .option('--no-input', 'do not ask first');
  },
  async run(context, options): Promise<void> {
    const { liveState, liveTables, schemaSpec, tablesOf } = await import('../../db/migrations/index.ts');
    const { atomic, currentTransaction } = await import('../../db/index.ts');
    const project = await loadProject(context);
    const backend = project.databases.get(options.database);
    if (options.input) {
      const what = `Deleting all rows of "${options.database}" (${backend.target})`;
      if (process.stdin.isTTY !== true) throw fault('SBY_CLI_NOT_CONFIRMED', { what, flag: '--no-input' });
      const reader = createInterface({ input: process.stdin, output: process.stdout });
      const answer = await reader.question(`${what}. Type "yes" to go on: `);
      reader.close();
      if (answer.trim() !== 'yes') throw fault('SBY_CLI_NOT_CONFIRMED', { what, flag: '--no-input' });
    }
    await withDatabases(project, async () => {
      const state = liveState(project.apps);
      const spec = schemaSpec(backend);
      const live = await liveTables(backend);
      const tables = [...state.models.values()]
        .flatMap((model) => tablesOf(state, model, spec))
        .map((table) => table.name)
        .filter((name) => live.has(name));
      if (tables.length > 0)
        await atomic(
          async () => {
            const transaction = currentTransaction(options.database);
            if (transaction === null) return;
            if (backend.vendor === 'sqlite') {
              await transaction.script('PRAGMA defer_foreign_keys = ON');
              for (const table of tables) await transaction.script(`DELETE FROM ${backend.quote(table)}`);
              const { rows } = await transaction.query(
                "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'",
              );
              if (rows.length > 0)
                for (const table of tables)
                  await transaction.script(
                    `DELETE FROM sqlite_sequence WHERE name = '${table.replaceAll("'", "''")}'`,
                  );
            } else
              await transaction.script(
                `TRUNCATE ${tables.map((table) => backend.quote(table)).join(', ')} RESTART IDENTITY CASCADE`,
              );
          },
          { using: options.database },
        );
      context.print(`${tables.length} tables are empty`);
    });
  },
};
