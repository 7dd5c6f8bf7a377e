import { type Hints, type Manner, type SchemaEditor, turnAround } from '../../schema/index.ts';
import { type ProjectState, resolveKey } from '../state.ts';

/** What an operation does to data: shown by `migrate --plan` and judged by the linter. */
export type Category = 'add' | 'remove' | 'alter' | 'sql' | 'code' | 'mixed';
export const categorySign: Readonly<Record<Category, string>> = {
  add: '+',
  remove: '-',
  alter: '~',
  sql: 's',
  code: 'c',
  mixed: '?',
};

/** What two neighbours become: a replacement, `true` for "the other may pass in front of me", or `false`. */
export type Reduction = readonly Operation[] | boolean;

/**
 * One step of a migration: a change of the state, and the change of the database that goes with it. Subclass it
 * for operations of your own; migration files then import a function that makes one.
 */
export abstract class Operation {
  /** The function that makes it in a migration file. */
  abstract readonly callee: string;
  abstract readonly category: Category;
  /** Where `callee` is imported from; null for Sobaya's own operations. */
  readonly module: string | null = null;
  /** False: migrating backwards over it is refused before anything is done. */
  get reversible(): boolean {
    return true;
  }
  /** False: it cannot run inside a transaction, as CREATE INDEX CONCURRENTLY. */
  get atomic(): boolean {
    return true;
  }
  /** False: it changes the state only. */
  get touchesDatabase(): boolean {
    return true;
  }
  /** The argument of `callee`. */
  abstract deconstruct(): Readonly<Record<string, unknown>>;
  abstract stateForwards(app: string, state: ProjectState): void;
  abstract databaseForwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void>;
  /** `from` is the state with the operation applied, `to` the one without it. */
  abstract databaseBackwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void>;
  /** "Create model Author". */
  abstract describe(): string;
  /** For the file's name: `author_name`. Empty when there is nothing worth naming. */
  abstract get fragment(): string;
  /** Keys of the models it reads or changes; null: it may touch anything. */
  abstract touches(app: string): readonly string[] | null;
  /** What this operation and a later one become together, with nothing but passable operations between them. */
  reduce(other: Operation, app: string): Reduction {
    if (other.elidable && this.elidable) return [];
    if (this.elidable) return [other];
    if (other.elidable) return [this];
    const mine = this.touches(app);
    const theirs = other.touches(app);
    if (mine === null || theirs === null) return false;
    return !mine.some((key) => theirs.includes(key));
  }
  /** True: squashing may leave it out. */
  get elidable(): boolean {
    return false;
  }
}

/** An operation whose effect on the database is the difference of the two states, forwards and backwards. */
export abstract class SchemaOperation extends Operation {
  /** How a busy table is changed, where the database can do it otherwise than plainly. */
  readonly manner: Manner = 'plain';

  override get atomic(): boolean {
    return this.manner !== 'concurrent';
  }

  /** What the difference cannot show: renames, and values for existing rows. */
  hints(_app: string): Hints {
    return {};
  }

  async databaseForwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.inManner(this.manner, () => editor.migrate(from, to, this.hints(app)));
  }

  async databaseBackwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    // What comes back was there before: it is valid.
    const manner = this.manner === 'notValid' ? 'plain' : this.manner;
    await editor.inManner(manner, () => editor.migrate(from, to, turnAround(this.hints(app))));
  }
}

/** An operation that changes one model that exists before and after it, and nothing else. */
export abstract class ModelChange extends SchemaOperation {
  abstract readonly model: string;

  key(app: string): string {
    return resolveKey(app, this.model);
  }

  touches(app: string): readonly string[] {
    return [this.key(app)];
  }
}
