import { currentContext } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { Operation } from './operation.ts';
import type { Bytes } from './protocol/bytes.ts';
import { tagCount } from './protocol/messages.ts';
import { type TypeCodec, Unencodable } from './types/codec.ts';
import type { Wire } from './wire.ts';

/** What COPY FROM takes: chunks of bytes or text, cut anywhere. */
export type CopySource =
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>
  | Uint8Array
  | string;

/** Data is sent when so much has gathered. */
const flushAt = 64 * 1024;
/** COPY TO stops reading from the socket when so much waits for its reader. */
const highWater = 1024 * 1024;

abstract class Copy extends Operation {
  readonly sql: string;
  count = 0;
  readonly ended: Promise<void>;
  #end!: () => void;

  constructor(sql: string) {
    super();
    this.sql = sql;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  override send(wire: Wire): boolean {
    const start = wire.writer.begin(81); // Q
    wire.writer.cstring(this.sql);
    wire.writer.end(start);
    // What follows would be taken for data.
    wire.block();
    return true;
  }

  override complete(bytes: Bytes, start: number, end: number): void {
    this.count = Math.max(0, tagCount(bytes, start, end));
  }

  override reject(error: unknown): void {
    this.unlink();
    this.error ??= error as Error;
    this.stage = 'done';
    this.over();
    this.#end();
  }

  override ready(wire: Wire): void {
    wire.elapsed();
    this.unlink();
    wire.unblock();
    if (this.cancelled) this.error = this.cancelReason as Error;
    this.over();
    this.#end();
  }

  /** It has ended, one way or the other. */
  abstract over(): void;
}

class CopyFrom extends Copy {
  readonly asked: Promise<boolean>;
  /** Called when it ends, for whoever waits for the source or the socket. */
  wake: (() => void) | null = null;
  #answer!: (asked: boolean) => void;
  #open = false;

  constructor(sql: string) {
    super(sql);
    this.asked = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** Whether the server still takes data. */
  get open(): boolean {
    return this.#open && this.error === null && !this.cancelled;
  }

  override copyIn(wire: Wire): void {
    this.#open = true;
    if (this.cancelled) this.refuse(wire, 'cancelled');
    this.#answer(true);
  }

  override onCancel(reason: unknown): void {
    // A server that waits for data hears no cancel request; it hears this.
    if (this.#open && this.wire !== null && !this.cancelled) {
      this.cancelled = true;
      this.cancelReason = reason;
      this.refuse(this.wire, 'cancelled');
      this.wake?.();
    } else super.onCancel(reason);
  }

  override over(): void {
    this.#open = false;
    this.#answer(false);
    this.wake?.();
  }

  /** Ends the data: the server keeps what it got. */
  finish(wire: Wire): void {
    this.#open = false;
    wire.writer.end(wire.writer.begin(99)); // c
    wire.flush();
  }

  /** Ends the data: the server keeps nothing. */
  refuse(wire: Wire, why: string): void {
    if (!this.#open) return;
    this.#open = false;
    const start = wire.writer.begin(102); // f
    wire.writer.cstring(why.replaceAll('\0', '').slice(0, 1000));
    wire.writer.end(start);
    wire.flush();
  }

  /** Waits for `promise`, but not longer than the copy lives; then null. */
  whileOpen<T>(promise: PromiseLike<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      this.wake = () => resolve(null);
      promise.then(resolve, reject);
    });
  }
}

/**
 * Sends `source` as the data of `sql`, a COPY … FROM STDIN, as fast as the server takes it. Gives the number of rows.
 * When the source fails the server is told so and keeps nothing; when the server refuses, the source is ended.
 */
export async function copyFrom(wire: Wire, sql: string, source: CopySource): Promise<number> {
  const chunks = chunksOf(source);
  const copy = new CopyFrom(sql);
  copy.join();
  wire.submit(copy);
  const asked = await copy.asked;
  if (asked) {
    try {
      if (Symbol.iterator in chunks) await sendNow(wire, copy, chunks);
      else await sendAsItComes(wire, copy, chunks);
      if (copy.open) copy.finish(wire);
    } catch (error) {
      copy.refuse(wire, error instanceof Error ? error.message : String(error));
      await copy.ended;
      throw copy.cancelled ? copy.cancelReason : error;
    }
  }
  await copy.ended;
  if (copy.error !== null) throw copy.error;
  if (!asked)
    throw fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'copyFrom() was given a statement that takes no data',
      fix: 'Write COPY table FROM STDIN',
    });
  return copy.count;
}

async function sendNow(wire: Wire, copy: CopyFrom, chunks: Iterable<Uint8Array | string>): Promise<void> {
  for (const chunk of chunks) {
    if (!copy.open) return;
    if (writeData(wire, checked(chunk))) await copy.whileOpen(pause(wire));
  }
}

async function sendAsItComes(
  wire: Wire,
  copy: CopyFrom,
  chunks: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    while (copy.open) {
      const step = await copy.whileOpen(iterator.next());
      if (step === null) return;
      if (step.done === true) {
        ended = true;
        return;
      }
      if (!copy.open) return;
      if (writeData(wire, checked(step.value))) await copy.whileOpen(pause(wire));
    }
  } catch (error) {
    ended = true;
    throw error;
  } finally {
    // A source that is stuck cannot be waited for; one that fails while it is ended tells nobody anything new.
    if (!ended) iterator.return?.()?.then(null, () => {});
  }
}

/** A source that is always ready must let the event loop turn, or the server's error would never be read. */
async function pause(wire: Wire): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await wire.transport.drained();
}

/** True when so much has gone out that it is time for a pause. */
function writeData(wire: Wire, chunk: Uint8Array | string): boolean {
  const { writer } = wire;
  const start = writer.begin(100); // d
  if (typeof chunk === 'string' && chunk.length < flushAt) {
    writer.reserve(chunk.length * 3);
    writer.at += writer.bytes.utf8Write(chunk, writer.at);
    writer.end(start);
  } else {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (bytes.length < flushAt) {
      writer.raw(bytes);
      writer.end(start);
    } else {
      // Not copied: its head goes out, and then the bytes themselves.
      writer.bytes.writeInt32BE(bytes.length + 4, start);
      wire.flush();
      return (
        wire.down !== null || wire.transport.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      );
    }
  }
  if (writer.at < flushAt) {
    wire.flushLater();
    return false;
  }
  wire.flush();
  return true;
}

function chunksOf(source: CopySource): AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string> {
  if (typeof source === 'string' || source instanceof Uint8Array) return [source];
  if (
    typeof source === 'object' &&
    source !== null &&
    (Symbol.asyncIterator in source || Symbol.iterator in source)
  )
    return source;
  throw fault('SBY_POSTGRESQL_BAD_OPTION', {
    option: 'The source of copyFrom()',
    got: source,
    expected: 'text, bytes, or an iterable of them, such as a Readable',
  });
}

function checked(chunk: unknown): Uint8Array | string {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return chunk;
  throw fault('SBY_POSTGRESQL_BAD_OPTION', {
    option: 'A chunk of the source of copyFrom()',
    got: chunk,
    expected: 'text or bytes; copyRows() takes rows',
  });
}

class CopyTo extends Copy {
  readonly queue: Buffer[] = [];
  size = 0;
  paused = false;
  discard = false;
  started = false;
  wake: (() => void) | null = null;

  override copyOut(): void {
    this.started = true;
  }

  override copyData(bytes: Bytes, start: number, end: number, wire: Wire): void {
    if (this.discard) return;
    this.queue.push(bytes.subarray(start, end));
    this.size += end - start;
    if (this.size > highWater && !this.paused) {
      this.paused = true;
      wire.transport.pause();
    }
    this.#call();
  }

  override onCancel(reason: unknown): void {
    // The server's answer to the cancel request must come through.
    this.stop();
    super.onCancel(reason);
  }

  stop(): void {
    this.discard = true;
    this.queue.length = 0;
    if (this.paused) {
      this.paused = false;
      this.wire?.transport.resume();
    }
    this.#call();
  }

  override over(): void {
    this.#call();
  }

  #call(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
  }
}

/** The data of `sql`, a COPY … TO STDOUT: a row per chunk in text and CSV. A slow reader holds the server back. */
export async function* copyTo(wire: Wire, sql: string): AsyncGenerator<Buffer, void, undefined> {
  const copy = new CopyTo(sql);
  copy.join();
  wire.submit(copy);
  try {
    for (;;) {
      if (copy.cancelled) break;
      const queue = copy.queue.splice(0);
      copy.size = 0;
      if (queue.length > 0) {
        for (const chunk of queue) yield chunk;
        continue;
      }
      if (copy.paused) {
        copy.paused = false;
        wire.transport.resume();
      }
      if (copy.stage === 'done') break;
      await new Promise<void>((resolve) => {
        copy.wake = resolve;
      });
    }
  } finally {
    if (copy.stage !== 'done') {
      // The reader stopped early: the rest is not wanted.
      if (!copy.cancelled) copy.onCancel(currentContext().scope.reason);
      await copy.ended;
      if (!copy.discard) copy.stop();
    }
  }
  await copy.ended;
  if (copy.error !== null) throw copy.error;
  if (!copy.started)
    throw fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'copyTo() was given a statement that gives no data',
      fix: 'Write COPY table TO STDOUT, or COPY (SELECT …) TO STDOUT',
    });
}

/** Rows as chunks of COPY's text format, some tens of kilobytes each. */
export function copyLines(
  rows: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
  codecs: readonly TypeCodec[],
  columns: readonly string[],
  sql: string,
): Iterable<string> | AsyncIterable<string> {
  let at = 0;
  const line = (row: readonly unknown[]): string => {
    at++;
    if (!Array.isArray(row) || row.length !== columns.length)
      throw fault('SBY_POSTGRESQL_PARAMETER_COUNT', {
        wanted: columns.length,
        got: Array.isArray(row) ? row.length : 0,
        sql: `${sql}, row ${at}`,
      });
    return copyLine(
      row.map((value, i) => {
        if (value === null) return null;
        try {
          if (value === undefined) throw new Unencodable('null for NULL, or the value');
          const text = codecs[i]!.encode(value);
          if (typeof text === 'string') return text;
          throw new Unencodable('a value whose codec writes text');
        } catch (error) {
          if (!(error instanceof Unencodable)) throw error;
          throw fault('SBY_POSTGRESQL_BAD_PARAMETER', {
            position: i + 1,
            type: codecs[i]!.name,
            got: value,
            expected: error.message,
            sql: `${sql}, row ${at}`,
          });
        }
      }),
    );
  };
  if (Symbol.iterator in rows) return lines(rows, line);
  if (Symbol.asyncIterator in rows) return linesAsync(rows, line);
  throw fault('SBY_POSTGRESQL_BAD_OPTION', { option: 'rows', got: rows, expected: 'an iterable of arrays' });
}

const linesAt = 32 * 1024;

function* lines(
  rows: Iterable<readonly unknown[]>,
  line: (row: readonly unknown[]) => string,
): Generator<string> {
  let text = '';
  for (const row of rows) {
    text += line(row);
    if (text.length >= linesAt) {
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

async function* linesAsync(
  rows: AsyncIterable<readonly unknown[]>,
  line: (row: readonly unknown[]) => string,
): AsyncGenerator<string> {
  let text = '';
  for await (const row of rows) {
    text += line(row);
    if (text.length >= linesAt) {
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

/** One row in COPY's text format: tabs between values, `\N` for NULL. */
export function copyLine(values: readonly (string | null)[]): string {
  let line = '';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) line += '\t';
    if (value === null || value === undefined) line += '\\N';
    else line += /[\\\t\n\r]/.test(value) ? value.replace(/[\\\t\n\r]/g, escaped) : value;
  }
  return `${line}\n`;
}

const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
function escaped(char: string): string {
  return escapes[char] as string;
}
