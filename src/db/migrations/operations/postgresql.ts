/** Operations that only PostgreSQL has: those that keep a busy table usable, and extensions. */
import { fault } from '../../../errors/index.ts';
import { columnOf, type SchemaEditor, tablesOf } from '../../schema/index.ts';
import type { ProjectState } from '../state.ts';
import { ModelChange, Operation } from './base.ts';
import { AlterField } from './fields.ts';
import { AddConstraint, AddIndex, RemoveIndex } from './parts.ts';

/** CREATE INDEX CONCURRENTLY: writes go on meanwhile. Needs `atomic: false` in its migration. */
export class AddIndexConcurrently extends AddIndex {
  override readonly callee = 'addIndexConcurrently';
  override readonly manner = 'concurrent';

  override describe(): string {
    return `Concurrently create index ${this.name} on ${this.model}`;
  }
}

/** DROP INDEX CONCURRENTLY. Needs `atomic: false` in its migration. */
export class RemoveIndexConcurrently extends RemoveIndex {
  override readonly callee = 'removeIndexConcurrently';
  override readonly manner = 'concurrent';

  override describe(): string {
    return `Concurrently remove index ${this.name} from ${this.model}`;
  }
}

/**
 * A unique constraint whose index is made while writes go on, and is then taken for the constraint. Needs
 * `atomic: false` in its migration.
 */
export class AddUniqueConcurrently extends AddConstraint {
  override readonly callee = 'addUniqueConcurrently';
  override readonly manner = 'concurrent';

  constructor(args: ConstructorParameters<typeof AddConstraint>[0]) {
    super(args);
    if (this.constraint?.kind !== 'unique')
      throw fault('SBY_MIGRATIONS_BAD_OPERATION', {
        callee: this.callee,
        problem: 'its constraint is not unique({ name, fields })',
      });
  }

  override describe(): string {
    return `Concurrently create unique constraint ${this.name} on ${this.model}`;
  }
}

/** Adds a check that new rows must meet at once; old rows are checked by validateConstraint later. */
export class AddConstraintNotValid extends AddConstraint {
  override readonly callee = 'addConstraintNotValid';
  override readonly manner = 'notValid';

  override describe(): string {
    return `Create not-valid constraint ${this.name} on ${this.model}`;
  }
}

/**
 * Alters a field; a foreign key or check that it gets is asked of new rows only, until validateConstraint. The way to
 * give a large table a key: add it with `constraint: false`, and alter it by this.
 */
export class AlterFieldNotValid extends AlterField {
  override readonly callee = 'alterFieldNotValid';
  override readonly manner = 'notValid';

  override describe(): string {
    return `Alter field ${this.name} on ${this.model}, its constraints not valid`;
  }
}

export interface ValidateConstraintArgs {
  readonly model: string;
  /** The constraint's name. */
  readonly name?: string;
  /** Or the foreign key whose constraint it is. */
  readonly field?: string;
}

/** Checks the rows that were there before addConstraintNotValid; reads and writes go on meanwhile. */
export class ValidateConstraint extends ModelChange {
  readonly callee = 'validateConstraint';
  readonly category = 'alter';
  readonly model: string;
  readonly name: string;
  readonly args: ValidateConstraintArgs;

  constructor(args: ValidateConstraintArgs) {
    super();
    if ((args.name === undefined) === (args.field === undefined))
      throw fault('SBY_MIGRATIONS_BAD_OPERATION', {
        callee: 'validateConstraint',
        problem: 'give it either `name`, or `field` for a foreign key',
      });
    this.args = args;
    this.model = args.model;
    this.name = args.name ?? (args.field as string);
  }

  deconstruct(): Readonly<Record<string, unknown>> {
    return { ...this.args };
  }

  stateForwards(): void {}

  override async databaseForwards(app: string, editor: SchemaEditor, from: ProjectState): Promise<void> {
    const model = from.model(app, this.model);
    const { field } = this.args;
    if (field === undefined) return editor.validateConstraint(model, this.name);
    const column = columnOf(field, from.field(app, this.model, field));
    for (const key of tablesOf(from, model, editor.spec)[0]?.foreignKeys ?? [])
      if (key.column === column) await editor.validateConstraint(model, key.name);
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
