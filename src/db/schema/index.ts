/** Tables: specifications from states, differences, editors that carry them out, and reading them back. */
import type { Backend } from '../backends/base.ts';

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
export { type EditorOptions, type Manner, SchemaEditor } from './editor.ts';
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
export { schemaEditor, schemaSpec } from './vendors.ts';
