/** Warns of operations that lose data, or that lock or rewrite a table on PostgreSQL, with the safer recipe. */

import type { Vendor } from '../schema/index.ts';
import { diffStates, type SchemaBackend, type TableChange } from '../schema/index.ts';
import type { Migration } from './migration.ts';
import type { Operation } from './operations/base.ts';
import { AddField, AlterField, RemoveField, RenameField } from './operations/fields.ts';
import { CreateModel, DeleteModel, MoveModel, RenameModel } from './operations/models.ts';
import { AddConstraint, AddIndex } from './operations/parts.ts';
import { AddConstraintNotValid, AddIndexConcurrently } from './operations/postgresql.ts';
import type { ProjectState } from './state.ts';

export type Hazard = 'data-loss' | 'rewrite' | 'lock' | 'old-code' | 'irreversible';

export interface Finding {
  /** `shop.0002_slug`. */
  readonly migration: string;
  readonly operation: string;
  readonly hazard: Hazard;
  /** What happens. */
  readonly problem: string;
  /** What to do instead. */
  readonly recipe: string;
  readonly message: string;
}

export interface LintInput {
  readonly vendor: Vendor;
  readonly spec: SchemaBackend;
  readonly migration: Migration;
  /** The state before the migration. */
  readonly before: ProjectState;
  readonly backwards?: boolean;
}

/** What is dangerous about one migration. Tables that it creates itself are empty: nothing about them is. */
export function lintMigration({ vendor, spec, migration, before }: LintInput): Finding[] {
  const findings: Finding[] = [];
  const fresh = new Set<string>();
  let from = before.clone();
  for (const operation of migration.operations) {
    const to = from.clone();
    operation.stateForwards(migration.app, to);
    const report = (hazard: Hazard, problem: string, recipe: string): void => {
      const described = operation.describe();
      findings.push({
        migration: migration.key,
        operation: described,
        hazard,
        problem,
        recipe,
        message: `${migration.key}, ${described}: ${problem}. ${recipe}`,
      });
    };
    if (operation instanceof CreateModel)
      for (const key of operation.touches(migration.app).slice(0, 1)) fresh.add(key);
    const touched = operation.touches(migration.app)?.[0];
    const isFresh = touched !== undefined && fresh.has(touched);
    if (!isFresh) {
      dataLoss(operation, report);
      if (vendor === 'postgresql') locks(operation, { from, to, spec, app: migration.app }, report);
    }
    if (!operation.reversible)
      report('irreversible', 'it cannot be taken back', 'Give it a way back: reverseSql, or backwards');
    from = to;
  }
  return findings;
}

type Report = (hazard: Hazard, problem: string, recipe: string) => void;

function dataLoss(operation: Operation, report: Report): void {
  if (operation instanceof RemoveField)
    report(
      'data-loss',
      `the values of ${operation.model}.${operation.name} are gone, and servers that still run the old code fail`,
      'Deploy code that does not use the field first, then remove it in a release of its own',
    );
  else if (operation instanceof DeleteModel)
    report(
      'data-loss',
      `the rows of ${operation.model} are gone`,
      'Deploy code that does not use the model first; keep a dump (sobaya dumpdata)',
    );
  else if (
    operation instanceof RenameField ||
    operation instanceof RenameModel ||
    operation instanceof MoveModel
  )
    report(
      'old-code',
      'servers that still run the old code fail from now on',
      "Keep the database's name (`column`, `table`), or add the new one, copy, and remove the old one in releases of their own",
    );
}

interface Around {
  readonly from: ProjectState;
  readonly to: ProjectState;
  readonly spec: SchemaBackend;
  readonly app: string;
}

function locks(operation: Operation, { from, to, spec, app }: Around, report: Report): void {
  if (operation instanceof AddIndex && !(operation instanceof AddIndexConcurrently))
    report(
      'lock',
      'CREATE INDEX stops all writes to the table while it reads it',
      'Use addIndexConcurrently in a migration with atomic: false',
    );
  else if (operation instanceof AddConstraint && !(operation instanceof AddConstraintNotValid))
    report(
      'lock',
      'adding the constraint reads the whole table while nobody may read or write it',
      operation.constraint.kind === 'check'
        ? 'Use addConstraintNotValid now, and validateConstraint in the next migration'
        : 'Make a unique index with addIndexConcurrently first',
    );
  else if (operation instanceof AddField || operation instanceof AlterField) {
    for (const change of diffStates(from, to, operation.hints(app), spec).changed)
      columns(change, operation, report);
  }
}

/** Changes of type that only touch the catalogue: no row is read or written. */
function isCheap(from: string, to: string): boolean {
  const old = /^varchar\((\d+)\)$/.exec(from);
  const now = /^varchar\((\d+)\)$/.exec(to);
  if (old !== null && (to === 'text' || (now !== null && Number(now[1]) >= Number(old[1])))) return true;
  const before = /^numeric\((\d+), (\d+)\)$/.exec(from);
  const after = /^numeric\((\d+), (\d+)\)$/.exec(to);
  return before !== null && after !== null && before[2] === after[2] && Number(after[1]) >= Number(before[1]);
}

function columns({ from, to, kept }: TableChange, operation: AddField | AlterField, report: Report): void {
  for (const column of to.columns) {
    const old = from.columns.find((other) => other.name === kept.get(column.name));
    if (old === undefined) {
      const volatile =
        column.default !== null && /\w\s*\(/.test(column.default) && !/^'/.test(column.default);
      if (column.generated !== null || volatile)
        report(
          'rewrite',
          `every row of ${to.name} is written anew while nobody may read or write the table`,
          'Add the column as null: true without a default, fill it in batches with runCode, then alter it',
        );
      continue;
    }
    if (old.type !== column.type && !isCheap(old.type, column.type))
      report(
        'rewrite',
        `changing ${column.name} from ${old.type} to ${column.type} writes all of ${to.name} anew while nobody may read or write it`,
        'Expand and contract: add a second column, write both, copy in batches with runCode, switch, remove the first',
      );
    if (old.null && !column.null)
      report(
        'lock',
        `SET NOT NULL reads all of ${to.name} while nobody may read or write it`,
        `Add check({ check: { sql: '"${column.name}" IS NOT NULL' } }) with addConstraintNotValid, validate it in the next migration, then alter the field: PostgreSQL trusts the check`,
      );
  }
  for (const key of to.foreignKeys)
    if (
      !from.foreignKeys.some(
        (other) => other.column === (kept.get(key.column) ?? key.column) && other.table === key.table,
      ) &&
      kept.has(key.column)
    )
      report(
        'lock',
        `checking the new foreign key reads all of ${to.name} and stops writes to it and to ${key.table}`,
        'Add it NOT VALID with runSql and validate it in the next migration',
      );
  const added = to.indexes.filter(
    (index) =>
      !from.indexes.some((other) => other.name === index.name) &&
      index.columns.every((one) => one.column !== null && kept.has(one.column)),
  );
  const uniques = to.uniques.filter(
    (unique) =>
      !from.uniques.some((other) => other.name === unique.name) &&
      unique.columns.every((one) => kept.has(one)),
  );
  if (added.length > 0 || uniques.length > 0)
    report(
      'lock',
      `making ${uniques.length > 0 ? 'a unique' : 'an'} index stops all writes to ${to.name} while it reads it`,
      `Leave \`${uniques.length > 0 ? 'unique' : 'index'}\` off the field ${operation.name}, and make the index with addIndexConcurrently`,
    );
}
