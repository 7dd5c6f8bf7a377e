import { now } from './clock.ts';
import { programs } from './programs.ts';
import type { Scope, Waiter } from './scope.ts';
import type { Task } from './task.ts';

/** A task or a scope of the live tree, as plain data: what `sobaya ps` and `printCallGraph` show. */
export interface TreeNode {
  readonly kind: 'program' | 'task' | 'scope';
  /** The task's name, or what made the scope: "gather", "timeout 500 ms". */
  readonly name: string;
  /** Of tasks. */
  readonly id: number | null;
  /** "running", "cancelling", or "ending" for a task whose function has returned. */
  readonly state: 'running' | 'cancelling';
  /** In ms; of tasks. */
  readonly age: number | null;
  /** Where it was started; in debug mode only. */
  readonly site: string | null;
  /** What is waited for right here, oldest first. */
  readonly waits: readonly string[];
  readonly children: readonly TreeNode[];
}

/** How much of a wait's text is shown: query texts can be long. */
const longest = 200;

/** Names of requests and texts of queries come from elsewhere: nothing in them may move a terminal's cursor. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}

function node(scope: Scope, time: number): TreeNode {
  const waits: string[] = [];
  for (let waiter: Waiter | null = scope.head; waiter !== null; waiter = waiter.next) {
    const text = oneLine(waiter.describe());
    waits.push(text.length > longest ? `${text.slice(0, longest - 1)}…` : text);
  }
  const children: TreeNode[] = [];
  for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null) {
    const child = node(kid, time);
    // A scope without a name says nothing by itself.
    if (child.kind === 'scope' && child.name === '' && child.waits.length === 0)
      children.push(...[...child.children].reverse());
    else children.push(child);
  }
  const { task } = scope;
  return {
    kind: task !== null ? 'task' : scope.owner === null ? 'program' : 'scope',
    name: oneLine(task?.name ?? scope.kind),
    id: task?.id ?? null,
    state: scope.cancelled ? 'cancelling' : 'running',
    age: task === null ? null : Math.max(0, Math.round(time - task.startedAt)),
    site: task?.site ?? null,
    waits: waits.reverse(),
    children: children.reverse(),
  };
}

/** One scope and what is below it. */
export function treeOf(scope: Scope): TreeNode {
  return node(scope, now());
}

/** The live tree of all programs, or of one task. A copy: nothing in it is alive. */
export function captureCallGraph(task?: Task<unknown>): TreeNode[] {
  const time = now();
  if (task !== undefined) return [node(task.scope, time)];
  const nodes = [...programs].map((scope) => node(scope, time));
  return nodes.filter(({ waits, children }) => waits.length > 0 || children.length > 0);
}

function age(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

/** One line for a node, without its children. */
export function describeNode(node: TreeNode): string {
  const parts = [node.kind === 'task' ? `${node.name} #${node.id}` : node.name || 'scope'];
  if (node.age !== null) parts.push(age(node.age));
  if (node.state === 'cancelling') parts.push('being cancelled');
  if (node.waits.length > 0) parts.push(`waits for ${node.waits.join(', ')}`);
  if (node.site !== null) parts.push(node.site);
  return parts.join(' · ');
}

/** The tree as text, with lines drawn. */
export function formatCallGraph(nodes: readonly TreeNode[] = captureCallGraph()): string {
  const lines: string[] = [];
  const draw = (node: TreeNode, first: string, rest: string): void => {
    lines.push(first + describeNode(node));
    for (const [index, child] of node.children.entries()) {
      const last = index === node.children.length - 1;
      draw(child, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`);
    }
  };
  for (const node of nodes) draw(node, '', '');
  return lines.join('\n');
}

/** Prints the live tree, of one task or of everything. */
export function printCallGraph(task?: Task<unknown>, print: (text: string) => void = console.log): void {
  print(formatCallGraph(captureCallGraph(task)));
}
