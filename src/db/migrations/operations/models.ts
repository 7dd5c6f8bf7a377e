import { fault } from '../../../errors/index.ts';
import type { Hints } from '../../schema/index.ts';
import {
  type FieldState,
  modelKey,
  type PartState,
  ProjectState,
  resolveKey,
  retargetField,
  targetsOf,
} from '../state.ts';
import { ModelChange, type Operation, type Reduction, SchemaOperation } from './base.ts';

type Options = Readonly<Record<string, unknown>>;

/** Options of a model that migrations keep. */
export interface ModelOptions {
  readonly table?: string;
  readonly ordering?: readonly string[];
  readonly managed?: boolean;
  readonly indexes?: readonly PartState[];
  readonly constraints?: readonly PartState[];
  readonly uniqueTogether?: readonly (readonly string[])[];
  readonly getLatestBy?: string | readonly string[];
  readonly verboseName?: string;
  readonly verboseNamePlural?: string;
  readonly comment?: string;
  readonly [option: string]: unknown;
}

export interface CreateModelArgs {
  readonly name: string;
  /** In the order of the columns. */
  readonly fields: Readonly<Record<string, FieldState>>;
  readonly options?: ModelOptions;
}

export class CreateModel extends SchemaOperation {
  readonly callee = 'createModel';
  readonly category = 'add';
  readonly model: string;
  readonly fields: readonly (readonly [string, FieldState])[];
  readonly options: Options;

  constructor({ name, fields, options }: CreateModelArgs) {
    super();
    this.model = name;
    this.fields = Object.entries(fields);
    this.options = options ?? {};
  }

  deconstruct(): CreateModelArgs & Options {
    return {
      name: this.model,
      fields: Object.fromEntries(this.fields),
      ...(Object.keys(this.options).length > 0 ? { options: this.options } : {}),
    };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.add({ app, name: this.model, fields: this.fields, options: this.options });
  }

  describe(): string {
    return `Create ${this.options['managed'] === false ? 'unmanaged ' : ''}model ${this.model}`;
  }

  get fragment(): string {
    return this.model.toLowerCase();
  }

  touches(app: string): readonly string[] {
    return [resolveKey(app, this.model), ...this.fields.flatMap(([, field]) => targetsOf(field))];
  }

  override reduce(other: Operation, app: string): Reduction {
    const key = resolveKey(app, this.model);
    if (other instanceof DeleteModel && resolveKey(app, other.model) === key) return [];
    if (other instanceof RenameModel && resolveKey(app, other.from) === key)
      return [
        new CreateModel({
          name: other.to,
          fields: Object.fromEntries(
            this.fields.map(([name, field]) => [name, retargetField(field, key, modelKey(app, other.to))]),
          ),
          options: this.options,
        }),
      ];
    // A change of this model alone: make it in a small state, and read the merged model off it.
    if (other instanceof ModelChange && other.key(app) === key) {
      const state = new ProjectState();
      this.stateForwards(app, state);
      other.stateForwards(app, state);
      const { fields, options } = state.model(app, this.model);
      return [new CreateModel({ name: this.model, fields: Object.fromEntries(fields), options })];
    }
    return super.reduce(other, app);
  }
}

export class DeleteModel extends SchemaOperation {
  readonly callee = 'deleteModel';
  readonly category = 'remove';
  readonly model: string;

  constructor({ name }: { readonly name: string }) {
    super();
    this.model = name;
  }

  deconstruct(): { name: string } {
    return { name: this.model };
  }

  stateForwards(app: string, state: ProjectState): void {
    const key = resolveKey(app, this.model);
    const others = state.references(key).filter(({ model }) => modelKey(model.app, model.name) !== key);
    if (others.length > 0)
      throw fault('SBY_MIGRATIONS_STILL_REFERENCED', {
        model: key,
        by: others.map(({ model, name }) => `${modelKey(model.app, model.name)}.${name}`),
      });
    state.remove(app, this.model);
  }

  /** Which models referred to which cannot be seen any more: deletions keep their order. */
  override reduce(other: Operation, app: string): Reduction {
    return other instanceof DeleteModel ? false : super.reduce(other, app);
  }

  describe(): string {
    return `Delete model ${this.model}`;
  }

  get fragment(): string {
    return `delete_${this.model.toLowerCase()}`;
  }

  touches(app: string): readonly string[] {
    return [resolveKey(app, this.model)];
  }
}

export class RenameModel extends SchemaOperation {
  readonly callee = 'renameModel';
  readonly category = 'alter';
  readonly from: string;
  readonly to: string;

  constructor({ from, to }: { readonly from: string; readonly to: string }) {
    super();
    this.from = from;
    this.to = to;
  }

  deconstruct(): { from: string; to: string } {
    return { from: this.from, to: this.to };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.rename(resolveKey(app, this.from), app, this.to);
  }

  override hints(app: string): Hints {
    return { renamedModels: [{ from: resolveKey(app, this.from), to: modelKey(app, this.to) }] };
  }

  describe(): string {
    return `Rename model ${this.from} to ${this.to}`;
  }

  get fragment(): string {
    return `rename_${this.from.toLowerCase()}_${this.to.toLowerCase()}`;
  }

  touches(app: string): readonly string[] {
    return [resolveKey(app, this.from), modelKey(app, this.to)];
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof RenameModel && other.from === this.to)
      return [new RenameModel({ from: this.from, to: other.to })];
    return super.reduce(other, app);
  }
}

/** Takes a model over from another app, with its table and its rows. */
export class MoveModel extends SchemaOperation {
  readonly callee = 'moveModel';
  readonly category = 'alter';
  readonly model: string;
  readonly fromApp: string;

  constructor({ name, fromApp }: { readonly name: string; readonly fromApp: string }) {
    super();
    this.model = name;
    this.fromApp = fromApp;
  }

  deconstruct(): { name: string; fromApp: string } {
    return { name: this.model, fromApp: this.fromApp };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.rename(modelKey(this.fromApp, this.model), app, this.model);
  }

  override hints(app: string): Hints {
    return { renamedModels: [{ from: modelKey(this.fromApp, this.model), to: modelKey(app, this.model) }] };
  }

  describe(): string {
    return `Move model ${this.model} here from the app ${this.fromApp}`;
  }

  get fragment(): string {
    return `move_${this.model.toLowerCase()}`;
  }

  touches(app: string): readonly string[] {
    return [modelKey(this.fromApp, this.model), modelKey(app, this.model)];
  }
}

/** Options that only the program sees: ordering, verbose names, `managed`. */
export class AlterModelOptions extends ModelChange {
  readonly callee: string = 'alterModelOptions';
  readonly category = 'alter';
  readonly model: string;
  readonly options: Options;
  /** Options that this operation owns: those it does not give are taken away. */
  static readonly owns: readonly string[] = [
    'ordering',
    'managed',
    'getLatestBy',
    'verboseName',
    'verboseNamePlural',
  ];

  constructor({ name, options }: { readonly name: string; readonly options: ModelOptions }) {
    super();
    this.model = name;
    this.options = options;
  }

  deconstruct(): Options {
    return { name: this.model, options: this.options };
  }

  override get touchesDatabase(): boolean {
    return false;
  }

  /** A table that migrations no longer manage stays as it is; one that they begin to manage is there. */
  override async databaseForwards(): Promise<void> {}
  override async databaseBackwards(): Promise<void> {}

  stateForwards(app: string, state: ProjectState): void {
    const gone = Object.fromEntries(AlterModelOptions.owns.map((option) => [option, undefined]));
    state.setOptions(app, this.model, { ...gone, ...this.options });
  }

  describe(): string {
    return `Change options of ${this.model}`;
  }

  get fragment(): string {
    return `alter_${this.model.toLowerCase()}_options`;
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof AlterModelOptions && other.key(app) === this.key(app)) return [other];
    return reduceOption(this, other, app) ?? super.reduce(other, app);
  }
}

/** One option that the database knows. */
abstract class AlterOption<T> extends ModelChange {
  readonly category = 'alter';
  readonly model: string;
  readonly value: T;
  protected abstract readonly option: string;

  constructor(model: string, value: T) {
    super();
    this.model = model;
    this.value = value;
  }

  deconstruct(): Options {
    return { name: this.model, [this.option]: this.value };
  }

  stateForwards(app: string, state: ProjectState): void {
    const empty = this.value === null || (Array.isArray(this.value) && this.value.length === 0);
    state.setOptions(app, this.model, { [this.option]: empty ? undefined : this.value });
  }

  get fragment(): string {
    return `alter_${this.model.toLowerCase()}_${this.option.toLowerCase()}`;
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof AlterOption && other.callee === this.callee && other.key(app) === this.key(app))
      return [other];
    return reduceOption(this, other, app) ?? super.reduce(other, app);
  }
}

/** Changes of options are made in vain when the model is deleted after them. */
function reduceOption(mine: ModelChange, other: Operation, app: string): Reduction | null {
  return other instanceof DeleteModel && resolveKey(app, other.model) === mine.key(app) ? [other] : null;
}

export class AlterModelTable extends AlterOption<string | null> {
  readonly callee = 'alterModelTable';
  protected readonly option = 'table';
  constructor({ name, table }: { readonly name: string; readonly table: string | null }) {
    super(name, table);
  }
  describe(): string {
    return `Rename the table of ${this.model} to ${this.value ?? 'its default name'}`;
  }
}

export class AlterModelComment extends AlterOption<string | null> {
  readonly callee = 'alterModelComment';
  protected readonly option = 'comment';
  constructor({ name, comment }: { readonly name: string; readonly comment: string | null }) {
    super(name, comment);
  }
  describe(): string {
    return `Change the comment of the table of ${this.model}`;
  }
}

export class AlterUniqueTogether extends AlterOption<readonly (readonly string[])[]> {
  readonly callee = 'alterUniqueTogether';
  protected readonly option = 'uniqueTogether';
  constructor(args: { readonly name: string; readonly uniqueTogether: readonly (readonly string[])[] }) {
    super(args.name, args.uniqueTogether);
  }
  describe(): string {
    const groups = this.value.map((group) => `(${group.join(', ')})`).join(', ');
    return groups === ''
      ? `Drop unique-together of ${this.model}`
      : `Make unique together on ${this.model}: ${groups}`;
  }
}
