import child_process from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';
import { type Context, currentContext } from '../context.ts';
import { captureFrames, type Frame } from './frames.ts';

/** A native call that took long; `from` and `ms` as `performance.now()` counts. */
export interface SlowNative {
  readonly name: string;
  readonly from: number;
  readonly ms: number;
  readonly context: Context;
  readonly frames: readonly Frame[];
}

type Methods = Record<string, unknown>;

/**
 * Wraps the calls of Node that block. Code that spins can be interrupted and looked at, native code cannot: its stack
 * is seen only when it has returned, and then another line, even another request, may be on it. So in development
 * the calls that are known to block time themselves: two clock reads each, and a stack when it was slow.
 */
export function wrapNatives(threshold: number, onSlow: (slow: SlowNative) => void): () => void {
  const undo: (() => void)[] = [];
  let depth = 0;

  const wrap = (owner: Methods, name: string, label: string): void => {
    const original = owner[name];
    if (typeof original !== 'function') return;
    const wrapped = function (this: unknown, ...args: unknown[]): unknown {
      const from = performance.now();
      depth++;
      try {
        return Reflect.apply(original, this, args);
      } finally {
        depth--;
        const ms = performance.now() - from;
        // execSync calls spawnSync inside: the outermost reports.
        if (ms > threshold && depth === 0)
          onSlow({ name: label, from, ms, context: currentContext(), frames: captureFrames(40).slice(1) });
      }
    };
    Object.defineProperty(wrapped, 'name', { value: name });
    // Keeps what hangs on the function, as fs.realpathSync.native.
    Object.setPrototypeOf(wrapped, original);
    try {
      owner[name] = wrapped;
    } catch {
      return;
    }
    undo.push(() => {
      owner[name] = original;
    });
  };

  const wrapAll = (owner: object, names: readonly string[], prefix: string): void => {
    for (const name of names) wrap(owner as Methods, name, `${prefix}${name}`);
  };
  const sync = (owner: object): string[] => Object.keys(owner).filter((name) => name.endsWith('Sync'));
  wrapAll(fs, sync(fs), 'fs.');
  wrapAll(child_process, sync(child_process), 'child_process.');
  wrapAll(crypto, [...sync(crypto), 'sign', 'verify'], 'crypto.');
  wrapAll(zlib, sync(zlib), 'zlib.');
  wrapAll(JSON, ['parse', 'stringify'], 'JSON.');
  wrapAll(globalThis, ['structuredClone'], '');
  const sqlite = loadSqlite();
  if (sqlite !== null) {
    wrapAll(sqlite.DatabaseSync.prototype, ['exec', 'prepare', 'close'], 'DatabaseSync.');
    wrapAll(sqlite.StatementSync.prototype, ['all', 'get', 'run'], 'StatementSync.');
  }
  // So that `import { readFileSync } from 'node:fs'` gets the wrapped one as well.
  syncBuiltinESMExports();
  return () => {
    for (const step of undo.reverse()) step();
    syncBuiltinESMExports();
  };
}

function loadSqlite(): typeof import('node:sqlite') | null {
  try {
    return createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');
  } catch {
    return null;
  }
}
