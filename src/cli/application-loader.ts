import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Application } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';

export interface LoadedApplication {
  /** The exported value: an ASGI application, and for `createApp` the object that carries the configuration. */
  readonly application: Application;
  /** The file it was imported from. */
  readonly file: string;
  readonly exportName: string;
}

export interface LoadOptions {
  readonly cwd: string;
  /** `MODULE[:EXPORT]`; without it, package.json decides. */
  readonly spec?: string | null;
  /** The export is a function that makes the application. */
  readonly factory?: boolean;
}

/** Names tried, in this order, when no export is named. */
const usualNames = ['application', 'app', 'default'];
const extensions = ['.ts', '.mts', '.js', '.mjs', '.cjs'];

/** Finds and imports the application; every way to fail has a message of its own. */
export async function loadApplication(options: LoadOptions): Promise<LoadedApplication> {
  const { cwd } = options;
  const found = options.spec ? { spec: options.spec, base: cwd } : specFromPackage(cwd);
  const { module, exportName } = splitSpec(found.spec);
  const file = findModule(module, found.base, found.spec);
  let exports: Record<string, unknown>;
  try {
    exports = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw importFailed(file, cwd, cause);
  }
  const shown = relative(cwd, file) || file;
  const name = exportName ?? usualNames.find((candidate) => exports[candidate] !== undefined);
  if (name === undefined || !(name in exports)) {
    const available = Object.keys(exports).filter((key) => key !== '__esModule');
    throw fault('SBY_CLI_NO_EXPORT', { module: shown, name: name ?? null, available });
  }
  let value = exports[name];
  if (options.factory) {
    if (typeof value !== 'function')
      throw fault('SBY_CLI_NOT_AN_APPLICATION', { module: shown, name, got: value });
    value = await (value as () => unknown)();
  }
  return { application: await asApplication(value, shown, name), file, exportName: name };
}

/** `MODULE[:EXPORT]`; a Windows drive letter and `file:` URLs keep their colons. */
function splitSpec(spec: string): { module: string; exportName: string | null } {
  const at = spec.lastIndexOf(':');
  if (at <= 1 || /[/\\]/.test(spec.slice(at + 1))) return { module: spec, exportName: null };
  return { module: spec.slice(0, at), exportName: spec.slice(at + 1) || null };
}

function specFromPackage(cwd: string): { spec: string; base: string } {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      let content: { sobaya?: { application?: unknown } };
      try {
        content = JSON.parse(readFileSync(path, 'utf8')) as typeof content;
      } catch (cause) {
        throw fault('SBY_CLI_BAD_PACKAGE_JSON', { path, why: (cause as Error).message }, { cause });
      }
      const spec = content.sobaya?.application;
      if (typeof spec === 'string' && spec !== '') return { spec, base: folder };
    }
    if (dirname(folder) === folder) throw fault('SBY_CLI_NO_APPLICATION', { cwd });
  }
}

function findModule(module: string, base: string, spec: string): string {
  if (module.startsWith('file:')) module = fileURLToPath(module);
  const path = isAbsolute(module) ? module : resolve(base, module);
  const candidates = [path];
  if (!extensions.includes(extname(path))) {
    for (const extension of extensions) candidates.push(path + extension);
    for (const extension of extensions) candidates.push(join(path, `index${extension}`));
  }
  for (const candidate of candidates) {
    if (existsSync(candidate) && statSync(candidate).isFile()) return candidate;
  }
  // A name that is no path may be an installed package.
  if (!/^[./\\]/.test(module) && !isAbsolute(module)) {
    try {
      return createRequire(join(base, 'noop.js')).resolve(module);
    } catch {
      // Falls through to the message below.
    }
  }
  throw fault('SBY_CLI_NO_MODULE', { spec, path });
}

/** A failure while importing is the user's code failing: show what and where, without our frames. */
function importFailed(file: string, cwd: string, cause: unknown): Error {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const frame = error.stack
    ?.split('\n')
    .find((line) => line.includes('file://') && !line.includes('node_modules'))
    ?.trim();
  const where = frame?.match(/file:\/\/[^\s)]+/)?.[0];
  let place: string | undefined;
  if (where !== undefined) {
    const position = where.match(/(:\d+)?(:\d+)?$/)?.[0] ?? '';
    place = relative(cwd, fileURLToPath(where.slice(0, where.length - position.length))) + position;
  }
  return fault(
    'SBY_CLI_IMPORT_FAILED',
    { module: relative(cwd, file) || file, why: `${error.name}: ${error.message}`, at: place },
    { cause },
  );
}

async function asApplication(value: unknown, module: string, name: string): Promise<Application> {
  if (typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value)))
    return value as Application;
  throw fault('SBY_CLI_NOT_AN_APPLICATION', { module, name, got: value });
}
