import type { Header } from '../../asgi/index.ts';
import { FIELD_VALUE, TARGET, TOKEN } from './characters.ts';
import { latin1 } from './latin1.ts';
import { refuse } from './refusal.ts';
import { checkHost, parseTarget } from './target.ts';

/** The head of one request, checked: its framing means one thing only. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly rawPath: string;
  readonly queryString: string;
  /** True for HTTP/1.1, false for HTTP/1.0. */
  readonly http11: boolean;
  /** Perhaps shared with requests before it on the connection, and then frozen. */
  readonly headers: readonly Header[];
  /** -1 when there is no Content-Length. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** What the client wishes: persist unless `close` (1.1), close unless `keep-alive` (1.0). */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  /** The Upgrade field, lower-case, when Connection names it as well; else null. */
  readonly upgrade: string | null;
  readonly acceptsTrailers: boolean;
}

/** What the field lines of a head say, apart from its request line. */
interface Fields {
  readonly headers: readonly Header[];
  readonly host: string | null;
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly close: boolean;
  readonly persist: boolean;
  readonly expectsContinue: boolean;
  readonly upgrade: string | null;
  readonly acceptsTrailers: boolean;
}

/** Field lines longer than this are not remembered. */
const MEMORY = 2048;

export interface HeadLimits {
  /** Longest request line in bytes; more is answered with 414. */
  readonly requestLine: number;
  /** Longest field line in bytes; more is answered with 431. */
  readonly field: number;
  /** Most field lines; more is answered with 431. */
  readonly fields: number;
  /** Longest head in bytes, all lines together; more is answered with 431. */
  readonly head: number;
}

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;

const START = 0;
const METHOD = 1;
const TARGET_PART = 2;
const VERSION = 3;
const FIELD_START = 4;
const NAME = 5;
const BEFORE_VALUE = 6;
const VALUE = 7;
const VALUE_LF = 8;
const END_LF = 9;
const START_LF = 10;

const versionPattern = [0x48, 0x54, 0x54, 0x50, 0x2f, -1, 0x2e, -1, CR, LF];

/** Positions found in the head that is being scanned, relative to its start: [nameStart, nameEnd, valueStart, valueEnd] each. */
let marks = new Int32Array(4 * 256);

/**
 * Scans and judges the head of a request. Each byte is judged from the bytes before it alone, so the outcome is
 * the same however the stream is cut into pieces. The bytes of a head must lie in one buffer: whoever feeds
 * keeps an unfinished head and calls again with more.
 */
export class HeadParser {
  readonly limits: HeadLimits;
  #state = START;
  /** Where scanning goes on, where the current line began: relative to the start of the head. */
  #cursor = 0;
  #line = 0;
  #methodEnd = 0;
  #targetEnd = 0;
  #version = 0;
  #major = 0;
  #minor = 0;
  #fields = 0;
  #saved: Int32Array | null = null;
  #blankLine = false;
  /** Where the field lines begin, relative to the start of the head. */
  #fieldsAt = 0;
  /**
   * Clients repeat themselves: on a connection that is used again the field lines are mostly those of the request
   * before, byte for byte. Then they mean the same, and comparing is all there is to do.
   */
  #memory: Buffer | null = null;
  #remembered: Fields | null = null;
  #repeats = false;
  #taken = 0;

  constructor(limits: HeadLimits) {
    this.limits = limits;
    if (marks.length < 4 * (limits.fields + 1)) marks = new Int32Array(4 * (limits.fields + 1));
  }

  /** True when the first byte of a head has been seen. */
  get started(): boolean {
    return this.#state !== START || this.#blankLine;
  }

  /** Prepares for the trailer section of a chunked body instead of a head. */
  startTrailers(): void {
    this.#reset();
    this.#state = FIELD_START;
  }

  #reset(): void {
    this.#state = START;
    this.#cursor = this.#line = this.#methodEnd = this.#targetEnd = this.#version = this.#fields = 0;
    this.#saved = null;
    this.#blankLine = false;
  }

  /**
   * Scans `buffer` from `start`, where the head begins, to `end`. Gives the position after the head, or -1 when
   * more bytes are needed. Throws the refusal that the peer has earned.
   */
  scan(buffer: Uint8Array, start: number, end: number): number {
    const { limits } = this;
    if (this.#saved !== null) {
      marks.set(this.#saved);
      this.#saved = null;
    }
    let state = this.#state;
    let at = start + this.#cursor;
    let line = start + this.#line;
    const headLimit = start + limits.head;
    while (at < end) {
      if (at >= headLimit) throw refuse(431, `the head of the request is longer than ${limits.head} bytes`);
      const inRequestLine = state <= VERSION || state === START_LF;
      const lineLimit = line + (inRequestLine ? limits.requestLine : limits.field);
      // `stop` depends on the stream alone, never on how it was cut: the same bytes meet the same limit.
      const limit = Math.min(lineLimit, headLimit);
      if (at >= limit) {
        throw inRequestLine
          ? refuse(414, `the request line is longer than ${limits.requestLine} bytes`)
          : refuse(431, `a header field is longer than ${limits.field} bytes`);
      }
      const stop = Math.min(end, limit);
      const byte = buffer[at]!;
      switch (state) {
        case START:
          // One empty line before the request line is ignored (RFC 9112 2.2).
          if (byte === CR && !this.#blankLine) {
            this.#blankLine = true;
            state = START_LF;
            at++;
            break;
          }
          state = METHOD;
          line = at;
          continue;
        case METHOD:
          while (at < stop && TOKEN[buffer[at]!] === 1) at++;
          if (at === stop) break;
          if (buffer[at] !== SP || at === line)
            throw refuse(400, 'the request line does not begin with a method');
          if (at - line > 32) throw refuse(501, 'the method is longer than any known one');
          this.#methodEnd = at - start;
          state = TARGET_PART;
          at++;
          break;
        case TARGET_PART:
          while (at < stop && TARGET[buffer[at]!] === 1) at++;
          if (at === stop) break;
          if (buffer[at] !== SP || at === start + this.#methodEnd + 1)
            throw refuse(400, 'the request target holds a byte that no target may hold, or is empty');
          this.#targetEnd = at - start;
          state = VERSION;
          this.#version = 0;
          at++;
          break;
        case VERSION: {
          const expected = versionPattern[this.#version]!;
          if (expected === -1 ? byte < 48 || byte > 57 : byte !== expected)
            throw refuse(400, 'the request line does not end with HTTP/1.1 and CRLF');
          if (this.#version === 5) this.#major = byte - 48;
          else if (this.#version === 7) this.#minor = byte - 48;
          at++;
          if (++this.#version === 10) {
            // A higher minor version is read as the highest that is known (RFC 9110 6.2); 505 is for major ones.
            if (this.#major !== 1) throw refuse(505, `HTTP/${this.#major}.${this.#minor} is not spoken here`);
            state = FIELD_START;
            line = at;
            this.#fieldsAt = at - start;
            if (this.#memory !== null && this.#matches(this.#memory, buffer, at, Math.min(end, headLimit))) {
              this.#repeats = true;
              return at + this.#memory.length;
            }
          }
          break;
        }
        case FIELD_START:
          line = at;
          if (byte === CR) {
            state = END_LF;
            at++;
            break;
          }
          if (TOKEN[byte] === 0) {
            throw byte === SP || byte === HTAB
              ? refuse(400, 'a line of the head begins with white space')
              : refuse(400, 'a line of the head does not begin with a field name');
          }
          if (this.#fields === limits.fields)
            throw refuse(431, `there are more than ${limits.fields} header fields`);
          marks[4 * this.#fields] = at - start;
          state = NAME;
          continue;
        case NAME:
          while (at < stop && TOKEN[buffer[at]!] === 1) at++;
          if (at === stop) break;
          if (buffer[at] !== COLON) throw refuse(400, 'a field name is not followed at once by a colon');
          marks[4 * this.#fields + 1] = at - start;
          state = BEFORE_VALUE;
          at++;
          break;
        case BEFORE_VALUE:
          while (at < stop && (buffer[at] === SP || buffer[at] === HTAB)) at++;
          if (at === stop) break;
          marks[4 * this.#fields + 2] = at - start;
          state = VALUE;
          continue;
        case VALUE: {
          while (at < stop && FIELD_VALUE[buffer[at]!] === 1) at++;
          if (at === stop) break;
          if (buffer[at] !== CR) {
            throw buffer[at] === LF
              ? refuse(400, 'a line of the head ends with LF alone')
              : refuse(400, 'a field value holds a control character');
          }
          let last = at;
          const first = start + marks[4 * this.#fields + 2]!;
          while (last > first && (buffer[last - 1] === SP || buffer[last - 1] === HTAB)) last--;
          marks[4 * this.#fields + 3] = last - start;
          state = VALUE_LF;
          at++;
          break;
        }
        case VALUE_LF:
          if (byte !== LF) throw refuse(400, 'a field value holds a CR');
          this.#fields++;
          state = FIELD_START;
          at++;
          line = at;
          break;
        case END_LF:
          if (byte !== LF) throw refuse(400, 'the head ends with a CR that no LF follows');
          this.#state = END_LF;
          return at + 1;
        case START_LF:
          if (byte !== LF) throw refuse(400, 'the request begins with a CR that no LF follows');
          state = START;
          at++;
          line = at;
          break;
      }
    }
    this.#state = state;
    this.#cursor = at - start;
    this.#line = line - start;
    if (this.#fields > 0 || state > FIELD_START) this.#saved = marks.slice(0, 4 * (this.#fields + 1));
    return -1;
  }

  /** The fields of the trailer section just scanned; they are checked and then dropped, as ASGI has no place for them. */
  takeTrailers(buffer: Buffer, start: number, end: number): void {
    const lower = latin1(buffer, start, end).toLowerCase();
    for (let index = 0; index < this.#fields; index++) {
      const name = lower.substring(marks[4 * index]!, marks[4 * index + 1]!);
      if (name === 'content-length' || name === 'transfer-encoding' || name === 'host')
        throw refuse(400, `${name} stands in a trailer section`);
    }
    this.#reset();
  }

  #matches(memory: Buffer, buffer: Uint8Array, at: number, end: number): boolean {
    const length = memory.length;
    if (end - at < length) return false;
    for (let index = 0; index < length; index++) if (memory[index] !== buffer[at + index]) return false;
    return true;
  }

  /** The meaning of the head just scanned, `buffer` from `start` to `end`. Leaves the parser ready for the next. */
  take(buffer: Buffer, start: number, end: number): RequestHead {
    const line = latin1(buffer, start, start + this.#targetEnd);
    const method = line.substring(this.#blankLine ? 2 : 0, this.#methodEnd);
    const target = parseTarget(method, line.substring(this.#methodEnd + 1));
    if (method !== 'GET' && method !== method.toUpperCase())
      throw refuse(501, 'methods are case-sensitive, and this one is written in lower case');
    const http11 = this.#minor > 0;
    let fields: Fields;
    if (this.#repeats) {
      this.#repeats = false;
      fields = this.#remembered!;
    } else {
      fields = this.#takeFields(buffer, start, end);
      if (this.#taken++ > 0 && end - start - this.#fieldsAt <= MEMORY)
        this.#remember(fields, buffer, start + this.#fieldsAt, end);
    }
    this.#reset();
    let { headers, host } = fields;

    if (fields.chunked && !http11) throw refuse(400, 'Transfer-Encoding stands in an HTTP/1.0 request');
    if (target.authority !== null) {
      if (host === null && http11) throw refuse(400, 'there is no Host field');
      host = target.authority;
      const named: Header = ['host', host];
      headers = headers.some(([name]) => name === 'host')
        ? headers.map((header) => (header[0] === 'host' ? named : header))
        : [named, ...headers];
    } else if (host === null && http11) throw refuse(400, 'there is no Host field');

    return {
      method,
      path: target.path,
      rawPath: target.rawPath,
      queryString: target.queryString,
      http11,
      headers,
      contentLength: fields.contentLength,
      chunked: fields.chunked,
      keepAlive: !fields.close && (http11 || fields.persist),
      expectsContinue: http11 && fields.expectsContinue,
      upgrade: http11 ? fields.upgrade : null,
      acceptsTrailers: http11 && fields.acceptsTrailers,
    };
  }

  #remember(fields: Fields, buffer: Buffer, start: number, end: number): void {
    // Shared by requests from now on, so no application may change them.
    for (const header of fields.headers) Object.freeze(header);
    Object.freeze(fields.headers);
    this.#memory = Buffer.from(buffer.subarray(start, end));
    this.#remembered = fields;
  }

  #takeFields(buffer: Buffer, start: number, end: number): Fields {
    const text = latin1(buffer, start, end);
    // One pass over the whole text is cheaper than one per name; in latin-1 it changes no length.
    const lower = text.toLowerCase();
    const fields = this.#fields;
    const headers: Header[] = [];
    let host: string | null = null;
    let contentLength = -1;
    let transferEncoding: string | null = null;
    let close = false;
    let persist = false;
    let upgradeNamed = false;
    let upgrade: string | null = null;
    let expect: string | null = null;
    let acceptsTrailers = false;
    for (let index = 0; index < fields; index++) {
      const mark = 4 * index;
      const name = lower.substring(marks[mark]!, marks[mark + 1]!);
      const valueStart = marks[mark + 2]!;
      const valueEnd = marks[mark + 3]!;
      const value = text.substring(valueStart, valueEnd);
      switch (name.length) {
        case 2:
          if (name === 'te')
            acceptsTrailers ||= listOf(lower.substring(valueStart, valueEnd)).includes('trailers');
          break;
        case 4:
          if (name === 'host') {
            if (host !== null) throw refuse(400, 'there is more than one Host field');
            checkHost(value);
            host = value;
          }
          break;
        case 6:
          if (name === 'expect') expect = joined(expect, lower.substring(valueStart, valueEnd));
          break;
        case 7:
          if (name === 'upgrade') upgrade = joined(upgrade, lower.substring(valueStart, valueEnd));
          break;
        case 10:
          if (name === 'connection') {
            const options = lower.substring(valueStart, valueEnd);
            if (options === 'keep-alive') persist = true;
            else if (options === 'close') close = true;
            else {
              for (const option of listOf(options)) {
                if (option === 'close') close = true;
                else if (option === 'keep-alive') persist = true;
                else if (option === 'upgrade') upgradeNamed = true;
              }
            }
          }
          break;
        case 14:
          if (name === 'content-length') {
            // A list of equal numbers may be accepted (RFC 9110 8.6); two parsers may disagree on it, so it is not.
            if (contentLength !== -1) throw refuse(400, 'there is more than one Content-Length');
            if (!/^[0-9]+$/.test(value)) throw refuse(400, 'Content-Length is no number');
            contentLength = Number(value);
            if (contentLength > Number.MAX_SAFE_INTEGER)
              throw refuse(413, 'Content-Length is beyond all measure');
          }
          break;
        case 17:
          if (name === 'transfer-encoding') {
            if (transferEncoding !== null) throw refuse(400, 'there is more than one Transfer-Encoding');
            transferEncoding = lower.substring(valueStart, valueEnd);
          }
          break;
      }
      headers.push([name, value]);
    }

    if (transferEncoding !== null) {
      if (contentLength !== -1) throw refuse(400, 'both Content-Length and Transfer-Encoding are given');
      if (transferEncoding !== 'chunked') {
        // Where chunked is not the last, nobody knows where the body ends, which is a 400 (RFC 9112 6.3); where it
        // is, and only another coding is unknown, a 501 (RFC 9112 6.1).
        throw /^(?!chunked\b|identity\b)[!#$%&'*+\-.^_`|~0-9a-z]+[ \t]*,[ \t]*chunked$/.test(transferEncoding)
          ? refuse(501, 'no transfer coding but chunked is known here')
          : refuse(400, 'Transfer-Encoding is not exactly "chunked"');
      }
    }
    const expectations = expect === null ? [] : listOf(expect);
    if (expectations.some((expectation) => expectation !== '100-continue'))
      throw refuse(417, 'the only expectation known here is 100-continue');
    return {
      headers,
      host,
      contentLength,
      chunked: transferEncoding !== null,
      close,
      persist,
      expectsContinue: expectations.length > 0,
      upgrade: upgradeNamed ? upgrade : null,
      acceptsTrailers,
    };
  }
}

/** The elements of a list, without the empty ones that senders leave (RFC 9110 5.6.1). */
function listOf(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** Field lines of one name are one list (RFC 9110 5.3). */
function joined(before: string | null, value: string): string {
  return before === null ? value : `${before},${value}`;
}
