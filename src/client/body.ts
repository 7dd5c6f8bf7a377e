import { fault } from '../errors/index.ts';
import { encodeMultipart, type MultipartFields } from './multipart.ts';
import { type Params, paramPairs } from './url.ts';

/** What can be sent as it is. A stream is sent as it comes, chunked unless `content-length` is among the headers. */
export type BodyInput =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>;

/** The one body of a request, in one of four spellings. */
export interface BodyOptions {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Exclude<Params, string>;
  /** Sent as `multipart/form-data`: fields and files. */
  readonly multipart?: MultipartFields | FormData;
  /** Sent as it is. */
  readonly body?: BodyInput | null;
}

export interface EncodedBody {
  readonly content: Uint8Array | AsyncIterable<Uint8Array> | null;
  readonly contentType: string | null;
  /** Known even for some streams: files of a multipart body. */
  readonly length: number | null;
}

const none: EncodedBody = { content: null, contentType: null, length: 0 };

function bytes(content: Uint8Array, contentType: string | null): EncodedBody {
  return { content, contentType, length: content.byteLength };
}

async function* chunks(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    const piece = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (piece.byteLength > 0) yield piece;
  }
}

export function encodeBody(options: BodyOptions): EncodedBody {
  const given = (['json', 'form', 'multipart', 'body'] as const).filter(
    (name) => options[name] !== undefined && (name !== 'body' || options[name] !== null),
  );
  if (given.length > 1) throw fault('SBY_CLIENT_TWO_BODIES', { given });
  switch (given[0]) {
    case 'json': {
      const text = JSON.stringify(options.json);
      if (text === undefined)
        throw fault('SBY_CLIENT_BAD_OPTION', {
          option: 'json',
          got: options.json,
          expected: 'a value that JSON can say',
        });
      return bytes(Buffer.from(text), 'application/json');
    }
    case 'form': {
      const pairs = [...paramPairs(options.form as Exclude<Params, string>)].map(([n, v]) => [n, v]);
      return bytes(Buffer.from(new URLSearchParams(pairs).toString()), 'application/x-www-form-urlencoded');
    }
    case 'multipart':
      return encodeMultipart(options.multipart as MultipartFields | FormData);
    case 'body':
      return encodeContent(options.body);
    default:
      return none;
  }
}

function encodeContent(body: unknown): EncodedBody {
  if (typeof body === 'string') return bytes(Buffer.from(body), 'text/plain; charset=utf-8');
  if (body instanceof Uint8Array) return bytes(body, null);
  if (body instanceof ArrayBuffer) return bytes(new Uint8Array(body), null);
  if (body instanceof Blob)
    return { content: chunks(body.stream()), contentType: body.type || null, length: body.size };
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
    return { content: chunks(body as AsyncIterable<Uint8Array | string>), contentType: null, length: null };
  throw fault('SBY_CLIENT_BAD_OPTION', {
    option: 'body',
    got: body,
    expected: 'text, bytes, a Blob or an async iterable of bytes; objects go as `json` or `form`',
  });
}
