import { createConnection } from 'node:net';
import type { Client, ClientConfig, Query as PgQuery } from 'pg';
import { Waiter } from '../../../asyncio/index.ts';
import type { Answer, StatementShape } from '../base.ts';
import { arrayLiteral } from './dialect.ts';
import type { ServerError } from './failures.ts';

/** What we use of `pg` beyond its types: subclassing Query is how rows are built without a Result. */
interface PgConnection {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
  readonly stream: { cork?(): void; uncork?(): void };
  bind(config: object): void;
  execute(config: object): void;
  sync(): void;
}
export interface Pg {
  readonly Client: new (config: ClientConfig & { pipeline?: boolean }) => Client;
  readonly Query: new (config: object) => PgQuery;
  readonly types: { getTypeParser(oid: number, format?: string): (value: string) => unknown };
}
type Parser = ((text: string) => unknown) | null;

const integer = (text: string): number | string => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
};
const number = (text: string): number => Number(text);
const flag = (text: string): boolean => text === 't';

/** Text to values the field decoders take; null where the text is the value. */
function parserFor(pg: Pg, oid: number): Parser {
  switch (oid) {
    case 20:
    case 21:
    case 23:
    case 26:
      return integer;
    case 700:
    case 701:
      return number;
    case 16:
      return flag;
    case 17:
      return pg.types.getTypeParser(17, 'text') as Parser;
    // Arrays of what the driver knows.
    case 1000:
    case 1005:
    case 1007:
    case 1009:
    case 1014:
    case 1015:
    case 1016:
    case 1021:
    case 1022:
    case 1231:
    case 2951:
    case 1182:
      return pg.types.getTypeParser(oid, 'text') as Parser;
    default:
      return null;
  }
}

interface Description {
  readonly parsers: Parser[];
  readonly columns: string[];
}

/** One statement on its way; cancelled with the scope that asked. */
export class Request extends Waiter {
  readonly sql: string;
  readonly shape: StatementShape | undefined;
  readonly map: ((answer: Answer) => unknown) | undefined;
  readonly named: boolean;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  member: Member | null = null;
  settled = false;
  started = 0;
  waited = 0;

  constructor(
    sql: string,
    shape: StatementShape | undefined,
    map: ((answer: Answer) => unknown) | undefined,
    named: boolean,
    resolve: (value: never) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.sql = sql;
    this.shape = shape;
    this.map = map;
    this.named = named;
    this.resolve = resolve;
    this.reject = reject;
  }
  override onCancel(reason: unknown): void {
    this.settled = true;
    this.member?.stop(this);
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
  done(answer: Answer): void {
    if (this.settled) return;
    this.settled = true;
    this.unlink();
    try {
      this.resolve((this.map === undefined ? answer : this.map(answer)) as never);
    } catch (error) {
      this.reject(error);
    }
  }
}

interface FastClass {
  new (
    name: string | undefined,
    text: string,
    values: readonly unknown[],
    member: Member,
    request: Request,
  ): PgQuery;
}

/** A query that builds rows straight from the fields, and describes a named statement only once. */
function fastQuery(pg: Pg): FastClass {
  class Fast extends (pg.Query as unknown as new (config: object) => Record<string, unknown>) {
    readonly member: Member;
    readonly request: Request;
    rowsRead: unknown[][] = [];
    count = 0;
    command = '';
    description: Description | undefined;
    failure: Error | null = null;

    constructor(
      name: string | undefined,
      text: string,
      values: readonly unknown[],
      member: Member,
      request: Request,
    ) {
      super({ name, text, values: values.map(same) });
      this.member = member;
      this.request = request;
    }
    prepare(connection: PgConnection): void {
      const name = this['name'] as string | undefined;
      const known = name === undefined ? undefined : this.member.described.get(name);
      if (known === undefined) {
        (pg.Query.prototype as unknown as { prepare(c: PgConnection): void }).prepare.call(this, connection);
        return;
      }
      this.description = known;
      connection.bind({ portal: '', statement: name, values: this['values'] });
      connection.execute({ portal: '', rows: 0 });
      connection.sync();
    }
    handleRowDescription(message: { fields: readonly { name: string; dataTypeID: number }[] }): void {
      const name = this['name'] as string | undefined;
      this.description = {
        parsers: message.fields.map((field) => parserFor(pg, field.dataTypeID)),
        columns: message.fields.map((field) => field.name),
      };
      if (name !== undefined) this.member.described.set(name, this.description);
    }
    handleDataRow(message: { fields: unknown[] }): void {
      const row = message.fields;
      const { parsers } = this.description as Description;
      for (let i = 0; i < row.length; i++) {
        const parse = parsers[i];
        if (parse != null && row[i] !== null) row[i] = parse(row[i] as string);
      }
      this.rowsRead.push(row);
    }
    handleCommandComplete(message: { text: string }): void {
      this.command = message.text;
      this.count = Number(/(\d+)$/.exec(message.text)?.[1] ?? 0);
    }
    handleEmptyQuery(): void {}
    handleError(error: Error): void {
      this.failure = error;
      // `pg` forgets the query here; its ReadyForQuery goes to nobody.
      this.finish();
    }
    handleReadyForQuery(): void {
      this.finish();
    }
    finish(): void {
      this.member.finished(this.request, this.failure, {
        rows: this.rowsRead,
        count: this.count,
        columns: this.description?.columns ?? [],
        waited: this.request.waited,
        command: this.command,
      } as Answer);
    }
  }
  return Fast as unknown as FastClass;
}
/** As text, what is not bytes: the server reads parameters by the types of the statement. */
const same = (value: unknown): unknown => {
  if (typeof value === 'string' || value === null) return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value);
};

let statements = 0;
/** Prepared statements per connection; further ones are parsed each time. */
const REMEMBERED = 500;

/** One connection: shared by statements that stand alone, or lent to one transaction. */
export class Member {
  readonly client: Client;
  readonly described = new Map<string, Description>();
  readonly #names = new Set<string>();
  readonly #Fast: FastClass;
  readonly #wrap: (error: ServerError, sql: string) => Error;
  readonly #idle: (member: Member) => void;
  readonly #target: () => { host: string; port: number };
  /** Sent and not answered, oldest first: the first one is running. */
  readonly #sent: Request[] = [];
  #corked = false;
  #stopping = 0;
  /** Lent to a transaction. */
  exclusive = false;
  lost = false;

  constructor(
    pg: Pg,
    client: Client,
    wrap: (error: ServerError, sql: string) => Error,
    idle: (member: Member) => void,
    target: () => { host: string; port: number },
  ) {
    this.client = client;
    this.#wrap = wrap;
    this.#idle = idle;
    this.#target = target;
    this.#Fast = fastQuery(pg);
  }

  get load(): number {
    return this.#sent.length;
  }
  get stopping(): boolean {
    return this.#stopping > 0;
  }

  send(request: Request, params: readonly unknown[]): void {
    request.member = this;
    let name: string | undefined;
    if (request.named && request.shape !== undefined) {
      const { shape } = request;
      if (shape.note === undefined) shape.note = `s${++statements}`;
      const known = shape.note as string;
      if (this.#names.has(known) || this.#names.size < REMEMBERED) {
        this.#names.add(known);
        name = known;
      }
    }
    if (request.shape !== undefined) request.started = performance.now();
    this.#sent.push(request);
    // What is asked in one turn of the event loop leaves in one write.
    if (!this.#corked) {
      const { stream } = (this.client as unknown as { connection: PgConnection }).connection;
      this.#corked = true;
      stream.cork?.();
      setImmediate(() => {
        this.#corked = false;
        stream.uncork?.();
      });
    }
    this.client.query(new this.#Fast(name, request.sql, params, this, request) as never);
  }

  finished(request: Request, failure: Error | null, answer: Answer): void {
    const at = this.#sent.indexOf(request);
    if (at < 0) return;
    this.#sent.splice(at, 1);
    if (failure !== null) {
      const { code } = failure as ServerError;
      // A statement whose plan went stale (a schema change) is parsed again next time.
      if ((code === '0A000' || code === '26000') && request.shape !== undefined)
        request.shape.note = undefined;
      request.fail(this.#wrap(failure as ServerError, request.sql));
    } else {
      if (request.shape !== undefined) request.shape.measured(performance.now() - request.started);
      request.done(answer);
    }
    if (this.#sent.length === 0) this.#idle(this);
  }

  /** Cancels a statement in the database, if it is certain that no other one is hit. */
  stop(request: Request): void {
    if (this.#sent.length !== 1 || this.#sent[0] !== request) return;
    const { processID, secretKey } = this.client as unknown as { processID: number; secretKey: number };
    const { host, port } = this.#target();
    const packet = Buffer.alloc(16);
    packet.writeInt32BE(16, 0);
    packet.writeInt32BE(80877102, 4); // CancelRequest (PostgreSQL 15, 55.7)
    packet.writeInt32BE(processID, 8);
    packet.writeInt32BE(secretKey, 12);
    this.#stopping++;
    const socket = host.startsWith('/')
      ? createConnection(`${host}/.s.PGSQL.${port}`)
      : createConnection(port, host);
    socket.on('connect', () => socket.end(packet));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#stopping--;
      if (this.#sent.length === 0) this.#idle(this);
    });
    socket.unref();
  }

  fail(error: Error): void {
    this.lost = true;
    for (const request of this.#sent.splice(0)) request.fail(this.#wrap(error as ServerError, request.sql));
  }
}
