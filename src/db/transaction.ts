import {
  background,
  checkpoint,
  currentContext,
  currentTask,
  shield,
  sleep,
  until,
} from '../asyncio/index.ts';
import { fault, isSobayaError } from '../errors/index.ts';
import type {
  Answer,
  Backend,
  Connection,
  Executor,
  Isolation,
  Row,
  StatementShape,
} from './backends/base.ts';
import { type TransactionMessage, transactionChannel } from './channels.ts';
import { ambient, currentDatabases } from './databases.ts';

export interface AtomicOptions {
  /** Which database. Default 'default'. */
  readonly using?: string;
  readonly isolation?: Isolation;
  /** The database refuses writes. */
  readonly readOnly?: boolean;
  /** Refuses to be nested: what it did is on disk when it returns. */
  readonly durable?: boolean;
  /** How often to run the block again after a serialisation failure or deadlock. Default 0. */
  readonly retries?: number;
  /** False: no savepoint for a nested block; its failure then breaks the outer one. Default true. */
  readonly savepoint?: boolean;
}

/** Where the program called, for messages; the first frame outside this room. */
function callSite(at: Error): string {
  const lines = (at.stack ?? '').split('\n').slice(1);
  const here = import.meta.url.replace(/\/[^/]*$/, '/');
  const frame = lines.find((line) => !line.includes(here) && !line.includes('node:'));
  return frame?.trim() ?? '';
}

/**
 * Another statement failed before. Whoever started both hears of that one first, and may cancel what is here for it: then
 * that is what is told, not what the other one has done to the transaction.
 */
async function afterSiblings(): Promise<void> {
  await shield(checkpoint);
  currentContext().scope.throwIfCancelled();
}

/** One atomic() block: a transaction, or a savepoint in one. Statements of parallel children run one after another. */
export class Transaction implements Executor {
  readonly backend: Backend;
  readonly connection: Connection;
  readonly parent: Transaction | null;
  readonly root: Transaction;
  /** Frames are kept as V8 has them; they become text when somebody reads it, which costs twenty times as much. */
  readonly #at = new Error('atomic');
  readonly name: string;
  state: 'open' | 'committed' | 'rolled back' = 'open';
  /** A statement failed: nothing more may run before the block ends. `failure` is its error. */
  broken = false;
  failure: unknown = null;
  rollbackOnly = false;
  #running = 0;
  /** The last link of the chain that keeps savepoints of parallel children apart. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #onCommit: Callback[] = [];
  #savepoints = 0;
  readonly #task = currentTask();

  constructor(backend: Backend, connection: Connection, parent: Transaction | null) {
    this.backend = backend;
    this.connection = connection;
    this.parent = parent;
    this.root = parent === null ? this : parent.root;
    this.name = parent === null ? '' : `s${++this.root.#savepoints}`;
  }

  /** Where the block began: "at order (views.ts:10)". */
  get began(): string {
    return callSite(this.#at);
  }

  get running(): number {
    return this.#running;
  }

  get depth(): number {
    return this.parent === null ? 0 : this.parent.depth + 1;
  }

  /** Whether it and all around it are open. A block may be left while one inside it still runs. */
  get usable(): boolean {
    for (let t: Transaction | null = this; t !== null; t = t.parent) if (t.state !== 'open') return false;
    return true;
  }

  #check(): void {
    for (let t: Transaction | null = this; t !== null; t = t.parent)
      if (t.state !== 'open') throw fault('SBY_DB_TRANSACTION_ENDED', { began: t.began, how: t.state });
    for (let t: Transaction | null = this; t !== null; t = t.parent) if (t.broken) throw t.#isBroken();
  }

  /** The error for what comes after a failed statement, with that failure as its cause. */
  #isBroken(): Error {
    const { began, failure } = this;
    return fault('SBY_DB_TRANSACTION_BROKEN', { began }, failure === null ? undefined : { cause: failure });
  }

  throwIfBroken(): void {
    if (this.broken) throw this.#isBroken();
  }

  /** Nothing more may run before the block ends. */
  fail(error: unknown): void {
    this.broken = true;
    this.failure ??= error;
  }

  /** Waits until no parallel child holds a savepoint: its statements and ours must not mix. */
  async #clear(): Promise<void> {
    while (this.#child !== null) {
      // Code inside the child that uses the outer block by name: it is in the savepoint already.
      for (let t = currentTransaction(this.backend.alias); t !== null; t = t.parent)
        if (t !== this && t.parent === this) return;
      await until(this.#child, 'the savepoint of a parallel atomic()');
    }
  }

  async #through<T>(run: () => Promise<T>): Promise<T> {
    if (this.broken) await afterSiblings();
    this.#check();
    this.#running++;
    try {
      if (this.#child !== null) {
        await this.#clear();
        this.#check();
      }
      return await run();
    } catch (error) {
      // PostgreSQL refuses every further statement; SQLite would carry on, which is worse than one rule for both.
      const code = isSobayaError(error) ? error.code : '';
      if (this.broken || code === 'SBY_DB_TRANSACTION_BROKEN') {
        await afterSiblings();
        if (this.broken && code === 'SBY_DB_TRANSACTION_BROKEN') throw this.#isBroken();
      }
      if (isSobayaError(error) && error.fault === 'usage') throw error;
      if (this.state === 'open') this.fail(error);
      throw error;
    } finally {
      this.#running--;
    }
  }
  #child: Promise<void> | null = null;

  execute<T = Answer>(
    sql: string,
    params?: readonly unknown[],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    return this.#through(() => this.connection.execute(sql, params, shape, map));
  }

  query(sql: string, params?: readonly unknown[]): Promise<Answer> {
    return this.#through(() => this.connection.query(sql, params));
  }

  script(sql: string): Promise<void> {
    return this.#through(() => this.connection.script(sql));
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    const source = this.connection.stream?.(sql, params, chunk);
    if (source === undefined) {
      const { rows } = await this.execute(sql, params);
      if (rows.length > 0) yield rows;
      return;
    }
    const batches = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#through(() => batches.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      // A cursor that is left early is closed, if its transaction is still there.
      if (this.usable) await batches.return?.();
    }
  }

  onCommit(fn: () => unknown, robust = false): void {
    this.#check();
    this.#onCommit.push({ fn, robust });
  }

  /** Runs a nested block alone: parallel children wait for each other. */
  async nested<T>(run: () => Promise<T>): Promise<T> {
    if (this.broken) await afterSiblings();
    this.#check();
    const before = this.#turn;
    let free: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    this.#turn = before.then(() => held);
    this.#running++;
    try {
      await until(before, 'the savepoint of a parallel atomic()');
      this.#check();
      this.#child = held;
      return await run();
    } finally {
      if (this.#child === held) this.#child = null;
      this.#running--;
      free();
    }
  }

  /** Callbacks of a nested block become its parent's; those of the outermost run after COMMIT. */
  takeCallbacks(): Callback[] {
    return this.#onCommit.splice(0);
  }
  adopt(callbacks: readonly Callback[]): void {
    this.#onCommit.push(...callbacks);
  }

  /**
   * Whether what runs here takes part. `background()` work does not: it is the program's, and outlives the block whose
   * ambient values it has.
   */
  get includesHere(): boolean {
    let task = currentTask();
    if (task === this.#task) return true;
    let top: typeof task = null;
    for (; task !== null; task = task.parent) {
      if (task === this.#task) return true;
      top = task;
    }
    return top?.scope.kind !== 'background';
  }
}

/** Called after COMMIT. `robust`: an error in it does not keep the others from being called. */
interface Callback {
  readonly fn: () => unknown;
  readonly robust: boolean;
}

/** The transaction that a query on `alias` here belongs to. */
export function currentTransaction(alias = 'default'): Transaction | null {
  const found = ambient.get()?.transactions.get(alias);
  return found?.includesHere ? found : null;
}

/** Where a statement on `alias` goes: the ambient transaction, else the backend. */
export function executorFor(alias: string): Executor {
  return currentTransaction(alias) ?? (ambient.get()?.databases ?? currentDatabases()).get(alias);
}

async function block<T>(transaction: Transaction, fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
  const alias = transaction.backend.alias;
  const before = ambient.get();
  const databases = before?.databases ?? currentDatabases();
  const transactions = new Map(before?.transactions).set(alias, transaction);
  const value = await ambient.run({ databases, transactions }, fn);
  currentContext().scope.throwIfCancelled();
  if (transaction.running > 0)
    throw fault('SBY_DB_TRANSACTION_OUTLIVED', { began: transaction.began, count: transaction.running });
  return value as Awaited<T>;
}

async function settle(
  transaction: Transaction,
  end: () => Promise<void>,
  how: 'committed' | 'rolled back',
): Promise<void> {
  transaction.state = how;
  await end();
}

async function outermost<T>(
  backend: Backend,
  fn: () => T | PromiseLike<T>,
  options: AtomicOptions,
  message: TransactionMessage,
): Promise<{ value: Awaited<T>; callbacks: Callback[] }> {
  const begin = { isolation: options.isolation, readOnly: options.readOnly };
  const connection = await backend.connect(begin);
  message.waited = (message.waited ?? 0) + connection.waited;
  try {
    await connection.begin(begin);
    const transaction = new Transaction(backend, connection, null);
    try {
      const value = (await block(transaction, fn)) as Awaited<T>;
      if (transaction.rollbackOnly) {
        await settle(transaction, () => connection.rollback(), 'rolled back');
        message.outcome = 'rolled back';
        return { value, callbacks: [] };
      }
      transaction.throwIfBroken();
      await settle(transaction, () => connection.commit(), 'committed');
      return { value, callbacks: transaction.takeCallbacks() };
    } catch (error) {
      transaction.state = 'rolled back';
      await connection.rollback().catch(() => {});
      throw error;
    }
  } finally {
    connection.release();
  }
}

/** What was to happen after COMMIT happens, also when its caller is cancelled meanwhile. */
async function afterCommit(callbacks: readonly Callback[]): Promise<void> {
  for (const { fn, robust } of callbacks) {
    try {
      await shield(async () => {
        await fn();
      });
    } catch (error) {
      if (!robust) throw error;
      // As an unhandled one of a background task: told, and stopping nobody.
      background(
        () => {
          throw error;
        },
        { name: 'onCommit' },
      );
    }
  }
}

async function savepoint<T>(
  parent: Transaction,
  fn: () => T | PromiseLike<T>,
  message: TransactionMessage,
): Promise<Awaited<T>> {
  return parent.nested(async (): Promise<Awaited<T>> => {
    const { connection } = parent;
    const transaction = new Transaction(parent.backend, connection, parent);
    await connection.control(`SAVEPOINT ${transaction.name}`);
    const undo = async (): Promise<void> => {
      transaction.state = 'rolled back';
      // The block around was left meanwhile: then its end has undone this one too, and the connection is somebody else's.
      if (!parent.usable) return;
      await connection.control(
        `ROLLBACK TO SAVEPOINT ${transaction.name}; RELEASE SAVEPOINT ${transaction.name}`,
      );
    };
    try {
      const value = await block(transaction, fn);
      if (transaction.rollbackOnly) {
        await undo();
        message.outcome = 'rolled back';
        return value;
      }
      transaction.throwIfBroken();
      if (!transaction.usable)
        throw fault('SBY_DB_TRANSACTION_ENDED', { began: parent.began, how: parent.state });
      transaction.state = 'committed';
      await connection.control(`RELEASE SAVEPOINT ${transaction.name}`);
      parent.adopt(transaction.takeCallbacks());
      return value;
    } catch (error) {
      await undo().catch((failure) => parent.fail(failure));
      throw error;
    }
  });
}

/**
 * Runs `fn` in a transaction: committed when it returns, rolled back when it throws or is cancelled. Nested blocks
 * are savepoints. Everything `fn` awaits takes part, in helpers too; what it starts in parallel shares the connection.
 */
export async function atomic<T>(
  fn: () => T | PromiseLike<T>,
  options: AtomicOptions = {},
): Promise<Awaited<T>> {
  const alias = options.using ?? 'default';
  const parent = currentTransaction(alias);
  const backend = parent?.backend ?? currentDatabases().get(alias);
  const message: TransactionMessage = { alias, vendor: backend.vendor, savepoint: parent !== null };
  const run = async (): Promise<Awaited<T>> => {
    if (parent !== null) {
      if (options.durable)
        throw fault('SBY_DB_TRANSACTION_OPTION', {
          problem: 'a durable block cannot be nested in another atomic()',
          fix: `The outer one began ${parent.began}`,
        });
      if (options.isolation !== undefined || options.readOnly !== undefined || options.retries)
        throw fault('SBY_DB_TRANSACTION_OPTION', {
          problem: 'isolation, readOnly and retries belong to the outermost block',
          fix: `It began ${parent.began}`,
        });
      if (options.savepoint === false) {
        try {
          return await (fn() as Promise<Awaited<T>>);
        } catch (error) {
          parent.fail(error);
          throw error;
        }
      }
      return savepoint(parent, fn, message);
    }
    let done: Awaited<ReturnType<typeof outermost<T>>> | null = null;
    for (let attempt = 0; done === null; attempt++) {
      try {
        done = await outermost(backend, fn, options, message);
      } catch (error) {
        const again = isSobayaError(error) && error.code === 'SBY_DB_SERIALIZATION';
        if (!again || attempt >= (options.retries ?? 0)) throw error;
        // Those that lost against each other must not meet again in step.
        await sleep(Math.random() * Math.min(100, 2 ** (attempt + 1)));
      }
    }
    message.outcome ??= 'committed';
    // Not among what is run again: the transaction is over, whatever these do.
    if (done.callbacks.length > 0) await afterCommit(done.callbacks);
    return done.value;
  };
  if (!transactionChannel.hasSubscribers) return run();
  return transactionChannel.tracePromise(
    () =>
      run().then(
        (value) => {
          message.outcome ??= 'committed';
          return value;
        },
        (error: unknown) => {
          message.outcome ??= 'rolled back';
          throw error;
        },
      ),
    message,
  ) as Promise<Awaited<T>>;
}

export interface OnCommitOptions {
  readonly using?: string;
  /** An error in `fn` is reported, and those registered after it are called all the same. Default false. */
  readonly robust?: boolean;
}

/**
 * Runs `fn` when the outermost transaction has been committed; at once where there is none. Not after a rollback, nor after
 * that of the nested block it was registered in. In the order of registering; `atomic()` waits for them, and an error in
 * one comes out of it (the work stays committed) and ends the row, unless it is `robust`.
 */
export async function onCommit(fn: () => unknown, options: OnCommitOptions = {}): Promise<void> {
  const transaction = currentTransaction(options.using);
  if (transaction !== null) transaction.onCommit(fn, options.robust);
  else await afterCommit([{ fn, robust: options.robust === true }]);
}

/** Makes the innermost atomic() block roll back at its end, without an error. */
export function setRollback(rollback = true, options: { readonly using?: string } = {}): void {
  const transaction = currentTransaction(options.using);
  if (transaction === null)
    throw fault('SBY_DB_TRANSACTION_OPTION', {
      problem: 'setRollback() needs an open transaction',
      fix: 'Call it inside atomic()',
    });
  transaction.rollbackOnly = rollback;
}
