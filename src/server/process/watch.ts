import { isAbsolute, matchesGlob, relative, resolve } from 'node:path';
import { watch } from 'chokidar';
import type { ReloadOptions } from './supervisor.ts';

const sources = ['**/*.{ts,mts,cts,js,mjs,cjs,json,html,css,liquid,env}'];
const never = ['**/node_modules/**', '**/.git/**', '**/dist/**', '**/*.test.*', '**/*.sqlite*'];

/** Calls `changed` once per burst of changes to the sources in these directories. */
export function watchSources(
  { directories, include, exclude }: ReloadOptions,
  changed: (path: string) => void,
): { close(): Promise<void> } {
  const included = [...sources, ...include];
  const excluded = [...never, ...exclude];
  const within = (path: string): string => {
    for (const directory of directories) {
      const inside = relative(resolve(directory), path);
      if (!inside.startsWith('..') && !isAbsolute(inside)) return inside;
    }
    return path;
  };
  const matches = (path: string, patterns: readonly string[]): boolean =>
    patterns.some((pattern) => matchesGlob(within(path), pattern));
  const watcher = watch([...directories], {
    ignoreInitial: true,
    ignored: (path, stats) => {
      if (/(^|[/\\])(node_modules|\.git)([/\\]|$)/.test(within(path))) return true;
      return stats?.isFile() === true && (!matches(path, included) || matches(path, excluded));
    },
  });
  let timer: NodeJS.Timeout | null = null;
  watcher.on('all', (_event, path) => {
    // Editors write in several steps; one reload is enough.
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      changed(within(path));
    }, 60);
  });
  return {
    async close() {
      if (timer !== null) clearTimeout(timer);
      await watcher.close();
    },
  };
}
