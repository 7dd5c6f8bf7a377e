import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseEnv } from 'node:util';
import type { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type * as ServerRoom from '../../server/index.ts';
import type { ServeOptions, Server, ServerLog, WorkerOptions } from '../../server/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';
import {
  declareOptions,
  fromConfig,
  fromEnvironment,
  type Values,
  valuesFor,
  withoutDefaults,
} from '../serve-options.ts';

export const command: CommandDefinition<Values> = {
  name: 'serve',
  summary: 'Serves an ASGI application over HTTP',

  configure(command: Command): void {
    command.argument('[module[:export]]', 'the application (default: --app, then package.json)');
    declareOptions(command);
  },

  async run(context: CommandContext, given: Values, args: readonly string[]): Promise<number> {
    const said = { ...fromEnvironment(process.env), ...withoutDefaults(given) };
    const options = { ...(await configFile(context, said['config'])), ...said };
    // Workers read the files themselves, each time anew: what the supervisor has in its environment they would keep.
    const environment = environmentOf(context, (options['envFile'] as string[] | undefined) ?? []);
    const workers = numberOfWorkers(options, environment);
    refuseContradictions(options, workers);
    const { checkServeOptions, isSupervised } = await import('../../server/index.ts');
    const supervised = isSupervised();
    // Before anything is imported or started: what is wrong is said once, and quickly.
    await checkServeOptions(valuesFor('server', options) as ServeOptions);
    if (options['checkConfig'] === true) return await checkConfig(context, options, args, environment);
    if (!supervised && needsSupervisor(options, workers))
      return await superviseWorkers(context, options, workers);
    Object.assign(process.env, environment);
    return await serveHere(context, options, args);
  },
};

/** Replacing workers, and noticing that they hang, takes somebody beside them. */
function needsSupervisor(options: Values, workers: number): boolean {
  return workers > 1 || options['reload'] === true || Object.keys(valuesFor('worker', options)).length > 0;
}

async function logOf(options: Values): Promise<ServerLog> {
  const { JsonLog, TextLog } = await import('../../server/index.ts');
  const Log = options['logFormat'] === 'json' ? JsonLog : TextLog;
  return new Log(undefined, (options['logLevel'] as 'info' | undefined) ?? 'info');
}

async function checkConfig(
  context: CommandContext,
  options: Values,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  Object.assign(process.env, environment);
  const { loadApplication } = await import('../application-loader.ts');
  const { file, exportName } = await loadApplication({
    cwd: context.cwd,
    spec: args[0] ?? context.app,
    factory: options['factory'] === true,
  });
  context.print(`${file}:${exportName} can be served.`);
  return 0;
}

async function serveHere(context: CommandContext, options: Values, args: readonly string[]): Promise<number> {
  const { loadApplication } = await import('../application-loader.ts');
  const {
    activatedSocket,
    isSupervised,
    keepWatchdogQuiet,
    notifyReloading,
    notifySystemd,
    serve,
    serveAsWorker,
  } = await import('../../server/index.ts');
  const { application, file, exportName } = await loadApplication({
    cwd: context.cwd,
    spec: args[0] ?? context.app,
    factory: options['factory'] === true,
  });
  const log = await logOf(options);
  const serveOptions: Record<string, unknown> = { ...valuesFor('server', options), log };
  const { debugMode, debugWanted, openInspection } = await import('../../asyncio/index.ts');
  if (debugWanted()) await debugMode();
  // For `sobaya ps`. Serving matters more than being looked at.
  await openInspection({ name: `${file}:${exportName}` }).catch((error: Error) =>
    context.traceback ? context.warn(error.message) : undefined,
  );
  let code: number;
  if (isSupervised()) {
    const workerOptions = { timeoutStuck: 30_000, ...valuesFor('worker', options) } as WorkerOptions;
    code = await serveAsWorker(application, serveOptions as ServeOptions, workerOptions);
  } else {
    const activated = activatedSocket();
    if (activated !== null && serveOptions['fd'] === undefined) serveOptions['fd'] = activated;
    const releasePidFile = await pidFile(context, options);
    let server: Server;
    try {
      server = await serve(application, serveOptions as ServeOptions);
    } catch (error) {
      releasePidFile();
      throw error;
    }
    // Before it is announced: whoever reads that line may send a signal at once.
    const stopped = untilStopped(server, (options['drainDelay'] as number | undefined) ?? 0, {
      notifyReloading,
      notifySystemd,
    });
    log.info(`Serving ${file}:${exportName} on ${server.url} (stop with ctrl-c)`);
    notifySystemd('READY=1', `STATUS=Serving on ${server.url}`);
    const quiet = keepWatchdogQuiet();
    await stopped;
    quiet();
    releasePidFile();
    code = server.shutdownFailed ? 1 : 0;
  }
  // What the application forgot to close must not keep the process; what is closing already may finish.
  setTimeout(() => process.exit(code), 500).unref();
  return code;
}

async function superviseWorkers(context: CommandContext, options: Values, workers: number): Promise<number> {
  const { activatedSocket, supervise } = await import('../../server/index.ts');
  const serve: Record<string, unknown> = valuesFor('server', options);
  const activated = activatedSocket();
  if (activated !== null && serve['fd'] === undefined) serve['fd'] = activated;
  const ms = (name: string, otherwise: number): number => (options[name] as number | undefined) ?? otherwise;
  const releasePidFile = await pidFile(context, options);
  let code: number;
  try {
    code = await supervise({
      workers: options['reload'] === true ? 1 : workers,
      exec: process.argv[1] ?? '',
      args: context.argv,
      serve,
      log: await logOf(options),
      timeoutStop: ms('timeoutGraceful', 10_000) + ms('timeoutShutdown', 10_000) + 5000,
      timeoutStuck: ms('timeoutStuck', 30_000),
      drainDelay: ms('drainDelay', 0),
      reload:
        options['reload'] === true
          ? {
              directories: (options['reloadDir'] as string[] | undefined) ?? [context.cwd],
              include: (options['reloadInclude'] as string[] | undefined) ?? [],
              exclude: (options['reloadExclude'] as string[] | undefined) ?? [],
            }
          : null,
    });
  } finally {
    releasePidFile();
  }
  setTimeout(() => process.exit(code), 500).unref();
  return code;
}

async function pidFile(context: CommandContext, options: Values): Promise<() => void> {
  const path = options['pidFile'] as string | undefined;
  if (path === undefined) return () => {};
  const { writePidFile } = await import('../../server/index.ts');
  return writePidFile(resolve(context.cwd, path));
}

function numberOfWorkers(options: Values, environment: NodeJS.ProcessEnv): number {
  const asked = options['workers'];
  const concurrency = environment['WEB_CONCURRENCY'];
  const wanted =
    asked === 'auto'
      ? availableParallelism()
      : asked !== undefined
        ? asked
        : concurrency === undefined || concurrency === ''
          ? 1
          : Number(concurrency);
  if (!Number.isInteger(wanted) || (wanted as number) < 1)
    throw fault('SBY_SERVER_BAD_OPTION', {
      option: asked === undefined ? '$WEB_CONCURRENCY' : '--workers',
      got: asked ?? concurrency,
      expected: 'a whole number from 1',
    });
  // Reloading is for one worker; what the environment says of a machine is no contradiction.
  return options['reload'] === true && asked === undefined ? 1 : (wanted as number);
}

function refuseContradictions(options: Values, workers: number): void {
  const refuse = (one: string, other: string, why: string): Error =>
    fault('SBY_CLI_CONTRADICTION', { one, other, why });
  const has = (name: string): boolean => options[name] !== undefined;
  if (options['reload'] === true && workers > 1)
    throw refuse('--reload', '--workers', 'reloading is for development, with one worker');
  const oneListener = 'the server listens in one place';
  if (has('uds') && (has('port') || has('host'))) throw refuse('--uds', '--host and --port', oneListener);
  if (has('fd') && (has('port') || has('host'))) throw refuse('--fd', '--host and --port', oneListener);
  if (has('fd') && has('uds')) throw refuse('--fd', '--uds', oneListener);
}

/** Options from a JSON file, or from the default export of a module, under the names of `ServeConfig`. */
async function configFile(context: CommandContext, path: unknown): Promise<Values> {
  if (path === undefined) return {};
  const file = resolve(context.cwd, String(path));
  const refuse = (why: string, cause?: unknown): Error =>
    fault('SBY_CLI_BAD_CONFIG', { path: file, why }, { cause });
  let content: unknown;
  try {
    content = file.endsWith('.json')
      ? JSON.parse(readFileSync(file, 'utf8'))
      : ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw refuse('it holds no object of options');
  return fromConfig(content, refuse);
}

/** The environment with what the files add: what is set already stays, and an earlier file counts before a later one. */
function environmentOf(context: CommandContext, paths: readonly string[]): NodeJS.ProcessEnv {
  const read = paths.map((path): NodeJS.Dict<string> => {
    const file = resolve(context.cwd, path);
    try {
      return parseEnv(readFileSync(file, 'utf8'));
    } catch (cause) {
      throw fault('SBY_CLI_BAD_CONFIG', { path: file, why: (cause as Error).message }, { cause });
    }
  });
  return Object.assign({}, ...read.reverse(), process.env) as NodeJS.ProcessEnv;
}

/** The first SIGINT or SIGTERM stops gracefully (after the delay, which another cuts short), the next drops what is left. */
async function untilStopped(
  server: Server,
  drainDelay: number,
  { notifyReloading, notifySystemd }: Pick<typeof ServerRoom, 'notifyReloading' | 'notifySystemd'>,
): Promise<void> {
  let leaving: NodeJS.Timeout | null = null;
  let stopping = false;
  const close = (): void => {
    if (leaving !== null) clearTimeout(leaving);
    stopping = true;
    notifySystemd('STOPPING=1');
    void server.close();
  };
  const stop = (): void => {
    if (stopping) server.closeNow();
    else if (drainDelay > 0 && leaving === null) {
      server.log.info(`Stopping in ${drainDelay / 1000} s; health checks fail from now on`);
      server.leave();
      leaving = setTimeout(close, drainDelay);
    } else close();
  };
  const dump = (): void => server.dump();
  const reload = (): void => {
    notifyReloading();
    try {
      server.reloadCertificates();
    } catch (error) {
      server.log.error(`the certificate stays as it was: ${(error as Error).message}`);
    }
    notifySystemd('READY=1');
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGUSR2', dump).on('SIGHUP', reload);
  await server.closed;
  process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGUSR2', dump).off('SIGHUP', reload);
}
