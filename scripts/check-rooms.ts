/**
 * Holds the rule of docs/design/rooms.md: a room imports only from rooms above it in the list, only through
 * their index.ts, and no file takes part in an import cycle. Run by `npm run rooms`.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Top to bottom. A room may import what stands before it; `asyncio` and `asgi` only `errors`. */
export const rooms = [
  'errors',
  'asyncio',
  'sync',
  'asgi',
  'server',
  'client',
  'http',
  'urls',
  'middleware',
  'i18n',
  'postgresql',
  'db',
  'templates',
  'views',
  'forms',
  'sessions',
  'auth',
  'admin',
  'cache',
  'mail',
  'tasks',
  'channels',
  'openapi',
  'xray',
  'application',
  'test',
  'cli',
];
const onlyErrors = new Set(['asyncio', 'asgi']);
/** Rooms inside rooms, with an index.ts of their own that other rooms may import. */
const innerDoors = new Set(['db/migrations', 'asgi/status']);

const root = resolve(import.meta.dirname, '..', 'src');
const importPattern =
  /^\s*(?:import|export)\b(?<clause>[^'"`;]*?)\bfrom\s+['"](?<a>\.[^'"]+)['"]|^\s*import\s+['"](?<b>\.[^'"]+)['"]|\bimport\(\s*['"](?<c>\.[^'"]+)['"]/gm;

const problems: string[] = [];
const graph = new Map<string, string[]>();

for (const file of globSync('**/*.ts', { cwd: root })) {
  const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const from = file.split('/')[0] ?? '';
  const edges: string[] = [];
  for (const match of text.matchAll(importPattern)) {
    const groups = match.groups ?? {};
    const specifier = groups['a'] ?? groups['b'] ?? groups['c'] ?? '';
    const target = relative(root, resolve(root, dirname(file), specifier));
    if (!existsSync(join(root, target))) {
      if (!target.startsWith('..')) problems.push(`${file}: imports ${specifier}, which does not exist`);
      continue;
    }
    const typeOnly = /^\s*type\b/.test(groups['clause'] ?? '');
    if (!typeOnly && groups['c'] === undefined) edges.push(target);
    const to = target.split('/')[0] ?? '';
    if (from === to || !file.includes('/')) continue;
    if (!rooms.includes(from))
      problems.push(`${file}: "${from}" is not in the list of rooms (scripts/check-rooms.ts)`);
    else if (!rooms.includes(to)) problems.push(`${file}: imports ${target}, which is in no room`);
    else if (rooms.indexOf(to) > rooms.indexOf(from))
      problems.push(`${file}: ${from} may not import ${to}, which stands below it`);
    else if (onlyErrors.has(from) && to !== 'errors')
      problems.push(`${file}: ${from} may import nothing but errors`);
    const door = dirname(target);
    if (!target.endsWith('/index.ts') || (door !== to && !innerDoors.has(door)))
      problems.push(`${file}: imports ${target}; the door of a room is its index.ts`);
  }
  graph.set(file, edges);
}

// Depth-first search for value-import cycles; a type-only import is erased and cannot make one.
const state = new Map<string, 'open' | 'closed'>();
const path: string[] = [];
function visit(file: string): void {
  if (state.get(file) === 'closed') return;
  if (state.get(file) === 'open') {
    problems.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    return;
  }
  state.set(file, 'open');
  path.push(file);
  for (const next of graph.get(file) ?? []) visit(next);
  path.pop();
  state.set(file, 'closed');
}
for (const file of graph.keys()) visit(file);

if (problems.length > 0) {
  for (const problem of [...new Set(problems)]) console.error(problem);
  process.exitCode = 1;
} else console.log(`rooms: ${graph.size} files, no import goes the wrong way, no cycles`);
