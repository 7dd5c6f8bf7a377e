/** Operations that only PostgreSQL has: those that keep a busy table usable, and extensions. */
import type { SchemaEditor } from '../../schema/index.ts';
import type { ProjectState } from '../state.ts';
import { ModelChange, Operation } from './base.ts';
import { AddConstraint, AddIndex, RemoveIndex } from './parts.ts';

/** CREATE INDEX CONCURRENTLY: writes go on meanwhile. Needs `atomic: false` in its migration. */
export class AddIndexConcurrently extends AddIndex {
  override readonly callee = 'addIndexConcurrently';

  override get atomic(): boolean {
    return false;
  }

  override async databaseForwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.concurrently(() => super.databaseForwards(app, editor, from, to));
  }

  override async databaseBackwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.concurrently(() => super.databaseBackwards(app, editor, from, to));
  }

  override describe(): string {
    return `Concurrently create index ${this.name} on ${this.model}`;
  }
}

/** DROP INDEX CONCURRENTLY. Needs `atomic: false` in its migration. */
export class RemoveIndexConcurrently extends RemoveIndex {
  override readonly callee = 'removeIndexConcurrently';

  override get atomic(): boolean {
    return false;
  }

  override async databaseForwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.concurrently(() => super.databaseForwards(app, editor, from, to));
  }

  override async databaseBackwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.concurrently(() => super.databaseBackwards(app, editor, from, to));
  }

  override describe(): string {
    return `Concurrently remove index ${this.name} from ${this.model}`;
  }
}

/** Adds a check that new rows must meet at once; old rows are checked by validateConstraint later. */
export class AddConstraintNotValid extends AddConstraint {
  override readonly callee = 'addConstraintNotValid';

  override async databaseForwards(
    app: string,
    editor: SchemaEditor,
    from: ProjectState,
    to: ProjectState,
  ): Promise<void> {
    await editor.notValid(() => super.databaseForwards(app, editor, from, to));
  }

  override describe(): string {
    return `Create not-valid constraint ${this.name} on ${this.model}`;
  }
}

/** Checks the rows that were there before addConstraintNotValid; reads and writes go on meanwhile. */
export class ValidateConstraint extends ModelChange {
  readonly callee = 'validateConstraint';
  readonly category = 'alter';
  readonly model: string;
  readonly name: string;

  constructor({ model, name }: { readonly model: string; readonly name: string }) {
    super();
    this.model = model;
    this.name = name;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { model: this.model, name: this.name };
  }

  stateForwards(): void {}

  override async databaseForwards(app: string, editor: SchemaEditor, from: ProjectState): Promise<void> {
    await editor.validateConstraint(from.model(app, this.model), this.name);
  }

  override async databaseBackwards(): Promise<void> {}

  describe(): string {
    return `Validate constraint ${this.name} on ${this.model}`;
  }

  get fragment(): string {
    return `${this.model}_validate_${this.name}`.toLowerCase();
  }
}

/** CREATE EXTENSION IF NOT EXISTS. Nothing on other databases. */
export class CreateExtension extends Operation {
  readonly callee = 'createExtension';
  readonly category = 'add';
  readonly name: string;

  constructor({ name }: { readonly name: string }) {
    super();
    this.name = name;
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { name: this.name };
  }

  stateForwards(): void {}

  async databaseForwards(_app: string, editor: SchemaEditor): Promise<void> {
    if (editor.backend.vendor === 'postgresql')
      await editor.run(`CREATE EXTENSION IF NOT EXISTS ${editor.quote(this.name)}`);
  }

  async databaseBackwards(_app: string, editor: SchemaEditor): Promise<void> {
    if (editor.backend.vendor === 'postgresql')
      await editor.run(`DROP EXTENSION IF EXISTS ${editor.quote(this.name)}`);
  }

  describe(): string {
    return `Create extension ${this.name}`;
  }

  get fragment(): string {
    return `extension_${this.name}`.toLowerCase();
  }

  touches(): readonly string[] {
    return [];
  }
}
