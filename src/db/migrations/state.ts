/**
 * The project's models as plain data at one point of its history. Nothing here knows a database or a class:
 * a state is made from live models (live.ts) or by running operations over an empty one.
 */
import { fault } from '../../errors/index.ts';

/** A field as plain data, the form in which every field describes itself. */
export interface FieldState {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** An index or a constraint as plain data. */
export interface PartState {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export type FieldEntry = readonly [name: string, field: FieldState];

export interface ModelState {
  readonly app: string;
  readonly name: string;
  readonly fields: readonly FieldEntry[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where a field of another model refers to a model. */
export interface Reference {
  readonly model: ModelState;
  readonly name: string;
  readonly field: FieldState;
}

export const modelKey = (app: string, name: string): string => `${app}.${name}`;

/** `shop.Author`, or `Author` of the app at hand. */
export const resolveKey = (app: string, name: string): string =>
  name.includes('.') ? name : `${app}.${name}`;

export function appOf(key: string): string {
  return key.slice(0, key.indexOf('.'));
}

export const isForeignKey = (field: FieldState): boolean =>
  field.kind === 'foreignKey' || field.kind === 'oneToOne';
export const isRelation = (field: FieldState): boolean => isForeignKey(field) || field.kind === 'manyToMany';

/** Keys of the models that a field names: its target and, for a many-to-many field, the model between. */
export function targetsOf(field: FieldState): string[] {
  if (!isRelation(field)) return [];
  const { to, through } = field.options;
  return [to, through].filter((key): key is string => typeof key === 'string');
}

export function fieldOf(model: ModelState, name: string): FieldState | undefined {
  return model.fields.find(([other]) => other === name)?.[1];
}

export function partsOf(model: ModelState, option: 'indexes' | 'constraints'): readonly PartState[] {
  return (model.options[option] as readonly PartState[] | undefined) ?? [];
}

/** Whether migrations create and change the model's table. */
export const isManaged = (model: ModelState): boolean =>
  model.options['managed'] !== false && model.options['abstract'] !== true;

export class ProjectState {
  readonly models: Map<string, ModelState>;

  constructor(models: Iterable<ModelState> | Map<string, ModelState> = []) {
    this.models =
      models instanceof Map
        ? new Map(models)
        : new Map([...models].map((model) => [modelKey(model.app, model.name), model]));
  }

  /** Cheap: model states are never changed in place. */
  clone(): ProjectState {
    return new ProjectState(this.models);
  }

  get(key: string): ModelState | undefined {
    return this.models.get(key);
  }

  model(app: string, name: string): ModelState {
    const key = resolveKey(app, name);
    const found = this.models.get(key);
    if (found === undefined)
      throw fault('SBY_MIGRATIONS_NO_MODEL', { model: key, known: this.namesOf(appOf(key)) });
    return found;
  }

  field(app: string, name: string, field: string): FieldState {
    const model = this.model(app, name);
    const found = fieldOf(model, field);
    if (found === undefined)
      throw fault('SBY_MIGRATIONS_NO_FIELD', {
        model: modelKey(model.app, model.name),
        field,
        known: model.fields.map(([known]) => known),
      });
    return found;
  }

  namesOf(app: string): string[] {
    return [...this.models.values()].filter((model) => model.app === app).map((model) => model.name);
  }

  add(model: ModelState): void {
    const key = modelKey(model.app, model.name);
    if (this.models.has(key)) throw fault('SBY_MIGRATIONS_MODEL_EXISTS', { model: key });
    this.models.set(key, model);
  }

  remove(app: string, name: string): void {
    const model = this.model(app, name);
    this.models.delete(modelKey(model.app, model.name));
  }

  /** Puts a changed model in the place of its old state, keeping the order. */
  replace(model: ModelState): void {
    this.models.set(modelKey(model.app, model.name), model);
  }

  /** Gives a model another name, or another app, and mends every field that refers to it. */
  rename(fromKey: string, app: string, name: string): void {
    const old = this.models.get(fromKey);
    if (old === undefined)
      throw fault('SBY_MIGRATIONS_NO_MODEL', { model: fromKey, known: this.namesOf(appOf(fromKey)) });
    const toKey = modelKey(app, name);
    if (this.models.has(toKey)) throw fault('SBY_MIGRATIONS_MODEL_EXISTS', { model: toKey });
    const entries = [...this.models];
    this.models.clear();
    for (const [key, model] of entries) {
      const renamed = key === fromKey ? { ...model, app, name } : model;
      this.models.set(key === fromKey ? toKey : key, retarget(renamed, fromKey, toKey));
    }
  }

  addField(app: string, name: string, field: string, definition: FieldState): void {
    const model = this.model(app, name);
    if (fieldOf(model, field) !== undefined)
      throw fault('SBY_MIGRATIONS_FIELD_EXISTS', { model: modelKey(model.app, model.name), field });
    this.replace({ ...model, fields: [...model.fields, [field, definition]] });
  }

  removeField(app: string, name: string, field: string): void {
    this.field(app, name, field);
    const model = this.model(app, name);
    this.replace({ ...model, fields: model.fields.filter(([other]) => other !== field) });
  }

  alterField(app: string, name: string, field: string, definition: FieldState): void {
    this.field(app, name, field);
    const model = this.model(app, name);
    this.replace({
      ...model,
      fields: model.fields.map((entry) => (entry[0] === field ? ([field, definition] as const) : entry)),
    });
  }

  renameField(app: string, name: string, from: string, to: string): void {
    this.field(app, name, from);
    const model = this.model(app, name);
    const key = modelKey(model.app, model.name);
    if (fieldOf(model, to) !== undefined)
      throw fault('SBY_MIGRATIONS_FIELD_EXISTS', { model: key, field: to });
    this.replace({
      ...model,
      fields: model.fields.map(([other, field]) => [other === from ? to : other, field] as const),
      options: renameInOptions(model.options, from, to),
    });
    for (const { model: other, name: fieldName, field } of this.references(key))
      if (field.options['toField'] === from)
        this.alterField(other.app, other.name, fieldName, {
          ...field,
          options: { ...field.options, toField: to },
        });
  }

  setOptions(app: string, name: string, change: Readonly<Record<string, unknown>>): void {
    const model = this.model(app, name);
    const options: Record<string, unknown> = { ...model.options, ...change };
    for (const key of Object.keys(options)) if (options[key] === undefined) delete options[key];
    this.replace({ ...model, options });
  }

  /** Fields, of this model too, that refer to the model. */
  references(key: string): Reference[] {
    const found: Reference[] = [];
    for (const model of this.models.values())
      for (const [name, field] of model.fields)
        if (targetsOf(field).includes(key)) found.push({ model, name, field });
    return found;
  }
}

function retarget(model: ModelState, from: string, to: string): ModelState {
  if (!model.fields.some(([, field]) => targetsOf(field).includes(from))) return model;
  return { ...model, fields: model.fields.map(([name, field]) => [name, retargetField(field, from, to)]) };
}

export function retargetField(field: FieldState, from: string, to: string): FieldState {
  if (!targetsOf(field).includes(from)) return field;
  const options: Record<string, unknown> = { ...field.options };
  for (const key of ['to', 'through']) if (options[key] === from) options[key] = to;
  return { kind: field.kind, options };
}

/** Options that name fields: they follow a rename. */
function renameInOptions(
  options: Readonly<Record<string, unknown>>,
  from: string,
  to: string,
): Record<string, unknown> {
  const changed: Record<string, unknown> = { ...options };
  const rename = (name: unknown): unknown => (typeof name === 'string' ? renamePath(name, from, to) : name);
  if (Array.isArray(options['ordering'])) changed['ordering'] = options['ordering'].map(rename);
  if (options['getLatestBy'] !== undefined)
    changed['getLatestBy'] = Array.isArray(options['getLatestBy'])
      ? options['getLatestBy'].map(rename)
      : rename(options['getLatestBy']);
  if (Array.isArray(options['uniqueTogether']))
    changed['uniqueTogether'] = options['uniqueTogether'].map((group: unknown[]) => group.map(rename));
  for (const part of ['indexes', 'constraints'])
    if (Array.isArray(options[part]))
      changed[part] = (options[part] as PartState[]).map((state) => renameInPart(state, from, to));
  return changed;
}

function renamePath(path: string, from: string, to: string): string {
  const sign = path.startsWith('-') ? '-' : '';
  const bare = path.slice(sign.length);
  if (bare === from) return sign + to;
  return bare.startsWith(`${from}__`) ? sign + to + bare.slice(from.length) : path;
}

/**
 * Field names stand in `fields`, `include`, in the keys of conditions, and in the left sides of exclusions.
 * SQL text is the programmer's and stays.
 */
export function renameInPart(part: PartState, from: string, to: string): PartState {
  const options: Record<string, unknown> = { ...part.options };
  for (const key of ['fields', 'include', 'opclasses'])
    if (Array.isArray(options[key]))
      options[key] = (options[key] as unknown[]).map((name) =>
        typeof name === 'string' ? renamePath(name, from, to) : name,
      );
  for (const key of ['condition', 'check', 'where', 'expressions'])
    if (options[key] !== undefined) options[key] = renameInCondition(options[key], from, to);
  return { kind: part.kind, options };
}

function renameInCondition(value: unknown, from: string, to: string): unknown {
  if (Array.isArray(value)) return value.map((item) => renameInCondition(item, from, to));
  if (typeof value !== 'object' || value === null) return value;
  const changed: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const isName = key === '$field' && typeof item === 'string';
    changed[renamePath(key, from, to)] = isName
      ? renamePath(item as string, from, to)
      : renameInCondition(item, from, to);
  }
  return changed;
}

/** Deep equality of plain data, without regard to the order of keys; `undefined` equals absence. */
export function samePlain(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, i) => samePlain(item, b[i]))
    );
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
    if (!samePlain(left[key], right[key])) return false;
  return true;
}
