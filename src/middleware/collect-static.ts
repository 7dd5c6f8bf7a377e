import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { fault } from '../errors/index.ts';
import { isSafeName } from './static-files.ts';

export interface CollectOptions {
  /** Looked through in order; of files with one name, the first counts. */
  readonly folders: readonly string[];
  readonly output: string;
  /** Writes `.br`, `.zst` and `.gz` where they are smaller. Default true. */
  readonly compress?: boolean;
}
export interface CollectReport {
  readonly files: number;
  readonly compressed: number;
  readonly rewritten: number;
}

const compressible = /\.(?:css|js|mjs|json|map|svg|html|txt|xml|wasm|webmanifest|ttf|otf)$/i;
/** `url(…)` and `@import "…"` of stylesheets, and the source map of scripts. */
const addresses =
  /url\(\s*(['"]?)([^'")\s]+)\1\s*\)|@import\s+(['"])([^'"]+)\3|(sourceMappingURL=)([^\s*]+)/g;

/**
 * Writes every file under its own name and one with a hash of its content (`app.3f9a1c0b2d4e.css`), with addresses
 * inside stylesheets rewritten, and `manifest.json` for `staticUrls`.
 */
export async function collectStatic({
  folders,
  output,
  compress = true,
}: CollectOptions): Promise<CollectReport> {
  if (existsSync(output) && (await readdir(output)).length > 0 && !existsSync(join(output, 'manifest.json')))
    throw fault('SBY_MIDDLEWARE_OUTPUT_IN_USE', { folder: output });
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length).replace(/\\/g, '/').replace(/^\/+/, '');
      if (isSafeName(name) && !sources.has(name)) sources.set(name, path);
    }
  }
  const hashedNames = new Map<string, string>();
  const contents = new Map<string, Buffer>();
  let rewritten = 0;

  // A file is named after its final content, so what it refers to comes first; a circle keeps plain names.
  const open = new Set<string>();
  const hashName = async (name: string): Promise<string> => {
    const known = hashedNames.get(name);
    if (known !== undefined) return known;
    if (open.has(name)) return name;
    open.add(name);
    let content = await readFile(sources.get(name)!);
    if (/\.(?:css|js|mjs)$/i.test(name)) {
      const text = content.toString('utf8');
      let result = '';
      let from = 0;
      for (const found of text.matchAll(addresses)) {
        const isCss = name.toLowerCase().endsWith('.css');
        const url = found[2] ?? found[4] ?? found[6] ?? '';
        // In scripts only the source map is an address.
        if (!isCss && found[6] === undefined) continue;
        const [path = '', rest = ''] = /^([^?#]*)(.*)$/s.exec(url)?.slice(1) ?? [];
        const target = posix.normalize(posix.join(posix.dirname(name), path));
        if (path === '' || /^(?:[a-z]+:|\/|data:)/i.test(url) || !sources.has(target)) continue;
        const at = found.index + found[0].lastIndexOf(url);
        result += text.slice(from, at) + posix.relative(posix.dirname(name), await hashName(target)) + rest;
        from = at + url.length;
      }
      if (from > 0) {
        content = Buffer.from(result + text.slice(from));
        rewritten++;
      }
    }
    open.delete(name);
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 12);
    const extension = posix.extname(name);
    const hashedName = `${name.slice(0, name.length - extension.length)}.${hash}${extension || '.bin'}`;
    hashedNames.set(name, hashedName);
    contents.set(name, content);
    return hashedName;
  };
  for (const name of sources.keys()) await hashName(name);

  await rm(output, { recursive: true, force: true });
  let compressed = 0;
  for (const [name, content] of contents) {
    for (const target of [name, hashedNames.get(name)!]) {
      const path = join(output, target);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      if (!compress || !compressible.test(name)) continue;
      const packed: [string, Buffer][] = [
        ['.br', await promisify(zlib.brotliCompress)(content)],
        ['.zst', await promisify(zlib.zstdCompress)(content)],
        ['.gz', await promisify(zlib.gzip)(content, { level: 9 })],
      ];
      for (const [extension, bytes] of packed)
        if (bytes.length < content.length) await writeFile(path + extension, bytes);
      if (target === name && packed.some(([, bytes]) => bytes.length < content.length)) compressed++;
    }
  }
  await mkdir(output, { recursive: true });
  await writeFile(
    join(output, 'manifest.json'),
    `${JSON.stringify({ version: 1, files: Object.fromEntries(hashedNames) }, null, 2)}\n`,
  );
  return { files: contents.size, compressed, rewritten };
}
