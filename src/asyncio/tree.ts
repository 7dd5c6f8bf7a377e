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
  readonly state: 'running' | 'cancelling';
  /** In ms; of tasks. */
  readonly age: number | null;
  /** Where it was started; in debug mode only. */
  readonly site: string | null;
  /** What is waited for right here, oldest first; of very many the oldest, and how many more. */
  readonly waits: readonly string[];
  readonly children: readonly TreeNode[];
}

/** How much of a wait's text is shown: query texts can be long. */
const longest = 200;
/** How many waits of one scope are shown. */
const mostWaits = 20;

/** Names of requests and texts of queries come from elsewhere: nothing in them may move a terminal's cursor. */
function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

function waitsOf(scope: Scope): string[] {
  // The list begins with the newest, and the oldest are worth more: the last ones of it, in a ring.
  const ring: Waiter[] = [];
  let count = 0;
  for (let waiter: Waiter | null = scope.head; waiter !== null; waiter = waiter.next)
    ring[count++ % mostWaits] = waiter;
  const waits = ring.map((_, index) => describeWaiter(ring[(count - 1 - index) % mostWaits] as Waiter));
  if (count > waits.length) waits.push(`${(count - waits.length).toLocaleString('en')} more`);
  return waits;
}

/** A waiter of somebody else's may fail to say what it is. */
function describeWaiter(waiter: Waiter): string {
  try {
    return oneLine(String(waiter.describe()));
  } catch {
    return waiter.constructor.name;
  }
}

/** A node without its children. */
export type FlatNode = Omit<TreeNode, 'children'>;

function flat(scope: Scope, time: number): FlatNode {
  const { task } = scope;
  return {
    kind: task !== null ? 'task' : scope.owner === null ? 'program' : 'scope',
    name: oneLine(task?.name ?? scope.kind),
    id: task?.id ?? null,
    state: scope.cancelled ? 'cancelling' : 'running',
    age: task === null ? null : Math.max(0, Math.round(time - task.startedAt)),
    site: task?.site ?? null,
    waits: waitsOf(scope),
  };
}

/** One step of a walk through the tree. */
export interface Visit {
  readonly node: FlatNode;
  /** The number of the node above, -1 at the top; nodes are numbered in the order of the visits. */
  readonly parent: number;
}

/**
 * Visits the live tree, parents first and the oldest first, without recursion: it may be deeper than the stack. Between
 * two visits the tree may change; what has ended meanwhile is left out. Null: a step that has nothing to show.
 */
export function* visit(tops: Iterable<Scope>, deepest = Number.POSITIVE_INFINITY): Generator<Visit | null> {
  const open: { scope: Scope; parent: number; depth: number; top: boolean }[] = [];
  for (const scope of [...tops].reverse()) open.push({ scope, parent: -1, depth: 0, top: true });
  let number = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { scope, top, depth } = next;
    if (!top && scope.owner === null) continue;
    let { parent } = next;
    const node = flat(scope, now());
    // A scope without a name says nothing by itself.
    if (top || node.kind !== 'scope' || node.name !== '' || node.waits.length > 0) {
      yield { node, parent };
      parent = number++;
    } else yield null;
    if (depth >= deepest) continue;
    for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null)
      open.push({ scope: kid, parent, depth: depth + 1, top: false });
  }
}

/** Puts visited nodes together. */
export function treeFrom(visits: Iterable<Visit | null>): TreeNode[] {
  const nodes: (FlatNode & { readonly children: TreeNode[] })[] = [];
  const tops: TreeNode[] = [];
  for (const each of visits) {
    if (each === null) continue;
    const node = { ...each.node, children: [] };
    (nodes[each.parent]?.children ?? tops).push(node);
    nodes.push(node);
  }
  return tops;
}

/** One scope and what is below it. */
export function treeOf(scope: Scope): TreeNode {
  return treeFrom(visit([scope]))[0] as TreeNode;
}

/** The live tree of all programs, or of one task. A copy: nothing in it is alive. */
export function captureCallGraph(task?: Task<unknown>): TreeNode[] {
  if (task !== undefined) return [treeOf(task.scope)];
  return treeFrom(visit(programs)).filter(({ waits, children }) => waits.length > 0 || children.length > 0);
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
  const open = nodes.map((node) => ({ node, first: '', rest: '' })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, first, rest } = next;
    lines.push(first + describeNode(node));
    for (let index = node.children.length - 1; index >= 0; index--) {
      const last = index === node.children.length - 1;
      open.push({
        node: node.children[index] as TreeNode,
        first: `${rest}${last ? '└─ ' : '├─ '}`,
        rest: `${rest}${last ? '   ' : '│  '}`,
      });
    }
  }
  return lines.join('\n');
}

/** Prints the live tree, of one task or of everything. */
export function printCallGraph(task?: Task<unknown>, print: (text: string) => void = console.log): void {
  print(formatCallGraph(captureCallGraph(task)));
}
