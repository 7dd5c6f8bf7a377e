/** Compares two states and writes the operations that lead from one to the other. */
import { fault } from '../../errors/index.ts';
import { columnOf } from '../schema/index.ts';
import { encodeValue } from './fields.ts';
import type { MigrationGraph } from './graph.ts';
import { Migration } from './migration.ts';
import type { Operation } from './operations/base.ts';
import { AddField, AlterField, RemoveField, RenameField } from './operations/fields.ts';
import {
  AlterModelComment,
  AlterModelOptions,
  AlterModelTable,
  AlterUniqueTogether,
  CreateModel,
  DeleteModel,
  MoveModel,
  RenameModel,
} from './operations/models.ts';
import { AddConstraint, AddIndex, RemoveConstraint, RemoveIndex, RenameIndex } from './operations/parts.ts';
import { optimize } from './optimizer.ts';
import type { FillAnswer, Questioner } from './questioner.ts';
import {
  type FieldState,
  fieldOf,
  isForeignKey,
  isRelation,
  type ModelState,
  modelKey,
  type PartState,
  type ProjectState,
  partsOf,
  retargetField,
  samePlain,
  targetsOf,
} from './state.ts';

interface Step {
  readonly app: string;
  readonly operation: Operation;
  /** Keys of the models it reads or changes. */
  readonly touches: ReadonlySet<string>;
}

export interface DetectorOptions {
  readonly questioner: Questioner;
  /** Values of defaults that are functions, called once: what existing rows get. */
  readonly callDefault?: (model: string, field: string) => { readonly value: unknown } | undefined;
}

export class Autodetector {
  readonly #from: ProjectState;
  readonly #to: ProjectState;
  readonly #options: DetectorOptions;
  readonly #steps: Step[] = [];
  /** Apps that gave a model away: their next migration must come after the move. */
  readonly #gave: { readonly app: string; readonly to: string; readonly key: string }[] = [];

  constructor(from: ProjectState, to: ProjectState, options: DetectorOptions) {
    // Renames are made on this copy first; everything after them compares by the new names.
    this.#from = from.clone();
    this.#to = to;
    this.#options = options;
  }

  /** New migrations per app. Names and dependencies follow those in `graph`. */
  async changes(graph: MigrationGraph, name?: string): Promise<Map<string, Migration[]>> {
    const operations = await this.operations();
    return arrange(operations, this.#gave, graph, name);
  }

  /** All steps in one order that is safe to run. */
  async operations(): Promise<readonly Step[]> {
    await this.#renameModels();
    await this.#renameFields();
    const [unused] = this.#options.questioner.unused?.() ?? [];
    if (unused !== undefined) throw fault('SBY_MIGRATIONS_UNUSED_RENAME', { rename: unused });
    this.#removeParts();
    this.#alterOptions();
    const deferred = this.#removeFields();
    this.#createModels();
    await this.#addFields(deferred);
    await this.#alterFields();
    this.#addParts();
    this.#deleteModels();
    return this.#steps;
  }

  #push(app: string, operation: Operation, ...also: readonly string[]): void {
    this.#steps.push({ app, operation, touches: new Set([...(operation.touches(app) ?? []), ...also]) });
  }

  /** Pushes, and changes the copy of the old state too. */
  #apply(app: string, operation: Operation, ...also: readonly string[]): void {
    this.#push(app, operation, ...also);
    operation.stateForwards(app, this.#from);
  }

  /** Models that are in both states, old and new. */
  *#kept(): Generator<readonly [ModelState, ModelState]> {
    for (const [key, now] of this.#to.models) {
      const then = this.#from.get(key);
      if (then !== undefined) yield [then, now];
    }
  }

  async #renameModels(): Promise<void> {
    for (const [key, now] of this.#to.models) {
      if (this.#from.get(key) !== undefined) continue;
      for (const [oldKey, then] of [...this.#from.models]) {
        if (this.#to.get(oldKey) !== undefined) continue;
        if (this.#options.questioner.said?.(oldKey) === undefined && !similar(then, oldKey, now, key))
          continue;
        const related = this.#from.references(oldKey).map(({ model }) => modelKey(model.app, model.name));
        if (then.app === now.app) {
          if (!(await this.#options.questioner.renamedModel(then, now))) continue;
          this.#apply(now.app, new RenameModel({ from: then.name, to: now.name }), ...related);
        } else {
          if (then.name !== now.name || !(await this.#options.questioner.movedModel(then, now))) continue;
          this.#apply(now.app, new MoveModel({ name: now.name, fromApp: then.app }), ...related);
          this.#gave.push({ app: then.app, to: now.app, key });
        }
        break;
      }
    }
  }

  async #renameFields(): Promise<void> {
    for (const [, now] of [...this.#kept()])
      for (const [name, field] of now.fields) {
        const current = this.#from.model(now.app, now.name);
        if (fieldOf(current, name) !== undefined) continue;
        for (const [oldName, oldField] of current.fields) {
          if (fieldOf(now, oldName) !== undefined) continue;
          const said = this.#options.questioner.said?.(`${modelKey(now.app, now.name)}.${oldName}`);
          if (said === undefined && !sameField(oldName, oldField, name, field)) continue;
          if (!(await this.#options.questioner.renamedField(now, oldName, name, field))) continue;
          this.#apply(now.app, new RenameField({ model: now.name, from: oldName, to: name }));
          break;
        }
      }
  }

  #removeParts(): void {
    for (const [, now] of [...this.#kept()]) {
      const then = this.#from.model(now.app, now.name);
      const renamed = renamedIndexes(then, now);
      for (const [from, to] of renamed) this.#apply(now.app, new RenameIndex({ model: now.name, from, to }));
      const current = this.#from.model(now.app, now.name);
      for (const gone of changedParts(current, now, 'indexes'))
        this.#apply(now.app, new RemoveIndex({ model: now.name, name: gone }));
      for (const gone of changedParts(current, now, 'constraints'))
        this.#apply(now.app, new RemoveConstraint({ model: now.name, name: gone }));
      const before = groups(current);
      const wanted = groups(now);
      const stay = before.filter((group) => wanted.some((other) => samePlain(group, other)));
      if (stay.length !== before.length)
        this.#apply(now.app, new AlterUniqueTogether({ name: now.name, uniqueTogether: stay }));
    }
  }

  #alterOptions(): void {
    for (const [then, now] of [...this.#kept()]) {
      const { app, name } = now;
      if (then.options['table'] !== now.options['table'])
        this.#apply(
          app,
          new AlterModelTable({ name, table: (now.options['table'] as string | undefined) ?? null }),
        );
      if (then.options['comment'] !== now.options['comment'])
        this.#apply(
          app,
          new AlterModelComment({ name, comment: (now.options['comment'] as string | undefined) ?? null }),
        );
      const owned = (model: ModelState): Record<string, unknown> =>
        Object.fromEntries(
          AlterModelOptions.owns
            .filter((option) => model.options[option] !== undefined)
            .map((option) => [option, model.options[option]]),
        );
      if (!samePlain(owned(then), owned(now)))
        this.#apply(app, new AlterModelOptions({ name, options: owned(now) }));
    }
  }

  /** Fields that are gone, and those that become something a column cannot be altered to. */
  #removeFields(): Set<string> {
    const again = new Set<string>();
    for (const [, now] of [...this.#kept()]) {
      const current = this.#from.model(now.app, now.name);
      for (const [name, field] of current.fields) {
        const wanted = fieldOf(now, name);
        if (wanted !== undefined && canAlter(field, wanted)) continue;
        if (wanted !== undefined) again.add(`${modelKey(now.app, now.name)}.${name}`);
        this.#apply(now.app, new RemoveField({ model: now.name, name }), ...targetsOf(field));
      }
    }
    return again;
  }

  #createModels(): void {
    const fresh = [...this.#to.models].filter(([key]) => this.#from.get(key) === undefined);
    const pending = new Map(fresh);
    const done = new Set<string>();
    const visit = (key: string, model: ModelState, path: ReadonlySet<string>): void => {
      if (done.has(key)) return;
      const inside = new Set(path).add(key);
      for (const [, field] of model.fields)
        for (const target of targetsOf(field)) {
          const other = pending.get(target);
          if (other !== undefined && !inside.has(target)) visit(target, other, inside);
        }
      if (done.has(key)) return;
      done.add(key);
      // A target that is made later closes a cycle: the field follows when both are there.
      const late = ([, field]: readonly [string, FieldState]): boolean =>
        targetsOf(field).some((target) => target !== key && pending.has(target) && !done.has(target));
      const now = model.fields.filter((entry) => !late(entry));
      const lateNames = model.fields.filter(late).map(([name]) => name);
      const { indexes, constraints, uniqueTogether, ...rest } = model.options;
      const partsLater = lateNames.length > 0;
      this.#apply(
        model.app,
        new CreateModel({
          name: model.name,
          fields: Object.fromEntries(now),
          options: partsLater
            ? rest
            : {
                ...rest,
                ...(indexes === undefined ? {} : { indexes: indexes as PartState[] }),
                ...(constraints === undefined ? {} : { constraints: constraints as PartState[] }),
                ...(uniqueTogether === undefined ? {} : { uniqueTogether: uniqueTogether as string[][] }),
              },
        }),
      );
    };
    for (const [key, model] of fresh) visit(key, model, new Set());
  }

  async #addFields(again: ReadonlySet<string>): Promise<void> {
    for (const [, now] of [...this.#kept()]) {
      const then = this.#from.model(now.app, now.name);
      const fresh = this.#steps.some(
        (step) =>
          step.app === now.app && step.operation instanceof CreateModel && step.operation.model === now.name,
      );
      for (const [name, field] of now.fields) {
        if (fieldOf(then, name) !== undefined) continue;
        await this.#vacate(now, name, field, new Set());
        const answer =
          fresh && !again.has(`${modelKey(now.app, now.name)}.${name}`)
            ? undefined
            : await this.#fill(now, name, field, 'added');
        this.#apply(
          now.app,
          new AddField({
            model: now.name,
            name,
            field,
            ...(answer === undefined ? {} : { fill: answer.value as string }),
          }),
        );
      }
    }
  }

  async #alterFields(): Promise<void> {
    for (const [, now] of [...this.#kept()])
      for (const [name] of now.fields) await this.#alterField(now, name, new Set());
  }

  async #alterField(now: ModelState, name: string, moving: Set<string>): Promise<void> {
    const before = fieldOf(this.#from.model(now.app, now.name), name);
    const field = fieldOf(now, name);
    if (before === undefined || field === undefined || samePlain(before, field)) return;
    await this.#vacate(now, name, field, moving);
    const tightened = before.options['null'] === true && field.options['null'] !== true;
    const answer = tightened ? await this.#fill(now, name, field, 'not null') : undefined;
    const fill = answer === undefined ? {} : { fill: answer.value as string };
    this.#apply(now.app, new AlterField({ model: now.name, name, field, ...fill }), ...targetsOf(before));
  }

  /** Lets the field that holds the column that `name` is to have give it up first. */
  async #vacate(now: ModelState, name: string, field: FieldState, moving: Set<string>): Promise<void> {
    if (field.kind === 'manyToMany') return;
    const column = columnOf(name, field).toLowerCase();
    const holder = this.#from
      .model(now.app, now.name)
      .fields.find(
        ([other, one]) =>
          other !== name && one.kind !== 'manyToMany' && columnOf(other, one).toLowerCase() === column,
      );
    if (holder === undefined) return;
    const [other, one] = holder;
    if (!moving.has(other)) return this.#alterField(now, other, new Set(moving).add(name));
    // Two fields swap their columns: one of them steps aside.
    const aside = { kind: one.kind, options: { ...one.options, column: `${column}_old` } };
    this.#apply(now.app, new AlterField({ model: now.name, name: other, field: aside }));
  }

  async #fill(
    model: ModelState,
    name: string,
    field: FieldState,
    why: 'added' | 'not null',
  ): Promise<FillAnswer> {
    const { options, kind } = field;
    const needs =
      options['null'] !== true &&
      kind !== 'manyToMany' &&
      options['default'] === undefined &&
      options['dbDefault'] === undefined &&
      options['generated'] === undefined &&
      !['auto', 'bigAuto', 'smallAuto'].includes(kind);
    if (!needs) return undefined;
    if (options['defaultFunction'] === true && options['unique'] !== true && options['primaryKey'] !== true) {
      const called = this.#options.callDefault?.(modelKey(model.app, model.name), name);
      if (called !== undefined) return { value: encodeValue(called.value) };
    }
    if (options['autoNow'] === true || options['autoNowAdd'] === true)
      return {
        value: {
          sql: kind === 'date' ? 'CURRENT_DATE' : kind === 'time' ? 'CURRENT_TIME' : 'CURRENT_TIMESTAMP',
        },
      };
    return this.#options.questioner.fill(model, name, field, why);
  }

  #addParts(): void {
    for (const [, now] of [...this.#kept()]) {
      const then = this.#from.model(now.app, now.name);
      const has = (place: 'indexes' | 'constraints', part: PartState): boolean =>
        partsOf(then, place).some((other) => other.options['name'] === part.options['name']);
      for (const index of partsOf(now, 'indexes'))
        if (!has('indexes', index)) this.#apply(now.app, new AddIndex({ model: now.name, index }));
      for (const constraint of partsOf(now, 'constraints'))
        if (!has('constraints', constraint))
          this.#apply(now.app, new AddConstraint({ model: now.name, constraint }));
      if (!samePlain(groups(then), groups(now)))
        this.#apply(now.app, new AlterUniqueTogether({ name: now.name, uniqueTogether: groups(now) }));
    }
  }

  /** Removes the indexes and constraints that name a field which has to go before its model. */
  #dropParts(app: string, name: string, field: string): void {
    const mentions = (value: unknown): boolean => {
      if (Array.isArray(value)) return value.some(mentions);
      if (typeof value === 'object' && value !== null)
        return Object.entries(value).some(([key, item]) => mentions(key) || mentions(item));
      return typeof value === 'string' && new RegExp(`(^|\\W)${field}(\\W|__|$)`).test(value);
    };
    const model = this.#from.model(app, name);
    for (const part of partsOf(model, 'indexes'))
      if (mentions({ ...part.options, name: '' }))
        this.#apply(app, new RemoveIndex({ model: name, name: String(part.options['name']) }));
    for (const part of partsOf(model, 'constraints'))
      if (mentions({ ...part.options, name: '' }))
        this.#apply(app, new RemoveConstraint({ model: name, name: String(part.options['name']) }));
    const stay = groups(model).filter((group) => !group.includes(field));
    if (stay.length !== groups(model).length)
      this.#apply(app, new AlterUniqueTogether({ name, uniqueTogether: stay }));
  }

  #deleteModels(): void {
    const gone = new Map([...this.#from.models].filter(([key]) => this.#to.get(key) === undefined));
    const done = new Set<string>();
    const path = new Set<string>();
    // What refers to a model goes before it; a cycle is opened by removing the field.
    const visit = (key: string, model: ModelState): void => {
      if (done.has(key)) return;
      path.add(key);
      for (const { model: other, name } of this.#from.references(key)) {
        const otherKey = modelKey(other.app, other.name);
        if (otherKey === key || done.has(otherKey)) continue;
        if (path.has(otherKey)) {
          this.#dropParts(other.app, other.name, name);
          if (fieldOf(this.#from.model(other.app, other.name), name) !== undefined)
            this.#apply(other.app, new RemoveField({ model: other.name, name }), key);
        } else if (gone.has(otherKey)) visit(otherKey, this.#from.model(other.app, other.name));
      }
      path.delete(key);
      if (done.has(key)) return;
      done.add(key);
      const targets = this.#from.model(model.app, model.name).fields.flatMap(([, field]) => targetsOf(field));
      this.#apply(model.app, new DeleteModel({ name: model.name }), ...targets);
    };
    for (const [key, model] of gone) visit(key, model);
  }
}

const groups = (model: ModelState): readonly (readonly string[])[] =>
  (model.options['uniqueTogether'] as readonly (readonly string[])[] | undefined) ?? [];

/**
 * Most of their fields are the same, by name and kind; or all of them are, whatever their names: those can be renamed
 * too. References to itself count as the same.
 */
function similar(then: ModelState, oldKey: string, now: ModelState, key: string): boolean {
  const old = then.fields.filter(([, field]) => field.options['primaryKey'] !== true);
  const fresh = now.fields.filter(([, field]) => field.options['primaryKey'] !== true);
  const most = Math.max(old.length, fresh.length);
  const common = old.filter(([name, field]) => {
    const other = fieldOf(now, name);
    if (other === undefined || other.kind !== field.kind) return false;
    return !isRelation(field) || retargetField(field, oldKey, key).options['to'] === other.options['to'];
  }).length;
  if (common === most || (common >= 2 && common * 3 >= most * 2)) return true;
  return (
    old.length === fresh.length &&
    old.every(([, field], at) => samePlain(retargetField(field, oldKey, key), fresh[at]?.[1]))
  );
}

/** The same definition; the column's name may follow the field's. */
function sameField(oldName: string, old: FieldState, name: string, field: FieldState): boolean {
  if (samePlain(old, field)) return true;
  // Renamed in the program, kept in the database: `title: text({ column: 'name' })`.
  const { column, ...rest } = field.options;
  return (
    column === columnOf(oldName, old) &&
    name !== oldName &&
    samePlain({ ...old.options, column: undefined }, rest) &&
    old.kind === field.kind
  );
}

/** A many-to-many field has no column, and the other way round. */
function canAlter(before: FieldState, now: FieldState): boolean {
  const many = before.kind === 'manyToMany';
  if (many !== (now.kind === 'manyToMany')) return false;
  if (many)
    return (
      samePlain(before.options['to'], now.options['to']) &&
      before.options['through'] === now.options['through']
    );
  const wasGenerated = before.options['generated'] !== undefined;
  if (wasGenerated !== (now.options['generated'] !== undefined)) return false;
  if (wasGenerated) return samePlain(before.options['generated'], now.options['generated']);
  return isRelation(before) === isRelation(now) || isForeignKey(before) || isForeignKey(now);
}

const withoutName = ({ kind, options: { name: _, ...options } }: PartState): unknown => ({ kind, options });

/** Indexes that differ in their names alone: [old, new]. */
function renamedIndexes(then: ModelState, now: ModelState): [string, string][] {
  const old = partsOf(then, 'indexes');
  const fresh = partsOf(now, 'indexes').filter(
    (part) => !old.some((other) => other.options['name'] === part.options['name']),
  );
  const pairs: [string, string][] = [];
  for (const part of old) {
    if (partsOf(now, 'indexes').some((other) => other.options['name'] === part.options['name'])) continue;
    const at = fresh.findIndex((other) => samePlain(withoutName(other), withoutName(part)));
    if (at >= 0) pairs.push([String(part.options['name']), String(fresh.splice(at, 1)[0]?.options['name'])]);
  }
  return pairs;
}

/** Names of parts that are gone or that changed. */
function changedParts(then: ModelState, now: ModelState, place: 'indexes' | 'constraints'): string[] {
  return partsOf(then, place)
    .filter((part) => !partsOf(now, place).some((other) => samePlain(other, part)))
    .map((part) => String(part.options['name']));
}

/**
 * Cuts the steps into migrations. Each app keeps adding to its newest one, unless that would make two migrations
 * wait for each other; then a further one is begun.
 */
function arrange(
  steps: readonly Step[],
  gave: readonly { readonly app: string; readonly to: string; readonly key: string }[],
  graph: MigrationGraph,
  name: string | undefined,
): Map<string, Migration[]> {
  interface Draft {
    readonly app: string;
    readonly steps: Step[];
    readonly after: Set<Draft>;
    readonly outside: Set<string>;
  }
  const drafts = new Map<string, Draft[]>();
  const reaches = (from: Draft, target: Draft, seen = new Set<Draft>()): boolean => {
    if (from === target) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...from.after].some((next) => reaches(next, target, seen));
  };
  const begin = (app: string): Draft => {
    const list = drafts.get(app) ?? [];
    const previous = list.at(-1);
    const draft: Draft = { app, steps: [], after: new Set(previous ? [previous] : []), outside: new Set() };
    drafts.set(app, [...list, draft]);
    return draft;
  };
  const placed: { readonly step: Step; readonly draft: Draft }[] = [];
  for (const step of steps) {
    // It follows every earlier step of another app that touches one of its models.
    const needs = new Set(
      placed
        .filter(
          (other) =>
            other.step.app !== step.app && [...step.touches].some((key) => other.step.touches.has(key)),
        )
        .map((other) => other.draft),
    );
    let draft = drafts.get(step.app)?.at(-1) ?? begin(step.app);
    if ([...needs].some((need) => reaches(need, draft))) draft = begin(step.app);
    for (const need of needs) draft.after.add(need);
    for (const key of step.touches) {
      const app = key.slice(0, key.indexOf('.'));
      if (app !== step.app) draft.outside.add(app);
    }
    draft.steps.push(step);
    placed.push({ step, draft });
  }
  for (const { app, to, key } of gave) {
    const mover = placed.find(
      ({ step }) => step.app === to && step.operation instanceof MoveModel && step.touches.has(key),
    );
    const marker = begin(app);
    if (mover !== undefined) marker.after.add(mover.draft);
  }
  const names = new Map<Draft, string>();
  for (const [app, list] of drafts) {
    const leaf = graph.leaves(app)[0];
    let number = leaf === undefined ? 0 : Number.parseInt(leaf.slice(app.length + 1), 10) || 0;
    for (const [position, draft] of list.entries()) {
      number++;
      const operations = optimize(
        draft.steps.map((step) => step.operation),
        app,
      );
      draft.steps.splice(
        0,
        draft.steps.length,
        ...operations.map((operation) => ({ app, operation, touches: new Set<string>() })),
      );
      const isFirst = leaf === undefined && position === 0;
      const suffix = name ?? (isFirst ? 'initial' : suggestName(operations));
      names.set(draft, `${String(number).padStart(4, '0')}_${suffix}`);
    }
  }
  const result = new Map<string, Migration[]>();
  for (const [app, list] of drafts) {
    const leaf = graph.leaves(app)[0];
    const migrations = list.map((draft, position) => {
      const dependencies = new Set<string>();
      if (position === 0 && leaf !== undefined) dependencies.add(leaf);
      for (const other of draft.after) dependencies.add(`${other.app}.${names.get(other)}`);
      for (const other of draft.outside) {
        if ([...draft.after].some((after) => after.app === other)) continue;
        const otherLeaf = graph.leaves(other)[0];
        if (otherLeaf !== undefined) dependencies.add(otherLeaf);
      }
      return new Migration(app, names.get(draft) as string, {
        dependencies: [...dependencies].sort(),
        operations: draft.steps.map((step) => step.operation),
        ...(leaf === undefined && position === 0 ? { initial: true } : {}),
      });
    });
    result.set(app, migrations);
  }
  return result;
}

/** `article_author_slug`, at most 52 characters, from what the operations do. */
export function suggestName(operations: readonly Operation[]): string {
  const fragments = operations.map((operation) => operation.fragment).filter((fragment) => fragment !== '');
  if (fragments.length === 0) return operations.length === 0 ? 'empty' : 'custom';
  let name = fragments[0] as string;
  for (const fragment of fragments.slice(1)) {
    const longer = `${name}_${fragment}`;
    if (longer.length > 52) return `${name}_and_more`;
    name = longer;
  }
  return name.replace(/\W+/g, '_');
}
