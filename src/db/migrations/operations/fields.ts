import type { Hints } from '../../schema/index.ts';
import { encodeValue } from '../fields.ts';
import { type FieldState, type ProjectState, resolveKey, targetsOf } from '../state.ts';
import { ModelChange, type Operation, type Reduction } from './base.ts';
import { DeleteModel } from './models.ts';

/** A value as migration files write it. */
export type FillValue = string | number | bigint | boolean | Date | null | { readonly sql: string };

/** An operation on one field of one model. */
export abstract class FieldChange extends ModelChange {
  readonly model: string;
  abstract readonly name: string;

  constructor(model: string) {
    super();
    this.model = model;
  }

  protected same(other: Operation, app: string): other is FieldChange {
    return other instanceof FieldChange && other.key(app) === this.key(app) && other.name === this.name;
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof DeleteModel && resolveKey(app, other.model) === this.key(app)) return [other];
    // The field may have referred to that model, which is why it goes first.
    if (other instanceof DeleteModel) return false;
    // Another field of the same model does not mind, unless relations tie them together.
    if (other instanceof FieldChange && other.key(app) === this.key(app) && this.name !== other.name) {
      const names = [other.name, other instanceof RenameField ? other.to : ''];
      const mine = [this.name, this instanceof RenameField ? this.to : ''];
      return !names.some((name) => name !== '' && mine.includes(name));
    }
    return super.reduce(other, app);
  }
}

export interface AddFieldArgs {
  readonly model: string;
  readonly name: string;
  readonly field: FieldState;
  /** What existing rows get, where the field may not be null and has no default. */
  readonly fill?: FillValue;
}

/** `fill` in the form in which states keep values. */
const encodedFill = (args: { readonly fill?: FillValue }): { readonly fill?: unknown } =>
  args.fill === undefined ? {} : { fill: encodeValue(args.fill) };

export class AddField extends FieldChange {
  readonly callee = 'addField';
  readonly category = 'add';
  readonly name: string;
  readonly field: FieldState;
  readonly fill: { readonly fill?: unknown };

  constructor(args: AddFieldArgs) {
    super(args.model);
    this.name = args.name;
    this.field = args.field;
    this.fill = encodedFill(args);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name, field: this.field, ...this.fill };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.addField(app, this.model, this.name, this.field);
  }

  override hints(app: string): Hints {
    return 'fill' in this.fill
      ? { fills: [{ model: this.key(app), field: this.name, value: this.fill.fill }] }
      : {};
  }

  describe(): string {
    return `Add field ${this.name} to ${this.model}`;
  }

  get fragment(): string {
    return `${this.model}_${this.name}`.toLowerCase();
  }

  override touches(app: string): readonly string[] {
    return [this.key(app), ...targetsOf(this.field)];
  }

  override reduce(other: Operation, app: string): Reduction {
    if (this.same(other, app)) {
      if (other instanceof RemoveField) return [];
      if (other instanceof AlterField)
        return [new AddField({ ...this.#args(), field: other.field, ...(other.fill as {}) })];
      if (other instanceof RenameField) return [new AddField({ ...this.#args(), name: other.to })];
    }
    return super.reduce(other, app);
  }

  #args(): AddFieldArgs {
    return { model: this.model, name: this.name, field: this.field, ...(this.fill as {}) };
  }
}

export class RemoveField extends FieldChange {
  readonly callee = 'removeField';
  readonly category = 'remove';
  readonly name: string;

  constructor({ model, name }: { readonly model: string; readonly name: string }) {
    super(model);
    this.name = name;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.removeField(app, this.model, this.name);
  }

  describe(): string {
    return `Remove field ${this.name} from ${this.model}`;
  }

  get fragment(): string {
    return `remove_${this.model}_${this.name}`.toLowerCase();
  }
}

export class AlterField extends FieldChange {
  readonly callee: string = 'alterField';
  readonly category = 'alter';
  readonly name: string;
  readonly field: FieldState;
  readonly fill: { readonly fill?: unknown };

  constructor(args: AddFieldArgs) {
    super(args.model);
    this.name = args.name;
    this.field = args.field;
    this.fill = encodedFill(args);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name, field: this.field, ...this.fill };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.alterField(app, this.model, this.name, this.field);
  }

  override hints(app: string): Hints {
    return 'fill' in this.fill
      ? { fills: [{ model: this.key(app), field: this.name, value: this.fill.fill }] }
      : {};
  }

  describe(): string {
    return `Alter field ${this.name} on ${this.model}`;
  }

  get fragment(): string {
    return `alter_${this.model}_${this.name}`.toLowerCase();
  }

  override touches(app: string): readonly string[] {
    return [this.key(app), ...targetsOf(this.field)];
  }

  override reduce(other: Operation, app: string): Reduction {
    if (this.same(other, app)) {
      if (other instanceof RemoveField) return [other];
      if (other instanceof AlterField && !('fill' in this.fill)) return [other];
      if (other instanceof RenameField)
        return [
          other,
          new AlterField({ model: this.model, name: other.to, field: this.field, ...(this.fill as {}) }),
        ];
    }
    return super.reduce(other, app);
  }
}

export class RenameField extends FieldChange {
  readonly callee = 'renameField';
  readonly category = 'alter';
  readonly name: string;
  readonly to: string;

  constructor({ model, from, to }: { readonly model: string; readonly from: string; readonly to: string }) {
    super(model);
    this.name = from;
    this.to = to;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, from: this.name, to: this.to };
  }

  stateForwards(app: string, state: ProjectState): void {
    state.renameField(app, this.model, this.name, this.to);
  }

  override hints(app: string): Hints {
    return { renamedFields: [{ model: this.key(app), from: this.name, to: this.to }] };
  }

  describe(): string {
    return `Rename field ${this.name} on ${this.model} to ${this.to}`;
  }

  get fragment(): string {
    return `rename_${this.name}_${this.model}_${this.to}`.toLowerCase();
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof RenameField && other.key(app) === this.key(app) && other.name === this.to)
      return [new RenameField({ model: this.model, from: this.name, to: other.to })];
    return super.reduce(other, app);
  }
}
