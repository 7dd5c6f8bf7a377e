import { fault } from '../../errors/index.ts';
import type { Answer, Backend, Executor } from '../backends/base.ts';
import type { HistoricalApps } from '../migrations/history.ts';
import type { ModelState, ProjectState } from '../migrations/state.ts';
import type { SchemaBackend } from './backend.ts';
import { diffStates, type Hints, type TableChange } from './diff.ts';
import type { TableSpec } from './spec.ts';

export interface EditorOptions {
  /** Only collect the statements: `sobaya sqlmigrate`. */
  readonly collect?: boolean;
  /** Told of each statement before it runs. */
  readonly onStatement?: (sql: string) => void;
  /** Makes the models of a state, for data steps. */
  readonly historicalApps?: (state: ProjectState) => HistoricalApps;
  /** The migration runs SQL or code of the user: at its end all foreign keys are checked, where they were off. */
  readonly checkAll?: boolean;
}

/** `concurrent`: indexes are made while writes go on. `notValid`: constraints are asked of new rows only. */
export type Manner = 'plain' | 'concurrent' | 'notValid';

/** Changes the tables of one database. One per backend; made for one migration. */
export abstract class SchemaEditor {
  readonly backend: Backend;
  readonly executor: Executor;
  readonly collecting: boolean;
  /** Every statement so far, run or collected. */
  readonly statements: string[] = [];
  /** The statement that runs, for messages when it fails. */
  current: string | null = null;
  readonly checkAll: boolean;
  protected manner: Manner = 'plain';
  readonly #options: EditorOptions;
  #deferred: string[] = [];

  constructor(backend: Backend, executor: Executor, options: EditorOptions = {}) {
    this.backend = backend;
    this.executor = executor;
    this.collecting = options.collect === true;
    this.checkAll = options.checkAll === true;
    this.#options = options;
  }

  abstract readonly spec: SchemaBackend;
  /** True: a migration runs in one transaction. */
  get transactional(): boolean {
    return this.backend.features.transactionalDdl;
  }

  /** The statements that make a table, collected; only where nothing runs. */
  async tableSql(table: TableSpec): Promise<readonly string[]> {
    const before = this.statements.length;
    await this.createTables([table]);
    return this.statements.splice(before);
  }

  /** Brings the database from one state to the other. */
  async migrate(from: ProjectState, to: ProjectState, hints: Hints = {}): Promise<void> {
    const difference = diffStates(from, to, hints, this.spec);
    for (const { from: old, to: name } of difference.renamedTables) await this.renameTable(old, name);
    await this.createTables(difference.created);
    await this.beforeChanges(difference.changed, difference.dropped);
    for (const change of difference.changed) await this.changeTable(change);
    await this.afterChanges(difference.changed);
    await this.dropTables(difference.dropped);
  }

  protected async beforeChanges(
    _changes: readonly TableChange[],
    _dropped: readonly TableSpec[],
  ): Promise<void> {}
  protected async afterChanges(_changes: readonly TableChange[]): Promise<void> {}
  protected abstract createTables(tables: readonly TableSpec[]): Promise<void>;
  protected abstract dropTables(tables: readonly TableSpec[]): Promise<void>;
  protected abstract renameTable(from: string, to: string): Promise<void>;
  protected abstract changeTable(change: TableChange): Promise<void>;

  quote(name: string): string {
    return this.backend.quote(name);
  }

  /** Runs (or collects) one statement. */
  async run(sql: string): Promise<void> {
    this.statements.push(`${sql};`);
    if (this.collecting) return;
    this.current = sql;
    this.#options.onStatement?.(sql);
    await this.executor.script(sql);
    this.current = null;
  }

  /** Runs one statement with parameters; collected as it stands. */
  async execute(sql: string, params: readonly unknown[] = []): Promise<void> {
    if (params.length === 0) return this.run(sql);
    this.statements.push(`${sql}; -- ${JSON.stringify(params)}`);
    if (this.collecting) return;
    this.current = sql;
    this.#options.onStatement?.(sql);
    await this.executor.execute(sql, params);
    this.current = null;
  }

  /** Reads; an empty answer while only collecting. */
  async read(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    if (this.collecting) return { rows: [], count: 0, columns: [] };
    this.current = sql;
    const answer = await this.executor.query(sql, params);
    this.current = null;
    return answer;
  }

  /** A line for people in the collected SQL: something that is not SQL happens here. */
  note(text: string): void {
    if (this.collecting) this.statements.push(`-- ${text}`);
  }

  /** The models of a state, for data steps. */
  historicalApps(state: ProjectState): HistoricalApps {
    if (this.#options.historicalApps === undefined) this.unsupported('A data step without an application');
    return this.#options.historicalApps(state);
  }

  /** After a step that changed rows. */
  async dataChanged(): Promise<void> {}

  /** Runs `work`; what it changes is changed in this manner, where the database can. */
  async inManner(manner: Manner, work: () => Promise<void>): Promise<void> {
    const before = this.manner;
    this.manner = manner;
    try {
      await work();
    } finally {
      this.manner = before;
    }
  }

  /** Checks the rows that the manner `notValid` left out. */
  async validateConstraint(_model: ModelState, _name: string): Promise<void> {}

  /** Runs after the migration's operations: constraints that need tables made later. */
  protected defer(sql: string): void {
    this.#deferred.push(sql);
  }

  /** After the last operation, inside the transaction. */
  async finish(): Promise<void> {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const sql of deferred) await this.run(sql);
  }

  protected unsupported(what: string): never {
    throw fault('SBY_MIGRATIONS_UNSUPPORTED', { what, vendor: this.backend.vendor });
  }
}
