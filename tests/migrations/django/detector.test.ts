/** What makemigrations writes for a change, against what Django 3.2 writes for it. answers.py asks Django. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  Autodetector,
  type FieldState,
  field,
  type Migration,
  MigrationGraph,
  MigrationLoader,
  type ModelState,
  type Operation,
  ProjectState,
  type Questioner,
} from '../../../src/db/migrations/index.ts';
import { type CaseModel, cases } from './cases.ts';
import { different } from './different.ts';

type Answer = Readonly<Record<string, readonly (readonly string[])[]>>;
const answers = JSON.parse(readFileSync(join(import.meta.dirname, 'answers.json'), 'utf8')) as Readonly<
  Record<string, Answer>
>;

function fieldOf(text: string): FieldState {
  const [what = '', ...flags] = text.split(' ');
  const [kind, target = ''] = what.split(':');
  const options: Record<string, unknown> = {};
  for (const flag of flags) {
    const [name, value] = flag.split('=');
    if (name === 'col') options['column'] = value;
    else if (name === 'through') options['through'] = value;
    else options[name as string] = name === 'default' ? 7 : true;
  }
  switch (kind) {
    case 'text':
      return field.text({ maxLength: Number(target), ...options });
    case 'int':
      return field.integer(options);
    case 'pk':
      return target === 'big'
        ? field.bigAuto({ primaryKey: true })
        : target === 'int'
          ? field.integer({ primaryKey: true })
          : field.text({ maxLength: 9, primaryKey: true });
    case 'fk':
      return field.foreignKey(target, options);
    case 'o2o':
      return field.oneToOne(target, options);
    default:
      return field.manyToMany(target, options);
  }
}

function stateOf(models: Readonly<Record<string, CaseModel>>): ProjectState {
  return new ProjectState(
    Object.entries(models).map(([key, model]): ModelState => {
      const [app = '', name = ''] = key.split('.');
      const fields = Object.entries(model.fields).map(([one, text]) => [one, fieldOf(text)] as const);
      const parts = (kind: string, given: Readonly<Record<string, readonly string[]>> = {}): object[] =>
        Object.entries(given).map(([part, names]) => ({ kind, options: { name: part, fields: [...names] } }));
      const options: Record<string, unknown> = {};
      if (model.unique !== undefined) options['uniqueTogether'] = model.unique;
      if (model.indexes !== undefined) options['indexes'] = parts('index', model.indexes);
      if (model.constraints !== undefined) options['constraints'] = parts('unique', model.constraints);
      if (model.ordering !== undefined) options['ordering'] = model.ordering;
      if (model.table !== undefined) options['table'] = model.table;
      if (model.verbose !== undefined) options['verboseName'] = model.verbose;
      if (model.managed === false) options['managed'] = false;
      const keyed = fields.some(([, one]) => one.options['primaryKey'] === true);
      return {
        app,
        name,
        fields: keyed ? fields : [['id', field.bigAuto({ primaryKey: true })], ...fields],
        options,
      };
    }),
  );
}

/** As answers.py describes Django's. */
function described(operation: Operation): string {
  const kind = operation.callee.replace(/^./, (first) => first.toUpperCase());
  const plain = operation.deconstruct();
  const text = (name: string): string => String(plain[name]);
  if (kind === 'RenameModel')
    return `${kind} ${text('from')} ${text('to')}`.toLowerCase().replace(/^\w+/, kind);
  const model = plain['model'] === undefined ? text('name') : text('model');
  if (kind === 'RenameField' || kind === 'RenameIndex')
    return `${kind} ${model.toLowerCase()} ${text('from')} ${text('to')}`;
  if (plain['model'] === undefined) return `${kind} ${model.toLowerCase()}`;
  const part = (plain['index'] ?? plain['constraint']) as { options: { name: string } } | undefined;
  return `${kind} ${model.toLowerCase()} ${part === undefined ? text('name') : part.options.name}`;
}

async function ours(one: (typeof cases)[number]): Promise<Answer> {
  const questioner: Questioner = {
    renamedModel: async () => one.rename,
    movedModel: async () => one.rename,
    renamedField: async () => one.rename,
    fill: async () => ({ value: 1 }),
  };
  const detect = async (graph: MigrationGraph, to: ProjectState): Promise<Map<string, Migration[]>> =>
    new Autodetector(graph.state(), to, { questioner }).changes(graph);
  const first = [...(await detect(new MigrationGraph(), stateOf(one.from))).values()].flat();
  const made = await detect(MigrationLoader.of(first).graph(), stateOf(one.to));
  // And whatever was made leads to the models.
  const all = MigrationLoader.of([...first, ...[...made.values()].flat()]).graph();
  assert.deepEqual(all.conflicts().size, 0);
  assert.deepEqual([...(await detect(all, stateOf(one.to))).values()].flat(), []);
  return Object.fromEntries(
    [...made]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([app, migrations]) => [app, migrations.map((migration) => migration.operations.map(described))]),
  );
}

describe('the autodetector and Django', () => {
  for (const one of cases)
    it(one.name, async () => {
      const mine = await ours(one);
      const known = different[one.name];
      if (known === undefined) assert.deepEqual(mine, answers[one.name]);
      else {
        assert.deepEqual(mine, known.ours, known.why);
        assert.notDeepEqual(mine, answers[one.name], 'no longer different');
      }
    });
  it('knows an answer for every case, and differs in nothing that is not a case', () => {
    const names = cases.map(({ name }) => name);
    assert.deepEqual(Object.keys(answers), names);
    for (const name of Object.keys(different)) assert.ok(names.includes(name), name);
  });
});
