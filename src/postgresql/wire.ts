import { fault, type ServerFields } from '../errors/index.ts';
import type { Description } from './decoder.ts';
import { lost, serverFault } from './faults.ts';
import type { Form, Forms } from './form.ts';
import type { Operation } from './operation.ts';
import { type Bytes, cstring, int32 } from './protocol/bytes.ts';
import { Framer, messageLimit } from './protocol/framer.ts';
import { code, serverFields } from './protocol/messages.ts';
import { Writer } from './protocol/writer.ts';
import type { TypeRegistry } from './types/registry.ts';

/** A message from LISTEN/NOTIFY. */
export interface Notification {
  readonly channel: string;
  readonly payload: string;
  /** Process id of the session that sent it. */
  readonly processId: number;
}

/** What the protocol needs of the world: the socket, and a way to ask for a cancel. */
export interface Transport {
  write(bytes: Buffer): boolean;
  pause(): void;
  resume(): void;
  /** Resolves when what was written has gone out, or never will. */
  drained(): Promise<void>;
  /** Whether the connection keeps the process alive. */
  ref(): void;
  unref(): void;
  /** Drops the connection at once. */
  destroy(): void;
  /** Sends a cancel request on a connection of its own; resolves when the server has closed that, rejects when it failed. */
  requestCancel(processId: number, secretKey: Buffer): Promise<void>;
}

export interface WireOptions {
  readonly transport: Transport;
  readonly registry: TypeRegistry;
  readonly forms: Forms;
  /** host:port, for messages. */
  readonly address: string;
  /** Keep statements prepared in the server. */
  readonly prepare: boolean;
  /** How many of them. */
  readonly statements: number;
  /** How long a statement may take to end after its cancel request, in ms, before the connection is dropped. */
  readonly cancelTimeout: number;
  readonly onNotice?: ((fields: ServerFields) => void) | undefined;
  readonly onNotification?: ((notification: Notification) => void) | undefined;
  /** Something was answered, or the connection can take statements again. */
  readonly onProgress?: (() => void) | undefined;
  /** The connection is of no more use. Called once. */
  readonly onDown?: ((error: Error) => void) | undefined;
}

/** A prepared statement of this connection. */
export interface Statement {
  readonly form: Form;
  readonly name: string;
  description: Description;
  usedAt: number;
}

export const idle = 73; // I
export const inTransaction = 84; // T
export const inFailedTransaction = 69; // E

/**
 * One session as the protocol sees it: bytes come in, answers go to the operations that wait for them, in order;
 * what operations write goes out once per turn of the event loop. No sockets here: see `connection.ts`.
 */
export class Wire {
  readonly writer = new Writer();
  readonly registry: TypeRegistry;
  readonly forms: Forms;
  readonly address: string;
  readonly prepare: boolean;
  readonly transport: Transport;
  /** State of the transaction, from the last ReadyForQuery. */
  status = idle;
  processId = 0;
  secretKey: Buffer = Buffer.alloc(4);
  readonly parameters = new Map<string, string>();
  /** Round trip without work in it, the smallest seen, in ms. */
  roundTrip = Number.POSITIVE_INFINITY;
  down: Error | null = null;
  /** No statement may follow what was sent: a description is awaited, a COPY runs, a cancel request is under way. */
  #blocks = 0;
  readonly #options: WireOptions;
  readonly #framer: Framer;
  readonly #statements = new Map<Form, Statement>();
  #closing: string[] = [];
  #names = 0;
  #tick = 0;
  #sent: (Operation | undefined)[] = [];
  #head = 0;
  readonly #waiting: Operation[] = [];
  #sequence = 0;
  #armed = false;
  #mark = -1;
  #chunkTime = 0;
  #fatal: Error | null = null;
  #interrupting: Operation | null = null;
  /** Operations up to this sequence may be hit by a cancel request that was meant for another. */
  #strayUntil = -1;
  #cancelTimer: NodeJS.Timeout | undefined;
  /** The cancel request has been delivered, its operation has not ended. */
  #requestSent = false;
  #progress = false;

  constructor(options: WireOptions) {
    this.#options = options;
    this.transport = options.transport;
    this.registry = options.registry;
    this.forms = options.forms;
    this.address = options.address;
    this.prepare = options.prepare;
    this.#framer = new Framer(
      (type, bytes, start, end) => this.#message(type, bytes, start, end),
      (problem) => this.protocolError(problem),
    );
  }

  /** Operations that were sent or wait here. */
  get load(): number {
    return this.#sent.length - this.#head + this.#waiting.length;
  }

  /** Whether an operation given now would be sent now. */
  get open(): boolean {
    return this.down === null && this.#blocks === 0 && this.#fatal === null;
  }

  get statementCount(): number {
    return this.#statements.size;
  }

  get current(): Operation | undefined {
    return this.#sent[this.#head];
  }

  /** The session has begun: messages may be of any length now. */
  began(): void {
    this.#framer.limit = messageLimit;
  }

  receive(chunk: Buffer): void {
    if (this.down !== null) return;
    this.#chunkTime = performance.now();
    try {
      this.#framer.push(chunk);
    } catch (error) {
      // Parsing ran over the end of a message, or text was not terminated.
      this.protocolError(error instanceof Error ? error.message : String(error), error);
    }
    if (this.#progress) {
      this.#progress = false;
      if (this.#head === this.#sent.length) {
        this.#sent = [];
        this.#head = 0;
        this.#mark = -1;
      } else if (this.#head > 256) {
        this.#sent.splice(0, this.#head);
        this.#head = 0;
      }
      this.#options.onProgress?.();
    }
  }

  submit(operation: Operation): void {
    operation.wire = this;
    operation.stage = 'waiting';
    if (this.down !== null) {
      operation.reject(lost(this.down.message, operation.sql, false, this.address, this.down));
      return;
    }
    if (this.#blocks > 0 || this.#waiting.length > 0) {
      this.#waiting.push(operation);
      return;
    }
    if (!this.#send(operation)) this.#waiting.push(operation);
  }

  /** Sends ahead of what waits: parts of an operation that has begun, and what has to be learned first. */
  urgent(operation: Operation): void {
    operation.wire = this;
    if (this.down !== null)
      operation.reject(lost(this.down.message, operation.sql, false, this.address, this.down));
    else this.#send(operation);
  }

  /** Sends an operation again that the server did not carry out, before everything that waits. */
  resubmit(operation: Operation): void {
    operation.stage = 'waiting';
    operation.error = null;
    this.#waiting.unshift(operation);
    this.pump();
  }

  #send(operation: Operation): boolean {
    if (this.#closing.length > 0) this.#writeCloses();
    if (!operation.send(this)) return false;
    // It may have failed to be written; then it has been rejected.
    if (operation.stage === 'done') {
      operation.holder?.over(operation);
      return true;
    }
    operation.stage = 'sent';
    operation.sequence = ++this.#sequence;
    this.#sent.push(operation);
    this.flushLater();
    return true;
  }

  block(): void {
    this.#blocks++;
  }

  unblock(): void {
    this.#blocks--;
    this.pump();
  }

  pump(): void {
    while (this.#blocks === 0 && this.#waiting.length > 0 && this.down === null) {
      const operation = this.#waiting[0] as Operation;
      if (!this.#send(operation)) return;
      // Sending may have rejected it, and rejecting removes nothing.
      if (this.#waiting[0] === operation) this.#waiting.shift();
    }
  }

  flushLater(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(flush, this);
  }

  flush(): boolean {
    this.#armed = false;
    if (this.writer.empty || this.down !== null) return true;
    if (this.#mark < 0) this.#mark = performance.now();
    return this.transport.write(this.writer.take());
  }

  /** Takes back what has not been sent, so that it can go another way. */
  withdrawWaiting(): Operation[] {
    const waiting = this.#waiting.splice(0);
    for (const operation of waiting) {
      operation.wire = null;
      operation.stage = 'new';
    }
    return waiting;
  }

  remove(operation: Operation): void {
    const at = this.#waiting.indexOf(operation);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  // ---- prepared statements

  statement(form: Form): Statement | undefined {
    const statement = this.#statements.get(form);
    if (statement !== undefined) statement.usedAt = ++this.#tick;
    return statement;
  }

  /** A statement that was parsed, or is about to be. The one used least lately makes room. */
  addStatement(form: Form, name: string, description: Description): Statement {
    if (this.#statements.size >= this.#options.statements) {
      let oldest: Statement | undefined;
      for (const statement of this.#statements.values())
        if (oldest === undefined || statement.usedAt < oldest.usedAt) oldest = statement;
      if (oldest !== undefined) this.forget(oldest);
    }
    const statement = { form, name, description, usedAt: ++this.#tick };
    this.#statements.set(form, statement);
    return statement;
  }

  /**
   * With the text in the name: behind a pooler that hands sessions around, a statement that another client has prepared there under
   * the same name is the same statement, or an error, and never another one that is run in its place.
   */
  newName(form: Form): string {
    return `s${form.tag}_${(++this.#names).toString(36)}`;
  }

  /** A statement that failed to be parsed, or whose plan is of no more use. */
  forget(statement: Statement): void {
    if (this.#statements.get(statement.form) !== statement) return;
    this.#statements.delete(statement.form);
    this.#closing.push(statement.name);
  }

  closeStatement(name: string): void {
    this.#closing.push(name);
  }

  /** Answered together with the next operation. Closing what does not exist is no error. */
  #writeCloses(): void {
    const { writer } = this;
    for (const name of this.#closing) {
      const start = writer.begin(67); // C
      writer.int8(83); // S
      writer.cstring(name);
      writer.end(start);
    }
    this.#closing = [];
  }

  // ---- cancelling

  cancel(operation: Operation, reason: unknown): void {
    if (operation.stage === 'waiting') {
      this.remove(operation);
      operation.reject(reason);
      operation.holder?.over(operation);
      return;
    }
    if (operation === this.#sent[this.#head]) this.#interrupt(operation);
    // Its turn has not come. The caller need not wait for that; when it comes it is cancelled in the database.
    else operation.reject(reason);
  }

  #interrupt(operation: Operation): void {
    if (this.#interrupting !== null) return;
    this.#interrupting = operation;
    this.#strayUntil = this.#sequence;
    // Until the request has had its effect nothing may follow that it could hit instead.
    this.block();
    const { cancelTimeout } = this.#options;
    this.#cancelTimer = setTimeout(() => {
      this.fail(
        lost(`no end within ${cancelTimeout} ms of a cancel request`, operation.sql, true, this.address),
      );
    }, cancelTimeout);
    // What stands in the writer may be the operation itself.
    this.flush();
    const over = (): void => {
      if (this.down !== null) return;
      this.#interrupting = null;
      if (operation.stage === 'done') this.#interrupted();
      else this.#requestSent = true;
    };
    this.transport.requestCancel(this.processId, this.secretKey).then(over, over);
  }

  #interrupted(): void {
    clearTimeout(this.#cancelTimer);
    this.#requestSent = false;
    this.unblock();
    this.#next();
    this.#options.onProgress?.();
  }

  /** Whether a "query canceled" may have been meant for another operation. */
  isStray(operation: Operation): boolean {
    return operation.sequence <= this.#strayUntil;
  }

  /** The next one in line was cancelled while it waited for its turn. */
  #next(): void {
    const next = this.#sent[this.#head];
    if (next?.cancelled === true) this.#interrupt(next);
  }

  // ---- messages

  #message(type: number, bytes: Bytes, start: number, end: number): void {
    const operation = this.#sent[this.#head];
    switch (type) {
      case code.dataRow:
        if (operation === undefined) break;
        operation.row(bytes, start, end);
        return;
      case code.readyForQuery:
        if (operation === undefined || end - start !== 1) break;
        this.#ready(operation, bytes[start] as number);
        return;
      case code.commandComplete:
        if (operation === undefined) break;
        operation.complete(bytes, start, end);
        return;
      case code.emptyQueryResponse:
        if (operation === undefined) break;
        operation.complete(bytes, start, start);
        return;
      case code.parseComplete:
      case code.bindComplete:
      case code.closeComplete:
        return;
      case code.rowDescription:
        if (operation === undefined) break;
        operation.rowDescription(bytes, start, end, this);
        return;
      case code.parameterDescription:
        if (operation === undefined) break;
        operation.parameterDescription(bytes, start, end, this);
        return;
      case code.noData:
        if (operation === undefined) break;
        operation.noData(this);
        return;
      case code.portalSuspended:
        if (operation === undefined) break;
        operation.suspended();
        return;
      case code.errorResponse: {
        const fields = serverFields(bytes, start, end);
        if (fields.severity === 'FATAL' || fields.severity === 'PANIC' || operation === undefined)
          this.#fatal = serverFault(fields, '', this.address);
        operation?.failed(fields, this);
        return;
      }
      case code.noticeResponse: {
        const { onNotice } = this.#options;
        if (onNotice !== undefined) guarded(() => onNotice(serverFields(bytes, start, end)));
        return;
      }
      case code.notificationResponse: {
        const { onNotification } = this.#options;
        if (onNotification === undefined) return;
        const channel = cstring(bytes, start + 4, end);
        const payload = cstring(bytes, channel.next, end);
        const processId = int32(bytes, start);
        guarded(() => onNotification({ channel: channel.text, payload: payload.text, processId }));
        return;
      }
      case code.parameterStatus: {
        const name = cstring(bytes, start, end);
        this.parameters.set(name.text, cstring(bytes, name.next, end).text);
        return;
      }
      case code.backendKeyData:
        this.processId = int32(bytes, start);
        this.secretKey = Buffer.from(bytes.subarray(start + 4, end));
        return;
      case code.copyData:
        if (operation === undefined) break;
        operation.copyData(bytes, start, end, this);
        return;
      case code.copyDone:
        if (operation === undefined) break;
        operation.copyDone();
        return;
      case code.copyInResponse:
        if (operation === undefined) break;
        operation.copyIn(this);
        return;
      case code.copyOutResponse:
        if (operation === undefined) break;
        operation.copyOut(this);
        return;
      case code.authentication:
        if (operation === undefined) break;
        operation.authentication(bytes, start, end, this);
        return;
      case code.negotiateProtocolVersion:
        if (operation === undefined) break;
        operation.negotiate(bytes, start, end, this);
        return;
    }
    this.protocolError(
      operation === undefined
        ? `a message of type ${JSON.stringify(String.fromCharCode(type))} that nobody asked for`
        : `an unknown message of type ${JSON.stringify(String.fromCharCode(type))}`,
    );
  }

  #ready(operation: Operation, status: number): void {
    const before = this.status;
    this.status = status;
    this.#sent[this.#head++] = undefined;
    this.#progress = true;
    operation.stage = 'done';
    operation.ready(this, before, status);
    if (operation.stage === 'done') operation.holder?.over(operation);
    if (this.#requestSent) this.#interrupted();
    else if (this.#interrupting === null) this.#next();
  }

  /** When the server was heard last. */
  get heardAt(): number {
    return this.#chunkTime;
  }

  /** Milliseconds since the answer before this one: what the operation took, when others were ahead of it. */
  elapsed(): number {
    if (this.#mark < 0) return 0;
    const ms = this.#chunkTime - this.#mark;
    this.#mark = this.#chunkTime;
    if (ms > 0 && ms < this.roundTrip) this.roundTrip = ms;
    return ms;
  }

  // ---- the end

  protocolError(problem: string, cause?: unknown): void {
    if (this.down !== null) return;
    const options = cause === undefined ? undefined : { cause };
    this.fail(fault('SBY_POSTGRESQL_PROTOCOL', { problem, address: this.address }, options));
  }

  /** A statement asks for data that only `copyFrom` can give, and others may be behind it: there is no way back. */
  copyRefused(operation: Operation): void {
    operation.error = fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'COPY … FROM STDIN was given to a method that has no data for it',
      fix: 'Use copyFrom(sql, source)',
    });
    this.fail(operation.error);
  }

  /** The connection has ended or cannot be trusted. Everything that waits gets an error; nothing is sent any more. */
  fail(error: Error): void {
    if (this.down !== null) return;
    this.down = this.#fatal ?? error;
    clearTimeout(this.#cancelTimer);
    this.#framer.stop();
    this.transport.destroy();
    const sent = this.#sent.slice(this.#head);
    this.#sent = [];
    this.#head = 0;
    const waiting = this.#waiting.splice(0);
    const reason = this.down.message;
    // After a FATAL message the server has looked at nothing but the first.
    const untouched = this.#fatal !== null;
    const { onDown } = this.#options;
    // The pool forgets this connection before it is told where to send what can be sent again.
    onDown?.(this.down);
    sent.forEach((operation, index) => {
      if (operation !== undefined) this.#lose(operation, index === 0 || !untouched, reason);
    });
    for (const operation of waiting) this.#lose(operation, false, reason);
  }

  #lose(operation: Operation, sent: boolean, reason: string): void {
    if (!sent && !operation.cancelled && operation.error === null) {
      operation.wire = null;
      operation.stage = 'new';
      if (operation.holder?.retake(operation) === true) return;
    }
    operation.stage = 'done';
    const error = operation.error ?? lost(reason, operation.sql, sent, this.address, this.down);
    operation.reject(operation.cancelled ? operation.cancelReason : error);
    operation.holder?.over(operation);
  }

  /** The socket was closed by the other side. */
  ended(error?: Error): void {
    this.fail(
      this.#fatal ??
        lost(error?.message ?? 'the server closed the connection', '', false, this.address, error),
    );
  }
}

function flush(wire: Wire): void {
  wire.flush();
}

/** A listener of the user's must not be able to break the connection; its error goes where uncaught ones go. */
function guarded(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
