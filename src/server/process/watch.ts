import { isAbsolute, matchesGlob, relative, resolve } from 'node:path';
import { watch } from 'chokidar';
import type { ReloadOptions } from './supervisor.ts';

const sources = ['**/*.{ts,mts,cts,js,mjs,cjs,json,html,css,liquid,env}'];
const never = ['**/node_modules/**', '**/.git/**', '**/dist/**', '**/*.test.*', '**/*.sqlite*'];

/** A pattern without a slash is a name in any folder; a folder's name stands for all in it. */
function anywhere(pattern: string): string[] {
  const plain = pattern.replace(/\/$/, '');
  const paths = plain.includes('/') ? [plain] : [plain, `**/${plain}`];
  return paths.flatMap((path) => [path, `${path}/**`]);
}

/** Calls `changed` once per burst of changes to the sources in these directories. */
export function watchSources(
  { directories, include, exclude }: ReloadOptions,
  changed: (path: string) => void,
): { close(): Promise<void> } {
  const included = [...sources, ...include.flatMap(anywhere)];
  const excluded = [...never, ...exclude.flatMap(anywhere)];
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
      if (matches(path, excluded)) return true;
      return stats?.isFile() === true && !matches(path, included);
    },
  });
  let timer: NodeJS.Timeout | null = null;
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir') return;
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
