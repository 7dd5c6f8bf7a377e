import { randomBytes } from 'node:crypto';
import type { BodySource } from './exchange.ts';

export interface FilePayload {
  readonly content: string | Uint8Array;
  /** Default `file`. */
  readonly filename?: string;
  /** Default `application/octet-stream`. */
  readonly contentType?: string;
}

type Field = string | number | boolean;

export interface Payload {
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Sent urlencoded, with `files` as multipart. */
  readonly form?: Readonly<Record<string, Field | readonly Field[]>>;
  readonly files?: Readonly<Record<string, FilePayload | readonly FilePayload[]>>;
  /** Sent as it is; an iterable is streamed. */
  readonly body?: string | BodySource;
}

/** The bytes and the Content-Type of what shall be sent. */
export function encodePayload(payload: Payload): {
  body: BodySource;
  type: string | null;
  length: number | null;
} {
  const whole = (
    body: Uint8Array,
    type: string | null,
  ): { body: BodySource; type: string | null; length: number | null } => ({
    body,
    type,
    length: body.length,
  });
  if (payload.json !== undefined) return whole(Buffer.from(JSON.stringify(payload.json)), 'application/json');
  if (payload.files !== undefined) return whole(...multipart(payload));
  if (payload.form !== undefined) {
    const form = new URLSearchParams();
    for (const [name, value] of fields(payload.form)) form.append(name, value);
    return whole(Buffer.from(form.toString()), 'application/x-www-form-urlencoded');
  }
  const { body } = payload;
  if (body === undefined) return { body: [], type: null, length: null };
  if (typeof body === 'string') return whole(Buffer.from(body), 'text/plain; charset=utf-8');
  if (body instanceof Uint8Array) return whole(body, 'application/octet-stream');
  return { body, type: 'application/octet-stream', length: null };
}

function* fields(form: NonNullable<Payload['form']>): Iterable<[string, string]> {
  for (const [name, value] of Object.entries(form))
    for (const one of Array.isArray(value) ? (value as readonly Field[]) : [value as Field])
      yield [name, String(one)];
}

function multipart({ form = {}, files = {} }: Payload): [Uint8Array, string] {
  const boundary = `sobaya${randomBytes(16).toString('hex')}`;
  const quote = (text: string): string => text.replace(/[\r\n"]/g, (char) => encodeURIComponent(char));
  const parts: Uint8Array[] = [];
  for (const [name, value] of fields(form))
    parts.push(
      Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="${quote(name)}"\r\n\r\n${value}\r\n`,
      ),
    );
  for (const [name, value] of Object.entries(files)) {
    for (const file of Array.isArray(value) ? (value as readonly FilePayload[]) : [value as FilePayload]) {
      const { content, filename = 'file', contentType = 'application/octet-stream' } = file;
      parts.push(
        Buffer.from(
          `--${boundary}\r\ncontent-disposition: form-data; name="${quote(name)}"; filename="${quote(filename)}"\r\ncontent-type: ${contentType}\r\n\r\n`,
        ),
        typeof content === 'string' ? Buffer.from(content) : content,
        Buffer.from('\r\n'),
      );
    }
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return [Buffer.concat(parts), `multipart/form-data; boundary=${boundary}`];
}
