import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import {
  type AnyResponse,
  bestOf,
  type Chunks,
  HttpResponse,
  type Middleware,
  type StreamingHttpResponse,
} from '../http/index.ts';
import { andThen } from './protocol.ts';

export type Encoding = 'zstd' | 'br' | 'gzip';

export interface CompressionOptions {
  /** In our order of preference among those the client likes equally. Default br, zstd, gzip. */
  readonly encodings?: readonly Encoding[];
  /** Smaller content stays as it is. Default 860 bytes. */
  readonly minimum?: number;
  /** Content types that are compressed. */
  readonly types?: RegExp;
}

const compressible =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|xml|wasm|manifest\+json|.+\+(?:json|xml))|image\/svg\+xml|font\/(?:ttf|otf))/i;

const brotliFast = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } };
const whole: Readonly<Record<Encoding, (content: Uint8Array) => Promise<Buffer>>> = {
  gzip: promisify(zlib.gzip) as (content: Uint8Array) => Promise<Buffer>,
  br: (content) => promisify(zlib.brotliCompress)(content, brotliFast),
  zstd: promisify(zlib.zstdCompress) as (content: Uint8Array) => Promise<Buffer>,
};
const streams: Readonly<Record<Encoding, () => Transform>> = {
  gzip: () => zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
  br: () => zlib.createBrotliCompress({ ...brotliFast, flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => zlib.createZstdCompress({ flush: zlib.constants.ZSTD_e_flush }),
};

/**
 * Compresses what gains by it, off the event loop. BREACH: a page that shows both a secret and what an attacker can
 * choose gives the secret away by its compressed length. CSRF tokens of ours are masked and safe; for other secrets
 * set `Content-Encoding: identity` on the response, which is then left alone.
 */
export function compression(options: CompressionOptions = {}): Middleware {
  const { encodings = ['br', 'zstd', 'gzip'], minimum = 860, types = compressible } = options;
  return function compression(getResponse) {
    return (request) => {
      const accept = request.header('accept-encoding');
      return andThen(getResponse(request), (response) => {
        const { headers } = response;
        if (
          response.status < 200 ||
          response.status === 204 ||
          response.status === 206 ||
          response.status === 304
        )
          return response;
        if (headers.has('content-encoding')) {
          if (headers.get('content-encoding') === 'identity') headers.delete('content-encoding');
          return response;
        }
        if (
          !types.test(headers.get('content-type') ?? '') ||
          /no-transform/i.test(headers.get('cache-control') ?? '')
        )
          return response;
        headers.addToList('vary', 'Accept-Encoding');
        if (accept === null) return response;
        const encoding = bestOf(accept, [...encodings, 'identity' as const], 'token');
        if (encoding === null || encoding === 'identity') return response;
        return compress(response, encoding, minimum);
      });
    };
  };
}

async function compress(response: AnyResponse, encoding: Encoding, minimum: number): Promise<AnyResponse> {
  const { headers } = response;
  if (response instanceof HttpResponse) {
    const content = response.bytes();
    if (content.length < minimum) return response;
    const packed = await whole[encoding](content);
    if (packed.length >= content.length) return response;
    response.content = packed;
    headers.set('content-length', packed.length);
  } else {
    (response as StreamingHttpResponse).transform((chunks) => pack(chunks, streams[encoding]()));
    headers.delete('content-length');
    headers.delete('accept-ranges');
  }
  headers.set('content-encoding', encoding);
  // The bytes are others, so a strong tag would lie.
  const etag = headers.get('etag');
  if (etag !== null && !etag.startsWith('W/')) headers.set('etag', `W/${etag}`);
  return response;
}

async function* pack(chunks: Chunks, stream: Transform): AsyncGenerator<Uint8Array, void, undefined> {
  const feed = async (): Promise<void> => {
    for await (const chunk of chunks) if (!stream.write(chunk)) await once(stream, 'drain');
    stream.end();
  };
  feed().catch((error) => stream.destroy(error as Error));
  try {
    yield* stream as AsyncIterable<Buffer>;
  } finally {
    stream.destroy();
  }
}
