/** `sobaya …`: the frame that finds, runs and reports commands. One command, one file in `commands/`. */
export { type LoadedApplication, type LoadOptions, loadApplication } from './application-loader.ts';
export type { CommandContext, CommandDefinition } from './command.ts';
export { type ExitCode, execute, type Terminal } from './command-line.ts';
