import type { Deconstructed } from '../typing/fields.ts';
import { AnyField, ColumnField, columnName, type Options, plainOptions, type ValueField } from './field.ts';

/** Set by model/meta.ts: fields may not import the models that are made of them. */
interface ModelLike {
  readonly label: string;
  readonly pk: ColumnField;
  readonly columns: readonly ColumnField[];
}
let metaOf: (model: unknown) => ModelLike = () => {
  throw new TypeError('models are not loaded');
};
export function setMetaOf(fn: (model: unknown) => ModelLike): void {
  metaOf = fn;
}

/** A foreign key or one-to-one key: the column holds the target's primary key, or its `toField`. */
export class ForeignKeyField extends ColumnField {
  readonly kind: 'foreignKey' | 'oneToOne';
  readonly to: unknown;

  constructor(kind: 'foreignKey' | 'oneToOne', to: unknown, options: Options) {
    super(options);
    this.kind = kind;
    this.to = to;
  }

  override get unique(): boolean {
    return this.kind === 'oneToOne' || super.unique;
  }

  get onDelete(): string {
    return (this.options['onDelete'] as string | undefined) ?? 'cascade';
  }

  get target(): ColumnField {
    const meta = metaOf(this.to);
    const name = this.options['toField'];
    return meta.columns.find((field) => field.name === name) ?? meta.pk;
  }

  override get storage(): ValueField {
    return this.target.storage;
  }

  override bind(model: string, name: string): void {
    super.bind(model, name);
    this.attname = `${name}Id`;
    this.column = columnName(name, { kind: this.kind, options: this.options });
  }

  deconstruct(): Deconstructed {
    return {
      kind: this.kind,
      options: {
        ...plainOptions(this.options),
        to: metaOf(this.to).label,
        onDelete: this.onDelete,
      },
    };
  }
}

/** A many-to-many field: no column, a table between the two models. */
export class ManyToManyField extends AnyField {
  readonly kind = 'manyToMany' as const;
  readonly to: unknown;
  /** The model of the table between; made when the field's model is first used, unless given. */
  through: unknown = null;
  /** The model class that declares it. */
  owner: unknown = null;
  /** Names of its two foreign keys. */
  sourceField = '';
  targetField = '';

  constructor(to: unknown, options: Options) {
    super(options);
    this.to = to;
  }

  deconstruct(): Deconstructed {
    const options = { ...plainOptions(this.options), to: metaOf(this.to).label } as Record<string, unknown>;
    const { through } = this.options;
    if (typeof through === 'function') options['through'] = metaOf((through as () => unknown)()).label;
    return { kind: this.kind, options };
  }
}

/** The declared other side of a foreign key, one-to-one key or many-to-many field of `to` named `via`. */
export class ReverseField extends AnyField {
  readonly kind = 'many' as const;
  readonly to: unknown;
  readonly via: string;
  readonly single: boolean;

  constructor(to: unknown, via: string, single: boolean) {
    super({});
    this.to = to;
    this.via = via;
    this.single = single;
  }

  /** Not part of a migration's state: it has no column and no table. */
  deconstruct(): Deconstructed {
    return { kind: this.kind, options: { to: metaOf(this.to).label, via: this.via } };
  }
}
