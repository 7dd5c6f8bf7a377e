/** Errors of the room `migrations`. */
import { ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

const list = (names: readonly string[], limit = 12): string =>
  names.length === 0
    ? '(none)'
    : names.slice(0, limit).join(', ') + (names.length > limit ? `, … (${names.length} in all)` : '');

export const migrationsErrors = {
  SBY_MIGRATIONS_FAILED: entry(OperationalError, {
    about:
      'A migration failed. The message says which, at which operation and statement, what state the database is in now, and how to go on.',
    example: {
      migration: 'shop.0002_article_slug',
      position: 2 as number | null,
      total: 3,
      operation: 'Add field slug to Article',
      reason: 'no such table: shop_article',
      sql: 'ALTER TABLE "shop_article" ADD COLUMN "slug" text NULL' as string | null,
      state: 'Its transaction was rolled back: the database is as it was after shop.0001_initial',
      next: 'Mend the cause and run sobaya migrate again',
    },
    parts: (d: {
      migration: string;
      position: number | null;
      total: number;
      operation: string;
      reason: string;
      sql: string | null;
      state: string;
      next: string;
    }) => ({
      what: `${d.migration} failed ${d.position === null ? d.operation : `at operation ${d.position} of ${d.total}, ${d.operation}`}: ${d.reason}`,
      where: d.sql === null ? '' : `SQL: ${d.sql.length > 400 ? `${d.sql.slice(0, 400)}…` : d.sql}`,
      fix: `${d.state}. ${d.next}`,
    }),
  }),
  SBY_MIGRATIONS_NO_RECORDS: entry(OperationalError, {
    about:
      'The table in which a database keeps its migrations cannot be read or made: no permission, a full disk, a lock held by another process.',
    example: { alias: 'default', reason: 'attempt to write a readonly database' },
    parts: ({ alias, reason }: { alias: string; reason: string }) => ({
      what: `The database ${describe(alias)} cannot keep its record of migrations: ${reason}`,
      fix: 'Nothing was changed. Give the user of this database the right to create tables, make room, or wait for the other process; then run sobaya migrate again',
    }),
  }),
  SBY_MIGRATIONS_NO_MODEL: entry(UsageError, {
    about: 'An operation names a model that does not exist at that point of the history.',
    example: { model: 'shop.Autor', known: ['Author'] as readonly string[] },
    parts: ({ model, known }: { model: string; known: readonly string[] }) => ({
      what: `There is no model ${model} at this point of the migrations`,
      fix: `Known are: ${list(known)}. Is a dependency missing, or a name misspelt?`,
    }),
  }),
  SBY_MIGRATIONS_NO_FIELD: entry(UsageError, {
    about: 'An operation names a field that its model does not have at that point of the history.',
    example: { model: 'shop.Author', field: 'nme', known: ['id', 'name'] as readonly string[] },
    parts: ({ model, field, known }: { model: string; field: string; known: readonly string[] }) => ({
      what: `${model} has no field ${describe(field)} at this point of the migrations`,
      fix: `Its fields are: ${list(known)}`,
    }),
  }),
  SBY_MIGRATIONS_OTHER_FIELD: entry(UsageError, {
    about: 'A data step gave types for a model that do not agree with what the model was at that point.',
    example: { field: 'shop.Author.name', was: 'text, may be null', given: 'text' },
    parts: ({ field, was, given }: { field: string; was: string; given: string }) => ({
      what: `${field} was ${was} at this point of the migrations, the data step takes it for ${given}`,
      fix: 'Give the fields as they were then',
    }),
  }),
  SBY_MIGRATIONS_NO_PART: entry(UsageError, {
    about:
      'An operation names an index or constraint that its model does not have at that point of the history.',
    example: { model: 'shop.Author', what: 'index', name: 'author_name_idx' },
    parts: ({ model, what, name }: { model: string; what: string; name: string }) => ({
      what: `${model} has no ${what} named ${describe(name)} at this point of the migrations`,
    }),
  }),
  SBY_MIGRATIONS_MODEL_EXISTS: entry(UsageError, {
    about: 'Two operations create the same model, or a rename takes a name that is taken.',
    example: { model: 'shop.Author' },
    parts: ({ model }: { model: string }) => ({
      what: `The model ${model} exists already at this point of the migrations`,
      fix: 'Two migrations create it: keep one, or make one depend on the other',
    }),
  }),
  SBY_MIGRATIONS_FIELD_EXISTS: entry(UsageError, {
    about: 'Two operations add the same field, or a rename takes a name that is taken.',
    example: { model: 'shop.Author', field: 'name' },
    parts: ({ model, field }: { model: string; field: string }) => ({
      what: `${model}.${field} exists already at this point of the migrations`,
      fix: 'Two migrations add it: keep one',
    }),
  }),
  SBY_MIGRATIONS_STILL_REFERENCED: entry(UsageError, {
    about: 'A model cannot be deleted while fields of other models refer to it.',
    example: { model: 'shop.Author', by: ['shop.Article.author'] as readonly string[] },
    parts: ({ model, by }: { model: string; by: readonly string[] }) => ({
      what: `Deleting the model ${model} would leave ${list(by)} pointing to nothing`,
      fix: 'Remove or alter those fields before',
    }),
  }),
  SBY_MIGRATIONS_BAD_OPERATION: entry(UsageError, {
    about: 'A migration file gives an operation something it does not take.',
    example: { callee: 'runCode', problem: '`forwards` is not a function' },
    parts: ({ callee, problem }: { callee: string; problem: string }) => ({
      what: `${callee}(): ${problem}`,
    }),
  }),
  SBY_MIGRATIONS_NOT_A_MIGRATION: entry(UsageError, {
    about: 'Every file in a folder of migrations, whose name does not begin with an underscore, must be one.',
    example: { file: 'shop/migrations/0002_slug.ts', got: undefined as unknown },
    parts: ({ file, got }: { file: string; got: unknown }) => ({
      what: `The migration file exports ${describe(got)} as its default`,
      where: file,
      fix: 'Write export default migration({ dependencies: […], operations: […] }), or let the name of another file begin with _',
    }),
  }),
  SBY_MIGRATIONS_IMPORT_FAILED: entry(UsageError, {
    about: 'A migration file could not be imported: it does not parse, or failed while it ran.',
    example: { file: 'shop/migrations/0002_slug.ts', reason: 'SyntaxError: Unexpected token' },
    parts: ({ file, reason }: { file: string; reason: string }) => ({
      what: `The migration file cannot be imported: ${reason}`,
      where: file,
      fix: 'Mend the file; nothing was changed in the database',
    }),
  }),
  SBY_MIGRATIONS_CANNOT_READ: entry(ImproperlyConfigured, {
    about: 'The folder of migrations cannot be read.',
    example: { path: 'shop/migrations', reason: 'EACCES: permission denied' },
    parts: ({ path, reason }: { path: string; reason: string }) => ({
      what: `The folder of migrations cannot be read: ${reason}`,
      where: path,
      fix: 'Give the process the right to read it, or correct `migrations` in defineApp()',
    }),
  }),
  SBY_MIGRATIONS_CANNOT_WRITE_FILE: entry(OperationalError, {
    about: 'A migration file could not be written: no permission, a full disk. Nothing is left half-written.',
    example: { path: 'shop/migrations/0002_slug.ts', reason: 'ENOSPC: no space left on device' },
    parts: ({ path, reason }: { path: string; reason: string }) => ({
      what: `The migration file cannot be written: ${reason}`,
      where: path,
      fix: 'Nothing was written. Mend the cause and run sobaya makemigrations again',
    }),
  }),
  SBY_MIGRATIONS_CANNOT_WRITE: entry(UsageError, {
    about: 'A migration holds a value that cannot be written as source, such as a function.',
    example: { got: (() => {}) as unknown },
    parts: ({ got }: { got: unknown }) => ({
      what: `A migration file cannot hold ${describe(got)}`,
      fix: 'Use plain data; write operations with code by hand, in a file from sobaya makemigrations --empty',
    }),
  }),
  SBY_MIGRATIONS_NO_FOLDER: entry(ImproperlyConfigured, {
    about: 'The app has models but no folder for its migrations.',
    example: { app: 'shop' },
    parts: ({ app }: { app: string }) => ({
      what: `The app ${describe(app)} has no folder for migrations`,
      fix: `Give it one: defineApp({ label: '${app}', …, migrations: new URL('./migrations/', import.meta.url) })`,
    }),
  }),
  SBY_MIGRATIONS_UNKNOWN: entry(UsageError, {
    about: 'No migration has this name.',
    example: { migration: 'shop.0009', known: ['0001_initial'] as readonly string[] },
    parts: ({ migration, known }: { migration: string; known: readonly string[] }) => ({
      what: `There is no migration ${migration}`,
      fix: `Known are: ${list(known)}`,
    }),
  }),
  SBY_MIGRATIONS_UNKNOWN_APP: entry(UsageError, {
    about: 'No app of the application has this label.',
    example: { app: 'shp', known: ['shop'] as readonly string[] },
    parts: ({ app, known }: { app: string; known: readonly string[] }) => ({
      what: `There is no app labelled ${describe(app)}`,
      fix: `Known are: ${list(known)}`,
    }),
  }),
  SBY_MIGRATIONS_AMBIGUOUS: entry(UsageError, {
    about: 'Several migrations begin with the given text.',
    example: { app: 'shop', prefix: '000', found: ['0001_initial', '0002_slug'] as readonly string[] },
    parts: ({ app, prefix, found }: { app: string; prefix: string; found: readonly string[] }) => ({
      what: `${describe(prefix)} is the beginning of several migrations of ${app}: ${list(found)}`,
      fix: 'Give more of the name',
    }),
  }),
  SBY_MIGRATIONS_MISSING_PARENT: entry(UsageError, {
    about: 'A migration depends on one that is not there: the file was deleted, renamed, or not checked in.',
    example: {
      child: 'shop.0002_slug',
      parent: 'shop.0001_intial',
      known: ['0001_initial'] as readonly string[],
    },
    parts: ({ child, parent, known }: { child: string; parent: string; known: readonly string[] }) => ({
      what: `${child} depends on ${parent}, which does not exist`,
      fix: `That app has: ${list(known)}. Bring the file back, or correct \`dependencies\`. Nothing was changed in the database`,
    }),
  }),
  SBY_MIGRATIONS_CYCLE: entry(UsageError, {
    about: 'Migrations depend on each other in a circle, so that none can be the first.',
    example: { path: ['shop.0002_a', 'auth.0002_b', 'shop.0002_a'] as readonly string[] },
    parts: ({ path }: { path: readonly string[] }) => ({
      what: `These migrations wait for each other: ${path.join(' → ')}`,
      fix: 'Take one of the dependencies out, or split a migration in two. Nothing was changed in the database',
    }),
  }),
  SBY_MIGRATIONS_CONFLICT: entry(UsageError, {
    about: 'Two migrations of one app follow the same one: two branches of work met.',
    example: { app: 'shop', leaves: ['0003_price', '0003_slug'] as readonly string[] },
    parts: ({ app, leaves }: { app: string; leaves: readonly string[] }) => ({
      what: `The app ${describe(app)} has several last migrations: ${list(leaves)}`,
      fix: 'Run sobaya makemigrations --merge. Nothing was changed in the database',
    }),
  }),
  SBY_MIGRATIONS_MERGE_CONFLICT: entry(UsageError, {
    about: 'Two branches of migrations change the same things, so that joining them needs a person.',
    example: { app: 'shop', clashes: ['both change shop.Article.title'] as readonly string[] },
    parts: ({ app, clashes }: { app: string; clashes: readonly string[] }) => ({
      what: `The branches of ${describe(app)} do not go together: ${clashes.join('; ')}`,
      fix: 'Edit one of them, or merge all the same with --force',
    }),
  }),
  SBY_MIGRATIONS_INCONSISTENT: entry(OperationalError, {
    about: 'The database has had a migration, but not one that it depends on.',
    example: { migration: 'shop.0002_slug', parent: 'shop.0001_initial', alias: 'default' },
    parts: ({ migration, parent, alias }: { migration: string; parent: string; alias: string }) => ({
      what: `The database ${describe(alias)} has had ${migration}, but not ${parent}, on which it depends`,
      fix: `Nothing was changed. If its tables are there, record it: sobaya migrate --fake ${parent.replace('.', ' ')}`,
    }),
  }),
  SBY_MIGRATIONS_EDITED: entry(OperationalError, {
    about:
      'A migration file does something else now than when it was applied. Other databases would get another schema from it.',
    example: { migrations: ['shop.0001_initial'] as readonly string[], alias: 'default' },
    parts: ({ migrations, alias }: { migrations: readonly string[]; alias: string }) => ({
      what: `Edited since the database ${describe(alias)} had ${migrations.length === 1 ? 'it' : 'them'}: ${list(migrations)}`,
      fix: 'Nothing was changed. Take the edit back and put it into a new migration; if the database is right as it is, run sobaya migrate --accept-edited',
    }),
  }),
  SBY_MIGRATIONS_HALF_SQUASHED: entry(OperationalError, {
    about:
      'A squashed migration replaces several, of which the database has had some, and the files of the others are gone.',
    example: {
      squashed: 'shop.0001_squashed',
      applied: ['shop.0001_initial'] as readonly string[],
      missing: ['shop.0002_slug'] as readonly string[],
    },
    parts: (d: { squashed: string; applied: readonly string[]; missing: readonly string[] }) => ({
      what: `The database has had ${list(d.applied)} of what ${d.squashed} replaces, but not ${list(d.missing)}`,
      fix: 'Nothing was changed. Bring those files back and migrate; delete them when every database has had all of them',
    }),
  }),
  SBY_MIGRATIONS_IRREVERSIBLE: entry(UsageError, {
    about: 'Migrating backwards would have to undo an operation that cannot be undone.',
    example: { migration: 'shop.0003_fill', operation: 'Run SQL' },
    parts: ({ migration, operation }: { migration: string; operation: string }) => ({
      what: `${migration} cannot be taken back: "${operation}" is not reversible`,
      fix: 'Nothing was changed. Give runSql a `reverseSql`, or runCode a `backwards` function',
    }),
  }),
  SBY_MIGRATIONS_NOT_ATOMIC: entry(UsageError, {
    about: 'An operation that cannot run inside a transaction stands in a migration that is one.',
    example: { migration: 'shop.0003_index', operation: 'Concurrently create index title_idx on Article' },
    parts: ({ migration, operation }: { migration: string; operation: string }) => ({
      what: `"${operation}" cannot run inside a transaction`,
      where: migration,
      fix: 'Nothing was changed. Write atomic: false in this migration',
    }),
  }),
  SBY_MIGRATIONS_ASK_RENAME: entry(UsageError, {
    about:
      'Something may have been renamed, and there is no terminal to ask on. Guessing could drop a column full of data.',
    example: {
      what: 'The field shop.Author.name is gone and title is new, of the same kind',
      flag: '--rename shop.Author.name=title',
    },
    parts: ({ what, flag }: { what: string; flag: string }) => ({
      what: `${what}: was it renamed?`,
      fix: `If it was, run again with ${flag}; if not, with --no-renames`,
    }),
  }),
  SBY_MIGRATIONS_ASK_FILL: entry(UsageError, {
    about: 'A field that may not be null has no default, so nobody knows what existing rows get.',
    example: { model: 'shop.Article', field: 'slug', why: 'added' as 'added' | 'not null' },
    parts: ({ model, field, why }: { model: string; field: string; why: 'added' | 'not null' }) => ({
      what:
        why === 'added'
          ? `${model}.${field} is new, may not be null, and has no default: what do existing rows get?`
          : `${model}.${field} may not be null any more: what do rows get that have NULL?`,
      fix: `Give the field a default, or run again with --default '${model}.${field}=VALUE' (JSON, or sql:EXPRESSION)`,
    }),
  }),
  SBY_MIGRATIONS_NO_ANSWER: entry(UsageError, {
    about: 'The terminal was closed before a question was answered.',
    example: { question: 'Was shop.Author.name renamed to title? [y/N] ' },
    parts: ({ question }: { question: string }) => ({
      what: `No answer to: ${question.trim()}`,
      fix: 'Nothing was written. Run again, or answer with --rename, --no-renames and --default',
    }),
  }),
  SBY_MIGRATIONS_BAD_FLAG: entry(UsageError, {
    about: 'A flag of makemigrations has the form NAME=VALUE.',
    example: { flag: '--rename', got: 'shop.Author' },
    parts: ({ flag, got }: { flag: string; got: string }) => ({
      what: `${flag} got ${describe(got)}`,
      fix:
        flag === '--rename'
          ? 'Write --rename app.Model=New or --rename app.Model.field=new'
          : "Write --default 'app.Model.field=VALUE'",
    }),
  }),
  SBY_MIGRATIONS_UNUSED_RENAME: entry(UsageError, {
    about: 'A rename was given that fits no change of the models.',
    example: { rename: 'shop.Author.nme=title' },
    parts: ({ rename }: { rename: string }) => ({
      what: `--rename ${rename} fits no change of the models`,
      fix: 'The old name must be gone from the models and the new one be there; fields of a renamed model go by its new name',
    }),
  }),
  SBY_MIGRATIONS_BAD_CONDITION: entry(UsageError, {
    about: 'The condition of an index or a check uses a lookup that has no fixed SQL.',
    example: { lookup: 'title__regex', known: ['exact', 'gt'] as readonly string[] },
    parts: ({ lookup, known }: { lookup: string; known: readonly string[] }) => ({
      what: `The lookup ${describe(lookup)} cannot stand in the condition of an index or a check`,
      fix: `Use ${known.join(', ')}, or { sql: '…' }`,
    }),
  }),
  SBY_MIGRATIONS_UNSUPPORTED: entry(UsageError, {
    about: 'The database cannot do what the migration asks.',
    example: { what: 'An exclusion constraint', vendor: 'sqlite' },
    parts: ({ what, vendor }: { what: string; vendor: string }) => ({
      what: `${what} is not supported on ${vendor}`,
    }),
  }),
  SBY_MIGRATIONS_DATA_REFUSED: entry(OperationalError, {
    about: 'A column holds values that its new type cannot hold.',
    example: {
      table: 'shop_article',
      column: 'pages',
      type: 'integer',
      count: 3,
      example: 'many' as string | null,
    },
    parts: (d: { table: string; column: string; type: string; count: number; example: string | null }) => ({
      what: `${d.count} row${d.count === 1 ? '' : 's'} of ${d.table} hold${d.count === 1 ? 's' : ''} a value in ${d.column} that ${d.type} cannot hold, such as ${describe(d.example)}`,
      fix: 'Correct the rows, or change them in a runCode step before',
    }),
  }),
  SBY_MIGRATIONS_UNKNOWN_COLUMNS: entry(OperationalError, {
    about: 'A table would have to be made anew, and has columns that no model knows: they would be lost.',
    example: { table: 'shop_article', columns: ['legacy_id'] as readonly string[] },
    parts: ({ table, columns }: { table: string; columns: readonly string[] }) => ({
      what: `The table ${table} has columns that no model knows: ${list(columns)}`,
      fix: 'Making the table anew would lose them. Add them to the model, or drop them by hand',
    }),
  }),
  SBY_MIGRATIONS_FOREIGN_KEYS: entry(OperationalError, {
    about: 'After a migration rows point to rows that do not exist.',
    example: { count: 2, table: 'shop_article', parent: 'shop_author' },
    parts: ({ count, table, parent }: { count: number; table: string; parent: string }) => ({
      what: `${count} row${count === 1 ? '' : 's'}, the first in ${table}, would point to ${count === 1 ? 'a row' : 'rows'} of ${parent} that do${count === 1 ? 'es' : ''} not exist`,
      fix: 'Delete or correct those rows before',
    }),
  }),
};
