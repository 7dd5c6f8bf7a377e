import { currentContext, Waiter } from '../asyncio/index.ts';
import type { ServerFields } from '../errors/index.ts';
import { serverFault } from './faults.ts';
import type { Bytes } from './protocol/bytes.ts';
import type { Wire } from './wire.ts';

/** Who keeps an operation that waits for a connection. */
export interface Holder {
  /** It was cancelled while it waited there. */
  withdraw(operation: Operation): void;
  /** The connection is done with it, however it ended. */
  over(operation: Operation): void;
  /** The connection is gone and the server has not looked at it. True: it will be sent on another one. */
  retake(operation: Operation): boolean;
}

/**
 * Something sent to the server and answered up to a ReadyForQuery. It waits in the scope it was made in: when that
 * is cancelled, what has not been sent is taken back, and what runs is cancelled in the database.
 */
export abstract class Operation extends Waiter {
  abstract readonly sql: string;
  wire: Wire | null = null;
  holder: Holder | null = null;
  stage: 'new' | 'waiting' | 'sent' | 'done' = 'new';
  /** Counted per connection, in the order of sending. */
  sequence = 0;
  cancelled = false;
  cancelReason: unknown = undefined;
  error: Error | null = null;

  /** Writes the messages. False: something has to be learned first, ask again later. */
  abstract send(wire: Wire): boolean;
  /** The server is ready again. `before` and `after`: the transaction's state, as character codes of I, T, E. */
  abstract ready(wire: Wire, before: number, after: number): void;
  /** It ends without an answer. */
  abstract reject(error: unknown): void;

  /** Joins the ambient scope; throws when that is cancelled already. */
  join(): void {
    const { scope } = currentContext();
    scope.throwIfCancelled();
    scope.link(this);
  }

  override onCancel(reason: unknown): void {
    if (this.cancelled || this.stage === 'done') return;
    this.cancelled = true;
    this.cancelReason = reason;
    if (this.wire !== null) this.wire.cancel(this, reason);
    else {
      this.holder?.withdraw(this);
      this.reject(reason);
    }
  }

  override describe(): string {
    return `query ${this.sql.replace(/\s+/g, ' ').trim().slice(0, 120)}`;
  }

  /** An ErrorResponse. What follows until ReadyForQuery is discarded. */
  failed(fields: ServerFields, wire: Wire): void {
    this.error ??= serverFault(fields, this.sql, wire.address);
  }

  rowDescription(_bytes: Bytes, _start: number, _end: number, _wire: Wire): void {}
  parameterDescription(_bytes: Bytes, _start: number, _end: number, _wire: Wire): void {}
  noData(_wire: Wire): void {}
  row(_bytes: Bytes, _start: number, _end: number): void {}
  complete(_bytes: Bytes, _start: number, _end: number): void {}
  suspended(): void {}
  copyData(_bytes: Bytes, _start: number, _end: number, _wire: Wire): void {}
  copyDone(): void {}
  authentication(_bytes: Bytes, _start: number, _end: number, wire: Wire): void {
    wire.protocolError('an authentication request in the middle of a session');
  }

  /** The server waits for data of a COPY FROM STDIN. Only `copyFrom` knows what to do. */
  copyIn(wire: Wire): void {
    wire.copyRefused(this);
  }

  copyOut(_wire: Wire): void {}

  negotiate(_bytes: Bytes, _start: number, _end: number, wire: Wire): void {
    wire.protocolError('a version negotiation in the middle of a session');
  }
}
