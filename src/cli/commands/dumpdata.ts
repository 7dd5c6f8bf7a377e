import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../../errors/index.ts';
import type { CommandDefinition } from '../command.ts';
import { collect, loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly exclude?: readonly string[];
  readonly format: string;
  readonly indent?: string;
  readonly output?: string;
  readonly naturalForeign?: boolean;
  readonly naturalPrimary?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'dumpdata',
  summary: 'Prints rows as JSON that loaddata reads',
  configure(command): void {
    command
      .argument('[models...]', 'labels of apps, or app.Model (default: all)')
      .option('--database <alias>', 'which database', 'default')
      .option('-e, --exclude <model>', 'an app or app.Model to leave out; may be repeated', collect)
      .option('--format <format>', 'json: one array; jsonl: one object a line', 'json')
      .option('--indent <spaces>', 'indentation of json')
      .option('-o, --output <file>', 'write to a file')
      .option('--natural-foreign', 'refer by natural keys, where a model has `static naturalKey`')
      .option('--natural-primary', 'leave out primary keys of models with a natural key');
  },
  async run(context, options, labels): Promise<void> {
    const { dumpObjects } = await import('../data/dump.ts');
    const { dataTables, pickTables } = await import('../data/tables.ts');
    const project = await loadProject(context);
    await withDatabases(project, async () => {
      const backend = project.databases.get(options.database);
      const all = dataTables(project, backend);
      const excluded = new Set(options.exclude === undefined ? [] : pickTables(all, options.exclude));
      const tables = (labels.length === 0 ? all : pickTables(all, labels)).filter(
        (table) => !excluded.has(table),
      );
      const file = options.output === undefined ? null : await openFile(resolve(context.cwd, options.output));
      let count = 0;
      const write = async (text: string): Promise<void> => {
        if (file === null) context.print(text);
        else await file.write(`${text}\n`);
      };
      const lines = options.format === 'jsonl';
      const indent = options.indent === undefined ? undefined : Number(options.indent);
      if (!lines) await write('[');
      let pending: string | null = null;
      for await (const objects of dumpObjects(backend, tables, all, {
        naturalForeign: options.naturalForeign === true,
        naturalPrimary: options.naturalPrimary === true,
      })) {
        const texts = objects.map((object) => JSON.stringify(object, null, lines ? undefined : indent));
        count += texts.length;
        if (lines) await write(texts.join('\n'));
        else {
          // The comma after an object is known only when another one follows.
          if (pending !== null) await write(`${pending},`);
          pending = texts.join(',\n');
        }
        if (file !== null && process.stderr.isTTY) process.stderr.write(`\r${count} rows`);
      }
      if (!lines) {
        if (pending !== null) await write(pending);
        await write(']');
      }
      await file?.close();
      if (file !== null)
        context.warn(`${process.stderr.isTTY ? '\r' : ''}${count} rows written to ${options.output}`);
    });
  },
};

async function openFile(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'w');
  } catch (error) {
    throw fault('SBY_CLI_NO_FILE', { path, reason: (error as Error).message }, { cause: error });
  }
}
