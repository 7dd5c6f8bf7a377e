import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type AnyResponse,
  bestOf,
  contentTypeOf,
  type FileResponseOptions,
  fileResponse,
  Http404,
  type HttpRequest,
  type Middleware,
} from '../http/index.ts';
import { processing } from './protocol.ts';

export interface StaticFilesOptions {
  /** The folder, or several: the first that has the file. */
  readonly root: string | URL | readonly (string | URL)[];
  /** Where in the site. Default `/static/`. */
  readonly prefix?: string;
  /** For names without a hash. Default 60 s; names with a hash are kept for a year. */
  readonly maxAge?: number;
  /** Files that begin with a dot. Default false. */
  readonly dotfiles?: boolean;
}

/** Names as `collectstatic` writes them: `app.3f9a1c0b2d4e.css`. */
const hashed = /\.[0-9a-f]{12}\.[^/]+$/;
const encodings = [
  ['br', '.br'],
  ['zstd', '.zst'],
  ['gzip', '.gz'],
] as const;

/**
 * Serves files under a prefix: ranges, ETags, precompressed siblings (`app.css.br`), a year of caching for names that
 * hold a hash of their content. What is not there goes on to the views.
 */
export function staticFiles(options: StaticFilesOptions): Middleware {
  const roots = [options.root]
    .flat()
    .map((root) => resolve(root instanceof URL ? fileURLToPath(root) : (root as string)));
  const { prefix = '/static/', maxAge = 60, dotfiles = false } = options;
  return processing('staticFiles', {
    processRequest(request) {
      if (!request.path.startsWith(prefix) || (request.method !== 'GET' && request.method !== 'HEAD')) return;
      return serve(request, request.path.slice(prefix.length), roots, maxAge, dotfiles);
    },
  });
}

async function serve(
  request: HttpRequest,
  name: string,
  roots: readonly string[],
  maxAge: number,
  dotfiles: boolean,
): Promise<AnyResponse | undefined> {
  if (!isSafeName(name, dotfiles)) return undefined;
  for (const root of roots) {
    const path = join(root, name);
    // Belt and braces: whatever the name was, the file is inside the folder.
    if (!path.startsWith(root + sep)) return undefined;
    const found = await stat(path).catch(() => null);
    if (!found?.isFile()) continue;
    const cacheControl = hashed.test(name)
      ? 'public, max-age=31536000, immutable'
      : `public, max-age=${maxAge}`;
    const base: FileResponseOptions = { contentType: contentTypeOf(name), cacheControl };
    const packed = await precompressed(request, path);
    const response = await fileResponse(
      request,
      packed?.path ?? path,
      packed === null ? base : { ...base, contentEncoding: packed.encoding },
    ).catch((error) => {
      if (error instanceof Http404) return null;
      throw error;
    });
    if (response === null) continue;
    response.headers.delete('content-disposition');
    response.headers.addToList('vary', 'Accept-Encoding');
    return response;
  }
  return undefined;
}

/** No name that means another folder, a hidden file, a device or a stream on any system. */
export function isSafeName(name: string, dotfiles = false): boolean {
  if (name === '' || name.length > 1024 || /[\0\\:]/.test(name) || name.startsWith('/')) return false;
  return name.split('/').every(
    (part) =>
      part !== '' &&
      part !== '..' &&
      part !== '.' &&
      (dotfiles || !part.startsWith('.')) &&
      // On Windows a dot or a space at the end is dropped, and these names are devices in every folder.
      !/[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(part),
  );
}

async function precompressed(
  request: HttpRequest,
  path: string,
): Promise<{ path: string; encoding: string } | null> {
  const accept = request.header('accept-encoding');
  if (accept === null || request.header('range') !== null) return null;
  const there: { encoding: string; path: string }[] = [];
  for (const [encoding, extension] of encodings) {
    const candidate = path + extension;
    if ((await stat(candidate).catch(() => null))?.isFile()) there.push({ encoding, path: candidate });
  }
  if (there.length === 0) return null;
  const best = bestOf(accept, [...there.map((one) => one.encoding), 'identity'], 'token');
  return there.find((one) => one.encoding === best) ?? null;
}

/**
 * Addresses of static files with their hashed names: `const url = staticUrls('./build/static'); url('app.css')`.
 * Without a manifest (in development) names stay as they are; with one, an unknown name is an error.
 */
export function staticUrls(root: string | URL, prefix = '/static/'): (name: string) => string {
  const folder = root instanceof URL ? fileURLToPath(root) : root;
  let manifest: Record<string, string> | null = null;
  try {
    manifest = (
      JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { files: Record<string, string> }
    ).files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const table = manifest === null ? null : new Map(Object.entries(manifest));
  return (name) => {
    const found = table === null ? name : table.get(name);
    if (found === undefined)
      throw new Http404(
        `The static file ${JSON.stringify(name)} was not collected; run sobaya collectstatic`,
      );
    return prefix + encodeURI(found).replace(/[?#]/g, encodeURIComponent);
  };
}
