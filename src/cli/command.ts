import type { Command } from 'commander';
import type { LoadedApplication } from './application-loader.ts';

/** What a command gets besides its own arguments and options. */
export interface CommandContext {
  readonly cwd: string;
  /** The words after `sobaya`, as they were given. */
  readonly argv: readonly string[];
  /** The value of `--app`, or null. */
  readonly app: string | null;
  /** True when `--traceback` was given: show stacks. */
  readonly traceback: boolean;
  /** A line (or several) for people or pipes, on standard output. */
  print(text: string): void;
  /** A line on standard error. */
  warn(text: string): void;
  /** Imports the application: `spec` if given, else `--app`, else package.json's `sobaya.application`. */
  application(spec?: string): Promise<LoadedApplication>;
}

/**
 * One command, one file: `src/cli/commands/<name>.ts` exports a constant `command` of this type, and nothing
 * else has to know of it. Import heavy rooms inside `run` (`await import('…')`), so that help stays quick.
 */
export interface CommandDefinition<Options = Record<string, unknown>> {
  readonly name: string;
  /** One line for `sobaya --help`. */
  readonly summary: string;
  /** Declares arguments and options on commander's object. */
  configure?(command: Command): void;
  /**
   * Does the work. `args` are the declared positional arguments. Throw catalogue errors: the frame prints them
   * and picks the exit code. A returned number is the exit code; nothing means 0.
   */
  run(context: CommandContext, options: Options, args: readonly string[]): Promise<number | void>;
}
