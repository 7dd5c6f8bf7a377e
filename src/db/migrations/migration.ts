import { createHash } from 'node:crypto';
import { fault } from '../../errors/index.ts';
import { Operation } from './operations/base.ts';
import type { ProjectState } from './state.ts';

export interface MigrationArgs {
  /** `'shop.0001_initial'`; `'auth.first'` and `'auth.latest'` stand for an app's ends. */
  readonly dependencies?: readonly string[];
  readonly operations: readonly Operation[];
  /** Creates the app's first tables: `migrate --fake-initial` may find them already made. */
  readonly initial?: boolean;
  /** False: each operation for itself, for what cannot run in a transaction. Progress is recorded after each. Default true. */
  readonly atomic?: boolean;
  /** The migrations that this one stands for: made by squashmigrations. */
  readonly replaces?: readonly string[];
  /** Migrations of other apps that must wait for this one. */
  readonly runBefore?: readonly string[];
  /** Aliases of the databases it is for. Default: all. */
  readonly databases?: readonly string[];
}

const BRAND = Symbol.for('sobaya.migration');

/** What a migration file exports: `export default migration({ … })`. */
export interface MigrationDefinition extends MigrationArgs {
  readonly [BRAND]: true;
}

export function migration(args: MigrationArgs): MigrationDefinition {
  if (!Array.isArray(args?.operations) || args.operations.some((operation) => !isOperation(operation)))
    throw fault('SBY_MIGRATIONS_BAD_OPERATION', {
      callee: 'migration',
      problem: '`operations` is not an array of operations',
    });
  return Object.freeze({ ...args, [BRAND]: true as const });
}

export function isMigrationDefinition(value: unknown): value is MigrationDefinition {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** By shape: two copies of the package may be loaded. */
function isOperation(value: unknown): boolean {
  return (
    value instanceof Operation ||
    (typeof value === 'object' &&
      value !== null &&
      typeof (value as Operation).stateForwards === 'function' &&
      typeof (value as Operation).databaseForwards === 'function')
  );
}

/** A migration with its place: app and name. */
export class Migration {
  readonly app: string;
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly operations: readonly Operation[];
  readonly initial: boolean | null;
  readonly atomic: boolean;
  readonly replaces: readonly string[];
  readonly runBefore: readonly string[];
  readonly databases: readonly string[] | null;
  /** The file it was loaded from. */
  readonly file: string | null;
  #hash: string | null = null;

  constructor(app: string, name: string, args: MigrationArgs, file: string | null = null) {
    this.app = app;
    this.name = name;
    this.dependencies = args.dependencies ?? [];
    this.operations = args.operations;
    this.initial = args.initial ?? null;
    this.atomic = args.atomic !== false;
    this.replaces = args.replaces ?? [];
    this.runBefore = args.runBefore ?? [];
    this.databases = args.databases ?? null;
    this.file = file;
  }

  get key(): string {
    return `${this.app}.${this.name}`;
  }

  /** Fingerprint of what it does: formatting, comments and dependencies may change, operations may not. */
  get hash(): string {
    this.#hash ??= createHash('sha256')
      .update(canonical(this.operations.map((operation) => [operation.callee, operation.deconstruct()])))
      .digest('hex')
      .slice(0, 32);
    return this.#hash;
  }

  /** Changes `state` in place to the one after this migration. */
  mutate(state: ProjectState): void {
    for (const operation of this.operations) operation.stateForwards(this.app, state);
  }
}

function canonical(value: unknown): string {
  if (typeof value === 'function') return JSON.stringify(value.toString().replace(/\s+/g, ''));
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Operation) return canonical([value.callee, value.deconstruct()]);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    // The order of `fields` is the order of columns: it counts.
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'undefined';
}
