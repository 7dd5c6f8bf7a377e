import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { fault, isSobayaError } from '../errors/index.ts';
import { loadApplication } from './application-loader.ts';
import type { CommandContext, CommandDefinition } from './command.ts';
import { sobayaVersion } from './version.ts';

export interface Terminal {
  readonly cwd: string;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** 0: done. 1: it failed. 2: the command line or the configuration is wrong. 3: the application did not start. */
export type ExitCode = number;

const folder = join(import.meta.dirname, 'commands');
const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
const isCommandName = /^[a-z][a-z0-9]*$/;

function commandNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension) && !file.endsWith('.d.ts'))
    .map((file) => file.slice(0, -extension.length))
    .filter((name) => isCommandName.test(name))
    .sort();
}

async function importCommand(name: string): Promise<CommandDefinition> {
  const module = (await import(`./commands/${name}${extension}`)) as { command: CommandDefinition };
  return module.command;
}

/** Runs one command line (the words after `sobaya`) and gives its exit code. Never throws. */
export async function execute(
  argv: readonly string[],
  terminal: Terminal = processTerminal(),
): Promise<ExitCode> {
  const traceback = argv.includes('--traceback');
  try {
    return await dispatch(argv, terminal, traceback);
  } catch (error) {
    return report(error, terminal, traceback);
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal, traceback: boolean): Promise<ExitCode> {
  const first = argv[0];
  if (first === '--version' || first === '-V') {
    terminal.stdout.write(`${sobayaVersion()}\n`);
    return 0;
  }
  if (
    first === undefined ||
    first === '--help' ||
    first === '-h' ||
    (first === 'help' && argv[1] === undefined)
  ) {
    terminal.stdout.write(await overview());
    return first === undefined ? 2 : 0;
  }
  const words = first === 'help' ? [argv[1]!, '--help'] : argv;
  const name = words[0]!;
  const known = isCommandName.test(name) && existsSync(join(folder, name + extension));
  const definition = known
    ? await importCommand(name)
    : /^[a-z][a-z0-9:_-]*$/.test(name)
      ? await (await import('./own-commands.ts')).ownCommand(name, argv, terminal.cwd)
      : null;
  if (definition === null)
    throw fault('SBY_CLI_UNKNOWN_COMMAND', { name, similar: similar(name, commandNames()) });
  const command = new Command(`sobaya ${name}`)
    .description(definition.summary)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
    .helpOption('-h, --help', 'show this help');
  definition.configure?.(command);
  if (!command.options.some((option) => option.long === '--app'))
    command.option(
      '--app <module[:export]>',
      'the application (default: package.json, "sobaya.application")',
    );
  command.option('--traceback', 'show the whole stack when something fails');

  let code: number | undefined;
  command.action(async () => {
    const options = command.opts<Record<string, unknown> & { app?: string }>();
    const context: CommandContext = {
      cwd: terminal.cwd,
      argv,
      app: options.app ?? null,
      traceback,
      print: (text) => void terminal.stdout.write(`${text}\n`),
      warn: (text) => void terminal.stderr.write(`${text}\n`),
      application: (spec) => loadApplication({ cwd: terminal.cwd, spec: spec ?? options.app ?? null }),
    };
    code = (await definition.run(context, options, command.args)) ?? 0;
  });
  try {
    await command.parseAsync(words.slice(1), { from: 'user' });
  } catch (error) {
    // Commander has printed its message; asking for help is no mistake, everything else is one of usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  return code ?? 0;
}

/** Prints an error as one message; a stack only for what is no error of ours, or when asked for. */
export function report(error: unknown, terminal: Terminal, traceback: boolean): ExitCode {
  if (!isSobayaError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.stderr.write(`${text}\n`);
    return 1;
  }
  const where = error.where ? ` (${error.where})` : '';
  let text = `error: ${error.what}${where}\n`;
  if (error.fix) text += `  ${error.fix}.\n`;
  text += `  ${error.code}\n`;
  if (traceback) {
    text += `\n${error.stack ?? ''}\n`;
    for (let cause = error.cause; cause !== undefined; cause = (cause as { cause?: unknown }).cause)
      text += `caused by ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`;
  }
  terminal.stderr.write(text);
  if (error.code === 'SBY_SERVER_STARTUP_FAILED' || error.code === 'SBY_SERVER_LIFESPAN_UNSUPPORTED')
    return 3;
  return error.fault === 'usage' || error.fault === 'configuration' ? 2 : 1;
}

async function overview(): Promise<string> {
  const commands = await Promise.all(commandNames().map(importCommand));
  const width = Math.max(...commands.map((command) => command.name.length)) + 2;
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`);
  return `Usage: sobaya <command> [options]

Commands:
${lines.join('\n')}

sobaya <command> --help says more about one of them.
Every command takes --app MODULE[:EXPORT] (default: "sobaya": { "application": "./app.ts:application" }
in package.json) and --traceback.
`;
}

function processTerminal(): Terminal {
  return { cwd: process.cwd(), stdout: process.stdout, stderr: process.stderr };
}

/** The nearest name within two edits, or null. */
export function similar(word: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = 3;
  for (const name of names) {
    const distance = editDistance(word, name);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
