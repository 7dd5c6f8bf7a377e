import { ContextVar } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import type { Backend } from './backends/base.ts';
import type { PostgresOptions } from './backends/postgresql/index.ts';
import { NativePostgresBackend, PostgresBackend } from './backends/postgresql/index.ts';
import { SqliteBackend, type SqliteOptions } from './backends/sqlite/index.ts';
import type { Transaction } from './transaction.ts';

export type DatabaseOptions = SqliteOptions | PostgresOptions;
/** A database: a URL, or options. */
export type DatabaseConfig = string | DatabaseOptions;

/** What decides which database a query goes to, when it does not say `using()`. Django's database router. */
export interface Router {
  /** For reads outside transactions. Return undefined for 'default'. */
  read?(model: string): string | undefined;
  /** For writes. */
  write?(model: string): string | undefined;
  /** Whether migrations of an app change the database `alias`. False: they are recorded there and do nothing. */
  migrate?(alias: string, app: string): boolean | undefined;
}

export interface DatabasesOptions {
  readonly router?: Router;
}

/** What is ambient about databases: which ones, and the open transaction of each. */
export interface AmbientDatabases {
  readonly databases: Databases;
  /** The innermost transaction per alias; shared by what runs inside it. */
  readonly transactions: ReadonlyMap<string, Transaction>;
}
export const ambient = new ContextVar<AmbientDatabases | null>('sobaya.db', null);

const openDatabases = new Set<Databases>();

function parse(alias: string, config: DatabaseConfig): DatabaseOptions {
  if (typeof config !== 'string') {
    const engine = (config as DatabaseOptions | null)?.engine as string | undefined;
    if (engine === 'sqlite' || engine === 'postgresql') return config;
    throw fault('SBY_DB_BAD_URL', { alias, got: engine ?? config });
  }
  if (config.startsWith('sqlite:')) {
    const [path = '', query = ''] = config.slice('sqlite:'.length).split('?', 2);
    const file = path.replace(/^\/\/(?=\/|[^/])/, '');
    const params = new URLSearchParams(query);
    const inline = params.get('inline');
    const timeout = params.get('busyTimeout');
    return {
      engine: 'sqlite',
      file: file === '' ? ':memory:' : file,
      ...(inline === null ? {} : { inline: inline as 'never' }),
      ...(timeout === null ? {} : { busyTimeout: Number(timeout) }),
    };
  }
  if (/^postgres(?:ql)?:\/\//.test(config) && URL.canParse(config))
    return { engine: 'postgresql', url: config };
  throw fault('SBY_DB_BAD_URL', { alias, got: config.replace(/\/\/[^@/]*@/, '//…@') });
}

function postgresBackend(alias: string, options: PostgresOptions): Backend {
  return options.driver !== 'pg'
    ? new NativePostgresBackend(alias, options)
    : new PostgresBackend(alias, options);
}

/** The databases of an application, by alias; `default` is the one queries use unless told otherwise. */
export class Databases {
  readonly #backends = new Map<string, Backend>();
  readonly #options = new Map<string, DatabaseOptions>();
  readonly router: Router | undefined;
  #opening: Promise<this> | null = null;

  constructor(config: Readonly<Record<string, DatabaseConfig>>, options: DatabasesOptions = {}) {
    this.router = options.router;
    for (const [alias, one] of Object.entries(config)) this.#add(alias, one);
  }

  #add(alias: string, config: DatabaseConfig): void {
    const parsed = parse(alias, config);
    this.#options.set(alias, parsed);
    this.#backends.set(
      alias,
      parsed.engine === 'sqlite' ? new SqliteBackend(alias, parsed) : postgresBackend(alias, parsed),
    );
  }

  /** What an alias was made from. */
  optionsOf(alias = 'default'): DatabaseOptions {
    const options = this.#options.get(alias);
    if (options === undefined) throw fault('SBY_DB_UNKNOWN_ALIAS', { alias, known: this.aliases });
    return options;
  }

  /**
   * Other databases in the place of these, while they are closed: what tests do. Gives a function that puts the old ones back,
   * when they are closed again.
   */
  replace(config: Readonly<Record<string, DatabaseConfig>>): () => void {
    const before: Record<string, DatabaseOptions> = {};
    for (const alias of Object.keys(config)) before[alias] = this.optionsOf(alias);
    if (this.isOpen) throw fault('SBY_DB_OPEN', { aliases: this.aliases });
    for (const [alias, one] of Object.entries(config)) this.#add(alias, one);
    return () => void this.replace(before);
  }

  get aliases(): readonly string[] {
    return [...this.#backends.keys()];
  }

  /** The backend of an alias. */
  get(alias = 'default'): Backend {
    const backend = this.#backends.get(alias);
    if (backend === undefined) throw fault('SBY_DB_UNKNOWN_ALIAS', { alias, known: this.aliases });
    return backend;
  }

  /** Opens all; then they are what queries use that run where no others are ambient. Fails if one cannot be opened. */
  open(): Promise<this> {
    return (this.#opening ??= this.#open());
  }

  /** Whether `open()` was called, and `close()` not since. */
  get isOpen(): boolean {
    return this.#opening !== null;
  }

  async #open(): Promise<this> {
    try {
      for (const backend of this.#backends.values()) await backend.open();
    } catch (error) {
      this.#opening = null;
      for (const backend of this.#backends.values()) await backend.close().catch(() => {});
      throw error;
    }
    openDatabases.add(this);
    return this;
  }

  /** Waits for running statements and closes all. */
  async close(): Promise<void> {
    openDatabases.delete(this);
    this.#opening = null;
    for (const backend of this.#backends.values()) await backend.close();
  }

  /** Runs `fn` with these databases as the ambient ones. Does not open or close them. */
  run<T>(fn: () => T): T {
    return ambient.run({ databases: this, transactions: new Map() }, fn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The databases that a query here would use: the ambient ones, else the only open ones of the process. */
export function currentDatabases(): Databases {
  const found = ambient.get();
  if (found) return found.databases;
  if (openDatabases.size === 1) for (const only of openDatabases) return only;
  if (openDatabases.size === 0) throw fault('SBY_DB_NO_DATABASES', {});
  throw fault('SBY_DB_WHICH_DATABASES', { count: openDatabases.size });
}
