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
import { processing } from './protocol.ts';

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
  const choices = [...encodings, 'identity' as const];
  return processing('compression', {
    processResponse(request, response) {
      const { headers, status } = response;
      if (status === 204 || status === 206 || status === 304) return response;
      let type = '';
      for (const [name, value] of headers.list) {
        if (name === 'content-type') type = value;
        else if (name === 'content-encoding') {
          if (value === 'identity') headers.delete('content-encoding');
          return response;
        } else if (name === 'cache-control' && /no-transform/i.test(value)) return response;
      }
      // Too little to gain by: the same for every client, so Vary has nothing to say. A character is at most 3 bytes.
      if (response instanceof HttpResponse) {
        const { content } = response;
        if (content.length < minimum && (typeof content !== 'string' || isShort(content, minimum)))
          return response;
      }
      if (!types.test(type)) return response;
      headers.addToList('vary', 'Accept-Encoding');
      const accept = request.header('accept-encoding');
      if (accept === null) return response;
      const encoding = bestOf(accept, choices, 'token');
      if (encoding === null || encoding === 'identity') return response;
      return compress(response, encoding);
    },
  });
}

function isShort(text: string, minimum: number): boolean {
  return text.length * 3 < minimum || Buffer.byteLength(text) < minimum;
}

async function compress(response: AnyResponse, encoding: Encoding): Promise<AnyResponse> {
  const { headers } = response;
  if (response instanceof HttpResponse) {
    const content = response.bytes();
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
