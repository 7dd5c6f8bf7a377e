/** Many migrations of one app as one that does the same. */
import { fault } from '../../errors/index.ts';
import type { MigrationGraph } from './graph.ts';
import type { MigrationLoader } from './loader.ts';
import { Migration } from './migration.ts';
import type { Operation } from './operations/base.ts';
import { RunCode } from './operations/special.ts';
import { optimize } from './optimizer.ts';

export interface SquashOptions {
  /** The first to take; default: the app's first. */
  readonly from?: string | undefined;
  /** The last to take. */
  readonly to: string;
  readonly name?: string | undefined;
  readonly optimize?: boolean;
}

export interface Squashed {
  readonly migration: Migration;
  readonly taken: readonly Migration[];
  readonly before: number;
  readonly after: number;
  /** Operations with code, whose functions are copied as text: what they import has to be added by hand. */
  readonly code: readonly Operation[];
}

export function squash(loader: MigrationLoader, app: string, options: SquashOptions): Squashed {
  const graph: MigrationGraph = loader.graph();
  const last = loader.find(app, options.to);
  const first = options.from === undefined ? null : loader.find(app, options.from);
  const chain = graph
    .forwards(last.key)
    .map((key) => graph.get(key))
    .filter((one) => one.app === app);
  const start = first === null ? 0 : chain.findIndex((one) => one.key === first.key);
  if (start < 0)
    throw fault('SBY_MIGRATIONS_UNKNOWN', {
      migration: `${first?.key} before ${last.key}`,
      known: chain.map((one) => one.name),
    });
  const taken = chain.slice(start);
  const keys = new Set(taken.map((one) => one.key));
  const operations = taken.flatMap((one) => one.operations);
  const kept = options.optimize === false ? operations : optimize(withoutElidable(operations), app);
  const dependencies = new Set(taken.flatMap((one) => one.dependencies).filter((key) => !keys.has(key)));
  const number = (taken[0] as Migration).name.split('_')[0];
  const name = options.name ?? `${number}_squashed_${last.name}`;
  return {
    migration: new Migration(app, /^\d/.test(name) ? name : `${number}_${name}`, {
      dependencies: [...dependencies].sort(),
      replaces: taken.flatMap((one) => (one.replaces.length > 0 ? [...one.replaces] : [one.key])),
      operations: kept,
      ...(start === 0 && (taken[0] as Migration).initial !== false ? { initial: true } : {}),
      ...(taken.every((one) => one.atomic) ? {} : { atomic: false }),
    }),
    taken,
    before: operations.length,
    after: kept.length,
    code: kept.filter((one) => one instanceof RunCode),
  };
}

const withoutElidable = (operations: readonly Operation[]): Operation[] =>
  operations.filter((operation) => !operation.elidable);
