import { spawn } from 'node:child_process';
import { fault } from '../../errors/index.ts';
import type { CommandDefinition } from '../command.ts';
import { loadProject } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly database: string;
}

export const command: CommandDefinition<Options> = {
  name: 'dbshell',
  summary: "Starts the database's own client: sqlite3 or psql",
  configure(command): void {
    command
      .argument('[args...]', 'arguments for the client, after --')
      .option('--database <alias>', 'which database', 'default');
  },
  async run(context, options, args): Promise<number> {
    const project = await loadProject(context, { apps: false });
    const backend = project.databases.get(options.database);
    const { program, words, env } = clientOf(
      project.application,
      backend.vendor,
      options.database,
      backend.target,
    );
    return new Promise((done, reject) => {
      const child = spawn(program, [...words, ...args], {
        cwd: context.cwd,
        stdio: 'inherit',
        env: { ...process.env, ...env },
      });
      child.on('error', (cause) =>
        reject(fault('SBY_CLI_NO_PROGRAM', { program, vendor: backend.vendor }, { cause })),
      );
      // Ctrl-C is the client's: it ends a query there, not the shell.
      const ignore = (): void => {};
      process.on('SIGINT', ignore);
      child.on('exit', (code) => {
        process.off('SIGINT', ignore);
        done(code ?? 1);
      });
    });
  },
};

interface Client {
  readonly program: string;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function clientOf(application: unknown, vendor: string, alias: string, target: string): Client {
  if (vendor === 'sqlite') return { program: 'sqlite3', words: [target.replace(/^sqlite:/, '')], env: {} };
  const { options } = application as { options?: { databases?: Record<string, string | { url?: string }> } };
  const config = options?.databases?.[alias];
  const text = typeof config === 'string' ? config : (config?.url ?? target);
  // The password goes by the environment: arguments can be read by everybody on the machine.
  const url = new URL(text);
  const password = decodeURIComponent(url.password);
  url.password = '';
  return { program: 'psql', words: [url.href], env: password === '' ? {} : { PGPASSWORD: password } };
}
