import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { metaOf } from '../db/index.ts';
import {
  Autodetector,
  categorySign,
  FlagQuestioner,
  folderOf,
  liveState,
  Migration,
  type MigrationLoader,
  MigrationWriter,
  mergeBranches,
  type Questioner,
  SilentQuestioner,
  TerminalQuestioner,
} from '../db/migrations/index.ts';
import { fault } from '../errors/index.ts';
import type { CommandContext } from './command.ts';
import { appOf, type Project } from './project.ts';

export interface MakeOptions {
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly name?: string;
  readonly empty?: boolean;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly input: boolean;
  readonly rename?: readonly string[];
  readonly renames: boolean;
  readonly default?: readonly string[];
}

export async function makeMigrations(
  context: CommandContext,
  project: Project,
  loader: MigrationLoader,
  labels: readonly string[],
  options: MakeOptions,
): Promise<number> {
  const graph = loader.graph();
  const wanted = new Set(labels);
  const name = options.name === undefined ? undefined : checkedName(options.name);
  let made: Migration[];
  if (options.merge)
    made = mergeBranches(graph, { force: options.force === true, ...(name === undefined ? {} : { name }) });
  else {
    const [conflict] = graph.conflicts();
    if (conflict !== undefined)
      throw fault('SBY_MIGRATIONS_CONFLICT', {
        app: conflict[0],
        leaves: conflict[1].map((key) => graph.get(key).name),
      });
    if (options.empty) {
      if (labels.length === 0)
        throw fault('SBY_CLI_MISSING', {
          what: 'the label of an app',
          example: 'sobaya makemigrations --empty shop',
        });
      made = labels.map((label) => {
        const leaf = graph.leaves(label)[0];
        const number = leaf === undefined ? 1 : (Number.parseInt(graph.get(leaf).name, 10) || 0) + 1;
        return new Migration(label, `${String(number).padStart(4, '0')}_${name ?? 'custom'}`, {
          dependencies: leaf === undefined ? [] : [leaf],
          operations: [],
        });
      });
    } else {
      const detector = new Autodetector(graph.state(), liveState(project.apps), {
        questioner: questionerFor(options),
        callDefault: (model, field) => callDefault(project, model, field),
      });
      const changes = await detector.changes(graph, name);
      made = withNeeded(changes, wanted);
    }
  }
  if (made.length === 0) {
    context.print(
      options.merge
        ? 'No branches to merge'
        : `No changes detected${labels.length > 0 ? ` in ${labels.join(', ')}` : ''}`,
    );
    return 0;
  }
  const files = made.map((one) => ({ migration: one, path: pathFor(project, one), text: textOf(one) }));
  for (const { migration, path, text } of files) {
    context.print(`${migration.app}: ${relative(context.cwd, path) || path}`);
    for (const operation of migration.operations)
      context.print(`  ${categorySign[operation.category]} ${operation.describe()}`);
    if (options.dryRun) context.print(`\n${text}`);
  }
  if (options.check) {
    context.warn('Migrations are missing: run sobaya makemigrations');
    return 1;
  }
  if (!options.dryRun) await writeAll(files);
  return 0;
}

/** The migrations of the apps asked for, and those they depend on. */
function withNeeded(changes: ReadonlyMap<string, Migration[]>, wanted: ReadonlySet<string>): Migration[] {
  const all = [...changes.values()].flat();
  if (wanted.size === 0) return all;
  const byKey = new Map(all.map((one) => [one.key, one]));
  const needed = new Set<Migration>();
  const add = (one: Migration): void => {
    if (needed.has(one)) return;
    needed.add(one);
    for (const key of one.dependencies) {
      const other = byKey.get(key);
      if (other !== undefined) add(other);
    }
  };
  for (const one of all) if (wanted.has(one.app)) add(one);
  return all.filter((one) => needed.has(one));
}

function questionerFor(options: MakeOptions): Questioner {
  const canAsk = options.input && process.stdin.isTTY === true && process.stdout.isTTY === true;
  return new FlagQuestioner(
    {
      ...(options.rename === undefined ? {} : { renames: options.rename }),
      ...(options.default === undefined ? {} : { fills: options.default }),
      noRenames: !options.renames,
    },
    canAsk ? new TerminalQuestioner() : new SilentQuestioner(),
  );
}

/** What the model's default function gives, once: the rows that are there get it. */
function callDefault(project: Project, key: string, field: string): { value: unknown } | undefined {
  for (const app of project.apps)
    for (const model of app.models) {
      const meta = metaOf(model);
      if (`${app.label}.${meta.name}` !== key) continue;
      const found = meta.columns.find((column) => column.name === field);
      return found === undefined ? undefined : { value: found.defaultValue() };
    }
  return undefined;
}

function checkedName(name: string): string {
  if (!/^\w+$/.test(name))
    throw fault('SBY_CLI_MISSING', {
      what: 'a name of letters, digits and underscores',
      example: '--name add_slug',
    });
  return name;
}

function pathFor(project: Project, migration: Migration): string {
  const folder = folderOf(appOf(project, migration.app));
  if (folder === null) throw fault('SBY_MIGRATIONS_NO_FOLDER', { app: migration.app });
  return join(folder, `${migration.name}.ts`);
}

export function textOf(migration: Migration): string {
  const { dependencies, operations, initial, replaces, runBefore, databases, atomic } = migration;
  return new MigrationWriter({
    dependencies,
    operations,
    replaces,
    runBefore,
    atomic,
    ...(initial === true ? { initial } : {}),
    ...(databases === null ? {} : { databases }),
  }).text();
}

/** All files or none: each is written beside its place first, and then moved. */
export async function writeAll(
  files: readonly { readonly path: string; readonly text: string }[],
): Promise<void> {
  const temporary: string[] = [];
  const done: string[] = [];
  let current = '';
  try {
    for (const { path, text } of files) {
      current = path;
      await mkdir(join(path, '..'), { recursive: true });
      temporary.push(`${path}.tmp`);
      await writeFile(`${path}.tmp`, text, { flag: 'w' });
    }
    for (const { path } of files) {
      current = path;
      await rename(`${path}.tmp`, path);
      done.push(path);
    }
  } catch (error) {
    for (const path of [...temporary, ...done]) await rm(path, { force: true }).catch(() => {});
    throw fault(
      'SBY_MIGRATIONS_CANNOT_WRITE_FILE',
      { path: current, reason: (error as Error).message },
      { cause: error },
    );
  }
}
