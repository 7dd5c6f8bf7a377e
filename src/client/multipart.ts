import { randomBytes } from 'node:crypto';
import { fault } from '../errors/index.ts';
import type { EncodedBody } from './body.ts';

/** One file of a multipart body. */
export interface MultipartFile {
  readonly name: string;
  readonly content: string | Uint8Array | Blob | AsyncIterable<Uint8Array>;
  /** Default: the Blob's type, or `application/octet-stream`. */
  readonly type?: string;
}

type Value = string | number | boolean | Blob | MultipartFile;
/** Fields and files by name; a list gives its name once per value, null and undefined are left out. */
export type MultipartFields = Readonly<Record<string, Value | readonly Value[] | null | undefined>>;

// How browsers write names into Content-Disposition (HTML, "multipart/form-data encoding algorithm"): a name
// must not be able to end its quotes or its line.
function quoted(name: string): string {
  return `"${name.replace(/\r\n|\r|\n/g, '%0D%0A').replace(/"/g, '%22')}"`;
}

interface Part {
  readonly head: Buffer;
  readonly content: Uint8Array | Blob | AsyncIterable<Uint8Array>;
  readonly length: number | null;
}

function part(boundary: string, field: string, value: Value): Part {
  let disposition = `form-data; name=${quoted(field)}`;
  let type: string | null = null;
  let content: Part['content'];
  if (value instanceof Blob) {
    const name = (value as { name?: unknown }).name;
    disposition += `; filename=${quoted(typeof name === 'string' ? name : 'blob')}`;
    type = value.type || 'application/octet-stream';
    content = value;
  } else if (typeof value === 'object') {
    if (typeof value.name !== 'string' || value.content === undefined)
      throw fault('SBY_CLIENT_BAD_OPTION', {
        option: `multipart.${field}`,
        got: value,
        expected: 'text, a Blob, or a file as { name, content, type }',
      });
    disposition += `; filename=${quoted(value.name)}`;
    content = typeof value.content === 'string' ? Buffer.from(value.content) : value.content;
    type = value.type ?? ((content instanceof Blob && content.type) || 'application/octet-stream');
    if (/[\r\n]/.test(type)) throw fault('SBY_CLIENT_BAD_HEADER', { name: 'content-type', value: type });
  } else {
    // As browsers do, so that every server sees the same line ends.
    content = Buffer.from(String(value).replace(/\r\n|\r|\n/g, '\r\n'));
  }
  const head = `--${boundary}\r\ncontent-disposition: ${disposition}\r\n${type === null ? '' : `content-type: ${type}\r\n`}\r\n`;
  const length =
    content instanceof Uint8Array ? content.byteLength : content instanceof Blob ? content.size : null;
  return { head: Buffer.from(head), content, length };
}

const CRLF = Buffer.from('\r\n');

export function encodeMultipart(fields: MultipartFields | FormData): EncodedBody {
  const boundary = `sobaya-${randomBytes(18).toString('base64url')}`;
  const parts: Part[] = [];
  const entries: Iterable<[string, unknown]> =
    fields instanceof FormData ? fields.entries() : Object.entries(fields);
  for (const [name, given] of entries) {
    for (const value of Array.isArray(given) ? (given as readonly unknown[]) : [given])
      if (value !== null && value !== undefined) parts.push(part(boundary, name, value as Value));
  }
  const end = Buffer.from(`--${boundary}--\r\n`);
  const contentType = `multipart/form-data; boundary=${boundary}`;
  if (parts.every(({ content }) => content instanceof Uint8Array)) {
    const pieces = parts.flatMap(({ head, content }) => [head, content as Uint8Array, CRLF]);
    const content = Buffer.concat([...pieces, end]);
    return { content, contentType, length: content.byteLength };
  }
  let length: number | null = end.byteLength;
  for (const { head, length: size } of parts)
    length = length === null || size === null ? null : length + head.byteLength + size + 2;
  async function* content(): AsyncGenerator<Uint8Array> {
    for (const { head, content } of parts) {
      yield head;
      if (content instanceof Uint8Array) yield content;
      else yield* content instanceof Blob ? content.stream() : content;
      yield CRLF;
    }
    yield end;
  }
  return { content: content(), contentType, length };
}
