import { Worker } from 'node:worker_threads';
import { Waiter } from '../../../asyncio/index.ts';
import type { Answer, StatementShape } from '../base.ts';
import { Engine } from './engine.ts';
import {
  FORGET,
  GROUP,
  type GroupAnswer,
  type SqliteFailure,
  type StatementRef,
  type WireAnswer,
  type WorkerSettings,
  WRITE,
} from './protocol.ts';

/** One statement on its way. A waiter of the scope that asked: cancelled with it. */
export class Request extends Waiter {
  readonly sql: string;
  readonly shape: StatementShape | undefined;
  readonly map: ((answer: Answer, id: number) => unknown) | undefined;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  id = 0;
  lane: Lane | null = null;
  settled = false;
  /** Milliseconds that it waited for the writer, and behind others of its lane. */
  waited = 0;

  constructor(
    sql: string,
    shape: StatementShape | undefined,
    map: ((answer: Answer, id: number) => unknown) | undefined,
    resolve: (value: never) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.sql = sql;
    this.shape = shape;
    this.map = map;
    this.resolve = resolve;
    this.reject = reject;
  }

  override onCancel(reason: unknown): void {
    this.settled = true;
    this.lane?.stop(this.id);
    this.reject(reason);
  }

  override describe(): string {
    return `query ${this.sql.length > 80 ? `${this.sql.slice(0, 79)}…` : this.sql}`;
  }

  fail(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.unlink();
    this.reject(error);
  }

  done(answer: WireAnswer, wrap: (failure: SqliteFailure, sql: string) => unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.unlink();
    let given: Answer;
    if (typeof answer === 'number') given = { rows: [], count: 1, key: answer, waited: this.waited };
    else if ('failed' in answer) {
      this.reject(wrap(answer, this.sql));
      return;
    } else {
      const [rows, count, columns] = answer;
      given = { rows, count, columns, waited: this.waited };
    }
    try {
      this.resolve((this.map === undefined ? given : this.map(given, this.id)) as never);
    } catch (error) {
      this.reject(error);
    }
  }
}

/** Statements a lane remembers by number; beyond that both sides forget all and start again. */
const REMEMBERED = 2000;

/** A connection in a worker thread. What is asked in one turn of the event loop travels in one message. */
export class Lane {
  readonly #settings: WorkerSettings;
  readonly #wrap: (failure: SqliteFailure, sql: string) => unknown;
  readonly #stop: Int32Array;
  readonly #waiting = new Map<number, Request>();
  readonly #numbers = new Map<string, number>();
  /** Counts the threads there were: what was begun on one that is gone is lost. */
  generation = 0;
  #worker: Worker | null = null;
  #engine: Engine | null = null;
  #queue: unknown[] = [];
  #lastId = 0;
  /** When the batches left that have not been answered; and when the last answer came. */
  readonly #posted: number[] = [];
  #answered = 0;
  /** When the first of the statements that wait to be sent came. */
  #since = 0;
  #opened: Promise<void> | null = null;
  #closed = false;
  readonly #inline: boolean;

  constructor(
    settings: Omit<WorkerSettings, 'stop'>,
    wrap: (failure: SqliteFailure, sql: string) => unknown,
    inline: boolean,
  ) {
    const stop = new SharedArrayBuffer(4);
    this.#stop = new Int32Array(stop);
    this.#settings = { ...settings, stop };
    this.#wrap = wrap;
    this.#inline = inline;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  /** The engine on this thread; only of an inline lane. */
  get engine(): Engine {
    return (this.#engine ??= new Engine(this.#settings));
  }

  open(): Promise<void> {
    return (this.#opened ??= this.#open());
  }

  async #open(): Promise<void> {
    if (this.#inline) {
      void this.engine;
      return;
    }
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: this.#settings,
      name: 'sobaya sqlite',
      ...inherited,
      stdin: false,
    });
    this.#worker = worker;
    try {
      await new Promise<void>((resolve, reject) => {
        worker.once('message', (message: 'open' | SqliteFailure) => {
          if (message === 'open') resolve();
          else reject(Object.assign(new Error(message.failed), { errcode: message.errcode }));
        });
        worker.once('error', reject);
        worker.once('exit', () => reject(new Error('the worker thread ended before it was ready')));
      });
    } catch (error) {
      this.#worker = null;
      this.#opened = null;
      throw error;
    }
    worker.removeAllListeners('exit');
    worker.on('message', this.#receive);
    worker.on('error', this.#lost);
    worker.on('exit', () => this.#lost(new Error('the worker thread ended')));
    if (this.#waiting.size === 0) worker.unref();
    else this.#flush();
  }

  /** `ref` is SQL: sent once, then by number. With `named` false it goes as text (used once). */
  send(operation: number, sql: string, params: unknown, request: Request, named = true): void {
    const id = (request.id = this.#lastId = (this.#lastId % 0x7ffffff0) + 1);
    request.lane = this;
    let ref: StatementRef = sql;
    if (named) {
      const number = this.#numbers.get(sql);
      if (number !== undefined) ref = number;
      else {
        if (this.#numbers.size >= REMEMBERED) {
          this.#numbers.clear();
          // Not the first of a batch without somebody to send it.
          if (this.#inline) this.engine.one(0, FORGET, 0, null);
          else {
            if (this.#queue.length === 0) this.#wake();
            this.#queue.push(0, FORGET, 0, null);
          }
        }
        const fresh = ++lastNumber;
        this.#numbers.set(sql, fresh);
        ref = [fresh, sql];
      }
    }
    if (this.#inline) {
      const clock = performance.now();
      const answer = this.engine.one(id, operation, ref, params);
      request.shape?.measured(performance.now() - clock);
      request.done(answer, this.#wrap);
      return;
    }
    if (this.#waiting.size === 0) this.#worker?.ref();
    this.#waiting.set(id, request);
    if (this.#queue.length === 0) this.#wake();
    this.#queue.push(id, operation, ref, params);
    if (this.#opened === null) this.open().catch(this.#lost);
  }

  #wake(): void {
    this.#since = performance.now();
    if (this.#posted.length === 0) setImmediate(this.#flush);
  }

  /**
   * One batch is under way at a time: what comes meanwhile is sent together when it is answered. The thread would not begin with it
   * sooner, and a message costs as much as several statements.
   */
  readonly #flush = (): void => {
    if (this.#posted.length === 0) this.#post();
  };

  #post(): void {
    if (this.#queue.length === 0 || this.#worker === null || this.#worker.listenerCount('exit') === 0) return;
    const batch = packed(this.#queue);
    this.#queue = [];
    const now = this.#since;
    try {
      this.#worker.postMessage(batch);
      this.#posted.push(now);
    } catch (error) {
      // A parameter that cannot be cloned: find whose it is.
      for (let i = 0; i < batch.length; i += 4) {
        try {
          this.#worker.postMessage(batch.slice(i, i + 4));
          this.#posted.push(now);
        } catch {
          const many = batch[i + 1] === GROUP ? ((batch[i + 3] as unknown[])[0] as number) : 1;
          for (let k = 0; k < many; k++) this.#take((batch[i] as number) + k)?.fail(error);
        }
      }
    }
  }

  #take(id: number): Request | undefined {
    const request = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    return request;
  }

  readonly #receive = (answers: unknown[]): void => {
    // A batch begins when the one before it has been answered; in it, each begins after those before.
    const posted = this.#posted.shift() as number;
    let waited = Math.max(0, this.#answered - posted);
    this.#answered = performance.now();
    for (let i = 0; i < answers.length; i += 3) {
      const id = answers[i] as number;
      const answer = answers[i + 1] as WireAnswer | GroupAnswer;
      const ms = answers[i + 2] as number;
      if (typeof answer === 'object' && 'group' in answer) {
        const { group } = answer;
        for (let k = 0; k < group.length; k++) this.#answer(id + k, group[k] as WireAnswer, ms, waited);
        waited += ms * group.length;
      } else {
        this.#answer(id, answer, ms, waited);
        waited += ms;
      }
    }
    if (this.#queue.length > 0) setImmediate(this.#flush);
  };

  #answer(id: number, answer: WireAnswer, ms: number, waited: number): void {
    const request = this.#take(id);
    if (request === undefined) return;
    request.waited += waited;
    request.shape?.measured(ms);
    request.done(answer, this.#wrap);
  }

  readonly #lost = (error: unknown): void => {
    const failure: SqliteFailure = { failed: (error as Error).message, errcode: 0, lost: true };
    this.generation++;
    this.#worker = null;
    this.#numbers.clear();
    this.#queue = [];
    this.#posted.length = 0;
    if (!this.#closed) this.#opened = null;
    for (const request of this.#waiting.values()) request.fail(this.#wrap(failure, request.sql));
    this.#waiting.clear();
  };

  /** Makes the running statement fail at its next row, if it is the one with this id. */
  stop(id: number): void {
    Atomics.store(this.#stop, 0, id);
  }

  /** Answers what was asked, ends the thread, and is as new: it can be opened again. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#opened !== null) await this.#opened.catch(() => {});
    this.#engine?.close();
    this.#engine = null;
    const worker = this.#worker;
    if (worker !== null) {
      this.#post();
      this.#worker = null;
      worker.removeAllListeners('exit');
      // The thread closes its connection between batches, so that the log is checkpointed and nothing is cut off.
      await new Promise<void>((resolve) => {
        worker.once('exit', () => resolve());
        if (worker.threadId === -1) return resolve();
        worker.ref();
        worker.postMessage('close');
      });
    }
    this.#lost(new Error('the database was closed'));
    this.#opened = null;
    this.#closed = false;
  }
}
let lastNumber = 0;

/** A thread inherits the flags of node; one that is about a program given as text (`--input-type`) forbids files. */
const inherited = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  ? { execArgv: process.execArgv.filter((flag) => flag.startsWith('--conditions=')) }
  : {};

/** Writes of one statement that stand side by side become one entry: flat arrays cost a fraction to send. */
function packed(queue: unknown[]): unknown[] {
  const out: unknown[] = [];
  for (let i = 0; i < queue.length; ) {
    const ref = queue[i + 2];
    const params = queue[i + 3];
    let end = i + 4;
    if (queue[i + 1] === WRITE && typeof ref === 'number' && Array.isArray(params))
      while (
        queue[end + 1] === WRITE &&
        queue[end + 2] === ref &&
        queue[end] === (queue[end - 4] as number) + 1 &&
        (queue[end + 3] as unknown[]).length === params.length
      )
        end += 4;
    if (end - i <= 4) {
      out.push(queue[i], queue[i + 1], ref, params);
      i = end;
      continue;
    }
    const flat: unknown[] = [(end - i) / 4, (params as unknown[]).length];
    for (let at = i; at < end; at += 4) for (const value of queue[at + 3] as unknown[]) flat.push(value);
    out.push(queue[i], GROUP, ref, flat);
    i = end;
  }
  return out;
}
