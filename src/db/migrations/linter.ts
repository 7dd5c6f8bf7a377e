/** Warns of operations that lose data, or that lock or rewrite a table on PostgreSQL, with the safer recipe. */

import type { Vendor } from '../schema/index.ts';
import { diffStates, type SchemaBackend, type TableChange } from '../schema/index.ts';
import type { Migration } from './migration.ts';
import type { Operation, SchemaOperation } from './operations/base.ts';
import { AddField, AlterField, RemoveField, RenameField } from './operations/fields.ts';
import {
  AlterModelTable,
  AlterUniqueTogether,
  CreateModel,
  DeleteModel,
  MoveModel,
  RenameModel,
} from './operations/models.ts';
import { AddConstraint, AddIndex } from './operations/parts.ts';
import { RunSql } from './operations/special.ts';
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
      const around = { from, to, spec, app: migration.app };
      dataLoss(operation, around, report);
      if (vendor === 'postgresql') locks(operation, around, report);
      if (operation instanceof RunSql && (operation.args.vendor ?? vendor) === vendor)
        statements(operation, migration.atomic && operation.atomic, vendor, report);
    }
    if (!operation.reversible)
      report('irreversible', 'it cannot be taken back', 'Give it a way back: reverseSql, or backwards');
    from = to;
  }
  return findings;
}

type Report = (hazard: Hazard, problem: string, recipe: string) => void;

const DEPLOY_FIRST =
  "Keep the database's name (`column`, `table`), or add the new one, copy, and remove the old one in releases of their own";

function dataLoss(operation: Operation, around: Around, report: Report): void {
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
    operation instanceof MoveModel ||
    operation instanceof AlterModelTable
  ) {
    if (changes(operation, around).length > 0 || operation instanceof MoveModel)
      report('old-code', 'servers that still run the old code fail from now on', DEPLOY_FIRST);
  } else if (operation instanceof AddField || operation instanceof AlterField)
    for (const { from, to, kept } of changes(operation, around)) {
      const renamed = [...kept].some(([now, then]) => now !== then);
      if (renamed) report('old-code', 'servers that still run the old code fail from now on', DEPLOY_FIRST);
      for (const column of to.columns) {
        const needed = !column.null && column.default === null && column.generated === null && !column.auto;
        if (needed && !from.columns.some((other) => other.key === column.key))
          report(
            'old-code',
            `servers that still run the old code cannot make rows of ${to.name}: they do not know ${column.name}, and the database has no default for it`,
            'Give the field a dbDefault, or null: true until they are gone',
          );
      }
    }
}

interface Around {
  readonly from: ProjectState;
  readonly to: ProjectState;
  readonly spec: SchemaBackend;
  readonly app: string;
}

const changes = (operation: SchemaOperation, { from, to, spec, app }: Around): readonly TableChange[] =>
  diffStates(from, to, operation.hints(app), spec).changed;

function locks(operation: Operation, around: Around, report: Report): void {
  if (operation instanceof AddIndex && operation.manner === 'plain')
    report(
      'lock',
      'CREATE INDEX stops all writes to the table while it reads it',
      'Use addIndexConcurrently in a migration with atomic: false',
    );
  else if (operation instanceof AddConstraint && operation.manner === 'plain') {
    const recipes: Readonly<Record<string, string>> = {
      check: 'Use addConstraintNotValid now, and validateConstraint in the next migration',
      unique: 'Use addUniqueConcurrently in a migration with atomic: false',
    };
    report(
      'lock',
      'adding the constraint reads the whole table while nobody may read or write it',
      recipes[operation.constraint.kind] ??
        'PostgreSQL cannot make it otherwise: do it while the table is small or idle, with --lock-timeout',
    );
  } else if (operation instanceof AlterUniqueTogether) {
    const groups = changes(operation, around).flatMap(({ from, to }) =>
      to.uniques.filter((one) => !from.uniques.some((other) => other.name === one.name)),
    );
    if (groups.length > 0)
      report(
        'lock',
        'making a unique index stops all writes to the table while it reads it',
        'Give the model unique({ name, fields }) in `constraints` instead, and make it with addUniqueConcurrently',
      );
  } else if (operation instanceof AddField || operation instanceof AlterField)
    for (const change of changes(operation, around)) columns(change, operation, report);
}

/** Changes of type that only touch the catalogue: no row is read or written. */
function isCheap(from: string, to: string): boolean {
  const old = /^varchar(?:\((\d+)\))?$/.exec(from);
  const now = /^varchar(?:\((\d+)\))?$/.exec(to);
  if (from === 'text' && to === 'varchar') return true;
  if (old !== null && to === 'text') return true;
  if (old !== null && now !== null && (now[1] === undefined || Number(now[1]) >= Number(old[1]))) return true;
  const before = /^numeric\((\d+), ?(\d+)\)$/.exec(from);
  const after = /^numeric(?:\((\d+), ?(\d+)\))?$/.exec(to);
  if (before === null || after === null) return false;
  return after[1] === undefined || (before[2] === after[2] && Number(after[1]) >= Number(before[1]));
}

/** Functions whose value is the same for every row of one statement: PostgreSQL stores it once, in the catalogue. */
const STABLE = new Set(
  'now transaction_timestamp statement_timestamp lower upper concat coalesce nullif to_char to_date to_timestamp make_date make_interval date_trunc timezone jsonb_build_object jsonb_build_array json_build_object array_fill repeat md5 greatest least current_setting cast array'.split(
    ' ',
  ),
);

/** Whether the value of a default has to be computed for each row. */
export function isVolatile(sql: string): boolean {
  const bare = sql.replace(/'(?:[^']|'')*'/g, "''").replace(/::\s*\w+(?:\s*\([^)]*\))?/g, '');
  return [...bare.matchAll(/([\w.]+)\s*\(/g)].some(
    ([, name = '']) => !STABLE.has(name.toLowerCase().replace(/^pg_catalog\./, '')),
  );
}

function columns(change: TableChange, operation: AddField | AlterField, report: Report): void {
  const { from, to, kept, fills } = change;
  const plain = operation.manner === 'plain';
  for (const column of to.columns) {
    const old = from.columns.find((other) => other.key === column.key);
    if (old === undefined) {
      const value = fills.get(column.name) ?? column.default;
      if (column.generated !== null || column.auto || (value !== null && isVolatile(value)))
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
    else if (old.collation !== column.collation)
      report(
        'lock',
        `another collation of ${column.name} makes its indexes anew while nobody may read or write ${to.name}`,
        'Expand and contract: add a second column with the collation, copy in batches with runCode, switch, remove the first',
      );
    // PostgreSQL trusts a check that was validated, and does not read the table.
    const sure = from.checks.some(
      (check) =>
        check.sql.replace(/[()]/g, '').trim().toLowerCase() === `"${old.name}" is not null`.toLowerCase(),
    );
    if (old.null && !column.null && !sure)
      report(
        'lock',
        `SET NOT NULL reads all of ${to.name} while nobody may read or write it`,
        `Add check({ name, check: { ${column.key}__isnull: false } }) with addConstraintNotValid, validate it in the next migration, then alter the field: PostgreSQL trusts the check`,
      );
  }
  if (!plain) return;
  const checks = to.checks.filter((check) => !from.checks.some((other) => other.sql === check.sql));
  if (checks.some((check) => check.column !== null && kept.has(check.column)))
    report(
      'lock',
      `the new check reads all of ${to.name} while nobody may read or write it`,
      'Use alterFieldNotValid now, and validateConstraint in the next migration',
    );
  for (const key of to.foreignKeys)
    if (
      !from.foreignKeys.some(
        (other) => other.column === (kept.get(key.column) ?? key.column) && other.table === key.table,
      )
    )
      report(
        'lock',
        `checking the new foreign key reads all of ${to.name} and stops writes to it and to ${key.table}`,
        'Give the field constraint: false and index: false now; then addIndexConcurrently, alterFieldNotValid without constraint: false, and validateConstraint({ model, field }), each in a migration of its own',
      );
  const keyed = new Set(to.foreignKeys.map((key) => key.column));
  const added = to.indexes.filter(
    (index) =>
      !from.indexes.some((other) => other.name === index.name) &&
      // Said already, with the key.
      !index.columns.every((one) => one.column !== null && keyed.has(one.column) && !kept.has(one.column)),
  );
  const uniques = to.uniques.filter((unique) => !from.uniques.some((other) => other.name === unique.name));
  if (added.length > 0 || uniques.length > 0)
    report(
      'lock',
      `making ${uniques.length > 0 ? 'a unique' : 'an'} index stops all writes to ${to.name} while it reads it`,
      uniques.length > 0
        ? `Leave \`unique\` off the field ${operation.name}, and give the model unique({ name, fields }) with addUniqueConcurrently`
        : `Leave \`index\` off the field ${operation.name}, and make the index with addIndexConcurrently`,
    );
}

/** SQL written by hand, as far as its first words tell. */
function statements({ args }: RunSql, inside: boolean, vendor: Vendor, report: Report): void {
  const script = typeof args.sql === 'string' ? [args.sql] : args.sql;
  const all = script
    .flatMap((one) =>
      typeof one === 'string' ? one.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ').split(';') : [one[0]],
    )
    .map((sql) => sql.trim().replace(/\s+/g, ' '))
    .filter((sql) => sql !== '');
  for (const sql of all) {
    const short = sql.length > 60 ? `${sql.slice(0, 60)}…` : sql;
    if (
      /^(DROP (TABLE|SCHEMA|DATABASE)|TRUNCATE|DELETE FROM (?!.* WHERE ))|^ALTER TABLE .* DROP (COLUMN )?(?!CONSTRAINT|DEFAULT|NOT|IDENTITY|EXPRESSION)/i.test(
        sql,
      )
    )
      report(
        'data-loss',
        `"${short}" loses data`,
        'Keep a dump (sobaya dumpdata), and deploy code that does not need it first',
      );
    if (vendor !== 'postgresql') continue;
    if (
      /^(CREATE (UNIQUE )?INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY|REINDEX .*CONCURRENTLY|VACUUM|CREATE DATABASE|ALTER SYSTEM)/i.test(
        sql,
      )
    ) {
      if (inside)
        report(
          'lock',
          `"${short}" cannot run inside a transaction`,
          'Give both runSql and the migration atomic: false',
        );
    } else if (/^CREATE (UNIQUE )?INDEX/i.test(sql))
      report(
        'lock',
        `"${short}" stops all writes to the table while it reads it`,
        'Write CREATE INDEX CONCURRENTLY IF NOT EXISTS, with atomic: false in runSql and in the migration',
      );
    else if (
      /^ALTER TABLE .* ADD (CONSTRAINT .*)?(CHECK|FOREIGN KEY|UNIQUE|EXCLUDE)\b/i.test(sql) &&
      !/ NOT VALID| USING INDEX /i.test(sql)
    )
      report(
        'lock',
        `"${short}" reads the whole table while nobody may write it`,
        'Write NOT VALID, and VALIDATE CONSTRAINT in the next migration; for UNIQUE make the index concurrently and add it USING INDEX',
      );
    else if (/^ALTER TABLE .* ALTER (COLUMN )?\S+ (SET DATA )?TYPE /i.test(sql))
      report(
        'rewrite',
        `"${short}" may write the whole table anew while nobody may read or write it`,
        'Widening varchar or numeric does not; for others expand and contract: a second column',
      );
    else if (/^ALTER TYPE .* ADD VALUE/i.test(sql) && inside)
      report(
        'lock',
        `"${short}" adds a value that cannot be used in the same transaction`,
        'Use it in a later migration',
      );
    else if (
      /^(VACUUM FULL|CLUSTER|LOCK TABLE|REINDEX|REFRESH MATERIALIZED VIEW (?!CONCURRENTLY))/i.test(sql)
    )
      report(
        'lock',
        `"${short}" locks the table while it runs`,
        'Do it outside of a deployment, or by the CONCURRENTLY form',
      );
    else if (/^UPDATE (?!.* WHERE )/i.test(sql))
      report(
        'lock',
        `"${short}" holds a lock on every row until the migration ends`,
        'Update in batches by runCode({ atomic: false }) in a migration with atomic: false',
      );
  }
}
