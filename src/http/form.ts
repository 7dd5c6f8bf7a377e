import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { BusboyInstance } from '@fastify/busboy';
import { fault } from '../errors/index.ts';
import { QueryDict } from './query.ts';
import type { HttpRequest } from './request.ts';
import { safeFilename, UploadedFile, UploadedFiles, UploadFolder } from './uploads.ts';

/** Names of fields and files; longer ones are no names. */
const longestName = 1000;
const longName = (): Error =>
  fault('SBY_HTTP_BAD_BODY', {
    kind: 'multipart form',
    why: `a name is longer than ${longestName} characters`,
  });

export interface Form {
  readonly fields: QueryDict;
  readonly files: UploadedFiles;
}

const noForm: Form = { fields: new QueryDict(), files: new UploadedFiles() };

export async function readForm(request: HttpRequest): Promise<Form> {
  const type = request.contentType;
  if (type === 'application/x-www-form-urlencoded') {
    const text = await request.text();
    return {
      fields: QueryDict.parse(text, request.settings.limits.maxFields, 'form fields'),
      files: noForm.files,
    };
  }
  if (type === 'multipart/form-data') return await readMultipart(request);
  return noForm;
}

/**
 * Multipart, streamed: fields to memory, files past `fileMemory` to disk, each with its limit. Files are written
 * one after another with back-pressure, so that a large upload needs no memory.
 */
async function readMultipart(request: HttpRequest): Promise<Form> {
  const { limits, uploadFolder } = request.settings;
  const tooLarge = (what: string, limit: number, option: string): Error =>
    fault('SBY_HTTP_TOO_LARGE', { what, limit, unit: 'bytes', option });
  const announced = request.contentLength;
  if (announced !== null && announced > limits.maxUploadSize)
    throw tooLarge('The form', limits.maxUploadSize, 'maxUploadSize');
  const header = request.header('content-type') ?? '';
  if (!/;\s*boundary=("[^"]{1,70}"|[^\s;"]{1,70})/i.test(header))
    throw fault('SBY_HTTP_BAD_BODY', { kind: 'multipart form', why: 'no boundary is given' });

  // Loaded with the first form that has files: most applications start without.
  const { Busboy } = await import('@fastify/busboy');
  let parser: BusboyInstance;
  try {
    parser = new Busboy({
      headers: { 'content-type': header },
      // A file is what has a file name, whatever type it says to be of.
      isPartAFile: (_field: string | undefined, _type: string | undefined, filename: string | undefined) =>
        filename !== undefined,
      limits: {
        fieldNameSize: longestName,
        fieldSize: limits.maxBodySize,
        fields: limits.maxFields,
        fileSize: limits.maxFileSize,
        files: limits.maxFiles,
        parts: limits.maxFields + limits.maxFiles,
        headerPairs: 50,
        headerSize: 16_384,
      },
    });
  } catch (cause) {
    throw fault('SBY_HTTP_BAD_BODY', { kind: 'multipart form', why: (cause as Error).message }, { cause });
  }
  const folder = new UploadFolder(uploadFolder);
  request.onClose(() => folder.remove());
  const fields: [string, string][] = [];
  const files: Promise<UploadedFile | null>[] = [];
  const streams: Readable[] = [];
  let fieldBytes = 0;
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: unknown): void => {
    reject(error);
    parser.removeAllListeners('finish');
  };
  // The parser's types promise a name; a part without one has none (RFC 7578, 4.2, asks for it).
  const noName = (): void =>
    fail(fault('SBY_HTTP_BAD_BODY', { kind: 'multipart form', why: 'a part has no name' }));
  parser.on('field', (name: string | undefined, value, nameCut, valueCut) => {
    if (name === undefined) return noName();
    fieldBytes += name.length + value.length;
    if (name.length > longestName) fail(longName());
    else if (nameCut || valueCut || fieldBytes > limits.maxBodySize)
      fail(tooLarge('A field of the form', limits.maxBodySize, 'maxBodySize'));
    else fields.push([name, value]);
  });
  parser.on('file', (field: string | undefined, stream, filename, _encoding, contentType) => {
    if (field === undefined) {
      stream.resume();
      return noName();
    }
    if (field.length > longestName || (filename ?? '').length > longestName) fail(longName());
    stream.once('limit', () => fail(tooLarge('A file', limits.maxFileSize, 'maxFileSize')));
    streams.push(stream);
    const kept = keep(stream, folder, limits.fileMemory).then(({ content, size }) =>
      // A file input that was left empty sends a part without name and content.
      !filename && size === 0
        ? null
        : new UploadedFile(field, safeFilename(filename ?? ''), contentType, size, content),
    );
    kept.catch(fail);
    files.push(kept);
  });
  const tooMany = (what: string, limit: number, option: string): void =>
    fail(fault('SBY_HTTP_TOO_MANY', { what, limit, option }));
  parser.on('fieldsLimit', () => tooMany('form fields', limits.maxFields, 'maxFields'));
  parser.on('filesLimit', () => tooMany('files', limits.maxFiles, 'maxFiles'));
  parser.on('partsLimit', () => tooMany('parts', limits.maxFields + limits.maxFiles, 'maxFields'));
  parser.on('error', (cause) =>
    fail(fault('SBY_HTTP_BAD_BODY', { kind: 'multipart form', why: (cause as Error).message }, { cause })),
  );
  parser.once('finish', () => resolve());

  let size = 0;
  const feed = async (): Promise<void> => {
    for await (const chunk of request.stream()) {
      size += chunk.length;
      if (size > limits.maxUploadSize) throw tooLarge('The form', limits.maxUploadSize, 'maxUploadSize');
      if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), parsed]);
    }
    parser.end();
  };
  try {
    await Promise.all([feed(), parsed]);
    const kept = await Promise.all(files);
    return { fields: new QueryDict(fields), files: new UploadedFiles(kept.filter((file) => file !== null)) };
  } catch (error) {
    parser.destroy();
    // The parser leaves the file it was in open, and its reader waiting.
    for (const stream of streams) stream.destroy();
    await Promise.allSettled(files);
    throw error;
  }
}

/** Reads one file to its end: into memory, and from `memory` bytes on to disk. */
async function keep(
  stream: Readable,
  folder: UploadFolder,
  memory: number,
): Promise<{ content: Uint8Array | string; size: number }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let file: FileHandle | null = null;
  let path = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (file === null) {
        chunks.push(chunk);
        if (size <= memory) continue;
        path = await folder.nextPath();
        file = await open(path, 'wx', 0o600);
        for (const earlier of chunks) await writeAll(file, earlier);
        chunks.length = 0;
      } else await writeAll(file, chunk);
    }
  } finally {
    await file?.close();
  }
  return { content: file === null ? Buffer.concat(chunks, size) : path, size };
}

/** A disk that is full is an error of this write: a stream would tell it to nobody, and end the process. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
