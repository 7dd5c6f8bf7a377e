import { createReadStream } from 'node:fs';
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One uploaded file: small ones in memory, larger ones on disk until the request ends. */
export class UploadedFile {
  /** The name of the form field. */
  readonly field: string;
  /** The name the client gave, without any folder; for showing, never for opening. */
  readonly filename: string;
  /** What the client says it is. Not to be trusted. */
  readonly contentType: string;
  /** In bytes. */
  readonly size: number;
  readonly #bytes: Uint8Array | null;
  #path: string | null;

  /** For builders: `content` is the bytes, or the path of a file. */
  constructor(
    field: string,
    filename: string,
    contentType: string,
    size: number,
    content: Uint8Array | string,
  ) {
    this.field = field;
    this.filename = filename;
    this.contentType = contentType;
    this.size = size;
    this.#bytes = typeof content === 'string' ? null : content;
    this.#path = typeof content === 'string' ? content : null;
  }

  /** Where it lies while the request lasts; null when it is in memory. */
  get path(): string | null {
    return this.#path;
  }

  async bytes(): Promise<Uint8Array> {
    return this.#bytes ?? (await readFile(this.#path!));
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#bytes !== null) yield this.#bytes;
    else yield* createReadStream(this.#path!) as AsyncIterable<Buffer>;
  }

  /** Moves it to `path`, which must not exist yet. The name is yours: never made from `filename`. */
  async moveTo(path: string): Promise<void> {
    if (this.#bytes !== null) {
      await writeFile(path, this.#bytes, { flag: 'wx' });
      return;
    }
    const from = this.#path!;
    // Takes the name, or fails if it is taken; renaming over it is atomic.
    await writeFile(path, '', { flag: 'wx' });
    try {
      await rename(from, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      await copyFile(from, path);
      await rm(from, { force: true });
    }
    this.#path = path;
  }
}

/** Files by field name, in order. */
export class UploadedFiles implements Iterable<UploadedFile> {
  readonly #files: readonly UploadedFile[];

  constructor(files: readonly UploadedFile[] = []) {
    this.#files = files;
  }

  /** The last file of a field; null when there is none. */
  get(field: string): UploadedFile | null {
    return this.#files.findLast((file) => file.field === field) ?? null;
  }
  getAll(field: string): UploadedFile[] {
    return this.#files.filter((file) => file.field === field);
  }
  has(field: string): boolean {
    return this.get(field) !== null;
  }
  get size(): number {
    return this.#files.length;
  }
  *[Symbol.iterator](): IterableIterator<UploadedFile> {
    yield* this.#files;
  }
}

/** A folder of its own for the files of one request, readable by nobody else. */
export class UploadFolder {
  readonly #parent: string;
  #folder: Promise<string> | null = null;
  #count = 0;

  constructor(parent: string | null) {
    this.#parent = parent ?? tmpdir();
  }

  async nextPath(): Promise<string> {
    this.#folder ??= mkdtemp(join(this.#parent, 'sobaya-upload-'));
    return join(await this.#folder, String(++this.#count));
  }

  async remove(): Promise<void> {
    // It may be that it could not be made: whoever asked for a path has been told.
    const folder = await this.#folder?.catch(() => null);
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}

/** The last part of what a client calls a file: no folders of either spelling, no control characters, no dots alone. */
export function safeFilename(name: string): string {
  const base = (name.split(/[/\\]/).pop() ?? '')
    .replace(/[\x00-\x1f\x7f<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .trim();
  const short = base.length > 255 ? base.slice(-255) : base;
  return /^\.*$/.test(short) ? 'file' : short;
}
