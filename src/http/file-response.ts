import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Http404 } from '../errors/index.ts';
import {
  applyPreconditions,
  type ByteRange,
  etagMatchesStrongly,
  parseHttpDate,
  parseRange,
} from './conditional.ts';
import { contentDisposition } from './disposition.ts';
import { FileContent } from './file-content.ts';
import { contentTypeOf } from './media-types.ts';
import type { HttpRequest } from './request.ts';
import { type AnyResponse, HttpResponse, StreamingHttpResponse } from './response.ts';

export interface FileResponseOptions {
  /** Default: by the extension. */
  readonly contentType?: string;
  /** Saved instead of shown. Default false. */
  readonly attachment?: boolean;
  /** The name it is saved under. Default: the file's. */
  readonly filename?: string;
  readonly cacheControl?: string;
  /** `gzip`, `br` or `zstd` when the file holds encoded bytes. */
  readonly contentEncoding?: string;
  /** Default: of size and time of change. */
  readonly etag?: string;
}

/**
 * A file as a response: with ETag and Last-Modified, preconditions answered, ranges served (several as
 * multipart/byteranges), read piece by piece. Throws Http404 for what is no readable file. The path is yours: for
 * names that come from a request see `staticFiles`.
 */
export async function fileResponse(
  request: HttpRequest,
  path: string,
  options: FileResponseOptions = {},
): Promise<AnyResponse> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw new Http404(`There is no file ${basename(path)}`, { cause });
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Http404(`${basename(path)} is no file`);
    const etag = options.etag ?? `"${stat.size.toString(36)}-${Math.floor(stat.mtimeMs).toString(36)}"`;
    const filename = options.filename ?? basename(path);
    const headers: Record<string, string> = {
      'accept-ranges': 'bytes',
      etag,
      'last-modified': stat.mtime.toUTCString(),
      'content-disposition': contentDisposition(options.attachment ? 'attachment' : 'inline', filename),
      // A file that somebody uploaded must not be taken for something that runs.
      'x-content-type-options': 'nosniff',
    };
    if (options.cacheControl !== undefined) headers['cache-control'] = options.cacheControl;
    if (options.contentEncoding !== undefined) headers['content-encoding'] = options.contentEncoding;
    const contentType = options.contentType ?? contentTypeOf(path);
    const make = (
      content: AsyncIterable<Uint8Array>,
      length: number,
      status: number,
      type = contentType,
    ): StreamingHttpResponse =>
      new StreamingHttpResponse(content, {
        status,
        contentType: type,
        headers: { ...headers, 'content-length': length },
      }).onClose(() => handle.close());
    const { size } = stat;
    const whole = make(new FileContent(handle, [{ start: 0, end: size - 1 }]), size, 200);
    const checked = applyPreconditions(request, whole);
    if (checked !== whole) return checked;
    const ranges = request.method === 'GET' ? wantedRanges(request, etag, stat.mtime, size) : null;
    if (ranges === null) return whole;
    if (ranges.length === 0) {
      const response = new HttpResponse('', { status: 416, headers: { 'content-range': `bytes */${size}` } });
      return response.onClose(() => whole.close());
    }
    if (ranges.length === 1) {
      const [range] = ranges as [ByteRange];
      const part = make(new FileContent(handle, [range]), range.end - range.start + 1, 206);
      part.headers.set('content-range', `bytes ${range.start}-${range.end}/${size}`);
      return part;
    }
    const boundary = randomBytes(12).toString('hex');
    const heads = ranges.map((range) =>
      Buffer.from(
        `\r\n--${boundary}\r\ncontent-type: ${contentType}\r\ncontent-range: bytes ${range.start}-${range.end}/${size}\r\n\r\n`,
      ),
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const length = ranges.reduce(
      (sum, range, index) => sum + heads[index]!.length + range.end - range.start + 1,
      tail.length,
    );
    return make(
      new FileContent(handle, ranges, heads, tail),
      length,
      206,
      `multipart/byteranges; boundary=${boundary}`,
    );
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

function wantedRanges(request: HttpRequest, etag: string, modified: Date, size: number): ByteRange[] | null {
  const header = request.header('range');
  if (header === null) return null;
  const ifRange = request.header('if-range');
  if (ifRange !== null) {
    const date = parseHttpDate(ifRange);
    // A part is only of use with the rest of the same version.
    const same =
      date !== null ? date === Math.floor(modified.getTime() / 1000) : etagMatchesStrongly(ifRange, etag);
    if (!same) return null;
  }
  return parseRange(header, size);
}
