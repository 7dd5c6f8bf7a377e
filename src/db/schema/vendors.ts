/** Which editor and which types a database has. */
import type { Backend, Executor } from '../backends/base.ts';
import type { SchemaBackend } from './backend.ts';
import type { EditorOptions, SchemaEditor } from './editor.ts';
import { postgresSpec } from './postgresql/backend.ts';
import { PostgresSchemaEditor } from './postgresql/editor.ts';
import { sqliteSpec } from './sqlite/backend.ts';
import { SqliteSchemaEditor } from './sqlite/editor.ts';

/** The editor that fits a backend. */
export function schemaEditor(backend: Backend, executor: Executor, options?: EditorOptions): SchemaEditor {
  return backend.vendor === 'sqlite'
    ? new SqliteSchemaEditor(backend, executor, options)
    : new PostgresSchemaEditor(backend, executor, options);
}

/** The specifications of tables as a backend sees them. */
export function schemaSpec(backend: Backend): SchemaBackend {
  return backend.vendor === 'sqlite' ? sqliteSpec(backend) : postgresSpec(backend);
}
