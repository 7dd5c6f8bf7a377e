import { ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import {
  DatabaseError,
  DataError,
  FieldError,
  IntegrityError,
  MultipleObjectsReturned,
  ObjectDoesNotExist,
  ProgrammingError,
  ProtectedError,
  TransactionManagementError,
  ValidationError,
} from '../database.ts';
import { TimeoutError } from '../flow.ts';
import { describe, entry } from './define.ts';

const list = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');

/** Errors of the room `db`. */
export const dbErrors = {
  SBY_DB_BAD_MODEL: entry(UsageError, {
    about:
      'A model was declared in a way that cannot work: a reserved or malformed field name, two primary keys, an unknown option.',
    example: { model: 'Article', problem: 'the field name "a__b" contains "__"', fix: 'Rename the field' },
    parts: ({ model, problem, fix }: { model: string; problem: string; fix: string }) => ({
      what: `The model ${model} cannot be used: ${problem}`,
      fix,
    }),
  }),
  SBY_DB_MODEL_WITHOUT_APP: entry(UsageError, {
    about:
      'A model learns its app label, and so its table, from defineApp (or from registerModels, or its own `table` option).',
    example: { model: 'Article' },
    parts: ({ model }: { model: string }) => ({
      what: `The model ${model} belongs to no app, so it has no table`,
      fix: `List it in defineApp({ label: '…', models: [${model}] }), or give it a table: Model({ … }, { table: '…' })`,
    }),
  }),
  SBY_DB_MODEL_TWICE: entry(UsageError, {
    about: 'Two different classes were registered under one app label and name.',
    example: { label: 'shop', model: 'Article' },
    parts: ({ label, model }: { label: string; model: string }) => ({
      what: `The app ${describe(label)} already has another model named ${model}`,
      fix: 'Rename one of the two classes, or move it to another app',
    }),
  }),
  SBY_DB_NO_DATABASES: entry(ImproperlyConfigured, {
    about: 'A query ran where no databases are ambient and none is open in the process.',
    example: {},
    parts: (_: object) => ({
      what: 'There is no database to ask',
      fix: "Run the code inside application.run(), or open one: await new Databases({ default: 'sqlite:db.sqlite3' }).open()",
    }),
  }),
  SBY_DB_WHICH_DATABASES: entry(ImproperlyConfigured, {
    about:
      'Several Databases objects are open in this process and none of them is ambient where the query ran.',
    example: { count: 2 },
    parts: ({ count }: { count: number }) => ({
      what: `${count} Databases objects are open and none is ambient here`,
      fix: 'Run the code inside databases.run(() => …)',
    }),
  }),
  SBY_DB_UNKNOWN_ALIAS: entry(ImproperlyConfigured, {
    about: 'using() or atomic() named a database that is not configured.',
    example: { alias: 'replica' as unknown, known: ['default'] as readonly string[] },
    parts: ({ alias, known }: { alias: unknown; known: readonly string[] }) => ({
      what: `There is no database named ${describe(alias)}`,
      fix: `Configured are: ${list(known)}`,
    }),
  }),
  SBY_DB_OPEN: entry(ImproperlyConfigured, {
    about: 'Databases can be put in the place of others only while they are closed.',
    example: { aliases: ['default'] as readonly string[] },
    parts: ({ aliases }: { aliases: readonly string[] }) => ({
      what: `The databases are open already: ${list(aliases)}`,
      fix: 'Call setupDatabases(application) before anything else uses the application, or close its databases first',
    }),
  }),
  SBY_DB_BAD_URL: entry(ImproperlyConfigured, {
    about: 'A database is given as a URL or as options with an `engine`.',
    example: { alias: 'default', got: 'mysqlx://…' as unknown },
    parts: ({ alias, got }: { alias: string; got: unknown }) => ({
      what: `The database ${describe(alias)} is configured as ${describe(got)}, which names no known engine`,
      fix: "Write 'sqlite:path/to/file', 'sqlite::memory:', 'postgres://user:password@host:5432/name', or { engine: 'sqlite', … }",
    }),
  }),
  SBY_DB_BAD_OPTION: entry(ImproperlyConfigured, {
    about: 'An option of a database has a value that it does not take.',
    example: {
      alias: 'default',
      option: 'inline',
      got: 'sometimes' as unknown,
      expected: 'never, budget, always',
    },
    parts: ({
      alias,
      option,
      got,
      expected,
    }: {
      alias: string;
      option: string;
      got: unknown;
      expected: string;
    }) => ({
      what: `The database ${describe(alias)} has ${option} ${describe(got)}`,
      fix: `It takes ${expected}`,
    }),
  }),
  SBY_DB_CANNOT_OPEN: entry(OperationalError, {
    about: 'The database could not be opened: a missing folder, no permission, no server, a wrong password.',
    example: {
      alias: 'default',
      target: 'sqlite:/nowhere/db.sqlite3',
      reason: 'unable to open database file',
    },
    parts: ({ alias, target, reason }: { alias: string; target: string; reason: string }) => ({
      what: `The database ${describe(alias)} cannot be opened: ${reason}`,
      where: target,
      fix: 'Check that it exists, that it is running, and that this process may use it',
    }),
  }),
  SBY_DB_CLOSED: entry(UsageError, {
    about: 'A query was made after the databases were closed.',
    example: { alias: 'default' },
    parts: ({ alias }: { alias: string }) => ({
      what: `The database ${describe(alias)} is closed`,
      fix: 'Await what uses it before closing it',
    }),
  }),
  SBY_DB_LOST: entry(OperationalError, {
    about:
      'The connection to the database was lost while a statement was waiting for its answer. Whether it took effect is unknown.',
    example: { alias: 'default', reason: 'Connection terminated unexpectedly' },
    parts: ({ alias, reason }: { alias: string; reason: string }) => ({
      what: `The connection to the database ${describe(alias)} was lost: ${reason}`,
      fix: 'The next statement gets a new connection; repeat this one only if that is safe',
    }),
  }),
  SBY_DB_READ_ONLY: entry(OperationalError, {
    about:
      'The database refuses writes here: the transaction is readOnly, the server is a standby, the file may not be written.',
    example: { alias: 'default', detail: 'cannot execute INSERT in a read-only transaction' },
    parts: ({ alias, detail }: { alias: string; detail: string }) => ({
      what: `The database ${describe(alias)} refuses to write: ${detail}`,
      fix: 'Write outside of atomic(fn, { readOnly: true }), or to another database: using()',
    }),
  }),
  SBY_DB_MISSING_PEER: entry(ImproperlyConfigured, {
    about: 'The driver of this database is an optional package that is not installed.',
    example: { engine: 'postgresql', packageName: 'pg' },
    parts: ({ engine, packageName }: { engine: string; packageName: string }) => ({
      what: `The package "${packageName}", which ${engine} needs, is not installed`,
      fix: `Run npm install ${packageName}`,
    }),
  }),
  SBY_DB_UNSUPPORTED: entry(UsageError, {
    about: 'The database cannot do what was asked.',
    example: { what: 'selectForUpdate()', engine: 'sqlite', fix: '' },
    parts: ({ what, engine, fix }: { what: string; engine: string; fix: string }) => ({
      what: `${what} is not supported on ${engine}`,
      fix,
    }),
  }),
  SBY_DB_UNKNOWN_FIELD: entry(FieldError, {
    about: 'A lookup, ordering or path names a field that the model does not have.',
    example: {
      model: 'shop.Article',
      path: 'author__nme',
      name: 'nme',
      known: ['id', 'name'] as readonly string[],
    },
    parts: ({
      model,
      path,
      name,
      known,
    }: {
      model: string;
      path: string;
      name: string;
      known: readonly string[];
    }) => ({
      what: `${model} has no field ${describe(name)}`,
      where: path === name ? '' : `in ${describe(path)}`,
      fix: `Choices are: ${list(known)}`,
    }),
  }),
  SBY_DB_UNKNOWN_LOOKUP: entry(FieldError, {
    about: 'A lookup is not defined for this kind of field.',
    example: {
      path: 'age__icontain',
      lookup: 'icontain',
      field: 'shop.Author.age (integer)',
      known: ['exact', 'gt'] as readonly string[],
    },
    parts: ({
      path,
      lookup,
      field,
      known,
    }: {
      path: string;
      lookup: string;
      field: string;
      known: readonly string[];
    }) => ({
      what: `${describe(lookup)} is not a lookup of ${field}`,
      where: `in ${describe(path)}`,
      fix: known.length > 0 ? `Its lookups are: ${known.join(', ')}` : '',
    }),
  }),
  SBY_DB_BAD_LOOKUP_VALUE: entry(FieldError, {
    about:
      'The value given to a lookup cannot be compared with its field: undefined, null where only isnull makes sense, a wrong type.',
    example: { path: 'age__gt', got: 'many' as unknown, expected: 'a number' },
    parts: ({ path, got, expected }: { path: string; got: unknown; expected: string }) => ({
      what: `The lookup ${describe(path)} got ${describe(got)}`,
      fix: `It takes ${expected}`,
    }),
  }),
  SBY_DB_BAD_NAME: entry(FieldError, {
    about:
      'An alias, ordering or values path is not a plain name. Names become SQL identifiers, so anything else is refused.',
    example: { what: 'annotation name', got: 'a"; DROP TABLE x' as unknown },
    parts: ({ what, got }: { what: string; got: unknown }) => ({
      what: `${describe(got)} cannot be used as ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}`,
      fix: 'Use letters, digits and single underscores, beginning with a letter',
    }),
  }),
  SBY_DB_BAD_QUERY: entry(FieldError, {
    about: 'A queryset method was used in a way that has no meaning, such as filter() after slicing.',
    example: {
      model: 'shop.Article',
      problem: 'cannot filter a query once a slice has been taken',
      fix: 'Filter first, then slice',
    },
    parts: ({ model, problem, fix }: { model: string; problem: string; fix: string }) => ({
      what: `This query on ${model} ${problem}`,
      fix,
    }),
  }),
  SBY_DB_BAD_VALUE: entry(DataError, {
    about:
      'A value does not fit its field: a wrong type, out of range, too long, not a finite number, a string with NUL.',
    example: { model: 'shop.Article', field: 'views', got: 'many' as unknown, expected: 'an integer' },
    parts: ({
      model,
      field,
      got,
      expected,
    }: {
      model: string;
      field: string;
      got: unknown;
      expected: string;
    }) => ({
      what: `${model}.${field} got ${describe(got)}`,
      fix: `It takes ${expected}`,
    }),
  }),
  SBY_DB_DOES_NOT_EXIST: entry(ObjectDoesNotExist, {
    about: 'get(), first-or-fail and refresh() need a row, and none matched.',
    example: { model: 'shop.Article', query: 'id=7' },
    parts: ({ model, query }: { model: string; query: string }) => ({
      what: `No ${model} matches the query`,
      where: query,
    }),
  }),
  SBY_DB_MULTIPLE_OBJECTS: entry(MultipleObjectsReturned, {
    about: 'get() wants exactly one row, and more matched.',
    example: { model: 'shop.Article', count: '2', query: 'title="x"' },
    parts: ({ model, count, query }: { model: string; count: string; query: string }) => ({
      what: `get() returned more than one ${model}: ${count}`,
      where: query,
      fix: 'Narrow the query, or use first()',
    }),
  }),
  SBY_DB_NOT_SAVED: entry(UsageError, {
    about: 'The operation needs a row in the database, and this instance has none yet.',
    example: { model: 'shop.Article', operation: 'delete' },
    parts: ({ model, operation }: { model: string; operation: string }) => ({
      what: `${operation} needs a saved ${model}, this one has no primary key`,
      fix: 'Call save() first',
    }),
  }),
  SBY_DB_RELATION_NOT_LOADED: entry(UsageError, {
    about:
      'In the `raise` mode a relation that was not loaded with selectRelated or prefetchRelated is refused.',
    example: { model: 'shop.Article', relation: 'author' },
    parts: ({ model, relation }: { model: string; relation: string }) => ({
      what: `${model}.${relation} was not loaded with its query`,
      fix: `Add selectRelated('${relation}') or prefetchRelated('${relation}') to the query`,
    }),
  }),
  SBY_DB_UNIQUE: entry(IntegrityError, {
    about: 'A unique constraint, unique field or primary key already has this value.',
    example: { model: 'shop.Author', fields: 'email', detail: 'UNIQUE constraint failed' },
    parts: ({ model, fields, detail }: { model: string; fields: string; detail: string }) => ({
      what: `${model} with this ${fields} already exists`,
      where: detail,
    }),
  }),
  SBY_DB_NOT_NULL: entry(IntegrityError, {
    about: 'A column that must have a value got none.',
    example: { model: 'shop.Author', fields: 'name', detail: 'NOT NULL constraint failed' },
    parts: ({ model, fields, detail }: { model: string; fields: string; detail: string }) => ({
      what: `${model}.${fields} may not be null`,
      where: detail,
    }),
  }),
  SBY_DB_FOREIGN_KEY: entry(IntegrityError, {
    about:
      'A foreign key points to a row that does not exist, or a row that is still pointed to was removed.',
    example: { model: 'shop.Article', fields: 'author', detail: 'FOREIGN KEY constraint failed' },
    parts: ({ model, fields, detail }: { model: string; fields: string; detail: string }) => ({
      what: `A foreign key of ${model}${fields ? `.${fields}` : ''} points to no row`,
      where: detail,
    }),
  }),
  SBY_DB_CHECK: entry(IntegrityError, {
    about: 'A check or exclusion constraint refused the row.',
    example: {
      model: 'shop.Article',
      fields: 'views',
      constraint: 'views_positive',
      detail: 'CHECK constraint failed: views_positive',
    },
    parts: ({
      model,
      fields,
      constraint,
      detail,
    }: {
      model: string;
      fields: string;
      constraint: string;
      detail: string;
    }) => ({
      what: `The constraint ${constraint} of ${model}${fields && fields !== constraint ? ` (${fields})` : ''} is violated`,
      where: detail,
    }),
  }),
  SBY_DB_PROTECTED: entry(ProtectedError, {
    about: "A row was not deleted because rows that point to it have onDelete 'protect' or 'restrict'.",
    example: { model: 'shop.Author', by: 'shop.Article.author', count: 3, rule: 'protect' },
    parts: ({ model, by, count, rule }: { model: string; by: string; count: number; rule: string }) => ({
      what: `Cannot delete ${model}: ${count} row${count === 1 ? '' : 's'} of ${by} (onDelete '${rule}') point${count === 1 ? 's' : ''} to it`,
      fix: 'Delete or change those rows first',
    }),
  }),
  SBY_DB_OUT_OF_RANGE: entry(DataError, {
    about: 'The database refused a value as too long or out of range.',
    example: { detail: 'value too long for type character varying(3)' },
    parts: ({ detail }: { detail: string }) => ({ what: `A value does not fit its column: ${detail}` }),
  }),
  SBY_DB_SYNTAX: entry(ProgrammingError, {
    about: 'The database does not understand the statement: a missing table or column, or wrong SQL.',
    example: { detail: 'no such table: shop_article', sql: 'SELECT 1' },
    parts: ({ detail, sql }: { detail: string; sql: string }) => ({
      what: `The database refused the statement: ${detail}`,
      where: sql.length > 200 ? `${sql.slice(0, 200)}…` : sql,
      fix: /no such (table|column)|does not exist/.test(detail)
        ? 'Has the migration run? sobaya migrate'
        : '',
    }),
  }),
  SBY_DB_BUSY: entry(DatabaseError, {
    about: 'Another process holds the lock on the database for longer than the busy timeout.',
    example: { detail: 'database is locked' },
    parts: ({ detail }: { detail: string }) => ({
      what: `The database is busy: ${detail}`,
      fix: 'Try again, keep transactions short, or raise busyTimeout',
    }),
  }),
  SBY_DB_SERIALIZATION: entry(DatabaseError, {
    about:
      'The transaction lost against a concurrent one: a serialisation failure or a deadlock. It was rolled back.',
    example: { detail: 'could not serialize access' },
    parts: ({ detail }: { detail: string }) => ({
      what: `The transaction was rolled back in favour of another one: ${detail}`,
      fix: 'Run it again: atomic(fn, { retries: 3 })',
    }),
  }),
  SBY_DB_FAILED: entry(DatabaseError, {
    about: 'The database failed in a way that has no entry of its own.',
    example: { detail: 'disk I/O error' },
    parts: ({ detail }: { detail: string }) => ({ what: `The database failed: ${detail}` }),
  }),
  SBY_DB_STATEMENT_TIMEOUT: entry(TimeoutError, {
    about: 'A statement ran for longer than statementTimeout and was stopped in the database.',
    example: { ms: 5000, sql: 'SELECT …' },
    parts: ({ ms, sql }: { ms: number; sql: string }) => ({
      what: `A statement was stopped after ${ms} ms`,
      where: sql.length > 200 ? `${sql.slice(0, 200)}…` : sql,
    }),
  }),
  SBY_DB_POOL_TIMEOUT: entry(OperationalError, {
    about: 'No connection became free in time, or too many statements wait for one already.',
    example: { alias: 'default', waited: 5000, size: 10, holders: 'task "report"' },
    parts: ({
      alias,
      waited,
      size,
      holders,
    }: {
      alias: string;
      waited: number;
      size: number;
      holders: string;
    }) => ({
      what: `No connection of ${describe(alias)} became free within ${waited} ms (pool of ${size})`,
      where: holders && `held by ${holders}`,
      fix: 'Keep transactions short, or raise pool.size',
    }),
  }),
  SBY_DB_POOL_FULL: entry(OperationalError, {
    about: 'The queue in front of the pool is bounded; it is full.',
    example: { alias: 'default', waiting: 1000 },
    parts: ({ alias, waiting }: { alias: string; waiting: number }) => ({
      what: `${waiting} statements already wait for a connection of ${describe(alias)}`,
      fix: 'Shed load earlier, or raise pool.queue',
    }),
  }),
  SBY_DB_TRANSACTION_ENDED: entry(TransactionManagementError, {
    about:
      'A query ran in the context of a transaction that has already ended. Its work would not be part of it.',
    example: { began: 'at order (views.ts:10)', how: 'committed' },
    parts: ({ began, how }: { began: string; how: string }) => ({
      what: `A query ran in a transaction that was already ${how}`,
      where: began && `the transaction began ${began}`,
      fix: 'Await everything inside atomic() before it ends; start what shall outlive it with background()',
    }),
  }),
  SBY_DB_TRANSACTION_OUTLIVED: entry(TransactionManagementError, {
    about:
      'atomic() came to its end while statements started inside it were still running. It was rolled back.',
    example: { began: 'at order (views.ts:10)', count: 2 },
    parts: ({ began, count }: { began: string; count: number }) => ({
      what: `${count} statement${count === 1 ? '' : 's'} still ran when the transaction came to its end, so it was rolled back`,
      where: began && `the transaction began ${began}`,
      fix: 'Await every query inside atomic()',
    }),
  }),
  SBY_DB_TRANSACTION_BROKEN: entry(TransactionManagementError, {
    about:
      'A statement failed inside the transaction and the error was caught; the database refuses more statements until the block ends.',
    example: { began: 'at order (views.ts:10)' },
    parts: ({ began }: { began: string }) => ({
      what: 'A statement in this transaction failed, no more statements can run until the end of its atomic() block',
      where: began && `the transaction began ${began}`,
      fix: 'Wrap the statement that may fail in an atomic() of its own',
    }),
  }),
  SBY_DB_TRANSACTION_OPTION: entry(TransactionManagementError, {
    about: 'An option of atomic() makes no sense where it was used.',
    example: { problem: 'a durable block cannot be nested in another atomic()', fix: '' },
    parts: ({ problem, fix }: { problem: string; fix: string }) => ({ what: `atomic(): ${problem}`, fix }),
  }),
  SBY_DB_INVALID: entry(ValidationError, {
    about: 'Validation refused an instance; `errors` maps each field to its messages.',
    example: {
      model: 'shop.Author',
      errors: { name: ['may not be empty'] } as Record<string, readonly string[]>,
    },
    parts: ({ model, errors }: { model: string; errors: Record<string, readonly string[]> }) => ({
      what: `${model} is not valid: ${Object.entries(errors)
        .map(([field, messages]) => `${field}: ${messages.join(', ')}`)
        .join('; ')}`,
    }),
  }),
};
