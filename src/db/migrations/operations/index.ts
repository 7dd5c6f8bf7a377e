/** The functions that migration files call; each makes one operation. */
import type { Operation } from './base.ts';
import { AddField, type AddFieldArgs, AlterField, RemoveField, RenameField } from './fields.ts';
import {
  AlterModelComment,
  AlterModelOptions,
  AlterModelTable,
  AlterUniqueTogether,
  CreateModel,
  type CreateModelArgs,
  DeleteModel,
  MoveModel,
  RenameModel,
} from './models.ts';
import { AddConstraint, AddIndex, RemoveConstraint, RemoveIndex, RenameIndex } from './parts.ts';
import {
  AddConstraintNotValid,
  AddIndexConcurrently,
  AddUniqueConcurrently,
  AlterFieldNotValid,
  CreateExtension,
  RemoveIndexConcurrently,
  ValidateConstraint,
  type ValidateConstraintArgs,
} from './postgresql.ts';
import {
  RunCode,
  type RunCodeArgs,
  RunSql,
  type RunSqlArgs,
  type SeparateArgs,
  SeparateDatabaseAndState,
} from './special.ts';

type Args<C extends new (args: never) => Operation> = ConstructorParameters<C>[0];

export const createModel = (args: CreateModelArgs): CreateModel => new CreateModel(args);
export const deleteModel = (args: Args<typeof DeleteModel>): DeleteModel => new DeleteModel(args);
export const renameModel = (args: Args<typeof RenameModel>): RenameModel => new RenameModel(args);
/** Takes a model over from another app, with its table and its rows. */
export const moveModel = (args: Args<typeof MoveModel>): MoveModel => new MoveModel(args);
export const alterModelOptions = (args: Args<typeof AlterModelOptions>): AlterModelOptions =>
  new AlterModelOptions(args);
export const alterModelTable = (args: Args<typeof AlterModelTable>): AlterModelTable =>
  new AlterModelTable(args);
export const alterModelComment = (args: Args<typeof AlterModelComment>): AlterModelComment =>
  new AlterModelComment(args);
export const alterUniqueTogether = (args: Args<typeof AlterUniqueTogether>): AlterUniqueTogether =>
  new AlterUniqueTogether(args);
/** Adds a field; `fill` is what existing rows get. */
export const addField = (args: AddFieldArgs): AddField => new AddField(args);
export const removeField = (args: Args<typeof RemoveField>): RemoveField => new RemoveField(args);
/** Changes a field; `fill` replaces NULL where it may not be null any more. */
export const alterField = (args: AddFieldArgs): AlterField => new AlterField(args);
export const renameField = (args: Args<typeof RenameField>): RenameField => new RenameField(args);
export const addIndex = (args: Args<typeof AddIndex>): AddIndex => new AddIndex(args);
export const removeIndex = (args: Args<typeof RemoveIndex>): RemoveIndex => new RemoveIndex(args);
export const renameIndex = (args: Args<typeof RenameIndex>): RenameIndex => new RenameIndex(args);
export const addConstraint = (args: Args<typeof AddConstraint>): AddConstraint => new AddConstraint(args);
export const removeConstraint = (args: Args<typeof RemoveConstraint>): RemoveConstraint =>
  new RemoveConstraint(args);
export const runSql = (args: RunSqlArgs): RunSql => new RunSql(args);
/** A data step; it gets the models as they were at this point of the history. */
export const runCode = (args: RunCodeArgs): RunCode => new RunCode(args);
export const separateDatabaseAndState = (args: SeparateArgs): SeparateDatabaseAndState =>
  new SeparateDatabaseAndState(args);
export const addIndexConcurrently = (args: Args<typeof AddIndex>): AddIndexConcurrently =>
  new AddIndexConcurrently(args);
export const removeIndexConcurrently = (args: Args<typeof RemoveIndex>): RemoveIndexConcurrently =>
  new RemoveIndexConcurrently(args);
export const addConstraintNotValid = (args: Args<typeof AddConstraint>): AddConstraintNotValid =>
  new AddConstraintNotValid(args);
export const addUniqueConcurrently = (args: Args<typeof AddConstraint>): AddUniqueConcurrently =>
  new AddUniqueConcurrently(args);
export const alterFieldNotValid = (args: AddFieldArgs): AlterFieldNotValid => new AlterFieldNotValid(args);
export const validateConstraint = (args: ValidateConstraintArgs): ValidateConstraint =>
  new ValidateConstraint(args);
export const createExtension = (args: Args<typeof CreateExtension>): CreateExtension =>
  new CreateExtension(args);

/** An index, a unique constraint, a check, as migration files write them. */
export const index = (
  options: Readonly<Record<string, unknown>>,
): { kind: 'index'; options: typeof options } => ({
  kind: 'index',
  options,
});
export const unique = (
  options: Readonly<Record<string, unknown>>,
): { kind: 'unique'; options: typeof options } => ({
  kind: 'unique',
  options,
});
export const check = (
  options: Readonly<Record<string, unknown>>,
): { kind: 'check'; options: typeof options } => ({
  kind: 'check',
  options,
});
export const exclusion = (
  options: Readonly<Record<string, unknown>>,
): { kind: 'exclusion'; options: typeof options } => ({ kind: 'exclusion', options });
