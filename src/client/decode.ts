import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  gunzip,
  inflate,
  inflateRaw,
  zstdDecompress,
} from 'node:zlib';
import type { FailedRequest } from '../errors/index.ts';
import { failed } from './faults.ts';
import type { HeaderList } from './headers.ts';

/** What is asked for when the caller does not say: the cheapest to decode first. */
export const ACCEPT_ENCODING = 'gzip, br, zstd, deflate';

type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';
const codings: Readonly<Record<string, Coding>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

const whole = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

/** The codings to undo, last applied first; null when there are none, or one we do not know. */
export function contentCodings(headers: HeaderList): readonly Coding[] | null {
  const value = headers.get('content-encoding');
  if (value === null) return null;
  const names = value
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  // Five codings on top of each other are no site's intention, and each multiplies.
  if (names.length === 0 || names.length > 3 || names.some((name) => !(name in codings))) return null;
  return names.reverse().map((name) => codings[name] as Coding);
}

// Some servers send raw deflate where RFC 9110 8.4.1.2 asks for the zlib format; browsers take both.
function isRawDeflate(first: number | undefined): boolean {
  return first !== undefined && (first & 0x0f) !== 8;
}

export async function decodeBytes(
  body: Uint8Array,
  list: readonly Coding[],
  maxBytes: number,
  request: FailedRequest,
): Promise<Uint8Array> {
  let bytes = body;
  for (const coding of list) {
    if (bytes.byteLength === 0) return bytes;
    try {
      const decode = coding === 'deflate' && isRawDeflate(bytes[0]) ? promisify(inflateRaw) : whole[coding];
      bytes = await decode(bytes, { maxOutputLength: maxBytes });
    } catch (error) {
      throw translate(error, coding, maxBytes, request);
    }
  }
  return bytes;
}

function translate(error: unknown, coding: Coding, maxBytes: number, request: FailedRequest): Error {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ERR_BUFFER_TOO_LARGE') return failed('SBY_CLIENT_TOO_LARGE', { request, limit: maxBytes });
  return failed('SBY_CLIENT_ENCODING', { request, encoding: coding, detail: message }, error);
}

/** Decodes piece by piece. */
export async function* decodeStream(
  pieces: AsyncIterable<Uint8Array>,
  list: readonly Coding[],
  request: FailedRequest,
): AsyncGenerator<Uint8Array> {
  let stream: AsyncIterable<Uint8Array> = pieces;
  for (const coding of list) stream = decodeOne(stream, coding, request);
  yield* stream;
}

async function* decodeOne(
  pieces: AsyncIterable<Uint8Array>,
  coding: Coding,
  request: FailedRequest,
): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  async function* input(): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  }
  const decoder = {
    gzip: createGunzip,
    deflate: isRawDeflate((first.value as Uint8Array)[0]) ? createInflateRaw : createInflate,
    br: createBrotliDecompress,
    zstd: createZstdDecompress,
  }[coding]();
  const source = Readable.from(input(), { objectMode: false });
  let sourceError: unknown = null;
  source.on('error', (error) => {
    sourceError = error;
    decoder.destroy(error);
  });
  source.pipe(decoder);
  try {
    for await (const piece of decoder) yield piece as Uint8Array;
  } catch (error) {
    if (error === sourceError) throw error;
    throw translate(error, coding, 0, request);
  } finally {
    decoder.destroy();
    source.destroy();
    await iterator.return?.();
  }
}
