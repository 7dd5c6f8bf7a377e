import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type { ServeOptions, Server, WorkerOptions } from '../../server/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { declareOptions, optionNames, type Values, valuesFor, withoutDefaults } from '../serve-options.ts';

export const command: CommandDefinition<Values> = {
  name: 'serve',
  summary: 'Serves an ASGI application over HTTP',

  configure(command: Command): void {
    command.argument('[module[:export]]', 'the application (default: --app, then package.json)');
    declareOptions(command);
  },

  async run(context: CommandContext, given: Values, args: readonly string[]): Promise<number> {
    const options = { ...(await configFile(context, given['config'])), ...withoutDefaults(given) };
    for (const path of (options['envFile'] as string[] | undefined) ?? []) loadEnvironment(context, path);
    const workers = numberOfWorkers(options);
    const { isSupervised } = await import('../../server/index.ts');
    if (!isSupervised() && (workers > 1 || options['reload'] === true))
      return await superviseWorkers(context, options, workers);
    return await serveHere(context, options, args);
  },
};

async function serveHere(context: CommandContext, options: Values, args: readonly string[]): Promise<number> {
  const { loadApplication } = await import('../application-loader.ts');
  const { activatedSocket, isSupervised, serve, serveAsWorker } = await import('../../server/index.ts');
  const { application, file, exportName } = await loadApplication({
    cwd: context.cwd,
    spec: args[0] ?? context.app,
    factory: options['factory'] === true,
  });
  const serveOptions: Record<string, unknown> = valuesFor('server', options);
  const { debugMode, debugWanted, openInspection } = await import('../../asyncio/index.ts');
  if (debugWanted()) await debugMode();
  // For `sobaya ps`. Serving matters more than being looked at.
  await openInspection({ name: `${file}:${exportName}` }).catch((error: Error) =>
    context.traceback ? context.warn(error.message) : undefined,
  );
  if (isSupervised()) {
    const workerOptions = { timeoutStuck: 30_000, ...valuesFor('worker', options) } as WorkerOptions;
    await serveAsWorker(application, serveOptions as ServeOptions, workerOptions);
  } else {
    const activated = activatedSocket();
    if (activated !== null && serveOptions['fd'] === undefined) serveOptions['fd'] = activated;
    const server = await serve(application, serveOptions as ServeOptions);
    // Before it is announced: whoever reads that line may send a signal at once.
    const stopped = untilStopped(server);
    context.warn(`Serving ${file}:${exportName} on ${server.url} (stop with ctrl-c)`);
    await stopped;
  }
  // What the application forgot to close must not keep the process; what is closing already may finish.
  setTimeout(() => process.exit(0), 500).unref();
  return 0;
}

async function superviseWorkers(context: CommandContext, options: Values, workers: number): Promise<number> {
  const { activatedSocket, supervise } = await import('../../server/index.ts');
  const serve: Record<string, unknown> = valuesFor('server', options);
  const activated = activatedSocket();
  if (activated !== null && serve['fd'] === undefined) serve['fd'] = activated;
  const graceful = (options['timeoutGraceful'] as number | undefined) ?? 10_000;
  const code = await supervise({
    workers: options['reload'] === true ? 1 : workers,
    exec: process.argv[1] ?? '',
    args: context.argv,
    serve,
    timeoutStop: graceful + 5000,
    reload:
      options['reload'] === true
        ? {
            directories: (options['reloadDir'] as string[] | undefined) ?? [context.cwd],
            include: (options['reloadInclude'] as string[] | undefined) ?? [],
            exclude: (options['reloadExclude'] as string[] | undefined) ?? [],
          }
        : null,
  });
  setTimeout(() => process.exit(code), 500).unref();
  return code;
}

function numberOfWorkers(options: Values): number {
  const workers = options['workers'] ?? (Number(process.env['WEB_CONCURRENCY']) || 1);
  if (!Number.isInteger(workers) || (workers as number) < 1)
    throw fault('SBY_SERVER_BAD_OPTION', {
      option: '--workers',
      got: workers,
      expected: 'a whole number from 1',
    });
  if (options['reload'] === true && (workers as number) > 1 && options['workers'] !== undefined)
    throw fault('SBY_CLI_CONTRADICTION', {
      one: '--reload',
      other: '--workers',
      why: 'reloading is for development, with one worker',
    });
  if (options['uds'] !== undefined && (options['port'] !== undefined || options['host'] !== undefined))
    throw fault('SBY_CLI_CONTRADICTION', {
      one: '--uds',
      other: '--host and --port',
      why: 'the server listens in one place',
    });
  return workers as number;
}

/** Options from a JSON file, or from the default export of a module, under the names of `ServeOptions`. */
async function configFile(context: CommandContext, path: unknown): Promise<Values> {
  if (path === undefined) return {};
  const file = resolve(context.cwd, String(path));
  let content: unknown;
  try {
    content = file.endsWith('.json')
      ? JSON.parse(readFileSync(file, 'utf8'))
      : ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw fault('SBY_CLI_BAD_CONFIG', { path: file, why: (cause as Error).message }, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw fault('SBY_CLI_BAD_CONFIG', { path: file, why: 'it holds no object of options' });
  const known = optionNames();
  const unknown = Object.keys(content).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw fault('SBY_CLI_BAD_CONFIG', { path: file, why: `there is no option "${unknown}"` });
  return content as Values;
}

function loadEnvironment(context: CommandContext, path: string): void {
  const file = resolve(context.cwd, path);
  try {
    process.loadEnvFile(file);
  } catch (cause) {
    throw fault('SBY_CLI_BAD_CONFIG', { path: file, why: (cause as Error).message }, { cause });
  }
}

/** The first SIGINT or SIGTERM stops gracefully, the second drops what is left. */
async function untilStopped(server: Server): Promise<void> {
  let signals = 0;
  const stop = (): void => {
    signals++;
    if (signals === 1) void server.close();
    else server.closeNow();
  };
  const dump = (): void => server.dump();
  const reload = (): void => {
    try {
      server.reloadCertificates();
    } catch (error) {
      server.log.error(`the certificate stays as it was: ${(error as Error).message}`);
    }
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGUSR2', dump).on('SIGHUP', reload);
  await server.closed;
  process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGUSR2', dump).off('SIGHUP', reload);
}
