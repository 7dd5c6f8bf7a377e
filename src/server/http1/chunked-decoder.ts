import { HEX, QUOTED_TEXT, TOKEN } from './characters.ts';
import { refuse } from './refusal.ts';

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const EXT_NAME_START = 5;
const EXT_NAME = 6;
const EXT_AFTER_NAME = 7;
const EXT_VALUE_START = 8;
const EXT_TOKEN = 9;
const EXT_QUOTED = 10;
const EXT_QUOTED_PAIR = 11;
const EXT_AFTER_VALUE = 12;
const DONE = 13;
/** White space after a size: only an extension may follow it. */
const SIZE_SPACE = 14;

/** Bytes of chunk extensions that one message may spend in all: they carry nothing, and would be a free flood. */
const EXTENSION_BUDGET = 16 * 1024;

/**
 * Decodes the chunks of RFC 9112 7.1 up to, and without, the trailer section. Lines end with CRLF, sizes are
 * plain hexadecimal, extensions follow their grammar and mean nothing.
 */
export class ChunkedDecoder {
  #state = SIZE;
  #digits = 0;
  #remaining = 0;
  #extensions = 0;
  #announced = 0;
  readonly #limit: number;
  /** Where the data found by the last `next` begins and ends; equal when there was none. */
  dataStart = 0;
  dataEnd = 0;

  /** `limit`: most bytes of all chunks together, 0 for any. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when the last chunk has been read and the trailer section begins. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /** Reads until data was found, the last chunk was read or `end` reached; gives the position after it. */
  next(buffer: Uint8Array, at: number, end: number): number {
    this.dataStart = this.dataEnd = at;
    while (at < end) {
      const byte = buffer[at]!;
      switch (this.#state) {
        case SIZE: {
          const digit = HEX[byte]!;
          if (digit !== 255) {
            // Sixteen digits are beyond what a number holds exactly; nobody sends such a chunk in good faith.
            if (++this.#digits > 13) throw refuse(413, 'a chunk size is beyond all measure');
            this.#remaining = this.#remaining * 16 + digit;
            break;
          }
          if (this.#digits === 0) throw refuse(400, 'a chunk does not begin with its size');
          if (byte === SP || byte === HTAB) this.#state = SIZE_SPACE;
          else this.#afterExtension(byte, 'a chunk size is followed by a byte that has no place there');
          break;
        }
        case SIZE_LF:
          if (byte !== LF) throw refuse(400, 'the line of a chunk size does not end with CRLF');
          this.#digits = 0;
          // What is announced counts, not what has come: a size over the limit need not be waited for.
          this.#announced += this.#remaining;
          if (this.#limit > 0 && this.#announced > this.#limit)
            throw refuse(413, `the body has more than ${this.#limit} bytes`);
          this.#state = this.#remaining === 0 ? DONE : DATA;
          if (this.#state === DONE) return at + 1;
          break;
        case DATA: {
          const take = Math.min(end - at, this.#remaining);
          this.#remaining -= take;
          if (this.#remaining === 0) this.#state = DATA_CR;
          this.dataStart = at;
          this.dataEnd = at + take;
          return at + take;
        }
        case DATA_CR:
          if (byte !== CR) throw refuse(400, 'a chunk is longer than its size says');
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (byte !== LF) throw refuse(400, 'a chunk does not end with CRLF');
          this.#state = SIZE;
          break;
        default:
          this.#extension(byte);
      }
      at++;
    }
    return at;
  }

  /** chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) */
  #extension(byte: number): void {
    if (++this.#extensions > EXTENSION_BUDGET) throw refuse(400, 'there are too many chunk extensions');
    const space = byte === SP || byte === HTAB;
    switch (this.#state) {
      case SIZE_SPACE:
        if (space) return;
        if (byte !== SEMICOLON) throw refuse(400, 'a chunk size is followed by white space');
        this.#state = EXT_NAME_START;
        return;
      case EXT_NAME_START:
        if (space) return;
        if (TOKEN[byte] === 0) throw refuse(400, 'a chunk extension has no name');
        this.#state = EXT_NAME;
        return;
      case EXT_NAME:
        if (TOKEN[byte] === 0) this.#afterName(byte, space);
        return;
      case EXT_AFTER_NAME:
        this.#afterName(byte, space);
        return;
      case EXT_VALUE_START:
        if (space) return;
        if (byte === QUOTE) this.#state = EXT_QUOTED;
        else if (TOKEN[byte] === 1) this.#state = EXT_TOKEN;
        else throw refuse(400, 'a chunk extension has no value after its equals sign');
        return;
      case EXT_TOKEN:
        if (TOKEN[byte] === 1) return;
        this.#state = EXT_AFTER_VALUE;
        if (!space) this.#afterExtension(byte, 'a chunk extension is malformed');
        return;
      case EXT_AFTER_VALUE:
        if (!space) this.#afterExtension(byte, 'a chunk extension is malformed');
        return;
      case EXT_QUOTED:
        if (byte === QUOTE) this.#state = EXT_AFTER_VALUE;
        else if (byte === BACKSLASH) this.#state = EXT_QUOTED_PAIR;
        else if (QUOTED_TEXT[byte] === 0) throw refuse(400, 'a chunk extension holds a control character');
        return;
      case EXT_QUOTED_PAIR:
        if (byte !== HTAB && (byte < SP || byte === 0x7f))
          throw refuse(400, 'a chunk extension holds a control character');
        this.#state = EXT_QUOTED;
        return;
    }
  }

  #afterName(byte: number, space: boolean): void {
    this.#state = EXT_AFTER_NAME;
    if (space) return;
    if (byte === EQUALS) this.#state = EXT_VALUE_START;
    else this.#afterExtension(byte, 'a chunk extension is malformed');
  }

  #afterExtension(byte: number, why: string): void {
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#state = EXT_NAME_START;
    else throw refuse(400, why);
  }
}
