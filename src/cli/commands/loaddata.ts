import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseOptions } from '../../db/index.ts';
import { fault } from '../../errors/index.ts';
import type { CommandDefinition } from '../command.ts';
import { loadProject, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
  readonly ignoreUnknown?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'loaddata',
  summary: 'Writes rows from files that dumpdata made',
  configure(command): void {
    command
      .argument('<files...>', 'files of JSON (an array, or one object a line); - is standard input')
      .option('--database <alias>', 'which database', 'default')
      .option('--ignore-unknown', 'leave out models and fields that do not exist any more');
  },
  async run(context, options, files): Promise<void> {
    const { jsonObjects } = await import('../data/json-stream.ts');
    const { loadObjects } = await import('../data/load.ts');
    const { dataTables } = await import('../data/tables.ts');
    const project = await loadProject(context);
    // This process has nothing else to do meanwhile: handing each statement to a thread would only cost.
    const { engine, ...rest } = project.databases.optionsOf(options.database);
    if (engine === 'sqlite' && !project.databases.isOpen)
      project.databases.replace({
        [options.database]: { ...rest, engine, inline: 'always' } as DatabaseOptions,
      });
    await withDatabases(project, async () => {
      const backend = project.databases.get(options.database);
      const tables = dataTables(project, backend);
      const terminal = process.stderr.isTTY === true;
      for (const file of files) {
        const count = await loadObjects(backend, tables, jsonObjects(textOf(context.cwd, file), file), {
          file,
          ignoreUnknown: options.ignoreUnknown === true,
          onProgress: (done) => {
            if (terminal) process.stderr.write(`\r${file}: ${done} rows`);
          },
        });
        context.print(`${terminal ? '\r' : ''}${file}: ${count} rows`);
      }
    });
  },
};

async function* textOf(cwd: string, file: string): AsyncGenerator<string> {
  const path = resolve(cwd, file);
  const stream = file === '-' ? process.stdin : createReadStream(path);
  stream.setEncoding('utf8');
  try {
    for await (const chunk of stream) yield chunk as string;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw fault('SBY_CLI_NO_FILE', { path, reason: (error as Error).message }, { cause: error });
  }
}
