/** Tables: specifications from states, differences, editors that carry them out, and reading them back. */
import type { Backend, Executor } from '../backends/base.ts';
import type { SchemaBackend } from './backend.ts';
import type { EditorOptions, SchemaEditor } from './editor.ts';
import { postgresSpec } from './postgresql/backend.ts';
import { PostgresSchemaEditor } from './postgresql/editor.ts';
import { sqliteSpec } from './sqlite/backend.ts';
import { SqliteSchemaEditor } from './sqlite/editor.ts';

export type { SchemaBackend } from './backend.ts';
export type Vendor = Backend['vendor'];
export {
  diffStates,
  type Fill,
  type Hints,
  type SchemaDifference,
  type TableChange,
  turnAround,
} from './diff.ts';
export { type Drift, findDrift } from './drift.ts';
export { type EditorOptions, SchemaEditor } from './editor.ts';
export {
  type LiveColumn,
  type LiveForeignKey,
  type LiveIndex,
  type LiveTable,
  liveTables,
} from './live.ts';
export {
  type CheckSpec,
  type ColumnSpec,
  columnOf,
  type ForeignKeySpec,
  type IndexSpec,
  primaryKeyOf,
  type TableSpec,
  tableOf,
  tablesOf,
  throughModel,
  type UniqueSpec,
} from './spec.ts';

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
