/** Models as they were at one point of the history, for data steps. */
import { fault } from '../../errors/index.ts';
import type { Executor } from '../backends/base.ts';
import type { AnyField } from '../fields/field.ts';
import { ValueField } from '../fields/field.ts';
import { ForeignKeyField, ManyToManyField } from '../fields/relations.ts';
import { extend, Model } from '../model/model.ts';
import type { ModelClass } from '../typing/model.ts';
import { decodeValue } from './fields.ts';
import { type FieldState, isForeignKey, type ModelState, modelKey, type ProjectState } from './state.ts';

/** A model class without known types: its rows are records. */
export type HistoricalModel = ModelClass<Record<string, never>>;

export class HistoricalApps {
  readonly #state: ProjectState;
  readonly #models = new Map<string, unknown>();
  /** Alias of the database that is being migrated. */
  readonly alias: string;
  /** For SQL: the transaction of the migration. */
  readonly connection: Executor;

  constructor(state: ProjectState, alias: string, connection: Executor) {
    this.#state = state;
    this.alias = alias;
    this.connection = connection;
  }

  /**
   * The model `shop.Article` as it was then. With the fields that the step uses the class is typed by them, and
   * they are compared with what the model had: `apps.model('shop.Article', { title: text({ maxLength: 200 }) })`.
   * Methods and managers are today's, so it has none of them.
   */
  model<F extends object>(key: string, fields: F): ModelClass<F>;
  model(key: string): HistoricalModel;
  model(key: string, fields?: object): unknown {
    const state = this.#state.get(key);
    if (state === undefined)
      throw fault('SBY_MIGRATIONS_NO_MODEL', { model: key, known: [...this.#state.models.keys()] });
    for (const [name, given] of Object.entries(fields ?? {})) this.#compare(state, name, given as AnyField);
    return this.#class(state);
  }

  #compare(state: ModelState, name: string, given: AnyField): void {
    const known = state.fields.find(([other]) => other === name)?.[1];
    const key = modelKey(state.app, state.name);
    if (known === undefined)
      throw fault('SBY_MIGRATIONS_NO_FIELD', {
        model: key,
        field: name,
        known: state.fields.map(([other]) => other),
      });
    if (known.kind !== given.kind || (known.options['null'] === true) !== (given.options['null'] === true))
      throw fault('SBY_MIGRATIONS_OTHER_FIELD', {
        field: `${key}.${name}`,
        was: describeField(known),
        given: describeField({ kind: given.kind, options: given.options }),
      });
  }

  #class(state: ModelState): unknown {
    const key = modelKey(state.app, state.name);
    const found = this.#models.get(key);
    if (found !== undefined) return found;
    const declared: Record<string, unknown> = {};
    for (const [name, field] of state.fields)
      Object.defineProperty(declared, name, {
        enumerable: true,
        get: () => this.#field(field),
      });
    const options: Record<string, unknown> = { app: state.app };
    for (const option of ['table', 'ordering', 'getLatestBy'])
      if (state.options[option] !== undefined) options[option] = state.options[option];
    // A model that extends one with a table has the fields of that one too.
    const link = state.fields.find(([, field]) => field.options['parentLink'] === true)?.[1];
    const Base = (link === undefined
      ? Model(declared, options)
      : extend(
          this.#target(link.options['to']) as Parameters<typeof extend>[0],
          declared,
          options,
        )) as unknown as new () => object;
    const made = { [state.name]: class extends Base {} }[state.name];
    this.#models.set(key, made);
    return made;
  }

  #field({ kind, options }: FieldState): AnyField {
    const live: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(options)) {
      if (name === 'to' || name === 'through' || name === 'of' || name === 'defaultFunction') continue;
      live[name] = decodeValue(value);
    }
    if (isForeignKey({ kind, options }))
      return new ForeignKeyField(kind as 'foreignKey', this.#target(options['to']), live);
    if (kind === 'manyToMany') {
      const { through } = options;
      if (typeof through === 'string') live['through'] = () => this.#target(through);
      return new ManyToManyField(this.#target(options['to']), live);
    }
    if (kind === 'array') live['of'] = this.#field(options['of'] as FieldState);
    return new ValueField(kind as 'text', live);
  }

  #target(key: unknown): unknown {
    const state = this.#state.get(String(key));
    if (state === undefined)
      throw fault('SBY_MIGRATIONS_NO_MODEL', { model: String(key), known: [...this.#state.models.keys()] });
    return this.#class(state);
  }
}

function describeField({ kind, options }: FieldState): string {
  return `${kind}${options['null'] === true ? ', may be null' : ''}`;
}
