import { currentContext, Lock, shield } from '../asyncio/index.ts';
import { fault, type PostgresqlError } from '../errors/index.ts';
import type { Connection } from './connection.ts';
import { closed } from './faults.ts';
import type { Forms } from './form.ts';
import type { Operation } from './operation.ts';
import { type Lent, Session } from './session.ts';

export interface TransactionOptions {
  readonly isolation?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | undefined;
  readonly readOnly?: boolean | undefined;
  readonly deferrable?: boolean | undefined;
  /** How often to run the whole function again after a serialization failure or a deadlock. Default 0. */
  readonly retries?: number | undefined;
}

const isolations: readonly unknown[] = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
];

export function beginStatement(options: TransactionOptions): string {
  const { isolation, readOnly, deferrable } = options;
  if (isolation !== undefined && !isolations.includes(isolation))
    throw fault('SBY_POSTGRESQL_BAD_OPTION', {
      option: 'isolation',
      got: isolation,
      expected: `one of ${isolations.join(', ')}`,
    });
  const words = ['BEGIN'];
  if (isolation !== undefined) words.push(`ISOLATION LEVEL ${isolation.toUpperCase()}`);
  if (readOnly !== undefined) words.push(readOnly ? 'READ ONLY' : 'READ WRITE');
  if (deferrable !== undefined) words.push(deferrable ? 'DEFERRABLE' : 'NOT DEFERRABLE');
  return words.join(' ');
}

/**
 * A transaction on a connection of its own. Statements run in the order in which they are given, also when parallel
 * tasks give them. It can be used inside the function it was made for, and not after.
 */
export class Transaction extends Session {
  readonly #connection: Connection;
  readonly #nested = new Lock();
  #savepoints = 0;
  #over = false;
  readonly #depth: number;

  /** For builders. Everybody else: `pool.transaction(fn)`. */
  constructor(connection: Connection, depth = 0) {
    super();
    this.#connection = connection;
    this.#depth = depth;
  }

  override get forms(): Forms {
    return this.#connection.forms;
  }

  /** Process id of the session, as in pg_stat_activity. */
  get processId(): number {
    return this.#connection.processId;
  }

  override submit(operation: Operation): void {
    if (this.#over) throw closed('transaction');
    this.#connection.submit(operation);
  }

  override lend(): Promise<Lent> {
    if (this.#over) return Promise.reject(closed('transaction'));
    return Promise.resolve({ connection: this.#connection, waited: 0, giveBack: () => {} });
  }

  /** A savepoint: when `fn` fails, what it did is undone and the transaction can go on. One at a time. */
  async transaction<T>(fn: (tx: Transaction) => T | PromiseLike<T>): Promise<T> {
    if (this.#over) throw closed('transaction');
    using _held = await this.#nested.acquire();
    const name = `sobaya_${this.#depth}_${++this.#savepoints}`;
    const inner = new Transaction(this.#connection, this.#depth + 1);
    return await run(
      this.#connection,
      inner,
      fn,
      `SAVEPOINT ${name}`,
      `RELEASE SAVEPOINT ${name}`,
      // What was rolled back to stays, and is of no use any more.
      `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`,
    );
  }

  /** For builders: nothing may be done with it any more. */
  end(): void {
    this.#over = true;
  }
}

async function run<T>(
  connection: Connection,
  tx: Transaction,
  fn: (tx: Transaction) => T | PromiseLike<T>,
  begin: string,
  commit: string,
  rollback: string,
): Promise<T> {
  currentContext().scope.throwIfCancelled();
  // Sent together with the first statement. When it fails, so does that; and it is looked at before the end.
  const begun = connection.control(begin);
  begun.catch(() => {});
  let value: T;
  try {
    value = await fn(tx);
    // A function that swallowed its cancellation must not commit.
    currentContext().scope.throwIfCancelled();
    await begun;
  } catch (error) {
    tx.end();
    await shield(() => connection.control(rollback)).catch(() => {
      // The connection is gone, and the transaction with it; or it never began. The first error says why.
    });
    throw error;
  }
  tx.end();
  const done = await shield(() => connection.control(commit));
  if (commit === 'COMMIT' && done !== 'COMMIT') throw fault('SBY_POSTGRESQL_NOT_COMMITTED', {});
  return value;
}

/** Runs `fn` in a transaction on `connection`, which nobody else uses meanwhile. */
export async function runTransaction<T>(
  connection: Connection,
  fn: (tx: Transaction) => T | PromiseLike<T>,
  options: TransactionOptions,
): Promise<T> {
  const begin = beginStatement(options);
  for (let left = options.retries ?? 0; ; left--) {
    try {
      return await run(connection, new Transaction(connection), fn, begin, 'COMMIT', 'ROLLBACK');
    } catch (error) {
      const state = (error as PostgresqlError | null)?.sqlState;
      if (left <= 0 || (state !== '40001' && state !== '40P01')) throw error;
    }
  }
}
