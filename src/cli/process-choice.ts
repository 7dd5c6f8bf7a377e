import { type Command, InvalidArgumentError } from 'commander';
import { type Inspected, inspectProcesses, type ProcessReport } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import type { CommandContext } from './command.ts';

export interface ProcessOptions {
  readonly json?: boolean;
}

/** What `ps` and `pstree` have in common: which process, and as what. */
export function chooseProcess(command: Command): void {
  command
    .argument('[pid]', 'the process (default: all of yours)', (text) => {
      if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It must be the number of a process.');
      return text;
    })
    .option('--json', 'the whole tree as JSON');
}

/** Asks the processes, prints what did not answer, and what did as JSON if that is wanted. */
export async function askProcesses(
  context: CommandContext,
  options: ProcessOptions,
  pid: string | undefined,
): Promise<Inspected[]> {
  const found = await inspectProcesses(pid === undefined ? undefined : Number(pid));
  if (found.length === 0) throw fault('SBY_CLI_NO_PROCESS', { pid: pid === undefined ? null : Number(pid) });
  for (const { pid: id, problem } of found) if (problem !== null) context.warn(`Process ${id}: ${problem}`);
  if (options.json === true) {
    context.print(
      JSON.stringify(
        found.map(({ report }) => report).filter((report) => report !== null),
        null,
        2,
      ),
    );
    return [];
  }
  return found;
}

/** What is to be said below the list of a process's tasks. */
export function notesOf({ pid, elided, deadlocks }: ProcessReport): string[] {
  const notes: string[] = [];
  if (elided > 0) notes.push(`Process ${pid}: ${elided.toLocaleString('en')} more tasks are not shown`);
  for (const deadlock of deadlocks ?? []) notes.push(`Process ${pid}: ${deadlock}`);
  return notes;
}
