import { mkdirSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import { currentContext, runInContext, Waiter } from '../../../asyncio/index.ts';
import { fault } from '../../../errors/index.ts';
import type { Deconstructed } from '../../typing/fields.ts';
import {
  type Answer,
  type Backend,
  type BeginOptions,
  type Connection,
  checkIsolation,
  type ExplainOptions,
  oneOf,
  type Row,
  type StatementShape,
  wholeNumber,
} from '../base.ts';
import { Holdings } from '../holdings.ts';
import { sqliteDialect, sqliteFeatures } from './dialect.ts';
import { sqliteError } from './failures.ts';
import { Lane, Request } from './lane.ts';
import {
  CURSOR,
  CURSOR_CLOSE,
  CURSOR_INSIDE,
  FETCH,
  INSIDE,
  MANY,
  QUERY,
  READ,
  SCRIPT,
  type SqliteFailure,
  WRITE,
} from './protocol.ts';
import { columnType } from './types.ts';

export interface SqliteOptions {
  readonly engine: 'sqlite';
  /** A path, or ':memory:'. */
  readonly file: string;
  /**
   * Where statements run. 'never': in worker threads, the event loop never waits. 'always': on the calling thread,
   * for scripts and tests that do one thing after another. 'budget': reads proven short run on the calling thread,
   * at most 0.1 ms of them in one turn of the event loop. Default 'never'.
   */
  readonly inline?: 'never' | 'budget' | 'always' | undefined;
  /** How long a writer waits for another process, in ms. Default 5000. */
  readonly busyTimeout?: number | undefined;
  /** 'NORMAL' (default) may lose the last commits at a power cut, never consistency; 'FULL' loses nothing. */
  readonly synchronous?: 'OFF' | 'NORMAL' | 'FULL' | undefined;
  /** Cache per connection in KiB. Default 16000. */
  readonly cacheSize?: number | undefined;
  /** Further PRAGMA statements for each connection. */
  readonly pragmas?: readonly string[] | undefined;
  /** Statements that may wait at the same time. Default 10,000. */
  readonly queue?: number | undefined;
}

/** A shape is short until proven slow: these many runs in the slow lane first, and then a mean up to this many ms. */
const PROVING_RUNS = 3;
const SLOW_MS = 2;
const READS = /^\s*(?:select|values|explain|pragma\s+\w+\s*(?:\(|;?\s*$))/i;

/** Waits for the writer while a transaction holds it. */
class Turn extends Waiter {
  readonly go: () => void;
  readonly reject: (reason: unknown) => void;
  readonly drop: (turn: Turn) => void;
  constructor(go: () => void, reject: (reason: unknown) => void, drop: (turn: Turn) => void) {
    super();
    this.go = go;
    this.reject = reject;
    this.drop = drop;
  }
  override onCancel(reason: unknown): void {
    this.drop(this);
    this.reject(reason);
  }
  override describe(): string {
    return 'the SQLite writer';
  }
}

export class SqliteBackend implements Backend {
  readonly vendor = 'sqlite' as const;
  readonly alias: string;
  readonly features = sqliteFeatures;
  readonly dialect = sqliteDialect;
  readonly target: string;
  readonly holdings = new Holdings();
  readonly #options: SqliteOptions;
  readonly #memory: boolean;
  readonly #writer: Lane;
  readonly #fast: Lane;
  readonly #slow: Lane;
  /** Reads of an 'budget' backend that run here. */
  readonly #near: Lane | null;
  #spent = 0;
  #held = false;
  #turns: Turn[] = [];
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(alias: string, options: SqliteOptions) {
    this.alias = alias;
    this.#options = options;
    this.#memory = options.file === ':memory:' || options.file === '';
    this.target = `sqlite:${options.file}`;
    const file = this.#memory ? ':memory:' : resolvePath(options.file);
    const shared = [
      `PRAGMA busy_timeout=${wholeNumber(alias, 'busyTimeout', options.busyTimeout ?? 5000, 0)}`,
      ...(this.#memory ? [] : ['PRAGMA journal_mode=WAL']),
      `PRAGMA synchronous=${oneOf(alias, 'synchronous', options.synchronous ?? 'NORMAL', ['OFF', 'NORMAL', 'FULL'])}`,
      'PRAGMA foreign_keys=ON',
      `PRAGMA cache_size=-${wholeNumber(alias, 'cacheSize', options.cacheSize ?? 16000, 0)}`,
      ...(options.pragmas ?? []),
    ];
    const wrap = (failure: SqliteFailure, sql: string): unknown => this.#wrap(failure, sql);
    const inline = oneOf(alias, 'inline', options.inline ?? 'never', ['never', 'budget', 'always']);
    if (options.queue !== undefined) wholeNumber(alias, 'queue', options.queue, 1);
    this.#writer = new Lane({ file, readOnly: false, pragmas: shared }, wrap, inline === 'always');
    if (this.#memory || inline === 'always') {
      this.#fast = this.#slow = this.#writer;
      this.#near = null;
    } else {
      const reading = { file, readOnly: true, pragmas: shared.filter((text) => !/journal_mode/.test(text)) };
      this.#fast = new Lane(reading, wrap, false);
      this.#slow = new Lane(reading, wrap, false);
      this.#near = inline === 'budget' ? new Lane(reading, wrap, true) : null;
    }
  }

  #wrap(failure: SqliteFailure, sql: string): Error {
    return sqliteError(failure, sql, this.alias);
  }

  async open(): Promise<void> {
    if (this.#state === 'open') return;
    try {
      if (!this.#memory) mkdirSync(dirname(resolvePath(this.#options.file)), { recursive: false });
    } catch {
      // It exists, or opening the file will say what is wrong.
    }
    try {
      await this.#writer.open();
    } catch (error) {
      throw fault(
        'SBY_DB_CANNOT_OPEN',
        { alias: this.alias, target: this.target, reason: (error as Error).message },
        { cause: error },
      );
    }
    this.#state = 'open';
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const lanes = new Set([this.#near, this.#fast, this.#slow, this.#writer]);
    for (const lane of lanes) if (lane !== null && lane !== this.#writer) await lane.close();
    await this.#writer.close();
  }

  quote(name: string): string {
    return sqliteDialect.quote(name);
  }

  columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string {
    return columnType(field, related);
  }

  #guard(lane: Lane): void {
    if (this.#state === 'closed') throw fault('SBY_DB_CLOSED', { alias: this.alias });
    const limit = this.#options.queue ?? 10_000;
    if (lane.pending >= limit || this.#turns.length >= limit)
      throw fault('SBY_DB_POOL_FULL', {
        alias: this.alias,
        waiting: Math.max(lane.pending, this.#turns.length),
      });
  }

  #submit<T>(
    lane: Lane,
    operation: number,
    sql: string,
    params: unknown,
    shape: StatementShape | undefined,
    map: ((answer: Answer) => T) | undefined,
    named: boolean,
    queued: boolean,
  ): Promise<T> {
    const { scope } = currentContext();
    return new Promise<T>((resolve, reject) => {
      if (scope.cancelled) return reject(scope.reason);
      this.#guard(lane);
      const request = new Request(sql, shape, map, resolve as (value: never) => void, reject);
      if (queued && this.#held) {
        const since = performance.now();
        const turn = new Turn(
          () => {
            request.waited = performance.now() - since;
            scope.link(request);
            lane.send(operation, sql, params, request, named);
          },
          reject,
          (gone) => this.#turns.splice(this.#turns.indexOf(gone), 1),
        );
        scope.link(turn);
        this.#turns.push(turn);
        return;
      }
      scope.link(request);
      lane.send(operation, sql, params, request, named);
    });
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    if (shape?.reads ?? READS.test(sql)) {
      const lane = this.#lane(shape);
      // Where it may run long, the statement that can be stopped.
      const quick =
        lane === this.#near || (shape !== undefined && shape.runs >= PROVING_RUNS && shape.mean <= SLOW_MS);
      const text = quick ? sql : (shape?.stoppable ?? sql);
      return this.#submit(lane, READ, text, params, shape, map, shape !== undefined, lane === this.#writer);
    }
    return this.#submit(
      this.#writer,
      WRITE,
      sql,
      params,
      shape,
      map,
      shape !== undefined || params.length > 0,
      true,
    );
  }

  #lane(shape: StatementShape | undefined): Lane {
    if (this.#memory) return this.#writer;
    if (shape === undefined || shape.runs < PROVING_RUNS || shape.mean > SLOW_MS) return this.#slow;
    if (this.#near !== null && shape.runs >= 20 && shape.mean < 0.1 && this.#spent < 0.1) {
      if (this.#spent === 0) setImmediate(() => (this.#spent = 0));
      this.#spent += shape.mean;
      return this.#near;
    }
    return this.#fast;
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    const lane = READS.test(sql) ? this.#slow : this.#writer;
    return this.#submit<Answer>(lane, QUERY, sql, params, undefined, undefined, false, lane === this.#writer);
  }

  async script(sql: string): Promise<void> {
    await this.#submit(this.#writer, SCRIPT, sql, null, undefined, undefined, false, true);
  }

  /** Many parameter rows for one statement, as one transaction. */
  async many(sql: string, rows: readonly (readonly unknown[])[]): Promise<Answer> {
    const connection = await this.connect();
    try {
      await connection.begin({});
      const answer = await (connection as SqliteConnection).many(sql, rows);
      await connection.commit();
      return answer;
    } finally {
      connection.release();
    }
  }

  connect(_options?: BeginOptions): Promise<Connection> {
    const here = currentContext();
    const { scope } = here;
    const asked = performance.now();
    return new Promise((resolve, reject) => {
      if (scope.cancelled) return reject(scope.reason);
      this.#guard(this.#writer);
      const give = (): void => {
        this.#held = true;
        const holding = runInContext(here, () => this.holdings.take());
        const release = (): void => {
          this.holdings.release(holding);
          this.#release();
        };
        resolve(new SqliteConnection(this.#writer, this.alias, performance.now() - asked, release));
      };
      if (!this.#held) return give();
      const turn = new Turn(give, reject, (gone) => this.#turns.splice(this.#turns.indexOf(gone), 1));
      scope.link(turn);
      this.#turns.push(turn);
    });
  }

  readonly #release = (): void => {
    this.#held = false;
    while (!this.#held) {
      const turn = this.#turns.shift();
      if (turn === undefined) return;
      turn.unlink();
      turn.go();
    }
  };

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    const lane = this.#slow;
    yield* cursor(sql, params, chunk, (operation, text, values, map) => {
      const { scope } = currentContext();
      return new Promise((resolve, reject) => {
        this.#guard(lane);
        const request = new Request(text || sql, undefined, map, resolve as (value: never) => void, reject);
        if (operation !== CURSOR_CLOSE) {
          if (scope.cancelled) return reject(scope.reason);
          scope.link(request);
        }
        lane.send(operation, text, values, request, false);
      });
    });
  }

  explaining({ format, analyze, verbose }: ExplainOptions): string {
    const option = format !== undefined && format.toLowerCase() !== 'text' ? 'A format of explain()' : '';
    if (option !== '' || analyze || verbose)
      throw fault('SBY_DB_UNSUPPORTED', {
        what: option || `explain({ ${analyze ? 'analyze' : 'verbose'}: true })`,
        engine: this.vendor,
        fix: 'Leave it out',
      });
    return 'EXPLAIN QUERY PLAN ';
  }

  statistics(): Record<string, number> {
    return {
      writer: this.#writer.pending,
      fast: this.#fast.pending,
      slow: this.#slow.pending,
      waiting: this.#turns.length,
      held: this.#held ? 1 : 0,
    };
  }
}

/** The writer, held by one transaction. */
class SqliteConnection implements Connection {
  readonly waited: number;
  readonly #lane: Lane;
  readonly #generation: number;
  readonly #alias: string;
  readonly #give: () => void;
  #open = false;
  #readOnly = false;
  #released = false;

  constructor(lane: Lane, alias: string, waited: number, give: () => void) {
    this.#lane = lane;
    this.#generation = lane.generation;
    this.#alias = alias;
    this.waited = waited;
    this.#give = give;
  }

  /** `shielded`: goes on when the scope is cancelled; for what ends a transaction. */
  #send<T>(
    operation: number,
    sql: string,
    params: unknown,
    shape?: StatementShape,
    map?: (answer: Answer, id: number) => T,
    named = true,
    shielded = false,
  ): Promise<T> {
    const { scope } = currentContext();
    return new Promise<T>((resolve, reject) => {
      if (!shielded && scope.cancelled) return reject(scope.reason);
      // Another thread would carry it out outside of the transaction.
      if (this.#lane.generation !== this.#generation)
        return reject(fault('SBY_DB_LOST', { alias: this.#alias, reason: 'the worker thread ended' }));
      const request = new Request(sql, shape, map, resolve as (value: never) => void, reject);
      if (!shielded) scope.link(request);
      this.#lane.send(operation, sql, params, request, named);
    });
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    const reads = shape?.reads ?? READS.test(sql);
    return this.#send(reads ? READ : INSIDE, sql, params, shape, map, shape !== undefined);
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return this.#send(QUERY, sql, params, undefined, undefined, false);
  }

  async script(sql: string): Promise<void> {
    await this.#send(SCRIPT, sql, null, undefined, undefined, false);
  }

  many(sql: string, rows: readonly (readonly unknown[])[]): Promise<Answer> {
    return this.#send(MANY, sql, rows);
  }

  stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    return cursor(sql, params, chunk, (operation, text, values, map) =>
      operation === CURSOR
        ? this.#send(CURSOR_INSIDE, text, values, undefined, map, false)
        : this.#send(operation, text, values, undefined, map, false, operation === CURSOR_CLOSE),
    );
  }

  async begin(options: BeginOptions): Promise<void> {
    checkIsolation(options, sqliteFeatures);
    const { deferred, readOnly } = options;
    currentContext().scope.throwIfCancelled();
    if (readOnly) await this.control('PRAGMA query_only=ON');
    this.#readOnly = readOnly === true;
    await this.control(deferred || readOnly ? 'BEGIN' : 'BEGIN IMMEDIATE');
    this.#open = true;
  }

  async commit(): Promise<void> {
    await this.control('COMMIT');
    this.#open = false;
  }

  async rollback(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.control('ROLLBACK');
  }

  async control(sql: string): Promise<void> {
    await this.#send(SCRIPT, sql, null, undefined, undefined, false, true);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    void this.#clean().then(this.#give, this.#give);
  }

  async #clean(): Promise<void> {
    await this.rollback();
    if (this.#readOnly) await this.control('PRAGMA query_only=OFF');
  }
}

type Send = <T>(
  operation: number,
  sql: string,
  params: unknown,
  map: (answer: Answer, id: number) => T,
) => Promise<T>;

/** Rows in chunks from a cursor in the lane that `send` leads to. */
async function* cursor(
  sql: string,
  params: readonly unknown[],
  chunk: number,
  send: Send,
): AsyncGenerator<Row[]> {
  const rowsOf = ({ rows }: Answer): Row[] => rows;
  const id = await send(CURSOR, sql, params, (_answer, number) => number);
  try {
    for (;;) {
      const rows = await send(FETCH, '', [id, chunk], rowsOf);
      if (rows.length > 0) yield rows;
      if (rows.length < chunk) return;
    }
  } finally {
    await send(CURSOR_CLOSE, '', id, rowsOf);
  }
}
