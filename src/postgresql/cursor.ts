import { fault } from '../errors/index.ts';
import type { Description, RowDecoder, Shape } from './decoder.ts';
import type { Form } from './form.ts';
import { Operation } from './operation.ts';
import type { Bytes } from './protocol/bytes.ts';
import { rowDescription } from './protocol/messages.ts';
import { Describe, decodeFault, writeBind, writeParse, writeSync } from './query.ts';
import type { Wire } from './wire.ts';

/** Rows at a time where nothing is said. */
export const defaultBatch = 100;
let portals = 0;

/** One trip for rows of a portal: the first one makes it. */
class Fetch<R> extends Operation {
  readonly promise: Promise<R[]>;
  /** More rows may follow. */
  more = false;
  #resolve!: (rows: R[]) => void;
  #reject!: (error: unknown) => void;
  readonly #cursor: Cursor<R>;
  readonly #rows: R[] = [];

  constructor(cursor: Cursor<R>) {
    super();
    this.#cursor = cursor;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get sql(): string {
    return this.#cursor.form.sql;
  }

  override send(wire: Wire): boolean {
    const { writer } = wire;
    const start = writer.at;
    try {
      if (!this.#cursor.writeFetch(wire, this)) return false;
    } catch (error) {
      writer.rewind(start);
      this.stage = 'done';
      this.reject(error);
    }
    return true;
  }

  override rowDescription(bytes: Bytes, start: number, end: number): void {
    this.#cursor.described(rowDescription(bytes, start, end).fields);
  }

  override row(bytes: Bytes, start: number, end: number): void {
    if (this.error !== null) return;
    try {
      this.#rows.push(this.#cursor.decode(bytes, start + 2, end) as R);
    } catch (error) {
      this.error = decodeFault(error, this.sql);
    }
  }

  override suspended(): void {
    this.more = true;
  }

  override reject(error: unknown): void {
    this.unlink();
    if (this.stage === 'waiting' || this.stage === 'new') this.stage = 'done';
    this.#reject(error);
  }

  override ready(wire: Wire): void {
    wire.elapsed();
    this.unlink();
    if (this.cancelled) this.#reject(this.cancelReason);
    else if (this.error !== null) this.#reject(this.error);
    else this.#resolve(this.#rows);
  }
}

class ClosePortal extends Operation {
  readonly sql = '';
  readonly #name: string;
  constructor(name: string) {
    super();
    this.#name = name;
  }
  override send(wire: Wire): boolean {
    const start = wire.writer.begin(67); // C
    wire.writer.int8(80); // P
    wire.writer.cstring(this.#name);
    wire.writer.end(start);
    writeSync(wire.writer);
    return true;
  }
  override reject(): void {}
  override ready(wire: Wire): void {
    wire.elapsed();
  }
}

/** Rows of a statement, fetched in batches from a portal, so that a result of any size needs little memory. */
export class Cursor<R> {
  readonly form: Form;
  readonly #wire: Wire;
  readonly #params: readonly unknown[];
  readonly #shape: Shape<R>;
  readonly #batch: number;
  readonly #name = `sobaya_${++portals}`;
  #description: Description | null = null;
  #decode: RowDecoder | null = null;
  #begun = false;

  constructor(wire: Wire, form: Form, params: readonly unknown[], shape: Shape<R>, batch: number) {
    if (!Number.isInteger(batch) || batch < 1 || batch > 2 ** 31 - 1)
      throw fault('SBY_POSTGRESQL_BAD_OPTION', {
        option: 'batch',
        got: batch,
        expected: 'a number of rows, 1 or more',
      });
    this.#wire = wire;
    this.form = form;
    this.#params = params;
    this.#shape = shape;
    this.#batch = batch;
  }

  /** For the fetch: false when the statement must be described first. */
  writeFetch(wire: Wire, fetch: Operation): boolean {
    const { writer } = wire;
    if (!this.#begun) {
      const { form } = this;
      const statement = wire.prepare ? wire.statement(form) : undefined;
      const description = statement?.description ?? form.description;
      if (description === null) {
        wire.block();
        wire.urgent(new Describe(form, fetch));
        return false;
      }
      const plan = description.plan(this.#shape as Shape<unknown>);
      if (statement === undefined) writeParse(writer, '', form.sql, description.parameters);
      writeBind(
        writer,
        this.#name,
        statement?.name ?? '',
        description,
        this.#params,
        plan.formatBytes,
        form.sql,
      );
      const start = writer.begin(68); // D: what it gives, for sure
      writer.int8(80); // P
      writer.cstring(this.#name);
      writer.end(start);
      this.#description = description;
      this.#decode = plan.decode;
      this.#begun = true;
    }
    const start = writer.begin(69); // E
    writer.cstring(this.#name);
    writer.reserve(4);
    writer.int32(this.#batch);
    writer.end(start);
    writeSync(writer);
    return true;
  }

  described(fields: Parameters<Description['sameFields']>[0]): void {
    const description = this.#description as Description;
    if (description.sameFields(fields)) return;
    const { formats } = description.plan(this.#shape as Shape<unknown>);
    if (this.form.description === description) this.form.description = null;
    this.#description = description.withFields(fields, formats);
    this.#decode = this.#description.plan(this.#shape as Shape<unknown>).decode;
  }

  decode(bytes: Bytes, start: number, end: number): unknown {
    return (this.#decode as RowDecoder)(bytes, start, end);
  }

  /** All batches. Ends the portal when whoever reads stops early. */
  async *batches(): AsyncGenerator<R[], void, undefined> {
    let more = true;
    try {
      while (more) {
        const fetch = new Fetch(this);
        fetch.join();
        this.#wire.submit(fetch);
        const rows = await fetch.promise;
        more = fetch.more;
        if (rows.length > 0) yield rows;
      }
    } finally {
      // In a failed transaction the portal is gone already, and closing what does not exist is no error.
      if (more && this.#begun && this.#wire.down === null) this.#wire.submit(new ClosePortal(this.#name));
    }
  }
}
