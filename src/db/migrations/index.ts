/** Migrations: what files in `migrations/` folders import, and what commands and tools use. */

export {
  type Drift,
  findDrift,
  type LiveColumn,
  type LiveForeignKey,
  type LiveIndex,
  type LiveTable,
  liveTables,
  type SchemaBackend,
  SchemaEditor,
  schemaEditor,
  schemaSpec,
  type TableSpec,
  tableOf,
  tablesOf,
  throughModel,
} from '../schema/index.ts';
export { Autodetector, suggestName } from './autodetector.ts';
export {
  type MigrateEvent,
  type MigrateOptions,
  MigrationExecutor,
  type PlannedStep,
  type Target,
} from './executor.ts';
export { decodeValue, encodeValue, type FieldBuilders, field, type SqlText } from './fields.ts';
export { MigrationGraph } from './graph.ts';
export { HistoricalApps, type HistoricalModel } from './history.ts';
export { inspectModels } from './inspect.ts';
export { type Finding, type Hazard, type LintInput, lintMigration } from './linter.ts';
export { liveState, type ModelApp } from './live.ts';
export { folderOf, type MigrationApp, MigrationLoader } from './loader.ts';
export { type MergeOptions, mergeBranches } from './merge.ts';
export { Migration, type MigrationArgs, type MigrationDefinition, migration } from './migration.ts';
export {
  type Category,
  categorySign,
  Operation,
  type Reduction,
  SchemaOperation,
} from './operations/base.ts';
export * from './operations/index.ts';
export { optimize } from './optimizer.ts';
export {
  FlagQuestioner,
  parseValue,
  type Questioner,
  type QuestionerFlags,
  SilentQuestioner,
  TerminalQuestioner,
} from './questioner.ts';
export { type Applied, MigrationRecorder } from './recorder.ts';
export { type Squashed, type SquashOptions, squash } from './squash.ts';
export { type FieldState, type ModelState, type PartState, ProjectState } from './state.ts';
export { MigrationTester } from './tester.ts';
export { MigrationWriter } from './writer.ts';
