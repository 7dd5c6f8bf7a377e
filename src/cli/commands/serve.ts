import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ServeOptions, Server } from '../../server/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly factory?: boolean;
  readonly rootPath?: string;
  readonly lifespan?: 'auto' | 'on' | 'off';
  readonly timeoutGraceful?: number;
}

export const command: CommandDefinition<Options> = {
  name: 'serve',
  summary: 'Serves an ASGI application over HTTP',

  configure(command: Command): void {
    command
      .argument('[module[:export]]', 'the application (default: --app, then package.json)')
      .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
      .option('--port <number>', 'port to listen on, 0 for a free one (default: 8000)', integer)
      .option('--factory', 'the export is a function that makes the application')
      .option('--root-path <path>', 'path under which a proxy mounts the application')
      .addOption(
        new Option('--lifespan <mode>', 'tell the application of start and stop').choices([
          'auto',
          'on',
          'off',
        ]),
      )
      .option(
        '--timeout-graceful <seconds>',
        'time for running requests when stopping (default: 10)',
        seconds,
      );
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<number> {
    const { loadApplication } = await import('../application-loader.ts');
    const { application, file, exportName } = await loadApplication({
      cwd: context.cwd,
      spec: args[0] ?? context.app,
      factory: options.factory === true,
    });
    const { serve } = await import('../../server/index.ts');
    const server = await serve(application, serveOptions(options));
    context.warn(`Serving ${file}:${exportName} on ${server.url} (stop with ctrl-c)`);
    await untilStopped(server);
    // What the application forgot to close must not keep the process; what is closing already may finish.
    setTimeout(() => process.exit(0), 500).unref();
    return 0;
  },
};

function serveOptions(options: Options): ServeOptions {
  const { factory: _, ...rest } = options;
  const known = new Set(['host', 'port', 'rootPath', 'lifespan', 'timeoutGraceful']);
  return Object.fromEntries(Object.entries(rest).filter(([name]) => known.has(name)));
}

/** The first SIGINT or SIGTERM stops gracefully, the second drops what is left. */
async function untilStopped(server: Server): Promise<void> {
  let signals = 0;
  const stop = (): void => {
    signals++;
    if (signals === 1) void server.close();
    else server.closeNow();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  await server.closed;
  process.off('SIGINT', stop).off('SIGTERM', stop);
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.');
  return Number(text) * 1000;
}
