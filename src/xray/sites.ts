import { findSourceMap } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Site } from './records.ts';

/** Where our own code lives: frames in here are never the user's. */
const own = new URL('../', import.meta.url).href;
const DEPTH = 24;
const ignored = new Set<string>();

/**
 * Frames of this module (`import.meta.url`), or of everything below a folder that ends in a slash, are passed over
 * when the line that caused a call is looked for: for modules that wrap database and client calls for others.
 */
export function ignoreSites(url: string): void {
  ignored.add(url);
}

function isIgnored(file: string): boolean {
  if (file.startsWith(own)) return true;
  for (const url of ignored) if (url.endsWith('/') ? file.startsWith(url) : file === url) return true;
  return false;
}

/** One text per place, so that a million spans of one line share it. Emptied when it grows. */
const texts = new Map<string, string>();

/**
 * The innermost frame of the user's, as "file\nline\ncolumn\nfunction"; null when there is none. V8 adds the async
 * callers to the stack, so this finds the `await` even when the work starts in a later microtask.
 */
export function captureSite(): string | null {
  const limit = Error.stackTraceLimit;
  const before = Error.prepareStackTrace;
  Error.stackTraceLimit = DEPTH;
  Error.prepareStackTrace = firstOfUser;
  const holder: { stack?: string | null } = {};
  try {
    Error.captureStackTrace(holder, captureSite);
    return holder.stack ?? null;
  } catch {
    return null;
  } finally {
    Error.prepareStackTrace = before;
    Error.stackTraceLimit = limit;
  }
}

function firstOfUser(_error: unknown, frames: NodeJS.CallSite[]): string | null {
  let fallback: NodeJS.CallSite | null = null;
  for (const frame of frames) {
    const file = frame.getFileName();
    if (!file || file.startsWith('node:') || isIgnored(file)) continue;
    if (!file.startsWith('file:') && !file.startsWith('/') && !/^[A-Za-z]:\\/.test(file)) continue;
    if (file.includes('/node_modules/')) {
      fallback ??= frame;
      continue;
    }
    return textOf(frame, file);
  }
  return fallback === null ? null : textOf(fallback, fallback.getFileName() ?? '');
}

function textOf(frame: NodeJS.CallSite, file: string): string {
  const text = `${file}\n${frame.getLineNumber() ?? 0}\n${frame.getColumnNumber() ?? 0}\n${frame.getFunctionName() ?? ''}`;
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size > 4096) texts.clear();
  texts.set(text, text);
  return text;
}

/** Reads what `captureSite` wrote; follows a source map when the module has one. */
export function readSite(text: string): Site | null {
  const [file = '', line = '0', column = '0', fn = ''] = text.split('\n');
  return mapped(file, Number(line), Number(column), fn);
}

export function mapped(file: string, line: number, column: number, fn: string): Site | null {
  if (file === '') return null;
  try {
    const entry = findSourceMap(file)?.findEntry(line - 1, column - 1) as
      | { originalSource?: string; originalLine?: number; originalColumn?: number }
      | undefined;
    if (entry?.originalSource !== undefined)
      return {
        file: toPath(entry.originalSource, file),
        line: (entry.originalLine ?? 0) + 1,
        column: (entry.originalColumn ?? 0) + 1,
        function: fn,
      };
  } catch {
    // A broken source map is no reason to show nothing.
  }
  return { file: toPath(file, ''), line, column, function: fn };
}

function toPath(file: string, base: string): string {
  if (file.startsWith('file:')) return fileURLToPath(file);
  if (base.startsWith('file:') && !/^([/\\]|[A-Za-z]:)/.test(file))
    return fileURLToPath(new URL(file, `file://${dirname(fileURLToPath(base))}/`));
  return file;
}
