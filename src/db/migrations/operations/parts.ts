/** Indexes and constraints, which stand in the model's options and are known by their names. */
import { fault } from '../../../errors/index.ts';
import { modelKey, type PartState, type ProjectState, partsOf } from '../state.ts';
import { ModelChange, type Operation, type Reduction } from './base.ts';

type Place = 'indexes' | 'constraints';

abstract class PartChange extends ModelChange {
  readonly model: string;
  protected abstract readonly place: Place;
  abstract readonly name: string;

  constructor(model: string) {
    super();
    this.model = model;
  }

  protected update(
    app: string,
    state: ProjectState,
    change: (parts: readonly PartState[]) => readonly PartState[],
  ): void {
    const parts = change(partsOf(state.model(app, this.model), this.place));
    state.setOptions(app, this.model, { [this.place]: parts.length === 0 ? undefined : parts });
  }

  protected find(app: string, state: ProjectState): PartState {
    const model = state.model(app, this.model);
    const found = partsOf(model, this.place).find((part) => part.options['name'] === this.name);
    if (found === undefined)
      throw fault('SBY_MIGRATIONS_NO_PART', {
        model: modelKey(model.app, model.name),
        what: this.place === 'indexes' ? 'index' : 'constraint',
        name: this.name,
      });
    return found;
  }

  sameAs(other: Operation, app: string): boolean {
    return (
      other instanceof PartChange &&
      other.key(app) === this.key(app) &&
      other.place === this.place &&
      other.name === this.name
    );
  }
}

const nameIn = (part: PartState): string => String(part.options['name']);

export class AddIndex extends PartChange {
  readonly callee: string = 'addIndex';
  readonly category = 'add';
  protected readonly place = 'indexes';
  readonly index: PartState;

  constructor({ model, index }: { readonly model: string; readonly index: PartState }) {
    super(model);
    this.index = index;
  }

  get name(): string {
    return nameIn(this.index);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, index: this.index };
  }

  stateForwards(app: string, state: ProjectState): void {
    this.update(app, state, (parts) => [...parts, this.index]);
  }

  describe(): string {
    return `Create index ${this.name} on ${this.model}`;
  }

  get fragment(): string {
    return `${this.model}_${this.name}`.toLowerCase();
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof RemoveIndex && this.sameAs(other, app)) return [];
    if (other instanceof RenameIndex && this.sameAs(other, app))
      return [
        new AddIndex({
          model: this.model,
          index: { kind: this.index.kind, options: { ...this.index.options, name: other.to } },
        }),
      ];
    return super.reduce(other, app);
  }
}

export class RemoveIndex extends PartChange {
  readonly callee: string = 'removeIndex';
  readonly category = 'remove';
  protected readonly place = 'indexes';
  readonly name: string;

  constructor({ model, name }: { readonly model: string; readonly name: string }) {
    super(model);
    this.name = name;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name };
  }

  stateForwards(app: string, state: ProjectState): void {
    this.find(app, state);
    this.update(app, state, (parts) => parts.filter((part) => nameIn(part) !== this.name));
  }

  describe(): string {
    return `Remove index ${this.name} from ${this.model}`;
  }

  get fragment(): string {
    return `remove_${this.model}_${this.name}`.toLowerCase();
  }
}

export class RenameIndex extends PartChange {
  readonly callee = 'renameIndex';
  readonly category = 'alter';
  protected readonly place = 'indexes';
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
    this.find(app, state);
    this.update(app, state, (parts) =>
      parts.map((part) =>
        nameIn(part) === this.name ? { kind: part.kind, options: { ...part.options, name: this.to } } : part,
      ),
    );
  }

  describe(): string {
    return `Rename index ${this.name} on ${this.model} to ${this.to}`;
  }

  get fragment(): string {
    return `rename_${this.name}_${this.to}`.toLowerCase();
  }
}

export class AddConstraint extends PartChange {
  readonly callee: string = 'addConstraint';
  readonly category = 'add';
  protected readonly place = 'constraints';
  readonly constraint: PartState;

  constructor({ model, constraint }: { readonly model: string; readonly constraint: PartState }) {
    super(model);
    this.constraint = constraint;
  }

  get name(): string {
    return nameIn(this.constraint);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, constraint: this.constraint };
  }

  stateForwards(app: string, state: ProjectState): void {
    this.update(app, state, (parts) => [...parts, this.constraint]);
  }

  describe(): string {
    return `Create constraint ${this.name} on ${this.model}`;
  }

  get fragment(): string {
    return `${this.model}_${this.name}`.toLowerCase();
  }

  override reduce(other: Operation, app: string): Reduction {
    if (other instanceof RemoveConstraint && this.sameAs(other, app)) return [];
    return super.reduce(other, app);
  }
}

export class RemoveConstraint extends PartChange {
  readonly callee = 'removeConstraint';
  readonly category = 'remove';
  protected readonly place = 'constraints';
  readonly name: string;

  constructor({ model, name }: { readonly model: string; readonly name: string }) {
    super(model);
    this.name = name;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name };
  }

  stateForwards(app: string, state: ProjectState): void {
    this.find(app, state);
    this.update(app, state, (parts) => parts.filter((part) => nameIn(part) !== this.name));
  }

  describe(): string {
    return `Remove constraint ${this.name} from ${this.model}`;
  }

  get fragment(): string {
    return `remove_${this.model}_${this.name}`.toLowerCase();
  }
}
