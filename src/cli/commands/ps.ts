import type { TreeNode } from '../../asyncio/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { askProcesses, chooseProcess, notesOf, type ProcessOptions } from '../process-choice.ts';

const headings = ['PID', 'TASK', 'AGE', 'STATE', 'NAME', 'WAITS FOR'] as const;

export const command: CommandDefinition<ProcessOptions> = {
  name: 'ps',
  summary: 'Lists the tasks of running processes, and what each waits for',
  configure: chooseProcess,

  async run(context: CommandContext, options: ProcessOptions, args: readonly string[]): Promise<void> {
    const rows: string[][] = [];
    const notes: string[] = [];
    for (const { report } of await askProcesses(context, options, args[0])) {
      if (report === null) continue;
      for (const node of report.tree) addTasks(rows, report.pid, node);
      notes.push(...notesOf(report));
    }
    if (options.json !== true) context.print(table([[...headings], ...rows]));
    for (const note of notes) context.print(note);
  },
};

/** One row per task; what the scopes inside a task wait for is in the task's row. */
function addTasks(rows: string[][], pid: number, node: TreeNode): void {
  if (node.kind === 'task') {
    const { id, age, state, name } = node;
    rows.push([String(pid), String(id), seconds(age ?? 0), state, name, waitsOf(node).join(', ')]);
  }
  for (const child of node.children) addTasks(rows, pid, child);
}

/** How many waits one row names: a gather of thousands has as many. */
const mostWaits = 20;

function waitsOf(node: TreeNode): string[] {
  const waits: string[] = [];
  let more = 0;
  const add = (wait: string): void => {
    if (waits.length < mostWaits) waits.push(wait);
    else more++;
  };
  const open = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const wait of next.waits) add(wait);
    for (const child of next.children) {
      if (child.kind === 'task') add(`task ${child.name} #${child.id}`);
      else open.push(child);
    }
  }
  if (more > 0) waits.push(`${more.toLocaleString('en')} more`);
  return waits;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function table(rows: readonly (readonly string[])[]): string {
  // The last column is as wide as it is: padded to the longest of thousands, the table would not fit into memory.
  const widths = headings.slice(0, -1).map(() => 0);
  for (const row of rows)
    for (let column = 0; column < widths.length; column++)
      widths[column] = Math.max(widths[column] ?? 0, [...(row[column] ?? '')].length);
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
