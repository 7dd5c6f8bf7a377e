import type { Application } from '../asgi/index.ts';
import type { Databases } from '../db/index.ts';
import { MigrationLoader } from '../db/migrations/index.ts';
import { fault } from '../errors/index.ts';
import type { CommandContext } from './command.ts';

/** An app as commands need it; `defineApp` makes it. */
export interface ProjectApp {
  readonly label: string;
  readonly models: readonly unknown[];
  readonly migrations: string | null;
}

/** What database commands need of an application. */
export interface Project {
  readonly application: Application;
  readonly apps: readonly ProjectApp[];
  readonly databases: Databases;
}

/** Loads the application and takes its apps and databases. */
export async function loadProject(
  context: CommandContext,
  needs: { readonly apps?: boolean } = {},
): Promise<Project> {
  const { application, file } = await context.application();
  const { apps, databases } = application as Application & {
    apps?: readonly ProjectApp[];
    databases?: Databases | null;
  };
  if (apps === undefined || databases === undefined)
    throw fault('SBY_CLI_NO_MODELS', { file, what: 'apps and databases' });
  if (databases === null || databases.aliases.length === 0 || (apps.length === 0 && needs.apps !== false))
    throw fault('SBY_CLI_NO_MODELS', {
      file,
      what: databases === null || databases.aliases.length === 0 ? 'databases' : 'apps',
    });
  return { application, apps, databases };
}

/** Opens the databases, runs `work` with them ambient, and closes them. Does not start the application. */
export async function withDatabases<T>(project: Project, work: () => Promise<T>): Promise<T> {
  const { databases } = project;
  await databases.open();
  try {
    return await databases.run(work);
  } finally {
    await databases.close();
  }
}

export function loadMigrations(project: Project): Promise<MigrationLoader> {
  return MigrationLoader.load(project.apps);
}

export function appOf(project: Project, label: string): ProjectApp {
  const found = project.apps.find((app) => app.label === label);
  if (found === undefined)
    throw fault('SBY_MIGRATIONS_UNKNOWN_APP', { app: label, known: project.apps.map((app) => app.label) });
  return found;
}

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
