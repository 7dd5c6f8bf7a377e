import { ImproperlyConfigured, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `cli`. */
export const cliErrors = {
  SBY_CLI_UNKNOWN_COMMAND: entry(UsageError, {
    about: 'The first word after `sobaya` names a command; `sobaya --help` lists them.',
    example: { name: 'sevre', similar: 'serve' as string | null },
    parts: ({ name, similar }: { name: string; similar: string | null }) => ({
      what: `There is no command ${describe(name)}`,
      fix: similar ? `Did you mean "sobaya ${similar}"` : 'See sobaya --help',
    }),
  }),
  SBY_CLI_NO_APPLICATION: entry(ImproperlyConfigured, {
    about:
      'The command needs the application, and neither the command line nor a package.json says where it is.',
    example: { cwd: '/srv/soba' },
    parts: ({ cwd }: { cwd: string }) => ({
      what: 'No application was named, and no package.json here or above names one',
      where: cwd,
      fix: 'Give --app MODULE[:EXPORT], or put "sobaya": { "application": "./app.ts:application" } into package.json',
    }),
  }),
  SBY_CLI_NO_MODULE: entry(ImproperlyConfigured, {
    about:
      'MODULE in MODULE[:EXPORT] is a path from the current folder (or from the folder of package.json).',
    example: { spec: 'shop/asgi.ts:application', path: '/srv/soba/shop/asgi.ts' },
    parts: ({ spec, path }: { spec: string; path: string }) => ({
      what: `There is no module ${path}`,
      where: `looking for ${describe(spec)}`,
      fix: 'Write the path of the file that exports the application, as in "shop/asgi.ts:application"',
    }),
  }),
  SBY_CLI_IMPORT_FAILED: entry(ImproperlyConfigured, {
    about: 'The module of the application was found, but threw while it was imported.',
    example: {
      module: 'shop/asgi.ts',
      why: 'TypeError: menu is not iterable',
      at: 'shop/menu.ts:12:9' as string | undefined,
    },
    parts: ({ module, why, at }: { module: string; why: string; at: string | undefined }) => ({
      what: `${module} failed while it was imported: ${why}`,
      where: at ?? '',
      fix: 'Mend that; --traceback shows the whole stack',
    }),
  }),
  SBY_CLI_NO_EXPORT: entry(ImproperlyConfigured, {
    about: 'Without a name, the exports `application`, `app` and `default` are tried, in this order.',
    example: { module: 'shop/asgi.ts', name: 'aplication' as string | null, available: ['application'] },
    parts: ({ module, name, available }: { module: string; name: string | null; available: string[] }) => ({
      what: name
        ? `${module} has no export ${describe(name)}`
        : `${module} exports neither application nor app nor default`,
      where: available.length > 0 ? `it exports ${available.join(', ')}` : 'it exports nothing',
      fix:
        available.length > 0
          ? `Name one of them: ${module}:${available[0]}`
          : 'Write export const application = createApp({ … })',
    }),
  }),
  SBY_CLI_NOT_AN_APPLICATION: entry(ImproperlyConfigured, {
    about: 'An application is a function (scope, receive, send) => Promise<void>, as createApp() makes it.',
    example: { module: 'shop/asgi.ts', name: 'application', got: { urls: [] } as unknown },
    parts: ({ module, name, got }: { module: string; name: string; got: unknown }) => ({
      what: `The export ${describe(name)} of ${module} is no application but ${describe(got)}`,
      fix: 'Export what createApp() returns, or a function (scope, receive, send); for a function that makes one, give --factory',
    }),
  }),
  SBY_CLI_BAD_PACKAGE_JSON: entry(ImproperlyConfigured, {
    about: 'package.json is read to find the application, and is no JSON.',
    example: { path: '/srv/soba/package.json', why: 'Unexpected token } in JSON' },
    parts: ({ path, why }: { path: string; why: string }) => ({
      what: `package.json cannot be read: ${why}`,
      where: path,
      fix: 'Mend the file, or name the application with --app',
    }),
  }),
  SBY_CLI_FOREIGN_APPLICATION: entry(ImproperlyConfigured, {
    about: 'The command reads the configuration that createApp() keeps; a bare ASGI application has none.',
    example: { command: 'routes', module: '/srv/soba/asgi.ts', name: 'application' },
    parts: ({ command, module, name }: { command: string; module: string; name: string }) => ({
      what: `sobaya ${command} needs an application made by createApp()`,
      where: `${module}:${name}`,
      fix: 'Name the export that createApp() gave, with --app MODULE:EXPORT',
    }),
  }),
  SBY_CLI_BAD_ADDRESS: entry(UsageError, {
    about: 'An address to listen on is a port, or a host and a port.',
    example: { got: 'localhost' },
    parts: ({ got }: { got: string }) => ({
      what: `${describe(got)} is no address to listen on`,
      fix: 'Write PORT, HOST:PORT or [IPV6]:PORT, as in 8000 or 0.0.0.0:8000',
    }),
  }),
  SBY_CLI_NO_MODELS: entry(ImproperlyConfigured, {
    about: 'The command works on models and databases, and the application has none.',
    example: { file: '/srv/soba/app.ts', what: 'databases' },
    parts: ({ file, what }: { file: string; what: string }) => ({
      what: `The application has no ${what}`,
      where: file,
      fix: 'Give createApp() both: apps: [defineApp({ … })] and databases: new Databases({ … })',
    }),
  }),
  SBY_CLI_MISSING: entry(UsageError, {
    about: 'The command line lacks something that the command needs.',
    example: { what: 'the label of an app', example: 'sobaya makemigrations --empty shop' },
    parts: ({ what, example }: { what: string; example: string }) => ({
      what: `This needs ${what}`,
      fix: `As in ${example}`,
    }),
  }),
  SBY_CLI_CONTRADICTION: entry(UsageError, {
    about: 'Two options were given that cannot both be meant.',
    example: { one: '--uds', other: '--port', why: 'the server listens in one place' },
    parts: ({ one, other, why }: { one: string; other: string; why: string }) => ({
      what: `${one} and ${other} contradict each other: ${why}`,
      fix: `Leave out one of them`,
    }),
  }),
  SBY_CLI_BAD_CONFIG: entry(ImproperlyConfigured, {
    about: 'A file with options or environment variables cannot be used.',
    example: { path: '/srv/soba/serve.json', why: 'there is no option "prot"' },
    parts: ({ path, why }: { path: string; why: string }) => ({
      what: `A configuration file cannot be used: ${why}`,
      where: path,
      fix: 'Mend the file or leave the option out',
    }),
  }),
  SBY_CLI_BAD_FIXTURE: entry(UsageError, {
    about: 'A file given to loaddata holds something that cannot be loaded. Nothing of it is kept.',
    example: { file: 'menu.json', number: 3, problem: 'there is no model shop.Dish' },
    parts: ({ file, number, problem }: { file: string; number: number; problem: string }) => ({
      what: `Object ${number} cannot be loaded: ${problem}`,
      where: file,
      fix: 'Nothing was loaded: the database is as it was',
    }),
  }),
  SBY_CLI_FIXTURE_REFERENCE: entry(UsageError, {
    about:
      'After all objects of a file were written, one refers to a row that is neither in the file nor in the database.',
    example: {
      file: 'menu.json',
      problem: 'row 9 of shop_article refers to a row of shop_author that does not exist',
    },
    parts: ({ file, problem }: { file: string; problem: string }) => ({
      what: `The file does not hold together: ${problem}`,
      where: file,
      fix: 'Nothing was loaded: the database is as it was',
    }),
  }),
  SBY_CLI_UNKNOWN_TABLE: entry(UsageError, {
    about: 'The database has no table or view of this name.',
    example: { table: 'shop_artcle', known: ['shop_article'] as readonly string[] },
    parts: ({ table, known }: { table: string; known: readonly string[] }) => ({
      what: `The database has no table ${describe(table)}`,
      fix: `It has: ${known.slice(0, 20).join(', ') || '(none)'}`,
    }),
  }),
  SBY_CLI_NO_FILE: entry(UsageError, {
    about: 'A file that a command shall read or write cannot be opened.',
    example: { path: 'menu.json', reason: 'ENOENT: no such file or directory' },
    parts: ({ path, reason }: { path: string; reason: string }) => ({
      what: `The file cannot be opened: ${reason}`,
      where: path,
    }),
  }),
  SBY_CLI_NOT_CONFIRMED: entry(UsageError, {
    about: 'A command that deletes data asks first, and there is no terminal to ask on.',
    example: { what: 'Deleting all rows of "default"', flag: '--no-input' },
    parts: ({ what, flag }: { what: string; flag: string }) => ({
      what: `${what} was not confirmed`,
      fix: `Nothing was changed. On a script give ${flag}`,
    }),
  }),
  SBY_CLI_NO_PROGRAM: entry(ImproperlyConfigured, {
    about: "The database's own command-line client is not installed.",
    example: { program: 'psql', vendor: 'postgresql' },
    parts: ({ program, vendor }: { program: string; vendor: string }) => ({
      what: `The program ${program}, the client of ${vendor}, was not found`,
      fix: 'Install it, or put it on PATH; sobaya shell works without it',
    }),
  }),
  SBY_CLI_NO_PROCESS: entry(UsageError, {
    about:
      '`sobaya ps` and `sobaya pstree` look at processes of `sobaya serve`, and at programs that call openInspection().',
    example: { pid: 4242 as number | null },
    parts: ({ pid }: { pid: number | null }) => ({
      what: pid === null ? 'No process of this user can be looked at' : `Process ${pid} cannot be looked at`,
      fix: 'Start one with sobaya serve; a program of your own calls openInspection() from sobaya/asyncio. Both have to run as the same user',
    }),
  }),
  SBY_CLI_FOLDER_IN_USE: entry(UsageError, {
    about: 'A new project or app is only written into a folder that is new or empty.',
    example: { folder: '/home/aki/soba' },
    parts: ({ folder }: { folder: string }) => ({
      what: 'The folder is not empty, and nothing was written',
      where: folder,
      fix: 'Name a new folder',
    }),
  }),
  SBY_CLI_BAD_NAME: entry(UsageError, {
    about: 'Projects are named like npm packages, apps like identifiers.',
    example: { what: 'app', got: 'My-Shop' },
    parts: ({ what, got }: { what: string; got: string }) => ({
      what: `${describe(got)} cannot be the name of ${what === 'app' ? 'an' : 'a'} ${what}`,
      fix:
        what === 'app'
          ? 'Use lower-case letters, digits and "_", beginning with a letter'
          : 'Use lower-case letters, digits, "-", "." and "_"',
    }),
  }),
  SBY_CLI_PACK_FAILED: entry(UsageError, {
    about:
      'A project made from a checkout of Sobaya depends on its packed files, which npm makes. The project is there; what npm said is the cause.',
    example: { folder: '/srv/noodle' },
    parts: ({ folder }: { folder: string }) => ({
      what: 'npm could not pack this checkout of Sobaya',
      where: folder,
      fix: 'Run npm install here, then npm pack, and put the .tgz into the project; or name a version with --sobaya',
    }),
  }),
};
