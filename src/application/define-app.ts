import { fileURLToPath } from 'node:url';
import { registerModels } from '../db/index.ts';
import { fault } from '../errors/index.ts';
import { checkUrls, type Urls } from '../urls/index.ts';
import { checkOptions } from './check-options.ts';

/** A part of an application: models, urls and migrations under one label. */
export interface App<U extends Urls = Urls> {
  readonly label: string;
  readonly models: readonly object[];
  readonly urls: U;
  /** The folder of its migrations, absolute; null when it has none. */
  readonly migrations: string | null;
  /** Runs when the application starts, after the databases have opened, in the order of `apps`. */
  readonly ready: (() => unknown) | null;
  readonly commands: readonly AppCommand[];
}

/** A command of an app: `sobaya <name>`. Written as `CommandDefinition` of `sobaya/cli`. */
export interface AppCommand {
  readonly name: string;
  readonly summary: string;
}

export interface AppDefinition<U extends Urls = Urls> {
  /** Names its tables and migrations: lower-case letters, digits and "_". */
  readonly label: string;
  readonly models?: readonly object[];
  readonly urls?: U;
  /** The folder of its migrations: `new URL('./migrations/', import.meta.url)` or an absolute path. */
  readonly migrations?: string | URL;
  readonly ready?: () => unknown;
  /** Commands for `sobaya <name>`, of the type `CommandDefinition` of `sobaya/cli`; run with the databases open. */
  readonly commands?: readonly AppCommand[];
}

const known = ['label', 'models', 'urls', 'migrations', 'ready', 'commands'] as const;

/** Declares an app: `defineApp({ label: 'shop', models: [Order], urls: [path('', menu)] })`. */
export function defineApp<const U extends Urls = readonly []>(definition: AppDefinition<U>): App<U> {
  checkOptions('defineApp', definition, known);
  const { label, models = [], urls = [], migrations = null, ready = null, commands = [] } = definition;
  const bad = (option: string, why: string): Error =>
    fault('SBY_APPLICATION_BAD_OPTION', { callee: 'defineApp', option, why, known: [] });
  if (typeof label !== 'string' || !/^[a-z][a-z0-9_]*$/.test(label))
    throw bad('label', 'a label is lower-case letters, digits and "_", beginning with a letter');
  if (!Array.isArray(models) || models.some((model) => typeof model !== 'function'))
    throw bad('models', 'it takes an array of model classes');
  for (const command of commands)
    if (
      !/^[a-z][a-z0-9:_-]*$/.test(command?.name) ||
      typeof (command as { run?: unknown }).run !== 'function'
    )
      throw bad('commands', 'each has a name of lower-case letters and a function run');
  checkUrls(urls, `defineApp({ label: '${label}', urls })`);
  registerModels(label, models);
  const folder = migrations instanceof URL ? fileURLToPath(migrations) : migrations;
  return Object.freeze({ label, models, urls: urls as U, migrations: folder, ready, commands });
}
