import { fault, type ServerFields } from '../errors/index.ts';
import type { PostgresqlQueryMessage } from './channels.ts';
import { Description, type Plan, type RowDecoder, type Shape } from './decoder.ts';
import type { Form } from './form.ts';
import type { Slot } from './lanes.ts';
import { Operation } from './operation.ts';
import { type Bytes, int16 } from './protocol/bytes.ts';
import {
  type Field,
  parameterDescription,
  rowDescription,
  tagCommand,
  tagCount,
} from './protocol/messages.ts';
import type { Writer } from './protocol/writer.ts';
import { Unencodable, writeValue } from './types/codec.ts';
import { Undecodable } from './types/datetime.ts';
import { referred, typeInfos, typeQuery } from './types/registry.ts';
import { idle, type Statement, type Wire } from './wire.ts';

/** What a statement gave. */
export interface Result<R> {
  readonly rows: R[];
  /** Rows changed by INSERT, UPDATE, DELETE, MERGE, COPY; else the number of rows given. */
  readonly count: number;
  /** SELECT, INSERT, CREATE TABLE, … */
  readonly command: string;
  /** The columns; empty for statements that give no rows. */
  readonly fields: readonly Field[];
}

const none: readonly Field[] = [];
/** Execute the unnamed portal to its end, then Sync. */
const executeAndSync = Buffer.from([69, 0, 0, 0, 9, 0, 0, 0, 0, 0, 83, 0, 0, 0, 4]);
const describePortal = Buffer.from([68, 0, 0, 0, 6, 80, 0]);
/** Statements that may have committed a part of their work before they were cancelled. */
const mayCommitInside = /^\s*(call|do|vacuum|reindex|create\s+(unique\s+)?index\s+concurrently)\b/i;

export function writeParse(writer: Writer, name: string, sql: string, parameters: readonly number[]): void {
  const start = writer.begin(80); // P
  writer.cstring(name);
  writer.cstring(sql);
  writer.reserve(2 + parameters.length * 4);
  writer.int16(parameters.length);
  for (const oid of parameters) writer.int32(oid);
  writer.end(start);
}

export function writeDescribeStatement(writer: Writer, name: string): void {
  const start = writer.begin(68); // D
  writer.int8(83); // S
  writer.cstring(name);
  writer.end(start);
}

export function writeSync(writer: Writer): void {
  writer.end(writer.begin(83)); // S
}

/** A Bind message. Throws a catalogue error for values that do not fit; the caller takes back what was written. */
export function writeBind(
  writer: Writer,
  portal: string,
  statement: string,
  description: Description,
  params: readonly unknown[],
  formatBytes: Uint8Array,
  sql: string,
): void {
  const { codecs } = description;
  const count = params.length;
  if (count !== codecs.length)
    throw fault('SBY_POSTGRESQL_PARAMETER_COUNT', { wanted: codecs.length, got: count, sql });
  const start = writer.begin(66); // B
  writer.cstring(portal);
  writer.cstring(statement);
  writer.reserve(4 + count * 2);
  writer.int16(count);
  const formats = writer.at;
  writer.at += count * 2;
  writer.int16(count);
  for (let i = 0; i < count; i++) {
    const value = params[i];
    let format = 0;
    if (value === null) {
      writer.reserve(4);
      writer.int32(-1);
    } else {
      if (value === undefined) throw badParameter(description, i, value, 'null for NULL, or the value', sql);
      try {
        format = writeValue(writer, codecs[i]!, value);
      } catch (error) {
        if (!(error instanceof Unencodable)) throw error;
        throw badParameter(description, i, value, error.message, sql, error.cause);
      }
    }
    // Behind this point memory may have moved; the place has not.
    writer.bytes[formats + i * 2] = 0;
    writer.bytes[formats + i * 2 + 1] = format;
  }
  writer.raw(formatBytes);
  writer.end(start);
}

function badParameter(
  description: Description,
  index: number,
  got: unknown,
  expected: string,
  sql: string,
  cause?: unknown,
): Error {
  const error = fault(
    'SBY_POSTGRESQL_BAD_PARAMETER',
    { position: index + 1, type: description.codecs[index]?.name ?? '', got, expected, sql },
    cause === undefined ? undefined : { cause },
  );
  error.sql = sql;
  return error;
}

/** An error of a decoder as one of the catalogue. */
export function decodeFault(error: unknown, sql: string): Error {
  if (error instanceof Undecodable) {
    const bad = fault(
      'SBY_POSTGRESQL_DECODE',
      { type: error.type || 'this column', problem: error.message, fix: error.fix },
      { cause: error },
    );
    bad.sql = sql;
    bad.retryable = error.again;
    return bad;
  }
  // A codec's or a row function's own error, as it is.
  return error instanceof Error ? error : new Error(String(error));
}

/** One statement with its parameters, and its result. */
export class Query<R, T> extends Operation {
  readonly form: Form;
  readonly params: readonly unknown[];
  readonly shape: Shape<R>;
  readonly map: ((result: Result<R>, waited: number) => T) | null;
  readonly promise: Promise<T>;
  /** For whoever traces; the number of rows is written into it. */
  message: PostgresqlQueryMessage | null = null;
  translate: ((error: unknown, sql: string) => unknown) | null = null;
  /** For a pool: where it was sent, what it counts for there, since when it waits. */
  slot: Slot | null = null;
  slow = false;
  expected = 0;
  queuedAt = 0;
  /** Milliseconds that it waited in a pool for a connection. */
  waited = 0;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #rows: R[] = [];
  #decode: RowDecoder | null = null;
  #description: Description | null = null;
  #plan: Plan | null = null;
  #statement: Statement | null = null;
  /** The description was taken from another connection, or there was none: what comes is compared with it. */
  #assumed = false;
  #count = -1;
  #command = '';
  #retried = false;

  constructor(
    form: Form,
    params: readonly unknown[],
    shape: Shape<R>,
    map: ((result: Result<R>, waited: number) => T) | null,
  ) {
    super();
    this.form = form;
    this.params = params;
    this.shape = shape;
    this.map = map;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get sql(): string {
    return this.form.sql;
  }

  override reject(error: unknown): void {
    this.unlink();
    if (this.stage === 'waiting' || this.stage === 'new') this.stage = 'done';
    this.#reject(this.translate === null ? error : this.translate(error, this.sql));
  }

  override send(wire: Wire): boolean {
    const { form } = this;
    const { writer } = wire;
    const start = writer.at;
    let statement = wire.prepare ? wire.statement(form) : undefined;
    const description = statement?.description ?? form.description;
    if (description === null) {
      wire.block();
      wire.urgent(new Describe(form, this));
      return false;
    }
    const fresh = statement === undefined;
    try {
      const plan = description.plan(this.shape as Shape<unknown>);
      this.#decode = plan.decode;
      this.#plan = plan;
      this.#description = description;
      this.#assumed = fresh;
      if (fresh) {
        const name = wire.prepare ? wire.newName(form) : '';
        writeParse(writer, name, form.sql, description.parameters);
        if (wire.prepare) writeDescribeStatement(writer, name);
        writeBind(writer, '', name, description, this.params, plan.formatBytes, form.sql);
        if (wire.prepare) statement = wire.addStatement(form, name, description);
        else writer.raw(describePortal);
      } else {
        writeBind(writer, '', statement!.name, description, this.params, plan.formatBytes, form.sql);
      }
      this.#statement = statement ?? null;
      writer.raw(executeAndSync);
      return true;
    } catch (error) {
      writer.rewind(start);
      this.stage = 'done';
      this.reject(error);
      return true;
    }
  }

  override rowDescription(bytes: Bytes, start: number, end: number, wire: Wire): void {
    const { fields } = rowDescription(bytes, start, end);
    this.#described(fields, wire);
  }

  override noData(wire: Wire): void {
    this.#described(null, wire);
  }

  #described(fields: readonly Field[] | null, wire: Wire): void {
    const description = this.#description as Description;
    if (description.sameFields(fields)) return;
    // Not what other connections saw. The server said so before the first row, so the rows can be read all the same,
    // in the formats that were asked for; those behind us that were sent for the same statement too.
    const actual = description.withFields(fields, (this.#plan as Plan).formats);
    if (this.form.description === description) this.form.description = null;
    this.#description = actual;
    this.#plan = actual.plan(this.shape as Shape<unknown>);
    this.#decode = this.#plan.decode;
    if (this.#statement !== null) {
      this.#statement.description = actual;
      // Learn it properly next time.
      wire.forget(this.#statement);
    }
  }

  override row(bytes: Bytes, start: number, end: number): void {
    if (this.error !== null) return;
    try {
      if (this.#rows.length === 0) {
        // An operation before us may have found out that the statement gives something else.
        const description = this.#statement?.description;
        if (description !== undefined && description !== this.#description) {
          this.#description = description;
          this.#decode = description.plan(this.shape as Shape<unknown>).decode;
        }
        const columns = this.#description?.fields?.length ?? 0;
        if (int16(bytes, start) !== columns) throw new RangeError('a row with another number of columns');
      }
      this.#rows.push((this.#decode as RowDecoder)(bytes, start + 2, end) as R);
    } catch (error) {
      this.error = decodeFault(error, this.sql);
    }
  }

  override complete(bytes: Bytes, start: number, end: number): void {
    this.#count = tagCount(bytes, start, end);
    this.#command = end > start ? tagCommand(bytes, start, end) : '';
  }

  override copyOut(): void {
    this.error ??= fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'COPY … TO STDOUT gives no rows',
      fix: 'Use copyTo(sql)',
    });
  }

  override ready(wire: Wire, before: number, after: number): void {
    const ms = wire.elapsed();
    const { error } = this;
    if (error !== null && this.#again(error, wire, before, after)) return;
    if (error === null && ms >= 0) this.form.measured(Math.max(0, ms - wire.roundTrip));
    if (this.cancelled) {
      this.reject(this.cancelReason);
      return;
    }
    if (error !== null) {
      this.reject(error);
      return;
    }
    this.unlink();
    try {
      const rows = this.#rows;
      if (this.message !== null) this.message.rows = this.#count < 0 ? rows.length : this.#count;
      const result: Result<R> = {
        rows,
        count: this.#count < 0 ? rows.length : this.#count,
        command: this.#command,
        fields: this.#description?.fields ?? none,
      };
      this.#resolve(this.map === null ? (result as T) : this.map(result, this.waited));
    } catch (thrown) {
      this.#reject(thrown);
    }
  }

  /** Errors that are not the statement's fault, when the server has done nothing: tries once more. */
  #again(error: Error, wire: Wire, before: number, after: number): boolean {
    const fields = (error as { server?: ServerFields }).server;
    if (fields === undefined) return false;
    const state = fields.sqlState;
    const stalePlan = fields.routine === 'RevalidateCachedQuery';
    const lostStatement = state === '26000';
    const misbound = this.#assumed && /^(42|08P01|0A000)/.test(state);
    if (this.#statement !== null && (this.#assumed || stalePlan || lostStatement))
      wire.forget(this.#statement);
    if (stalePlan || misbound) {
      if (this.form.description === this.#description) this.form.description = null;
    }
    const autocommit = before === idle && after === idle;
    if (!autocommit || this.#retried || this.cancelled) return false;
    const stray = state === '57014' && wire.isStray(this) && !mayCommitInside.test(this.sql);
    if (!stalePlan && !lostStatement && !misbound && !stray) return false;
    this.#retried = true;
    this.#rows = [];
    this.#count = -1;
    wire.resubmit(this);
    return true;
  }
}

/**
 * Asks the server what a statement takes and gives, once, before it is run for the first time: nothing can be encoded
 * or asked for in binary before that. The connection sends nothing else meanwhile, so that the order stays.
 */
export class Describe extends Operation {
  readonly form: Form;
  readonly #for: Operation;
  #name = '';
  #parameters: number[] = [];
  #fields: Field[] | null = null;

  constructor(form: Form, query: Operation) {
    super();
    this.form = form;
    this.#for = query;
  }

  get sql(): string {
    return this.form.sql;
  }

  override send(wire: Wire): boolean {
    const { writer } = wire;
    this.#name = wire.prepare ? wire.newName(this.form) : '';
    writeParse(writer, this.#name, this.form.sql, []);
    writeDescribeStatement(writer, this.#name);
    writeSync(writer);
    return true;
  }

  override parameterDescription(bytes: Bytes, start: number, end: number): void {
    this.#parameters = parameterDescription(bytes, start, end);
  }

  override rowDescription(bytes: Bytes, start: number, end: number): void {
    this.#fields = rowDescription(bytes, start, end).fields;
  }

  override reject(): void {
    // The connection is gone; the query, which waits, hears of it by itself.
  }

  override ready(wire: Wire): void {
    wire.elapsed();
    if (this.error !== null) {
      const query = this.#for;
      if (query.stage === 'waiting') {
        wire.remove(query);
        query.stage = 'done';
        query.reject(this.error);
        query.holder?.over(query);
      }
      wire.unblock();
      return;
    }
    learnTypes(wire, [...this.#parameters, ...(this.#fields ?? []).map((field) => field.oid)], () => {
      const description = new Description(wire.registry, this.#parameters, this.#fields);
      this.form.description = description;
      if (wire.prepare) wire.addStatement(this.form, this.#name, description);
      wire.unblock();
    });
  }
}

/** Looks up types that are not known, and those that they are made of, then goes on. */
export function learnTypes(wire: Wire, oids: readonly number[], then: () => void, depth = 0): void {
  const { registry } = wire;
  const unknown = [...new Set(oids)].filter((oid) => !registry.knows(oid));
  if (unknown.length === 0 || depth > 8) {
    then();
    return;
  }
  wire.urgent(
    new Script(typeQuery(unknown), (results, error) => {
      // Without the catalogue (a failed transaction, no permission) such types are text.
      const infos = error === null ? typeInfos((results?.[0]?.rows ?? []) as (string | null)[][]) : [];
      registry.learn(infos, error === null ? unknown : []);
      if (error !== null) then();
      else learnTypes(wire, referred(infos), then, depth + 1);
    }),
  );
}

/** One round of the simple query protocol: any number of statements, no parameters, text. */
export class Script extends Operation {
  readonly sql: string;
  readonly #done: (results: Result<unknown[]>[] | null, error: unknown) => void;
  readonly #results: Result<unknown[]>[] = [];
  #rows: unknown[][] = [];
  #fields: readonly Field[] = none;
  #decode: RowDecoder | null = null;

  constructor(sql: string, done: (results: Result<unknown[]>[] | null, error: unknown) => void) {
    super();
    this.sql = sql;
    this.#done = done;
  }

  override send(wire: Wire): boolean {
    const start = wire.writer.begin(81); // Q
    wire.writer.cstring(this.sql);
    wire.writer.end(start);
    return true;
  }

  override rowDescription(bytes: Bytes, start: number, end: number): void {
    this.#fields = rowDescription(bytes, start, end).fields;
    this.#decode = textDescription(this.#fields);
  }

  override row(bytes: Bytes, start: number, end: number): void {
    if (this.error === null && this.#decode !== null)
      this.#rows.push(this.#decode(bytes, start + 2, end) as unknown[]);
  }

  override complete(bytes: Bytes, start: number, end: number): void {
    if (end === start) return;
    const count = tagCount(bytes, start, end);
    this.#results.push({
      rows: this.#rows,
      count: count < 0 ? this.#rows.length : count,
      command: tagCommand(bytes, start, end),
      fields: this.#fields,
    });
    this.#rows = [];
    this.#fields = none;
  }

  override copyOut(): void {
    this.error ??= fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'COPY … TO STDOUT gives no rows',
      fix: 'Use copyTo(sql)',
    });
  }

  override reject(error: unknown): void {
    this.unlink();
    if (this.stage === 'waiting' || this.stage === 'new') this.stage = 'done';
    this.#done(null, error);
  }

  override ready(wire: Wire): void {
    wire.elapsed();
    this.unlink();
    if (this.cancelled) this.#done(null, this.cancelReason);
    else if (this.error !== null) this.#done(null, this.error);
    else this.#done(this.#results, null);
  }
}

/** Every column as text, in arrays: what the simple protocol gives. */
function textDescription(fields: readonly Field[]): RowDecoder {
  return (b, start) => {
    let p = start;
    return fields.map(() => {
      const n = b.readInt32BE(p);
      p += 4;
      if (n < 0) return null;
      p += n;
      return b.utf8Slice(p - n, p);
    });
  };
}
