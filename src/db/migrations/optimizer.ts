import type { Operation } from './operations/base.ts';

/** Merges operations that undo or complete each other, until nothing changes. The result does the same. */
export function optimize(operations: readonly Operation[], app: string): Operation[] {
  let current = [...operations];
  for (;;) {
    const next = once(current, app);
    if (next === null) return current;
    current = next;
  }
}

/** The first merge that is found, or null. */
function once(operations: readonly Operation[], app: string): Operation[] | null {
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i] as Operation;
    // While everything between lets `operation` pass, the merged one may stand at the place of the later one.
    let right = true;
    for (let j = i + 1; j < operations.length; j++) {
      const other = operations[j] as Operation;
      const result = operation.reduce(other, app);
      if (typeof result !== 'boolean') {
        const between = operations.slice(i + 1, j);
        const before = operations.slice(0, i);
        const after = operations.slice(j + 1);
        if (right) return [...before, ...between, ...result, ...after];
        if (between.every((middle) => middle.reduce(other, app) === true))
          return [...before, ...result, ...between, ...after];
        break;
      }
      if (!result) right = false;
    }
  }
  return null;
}
