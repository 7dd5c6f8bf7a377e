/** Joins branches of migrations that stand side by side in one app. */
import { fault } from '../../errors/index.ts';
import type { MigrationGraph } from './graph.ts';
import { Migration } from './migration.ts';

export interface MergeOptions {
  readonly name?: string;
  /** Join branches that touch the same models too. */
  readonly force?: boolean;
}

/** One migration per app with several leaves, which depends on all of them. */
export function mergeBranches(graph: MigrationGraph, options: MergeOptions = {}): Migration[] {
  const made: Migration[] = [];
  for (const [app, leaves] of graph.conflicts()) {
    const histories = leaves.map((leaf) => graph.forwards(leaf).filter((key) => graph.get(key).app === app));
    const common = new Set(histories[0]?.filter((key) => histories.every((keys) => keys.includes(key))));
    const branches = histories.map((keys) =>
      keys.filter((key) => !common.has(key)).flatMap((key) => graph.get(key).operations),
    );
    const clashes: string[] = [];
    for (const [i, branch] of branches.entries())
      for (const other of branches.slice(i + 1))
        for (const mine of branch)
          for (const theirs of other)
            if (mine.reduce(theirs, app) !== true || theirs.reduce(mine, app) !== true)
              clashes.push(`"${mine.describe()}" and "${theirs.describe()}"`);
    if (clashes.length > 0 && options.force !== true)
      throw fault('SBY_MIGRATIONS_MERGE_CONFLICT', { app, clashes: [...new Set(clashes)].slice(0, 5) });
    const numbers = leaves.map((leaf) => Number.parseInt(graph.get(leaf).name, 10) || 0);
    const number = String(Math.max(...numbers) + 1).padStart(4, '0');
    const names = leaves.map((leaf) => graph.get(leaf).name.replace(/^\d+_/, '')).join('_');
    const name = options.name ?? (names.length <= 47 ? `merge_${names}` : 'merge');
    made.push(new Migration(app, `${number}_${name}`, { dependencies: [...leaves], operations: [] }));
  }
  return made;
}
