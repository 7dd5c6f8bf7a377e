import { fault } from '../../errors/index.ts';
import type { ColumnField } from '../fields/field.ts';
import { ValueField } from '../fields/field.ts';
import { ForeignKeyField, ManyToManyField, ReverseField } from '../fields/relations.ts';
import { type Meta, metaOf, prepare } from '../model/meta.ts';
import { ColumnNode, type Node, type OrderNode } from './nodes.ts';

export interface Join {
  readonly alias: string;
  readonly parent: string;
  /** What was followed from the parent: equal keys are the same relation. */
  readonly key: string;
  readonly meta: Meta;
  readonly parentColumn: ColumnField;
  readonly column: ColumnField;
  /** Whether the row may be missing. */
  readonly nullable: boolean;
  /** Whether there may be several: then a later filter() does not reuse it. */
  readonly multi: boolean;
}

/** Where a path leads. */
export interface Target {
  readonly node: Node;
  /** What follows the field: transforms and a lookup. */
  readonly rest: readonly string[];
  /** The model that the final relation points to, when the path ends on a relation. */
  readonly relation: Meta | null;
  /** The name of an annotation, when the path begins with one. */
  readonly annotation: string | null;
}

/** The first hop of a path that may lead to several rows. */
export interface ManyHop {
  /** The alias and model it starts from. */
  readonly prefix: readonly string[];
  readonly from: Meta;
  /** The model with the foreign key back, and that key. */
  readonly meta: Meta;
  readonly back: ForeignKeyField;
  /** The path from there on. */
  readonly remainder: readonly string[];
  readonly key: string;
}

export interface Annotation {
  readonly node: Node;
  /** Whether rows carry it; alias() makes some that they do not. */
  readonly selected: boolean;
}

export interface RelatedTree {
  readonly children: Map<string, RelatedTree>;
}

export interface Combination {
  readonly operator: 'UNION' | 'INTERSECT' | 'EXCEPT';
  readonly all: boolean;
  readonly queries: readonly Query[];
}

export interface Lock {
  readonly skipLocked: boolean;
  readonly noWait: boolean;
  readonly noKey: boolean;
  readonly of: readonly string[];
}

/** The two foreign keys of a many-to-many field's table, from this side to the other. */
export function throughOf(
  field: ManyToManyField,
  reverse: boolean,
): { meta: Meta; near: ForeignKeyField; far: ForeignKeyField } {
  if (field.through === null) prepare(metaOf(field.owner));
  const meta = metaOf(field.through);
  const source = meta.fields.get(field.sourceField) as ForeignKeyField;
  const target = meta.fields.get(field.targetField) as ForeignKeyField;
  return reverse ? { meta, near: target, far: source } : { meta, near: source, far: target };
}

export interface Hop {
  readonly kind: 'fk' | 'many';
  /** The joins to make, in order. */
  readonly steps: readonly HopStep[];
}
export interface HopStep {
  readonly key: string;
  readonly meta: Meta;
  readonly parentColumn: ColumnField;
  readonly column: ColumnField;
  readonly nullable: boolean;
  readonly multi: boolean;
}

/** A foreign key followed backwards: over a many-to-many field or over the table between it is the same join. */
const reverseKey = (via: ForeignKeyField): string => `<${via.name}`;

/** How a relation field of `meta` is followed. */
export function hopOf(field: ForeignKeyField | ManyToManyField | ReverseField): HopStep[] {
  if (field instanceof ForeignKeyField)
    return [
      {
        key: field.name,
        meta: metaOf(field.to),
        parentColumn: field,
        column: field.target,
        nullable: field.null,
        multi: false,
      },
    ];
  let through: ReturnType<typeof throughOf>;
  if (field instanceof ReverseField) {
    const meta = metaOf(field.to);
    const via = meta.fields.get(field.via);
    if (via instanceof ForeignKeyField && !meta.owns(via))
      throw fault('SBY_DB_BAD_MODEL', {
        model: field.model,
        problem: `its relation "${field.name}" goes over ${meta.label}.${field.via}, which stands in the table of ${meta.ownerOf(via).label}`,
        fix: `Write many(${meta.ownerOf(via).name}, '${field.via}')`,
      });
    if (via instanceof ForeignKeyField)
      return [
        {
          key: reverseKey(via),
          meta,
          parentColumn: via.target,
          column: via,
          nullable: true,
          multi: !via.unique,
        },
      ];
    if (!(via instanceof ManyToManyField))
      throw fault('SBY_DB_BAD_MODEL', {
        model: field.model,
        problem: `its relation "${field.name}" goes over ${meta.label}.${field.via}, which is no foreign key or many-to-many field`,
        fix: 'Name the field of the other model that points here',
      });
    through = throughOf(via, true);
  } else through = throughOf(field, false);
  const { meta, near, far } = through;
  return [
    { key: reverseKey(near), meta, parentColumn: near.target, column: near, nullable: true, multi: true },
    {
      key: far.name,
      meta: metaOf(far.to),
      parentColumn: far,
      column: far.target,
      nullable: true,
      multi: false,
    },
  ];
}

/** One SELECT being put together. Built by replaying what was asked; never changed after that. */
export class Query {
  readonly meta: Meta;
  readonly prefix: string;
  readonly base: string;
  readonly outer: Query | null;
  readonly joins = new Map<string, Join>();
  readonly where: Node[] = [];
  readonly annotations = new Map<string, Annotation>();
  /** Null: the model's default ordering. */
  order: OrderNode[] | null = null;
  reversed = false;
  distinct: boolean | Node[] = false;
  limit: { slot: number } | number | null = null;
  offset: { slot: number } | null = null;
  values: string[] | null = null;
  related: RelatedTree | null = null;
  deferred: ReadonlySet<string> | null = null;
  /** The same of relations that selectRelated() loads, by their path. */
  deferredRelated: ReadonlyMap<string, ReadonlySet<string>> | null = null;
  lock: Lock | null = null;
  combination: Combination | null = null;
  groupBy: 'model' | Node[] | null = null;
  empty = false;
  /** Whether each row asks if the statement was stopped. */
  alive = false;
  /** Annotations that values() selected, in its order. */
  #next = 0;

  constructor(meta: Meta, prefix = 't', outer: Query | null = null) {
    this.meta = meta;
    this.prefix = prefix;
    this.outer = outer;
    this.base = `${prefix}${this.#next++}`;
  }

  /** Takes over the joins of another query, and goes on counting aliases where it stopped. */
  adopt(other: Query): void {
    for (const [alias, join] of other.joins) this.joins.set(alias, join);
    this.#next = other.#next;
  }

  get sliced(): boolean {
    return this.limit !== null || this.offset !== null;
  }

  metaOfAlias(alias: string): Meta {
    return alias === this.base ? this.meta : (this.joins.get(alias) as Join).meta;
  }

  /** Whether the row of an alias may be missing, before conditions say otherwise. */
  nullable(alias: string): boolean {
    for (let join = this.joins.get(alias); join !== undefined; join = this.joins.get(join.parent))
      if (join.nullable) return true;
    return false;
  }

  /** A column of the row at an alias; of a table above, through its link. */
  column(alias: string, field: ColumnField): ColumnNode {
    const [at, column] = this.place(alias, field);
    return this.#column(at, column);
  }
  /** The alias whose own table has the field, and the field there. */
  place(alias: string, field: ColumnField): [alias: string, field: ColumnField] {
    const meta = this.metaOfAlias(alias);
    if (meta.link === null || meta.owns(field)) return [alias, field];
    // The keys along the chain are one value.
    if (meta.sharesKey(field)) return [alias, meta.link];
    const [step] = hopOf(meta.link) as [HopStep];
    return this.place(this.join(alias, step, null), field);
  }
  #column(alias: string, field: ColumnField): ColumnNode {
    return new ColumnNode(alias, field, field.null || this.nullable(alias));
  }

  /** Joins one step; `reuse` null: any join of the same relation will do. */
  join(from: string, asked: HopStep, reuse: Set<string> | null): string {
    const [parent, parentColumn] = this.place(from, asked.parentColumn);
    const step = parentColumn === asked.parentColumn ? asked : { ...asked, parentColumn };
    let found: string | null = null;
    for (const join of this.joins.values())
      if (
        join.parent === parent &&
        join.key === step.key &&
        join.meta === step.meta &&
        (!step.multi || reuse === null || reuse.has(join.alias))
      )
        found = join.alias;
    if (found === null) {
      found = `${this.prefix}${this.#next++}`;
      this.joins.set(found, { alias: found, parent, ...step });
    }
    reuse?.add(found);
    return found;
  }

  /** Names that may stand at a place of a path, for messages. */
  choices(meta: Meta, first: boolean): string[] {
    return [...meta.fields.keys(), ...(first ? this.annotations.keys() : [])];
  }

  /** Follows a path as far as it names fields. `reuse` as in join(). */
  walk(path: string, reuse: Set<string> | null, start?: { alias: string; meta: Meta }): Target {
    const parts = path.split('__');
    if (start === undefined) {
      const annotation = this.annotations.get(parts[0] as string);
      if (annotation !== undefined)
        return {
          node: annotation.node,
          rest: parts.slice(1),
          relation: null,
          annotation: parts[0] as string,
        };
    }
    let alias = start?.alias ?? this.base;
    let meta = start?.meta ?? this.meta;
    for (let i = 0; ; i++) {
      const part = parts[i];
      const field = part === undefined ? undefined : fieldNamed(meta, part);
      if (field === undefined)
        throw fault('SBY_DB_UNKNOWN_FIELD', {
          model: meta.label,
          path,
          name: String(part),
          known: this.choices(meta, i === 0),
        });
      const next = parts[i + 1];
      if (field instanceof ValueField)
        return {
          node: this.column(alias, field),
          rest: parts.slice(i + 1),
          relation: null,
          annotation: null,
        };
      if (field instanceof ForeignKeyField) {
        const target = metaOf(field.to);
        const named = next === undefined ? undefined : fieldNamed(target, next);
        if (part === field.attname && part !== field.name)
          return {
            node: this.column(alias, field),
            rest: parts.slice(i + 1),
            relation: target,
            annotation: null,
          };
        if (named === undefined)
          return {
            node: this.column(alias, field),
            rest: parts.slice(i + 1),
            relation: target,
            annotation: null,
          };
        if (named === field.target || (named !== undefined && target.sharesKey(named)))
          return {
            node: this.column(alias, field),
            rest: parts.slice(i + 2),
            relation: null,
            annotation: null,
          };
      }
      const steps = hopOf(field as ForeignKeyField);
      const target = (steps.at(-1) as HopStep).meta;
      const named = next === undefined ? undefined : fieldNamed(target, next);
      const last = steps.at(-1) as HopStep;
      // The far table of a many-to-many relation is not needed for its key.
      const trim = steps.length === 2 && (named === undefined || named === last.column);
      for (const step of trim ? steps.slice(0, 1) : steps) alias = this.join(alias, step, reuse);
      if (trim)
        return {
          node: this.column(alias, last.parentColumn),
          rest: parts.slice(named === undefined ? i + 1 : i + 2),
          relation: named === undefined ? target : null,
          annotation: null,
        };
      if (named === undefined)
        return {
          node: this.column(alias, target.pk),
          rest: parts.slice(i + 1),
          relation: target,
          annotation: null,
        };
      meta = target;
    }
  }

  /** The first hop to many rows on a path, or null. Joins nothing. */
  manyHop(path: string): ManyHop | null {
    const parts = path.split('__');
    if (this.annotations.has(parts[0] as string)) return null;
    let meta = this.meta;
    for (let i = 0; i < parts.length; i++) {
      const field = fieldNamed(meta, parts[i] as string);
      if (
        !(
          field instanceof ForeignKeyField ||
          field instanceof ManyToManyField ||
          field instanceof ReverseField
        )
      )
        return null;
      if (field instanceof ForeignKeyField) {
        if (parts[i] === field.attname && field.attname !== field.name) return null;
        meta = metaOf(field.to);
        continue;
      }
      const [first, second] = hopOf(field) as [HopStep, HopStep?];
      if (!first.multi) {
        meta = first.meta;
        continue;
      }
      const rest = parts.slice(i + 1);
      return {
        prefix: parts.slice(0, i),
        from: meta,
        meta: first.meta,
        back: first.column as ForeignKeyField,
        key: first.key,
        remainder:
          second !== undefined
            ? [second.key, ...rest]
            : rest.length === 0 || fieldNamed(first.meta, rest[0] as string) === undefined
              ? ['pk', ...rest]
              : rest,
      };
    }
    return null;
  }

  /** The alias that a path of single-valued relations leads to. */
  aliasOf(parts: readonly string[]): string {
    let alias = this.base;
    let meta = this.meta;
    for (const part of parts) {
      const [step] = hopOf(fieldNamed(meta, part) as ForeignKeyField) as [HopStep];
      alias = this.join(alias, step, null);
      meta = step.meta;
    }
    return alias;
  }
}

export function fieldNamed(meta: Meta, name: string): ReturnType<Meta['fields']['get']> {
  if (name === 'pk') return meta.pk;
  return meta.fields.get(name) ?? meta.byAttname.get(name) ?? meta.hiddenField(name);
}
