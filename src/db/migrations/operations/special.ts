import { fault } from '../../../errors/index.ts';
import type { SchemaEditor } from '../../schema/index.ts';
import type { HistoricalApps } from '../history.ts';
import type { ProjectState } from '../state.ts';
import { Operation, type Reduction } from './base.ts';

/** SQL text, several statements of it, or a statement with parameters. */
export type SqlScript = string | readonly (string | readonly [sql: string, params: readonly unknown[]])[];

export interface RunSqlArgs {
  readonly sql: SqlScript;
  /** What undoes it; `''` when nothing has to be undone. Left out, the operation cannot be reversed. */
  readonly reverseSql?: SqlScript;
  /** What it means for the models, where it changes them. */
  readonly stateOperations?: readonly Operation[];
  /** Run it on databases of this vendor only. */
  readonly vendor?: 'sqlite' | 'postgresql';
  /**
   * False: outside of any transaction, for statements that refuse one (VACUUM, CREATE INDEX CONCURRENTLY), in a
   * migration with `atomic: false`. It may be broken off and run again from its first statement, so write
   * IF NOT EXISTS. Default true.
   */
  readonly atomic?: boolean;
  /** Squashing may leave it out. */
  readonly elidable?: boolean;
}

export class RunSql extends Operation {
  readonly callee = 'runSql';
  readonly category = 'sql';
  readonly args: RunSqlArgs;

  constructor(args: RunSqlArgs) {
    super();
    this.args = args;
  }

  override get reversible(): boolean {
    return this.args.reverseSql !== undefined;
  }

  override get atomic(): boolean {
    return this.args.atomic !== false;
  }

  override get elidable(): boolean {
    return this.args.elidable === true;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { ...this.args };
  }

  stateForwards(app: string, state: ProjectState): void {
    for (const operation of this.args.stateOperations ?? []) operation.stateForwards(app, state);
  }

  async databaseForwards(_app: string, editor: SchemaEditor): Promise<void> {
    await this.#run(editor, this.args.sql);
  }

  async databaseBackwards(_app: string, editor: SchemaEditor): Promise<void> {
    await this.#run(editor, this.args.reverseSql ?? '');
  }

  async #run(editor: SchemaEditor, script: SqlScript): Promise<void> {
    if (this.args.vendor !== undefined && this.args.vendor !== editor.backend.vendor) return;
    for (const statement of typeof script === 'string' ? [script] : script)
      if (typeof statement !== 'string') await editor.execute(statement[0], statement[1]);
      else if (statement.trim() !== '') await editor.run(statement.trim().replace(/;+$/, ''));
  }

  describe(): string {
    return 'Run SQL';
  }

  get fragment(): string {
    return '';
  }

  touches(): null {
    return null;
  }

  override reduce(other: Operation, app: string): Reduction {
    return super.reduce(other, app);
  }
}

export type DataStep = (apps: HistoricalApps) => void | Promise<void>;

export interface RunCodeArgs {
  /** Gets the models as they were at this point of the history. */
  readonly forwards: DataStep;
  /** What undoes it; `runCode.nothing` when nothing has to be undone. Left out, it cannot be reversed. */
  readonly backwards?: DataStep;
  /**
   * False: outside of any transaction, each statement for itself; for filling a large table in batches, in a migration
   * with `atomic: false`. It may be broken off and run again, so it must leave out what is done. Default true.
   */
  readonly atomic?: boolean;
  readonly elidable?: boolean;
}

/** A data step. */
export class RunCode extends Operation {
  readonly callee = 'runCode';
  readonly category = 'code';
  readonly args: RunCodeArgs;

  constructor(args: RunCodeArgs) {
    super();
    if (typeof args?.forwards !== 'function')
      throw fault('SBY_MIGRATIONS_BAD_OPERATION', {
        callee: 'runCode',
        problem: '`forwards` is not a function',
      });
    this.args = args;
  }

  override get reversible(): boolean {
    return this.args.backwards !== undefined;
  }

  override get atomic(): boolean {
    return this.args.atomic !== false;
  }

  override get elidable(): boolean {
    return this.args.elidable === true;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { ...this.args };
  }

  stateForwards(): void {}

  async databaseForwards(_app: string, editor: SchemaEditor, from: ProjectState): Promise<void> {
    await this.#run(editor, this.args.forwards, from);
  }

  async databaseBackwards(_app: string, editor: SchemaEditor, from: ProjectState): Promise<void> {
    await this.#run(editor, this.args.backwards, from);
  }

  async #run(editor: SchemaEditor, step: DataStep | undefined, state: ProjectState): Promise<void> {
    if (step === undefined) return;
    if (editor.collecting)
      return editor.note(`code: ${step.name || 'a data step'}; it has no SQL of its own`);
    await step(editor.historicalApps(state));
  }

  describe(): string {
    return `Run code${this.args.forwards.name === '' || this.args.forwards.name === 'forwards' ? '' : ` ${this.args.forwards.name}`}`;
  }

  get fragment(): string {
    return '';
  }

  touches(): null {
    return null;
  }
}

export interface SeparateArgs {
  readonly databaseOperations?: readonly Operation[];
  readonly stateOperations?: readonly Operation[];
}

/** Operations for the database alone and for the state alone, where the two must differ. */
export class SeparateDatabaseAndState extends Operation {
  readonly callee = 'separateDatabaseAndState';
  readonly category = 'mixed';
  readonly args: SeparateArgs;

  constructor(args: SeparateArgs) {
    super();
    this.args = args;
  }

  override get reversible(): boolean {
    return (this.args.databaseOperations ?? []).every((operation) => operation.reversible);
  }

  override get atomic(): boolean {
    return (this.args.databaseOperations ?? []).every((operation) => operation.atomic);
  }

  override get touchesDatabase(): boolean {
    return (this.args.databaseOperations ?? []).some((operation) => operation.touchesDatabase);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { ...this.args };
  }

  stateForwards(app: string, state: ProjectState): void {
    for (const operation of this.args.stateOperations ?? []) operation.stateForwards(app, state);
  }

  async databaseForwards(app: string, editor: SchemaEditor, from: ProjectState): Promise<void> {
    let before = from;
    for (const operation of this.args.databaseOperations ?? []) {
      const after = before.clone();
      operation.stateForwards(app, after);
      await operation.databaseForwards(app, editor, before, after);
      before = after;
    }
  }

  async databaseBackwards(
    app: string,
    editor: SchemaEditor,
    _from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    const states = [to];
    const operations = this.args.databaseOperations ?? [];
    for (const operation of operations) {
      const next = (states.at(-1) as ProjectState).clone();
      operation.stateForwards(app, next);
      states.push(next);
    }
    for (let i = operations.length - 1; i >= 0; i--)
      await (operations[i] as Operation).databaseBackwards(
        app,
        editor,
        states[i + 1] as ProjectState,
        states[i] as ProjectState,
      );
  }

  describe(): string {
    return 'Separate changes of the database and the state';
  }

  get fragment(): string {
    return '';
  }

  touches(): null {
    return null;
  }
}
