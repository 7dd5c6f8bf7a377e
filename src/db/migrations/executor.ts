/** Plans and applies migrations on one database. */
import { sleep } from '../../asyncio/index.ts';
import { fault, isSobayaError } from '../../errors/index.ts';
import type { Backend, Connection, Executor } from '../backends/base.ts';
import { ambient, type Databases } from '../databases.ts';
import { type SchemaEditor, schemaEditor, schemaSpec, tableOf } from '../schema/index.ts';
import { enter, exclusively, leave, type SessionOptions } from '../schema/session.ts';
import { Transaction } from '../transaction.ts';
import type { MigrationGraph } from './graph.ts';
import { HistoricalApps } from './history.ts';
import { type Finding, lintMigration } from './linter.ts';
import type { MigrationLoader } from './loader.ts';
import type { Migration } from './migration.ts';
import type { Operation } from './operations/base.ts';
import { CreateModel } from './operations/models.ts';
import { RunCode, RunSql, SeparateDatabaseAndState } from './operations/special.ts';
import { type Applied, MigrationRecorder } from './recorder.ts';
import { modelKey, ProjectState } from './state.ts';

/** Where to go: everywhere, an app's newest, one migration of it, or `zero`: before its first. */
export interface Target {
  readonly app?: string | undefined;
  readonly name?: string | undefined;
}

export interface PlannedStep {
  readonly migration: Migration;
  readonly backwards: boolean;
}

export type MigrateEvent =
  | { readonly type: 'begin'; readonly step: PlannedStep; readonly index: number; readonly total: number }
  | {
      readonly type: 'done';
      readonly step: PlannedStep;
      readonly how: 'ran' | 'faked' | 'found';
      readonly ms: number;
    }
  | { readonly type: 'resume'; readonly migration: Migration; readonly from: number }
  | { readonly type: 'waiting'; readonly what: string }
  | { readonly type: 'warning'; readonly text: string };

export interface MigrateOptions extends SessionOptions {
  readonly target?: Target;
  /** Record without running. */
  readonly fake?: boolean;
  /** Record an initial migration without running where its tables are there. */
  readonly fakeInitial?: boolean;
  /** Take edited files as they are now for what was applied. */
  readonly acceptEdited?: boolean;
  /** How often to begin a migration again that did not get a lock in time. Default 3. */
  readonly retries?: number;
  readonly onEvent?: (event: MigrateEvent) => void;
}

export class MigrationExecutor {
  readonly databases: Databases;
  readonly backend: Backend;
  readonly loader: MigrationLoader;
  readonly recorder: MigrationRecorder;

  constructor(databases: Databases, loader: MigrationLoader, alias = 'default') {
    this.databases = databases;
    this.backend = databases.get(alias);
    this.loader = loader;
    this.recorder = new MigrationRecorder(this.backend);
  }

  /** What has to be done to reach the target, in order. */
  async plan(target: Target = {}, given?: ReadonlyMap<string, Applied>): Promise<PlannedStep[]> {
    const applied = given ?? (await this.recorder.applied());
    const graph = this.loader.graph(applied);
    const has = this.#has(graph, applied);
    const { app, name } = target;
    const steps: PlannedStep[] = [];
    const planned = new Set<string>();
    const add = (key: string, backwards: boolean): void => {
      if (planned.has(key)) return;
      planned.add(key);
      steps.push({ migration: graph.get(key), backwards });
    };
    const forwards = (key: string): void => {
      for (const one of graph.forwards(key)) if (!has(one)) add(one, false);
    };
    const backwards = (key: string): void => {
      for (const one of graph.backwards(key)) if (has(one) || applied.has(one)) add(one, true);
    };
    if (app === undefined) {
      const leaves = graph.leaves();
      for (const key of graph.inOrder()) if (leaves.includes(key)) forwards(key);
    } else if (name === undefined) for (const key of graph.leaves(app)) forwards(key);
    else if (name === 'zero') for (const key of graph.roots(app)) backwards(key);
    else {
      const found = this.loader.find(app, name).key;
      const key = graph.has(found) ? found : this.#standsFor(graph, found);
      if (has(key)) {
        const newer = graph
          .migrations()
          .filter((one) => one.app === app && graph.parentsOf(one.key).includes(key));
        for (const one of newer) backwards(one.key);
      } else forwards(key);
    }
    return steps;
  }

  #standsFor(graph: MigrationGraph, key: string): string {
    return graph.migrations().find((one) => one.replaces.includes(key))?.key ?? key;
  }

  /** Whether a migration was applied to its end; a squashed one counts when all it replaces were. */
  #has(graph: MigrationGraph, applied: ReadonlyMap<string, Applied>): (key: string) => boolean {
    return (key) => {
      if (applied.get(key)?.step === null) return true;
      const { replaces } = graph.get(key);
      return replaces.length > 0 && replaces.every((one) => applied.get(one)?.step === null);
    };
  }

  /** Refuses to go on where the past is not what the files say. */
  #checkPast(graph: MigrationGraph, applied: ReadonlyMap<string, Applied>, options: MigrateOptions): void {
    const [conflict] = graph.conflicts();
    if (conflict !== undefined)
      throw fault('SBY_MIGRATIONS_CONFLICT', {
        app: conflict[0],
        leaves: conflict[1].map((key) => graph.get(key).name),
      });
    const has = this.#has(graph, applied);
    for (const { key } of graph.migrations())
      if (applied.get(key)?.step === null)
        for (const parent of graph.parentsOf(key))
          if (!has(parent) && !graph.get(key).replaces.includes(parent))
            throw fault('SBY_MIGRATIONS_INCONSISTENT', { migration: key, parent, alias: this.backend.alias });
    const edited = graph
      .migrations()
      .filter((one) => {
        const record = applied.get(one.key);
        return record !== undefined && record.hash !== '' && record.hash !== one.hash;
      })
      .map((one) => one.key);
    if (edited.length > 0 && options.acceptEdited !== true)
      throw fault('SBY_MIGRATIONS_EDITED', { migrations: edited.sort(), alias: this.backend.alias });
    const gone = [...applied.values()].filter(
      (one) =>
        !this.loader.disk.has(one.key) &&
        this.loader.apps.some((app) => app.label === one.app) &&
        ![...this.loader.disk.values()].some((other) => other.replaces.includes(one.key)),
    );
    if (gone.length > 0)
      options.onEvent?.({
        type: 'warning',
        text: `applied, but the file is gone: ${gone.map((one) => one.key).join(', ')}`,
      });
  }

  /** Brings the database to the target. Returns the steps that were done. */
  async migrate(options: MigrateOptions = {}): Promise<PlannedStep[]> {
    const waiting = (): void =>
      options.onEvent?.({ type: 'waiting', what: 'another process that migrates this database' });
    return exclusively(this.backend, waiting, async () => {
      try {
        await this.#withBusyRetry(() => this.recorder.ensure(), options);
      } catch (cause) {
        throw fault(
          'SBY_MIGRATIONS_NO_RECORDS',
          { alias: this.backend.alias, reason: reasonOf(cause as Error) },
          { cause },
        );
      }
      const applied = await this.recorder.applied();
      const graph = this.loader.graph(applied);
      this.#checkPast(graph, applied, options);
      if (options.acceptEdited)
        for (const one of graph.migrations()) {
          const record = applied.get(one.key);
          if (record?.step === null && record.hash !== '' && record.hash !== one.hash)
            await this.recorder.record(this.backend, one.app, one.name, one.hash);
        }
      for (const one of this.loader.squashedDone(applied))
        await this.recorder.record(this.backend, one.app, one.name, one.hash);
      const plan = await this.plan(options.target, applied);
      this.#checkPlan(plan);
      await this.#run(plan, graph, applied, options);
      return plan;
    });
  }

  /** Everything that can be known before the first statement. */
  #checkPlan(plan: readonly PlannedStep[]): void {
    for (const { migration, backwards } of plan)
      for (const operation of migration.operations) {
        if (backwards && !operation.reversible)
          throw fault('SBY_MIGRATIONS_IRREVERSIBLE', {
            migration: migration.key,
            operation: operation.describe(),
          });
        if (!this.#inTransaction(operation) && migration.atomic)
          throw fault('SBY_MIGRATIONS_NOT_ATOMIC', {
            migration: migration.key,
            operation: operation.describe(),
          });
      }
  }

  /** What only PostgreSQL cannot do inside a transaction is done inside one elsewhere. */
  #inTransaction(operation: Operation): boolean {
    const bySelf = operation instanceof RunCode || operation instanceof RunSql;
    return operation.atomic || !(bySelf || this.backend.features.concurrentIndexes);
  }

  async #run(
    plan: readonly PlannedStep[],
    graph: MigrationGraph,
    applied: ReadonlyMap<string, Applied>,
    options: MigrateOptions,
  ): Promise<void> {
    const has = this.#has(graph, applied);
    const done = new Set(graph.inOrder().filter((key) => has(key)));
    let state: ProjectState | null = null;
    for (const [index, step] of plan.entries()) {
      const { migration, backwards } = step;
      options.onEvent?.({ type: 'begin', step, index, total: plan.length });
      const began = performance.now();
      if (backwards) {
        done.delete(migration.key);
        state = null;
        const before = graph.state(graph.inOrder().filter((key) => done.has(key)));
        const how = options.fake ? 'faked' : 'ran';
        const record = applied.get(migration.key);
        await this.#backwards(migration, before, record?.step ?? null, options);
        options.onEvent?.({ type: 'done', step, how, ms: performance.now() - began });
        continue;
      }
      state ??= graph.state(graph.inOrder().filter((key) => done.has(key)));
      const how = await this.#forwards(migration, state, applied.get(migration.key)?.step ?? 0, options);
      migration.mutate(state);
      done.add(migration.key);
      options.onEvent?.({ type: 'done', step, how, ms: performance.now() - began });
    }
  }

  /** False: this database is not meant to have it; it is recorded all the same. */
  #allowed(migration: Migration): boolean {
    const { alias } = this.backend;
    if (migration.databases !== null && !migration.databases.includes(alias)) return false;
    return this.databases.router?.migrate?.(alias, migration.app) !== false;
  }

  async #forwards(
    migration: Migration,
    before: ProjectState,
    from: number,
    options: MigrateOptions,
  ): Promise<'ran' | 'faked' | 'found'> {
    const { app, name, hash } = migration;
    if (options.fake || !this.#allowed(migration)) {
      await this.recorder.record(this.backend, app, name, hash);
      return 'faked';
    }
    if (options.fakeInitial && (await this.#tablesAreThere(migration, before))) {
      await this.recorder.record(this.backend, app, name, hash);
      return 'faked';
    }
    const states = this.#states(migration, before);
    if (migration.atomic && from === 0) {
      let found = false;
      await this.#transaction(migration, false, options, async (editor, executor, at) => {
        // Another process may have been quicker while this one waited for the lock.
        if ((await this.recorder.one(executor, app, name))?.step === null) {
          found = true;
          return;
        }
        for (const [index, operation] of migration.operations.entries()) {
          at(index);
          await this.#one(
            operation,
            editor,
            app,
            states[index] as ProjectState,
            states[index + 1] as ProjectState,
          );
        }
        at(null);
        await editor.finish();
        await this.recorder.record(executor, app, name, hash);
      });
      return found ? 'found' : 'ran';
    }
    if (from > 0) options.onEvent?.({ type: 'resume', migration, from });
    for (let index = from; index < migration.operations.length; index++) {
      const operation = migration.operations[index] as Operation;
      const last = index + 1 === migration.operations.length;
      const record = (executor: Executor): Promise<void> =>
        this.recorder.record(executor, app, name, hash, last ? null : index + 1);
      const run = async (
        editor: SchemaEditor,
        executor: Executor,
        at: (n: number | null) => void,
      ): Promise<void> => {
        at(index);
        await this.#one(
          operation,
          editor,
          app,
          states[index] as ProjectState,
          states[index + 1] as ProjectState,
        );
        await editor.finish();
        await record(executor);
      };
      if (this.#inTransaction(operation)) await this.#transaction(migration, false, options, run, index);
      else await this.#bare(migration, false, options, run, index);
    }
    if (migration.operations.length === 0) await this.recorder.record(this.backend, app, name, hash);
    return 'ran';
  }

  async #backwards(
    migration: Migration,
    before: ProjectState,
    step: number | null,
    options: MigrateOptions,
  ): Promise<void> {
    const { app, name, hash } = migration;
    const forget = async (executor: Executor): Promise<void> => {
      await this.recorder.forget(executor, app, name);
      for (const key of migration.replaces) {
        const at = key.indexOf('.');
        await this.recorder.forget(executor, key.slice(0, at), key.slice(at + 1));
      }
    };
    if (options.fake || !this.#allowed(migration)) return forget(this.backend);
    const states = this.#states(migration, before);
    const from = step ?? migration.operations.length;
    const undo = (editor: SchemaEditor, index: number): Promise<void> =>
      this.#one(
        migration.operations[index] as Operation,
        editor,
        app,
        states[index + 1] as ProjectState,
        states[index] as ProjectState,
        true,
      );
    if (migration.atomic && step === null) {
      await this.#transaction(migration, true, options, async (editor, executor, at) => {
        for (let index = from - 1; index >= 0; index--) {
          at(index);
          await undo(editor, index);
        }
        at(null);
        await editor.finish();
        await forget(executor);
      });
      return;
    }
    for (let index = from - 1; index >= 0; index--) {
      const run = async (
        editor: SchemaEditor,
        executor: Executor,
        at: (n: number | null) => void,
      ): Promise<void> => {
        at(index);
        await undo(editor, index);
        await editor.finish();
        if (index === 0) await forget(executor);
        else await this.recorder.record(executor, app, name, hash, index);
      };
      if (this.#inTransaction(migration.operations[index] as Operation))
        await this.#transaction(migration, true, options, run, index);
      else await this.#bare(migration, true, options, run, index);
    }
    if (from === 0) await forget(this.backend);
  }

  async #one(
    operation: Operation,
    editor: SchemaEditor,
    app: string,
    from: ProjectState,
    to: ProjectState,
    backwards = false,
  ): Promise<void> {
    if (backwards) await operation.databaseBackwards(app, editor, from, to);
    else await operation.databaseForwards(app, editor, from, to);
    if (operation.atomic && (operation instanceof RunCode || operation instanceof RunSql))
      await editor.dataChanged();
  }

  /** The states before, between and after the operations. */
  #states(migration: Migration, before: ProjectState): ProjectState[] {
    const states = [before.clone()];
    for (const operation of migration.operations) {
      const next = (states.at(-1) as ProjectState).clone();
      operation.stateForwards(migration.app, next);
      states.push(next);
    }
    return states;
  }

  #editor(migration: Migration, executor: Executor): SchemaEditor {
    return schemaEditor(this.backend, executor, {
      checkAll: migration.operations.some(
        (one) => one instanceof RunSql || one instanceof RunCode || one instanceof SeparateDatabaseAndState,
      ),
      historicalApps: (state) => new HistoricalApps(state, this.backend.alias, executor),
    });
  }

  async #transaction(
    migration: Migration,
    backwards: boolean,
    options: MigrateOptions,
    work: (editor: SchemaEditor, executor: Executor, at: (index: number | null) => void) => Promise<void>,
    only?: number,
  ): Promise<void> {
    const retries = options.retries ?? 3;
    for (let attempt = 0; ; attempt++) {
      let position: number | null = null;
      let editor: SchemaEditor | null = null;
      const connection = await this.backend.connect();
      try {
        await enter(this.backend, connection, options);
        await this.#withBusyRetry(() => connection.begin({}), options);
        const transaction = new Transaction(this.backend, connection, null);
        editor = this.#editor(migration, transaction);
        const made = editor;
        await this.#ambient(transaction, () =>
          work(made, transaction, (index) => {
            position = index;
          }),
        );
        transaction.state = 'committed';
        await connection.commit();
        return;
      } catch (error) {
        await connection.rollback().catch(() => {});
        if (attempt < retries && isLockTimeout(error)) {
          options.onEvent?.({
            type: 'waiting',
            what: `a lock, for ${migration.key}; attempt ${attempt + 2}`,
          });
          await sleep(250 * 2 ** attempt);
          continue;
        }
        throw this.#failed(migration, backwards, error, position, editor, only);
      } finally {
        await leave(this.backend, connection, options).catch(() => {});
        connection.release();
      }
    }
  }

  /** Outside of any transaction, on one connection. */
  async #bare(
    migration: Migration,
    backwards: boolean,
    options: MigrateOptions,
    work: (editor: SchemaEditor, executor: Executor, at: (index: number | null) => void) => Promise<void>,
    only: number,
  ): Promise<void> {
    let position: number | null = null;
    const connection: Connection = await this.backend.connect();
    const editor = this.#editor(migration, connection);
    try {
      await enter(this.backend, connection, options);
      await this.databases.run(() =>
        work(editor, connection, (index) => {
          position = index;
        }),
      );
    } catch (error) {
      throw this.#failed(migration, backwards, error, position, editor, only);
    } finally {
      await leave(this.backend, connection, options).catch(() => {});
      connection.release();
    }
  }

  #ambient<T>(transaction: Transaction, work: () => Promise<T>): Promise<T> {
    return ambient.run(
      { databases: this.databases, transactions: new Map([[this.backend.alias, transaction]]) },
      work,
    );
  }

  /** SQLite: another process holds the write lock, perhaps because it migrates. */
  async #withBusyRetry(work: () => Promise<void>, options: MigrateOptions): Promise<void> {
    for (let attempt = 0; ; attempt++)
      try {
        await work();
        return;
      } catch (error) {
        if (!isSobayaError(error) || error.code !== 'SBY_DB_BUSY' || attempt >= 11) throw error;
        options.onEvent?.({ type: 'waiting', what: 'another process that writes to this database' });
      }
  }

  #failed(
    migration: Migration,
    backwards: boolean,
    cause: unknown,
    position: number | null,
    editor: SchemaEditor | null,
    only: number | undefined,
  ): Error {
    const { key, operations } = migration;
    const operation = position === null ? null : (operations[position] as Operation);
    const error = cause as Error;
    const own = isSobayaError(cause) && cause.code.startsWith('SBY_MIGRATIONS_');
    const reason = own && cause.fix !== '' ? `${cause.what} (${cause.fix})` : reasonOf(error);
    const done = only === undefined ? 0 : backwards ? operations.length - 1 - only : only;
    const rolledBack = operation === null || operation.atomic;
    const state =
      only === undefined
        ? `Its transaction was rolled back: the database is as it was before ${backwards ? `taking back ${key}` : key}`
        : `It runs without one transaction: ${done === 0 ? 'none' : done} of its ${operations.length} operations ${done === 1 ? 'is' : 'are'} ${backwards ? 'taken back' : 'applied'} and recorded, ${rolledBack ? 'the failed one was rolled back' : 'the failed one may have left something behind that the next attempt clears away'}`;
    return fault(
      'SBY_MIGRATIONS_FAILED',
      {
        migration: key,
        position: position === null ? null : position + 1,
        total: operations.length,
        operation: operation?.describe() ?? 'at its end',
        reason,
        sql: editor?.current ?? null,
        state,
        next: `Mend the cause and run sobaya migrate again${only === undefined || done === 0 ? '' : '; it goes on there'}`,
      },
      { cause },
    );
  }

  async #tablesAreThere(migration: Migration, before: ProjectState): Promise<boolean> {
    const isInitial =
      migration.initial ?? !migration.dependencies.some((one) => one.startsWith(`${migration.app}.`));
    if (!isInitial) return false;
    const after = before.clone();
    migration.mutate(after);
    const tables = migration.operations
      .filter((one) => one instanceof CreateModel)
      .map((one) => after.get(modelKey(migration.app, one.model)))
      .filter((model) => model !== undefined)
      .map((model) => tableOf(model));
    if (tables.length === 0) return false;
    const { rows } = await this.backend.query(
      this.backend.vendor === 'sqlite'
        ? "SELECT name FROM sqlite_schema WHERE type = 'table'"
        : 'SELECT table_name FROM information_schema.tables WHERE table_schema = ANY(current_schemas(false))',
    );
    const known = new Set(rows.map(([name]) => String(name)));
    return tables.every((table) => known.has(table));
  }

  /** What is dangerous about the steps of a plan: data that is lost, tables that are locked or written anew. */
  async lint(plan: readonly PlannedStep[]): Promise<Finding[]> {
    const applied = await this.recorder.applied();
    const graph = this.loader.graph(applied);
    const has = this.#has(graph, applied);
    const state = graph.state(graph.inOrder().filter((key) => has(key)));
    const findings: Finding[] = [];
    for (const { migration, backwards } of plan) {
      if (backwards) continue;
      findings.push(
        ...lintMigration({
          vendor: this.backend.vendor,
          spec: schemaSpec(this.backend),
          migration,
          before: state,
        }),
      );
      migration.mutate(state);
    }
    return findings;
  }

  /** The statements of one migration, without running them. */
  async sql(migration: Migration, backwards = false): Promise<string[]> {
    const graph = this.loader.graph();
    const key = graph.has(migration.key) ? migration.key : this.#standsFor(graph, migration.key);
    const before =
      key === migration.key
        ? graph.state(graph.forwards(key).filter((one) => one !== key))
        : new ProjectState();
    const states = this.#states(migration, before);
    const editor = schemaEditor(this.backend, this.backend, { collect: true });
    const indexes = [...migration.operations.keys()];
    for (const index of backwards ? indexes.reverse() : indexes) {
      const operation = migration.operations[index] as Operation;
      const [from, to] = backwards ? [states[index + 1], states[index]] : [states[index], states[index + 1]];
      editor.statements.push(`-- ${backwards ? 'Undo: ' : ''}${operation.describe()}`);
      if (backwards && !operation.reversible) {
        editor.statements.push('-- not reversible');
        continue;
      }
      const count = editor.statements.length;
      await this.#one(operation, editor, migration.app, from as ProjectState, to as ProjectState, backwards);
      if (editor.statements.length === count) editor.statements.push('-- (nothing in the database)');
    }
    await editor.finish();
    return editor.statements;
  }
}

function reasonOf(error: Error): string {
  const cause = error.cause;
  return isSobayaError(error) && cause instanceof Error && cause.message !== ''
    ? cause.message
    : error.message;
}

function isLockTimeout(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause)
    if ((current as { code?: unknown }).code === '55P03') return true;
  return false;
}
