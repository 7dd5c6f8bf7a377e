import { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { command as serve } from './serve.ts';

interface Options {
  readonly reload?: boolean;
  readonly check?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'runserver',
  summary: 'Serves the application for development: debug pages, reload, checks first',

  configure(command: Command): void {
    command
      .argument('[address]', 'PORT, HOST:PORT or [IPV6]:PORT (default: 127.0.0.1:8000)')
      .option('--no-reload', 'do not start again when a file changes')
      .option('--no-check', 'do not look for mistakes first');
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<number> {
    const { host, port } = parseAddress(args[0]);
    // Only a hint: an application that sets debug itself decides itself.
    process.env['NODE_ENV'] ??= 'development';
    // Who blocks the event loop, forgotten awaits: read by `serve`, in the worker that reloading starts as well.
    process.env['SOBAYA_DEBUG'] ??= '1';
    if (options.check !== false) {
      const { checkApplication, isSobayaApplication } = await import('../../application/index.ts');
      const { application } = await context.application();
      if (isSobayaApplication(application)) {
        for (const { id, level, message, hint } of checkApplication(application))
          context.warn(`${level}: ${id}: ${message}.\n  ${hint}.`);
        if (!application.debug)
          context.warn(
            'debug is false: error pages show nothing. For development, createApp({ debug: true }).',
          );
      }
    }
    const accessLog = process.env['SOBAYA_ACCESS_LOG'] || '"%(r)s" %(s)s %(B)s bytes %(M)s ms';
    const served: Record<string, unknown> = { host, port, accessLog };
    if (options.reload !== false && takesReload()) served['reload'] = true;
    return (await serve.run(context, served as never, [])) ?? 0;
  },
};

/** The server's command is the one that knows what it can do. */
function takesReload(): boolean {
  const probe = new Command();
  serve.configure?.(probe);
  return probe.options.some((option) => option.long === '--reload');
}

function parseAddress(text: string | undefined): { host: string; port: number } {
  if (text === undefined) return { host: '127.0.0.1', port: 8000 };
  const found = /^(?:(?<host>\[[0-9a-f:.]+\]|[\w.-]+):)?(?<port>\d{1,5})$/i.exec(text)?.groups;
  const port = Number(found?.['port']);
  if (found === undefined || port > 65_535) throw fault('SBY_CLI_BAD_ADDRESS', { got: text });
  return { host: (found['host'] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
}
