/** Random schemas as plain data. */
import fc from 'fast-check';
import {
  type FieldState,
  field,
  type ModelState,
  ProjectState,
  type Questioner,
} from '../../src/db/migrations/index.ts';

const KEYS = ['one.Alpha', 'one.Beta', 'one.Gamma', 'two.Delta', 'two.Epsilon'] as const;
const NAMES = ['title', 'pages', 'bornAt', 'state', 'owner'] as const;

const bool = fc.boolean();
const maybe = <T>(value: T): fc.Arbitrary<{ readonly value?: T }> => fc.constantFrom({}, { value });

const scalar: fc.Arbitrary<FieldState> = fc
  .record({
    kind: fc.constantFrom(
      'text',
      'varchar',
      'integer',
      'bigInteger',
      'smallInteger',
      'positiveInteger',
      'float',
      'decimal',
      'boolean',
      'date',
      'time',
      'dateTime',
      'duration',
      'json',
      'binary',
      'uuid',
      'ipAddress',
      'slug',
      'email',
      'array',
    ),
    null: bool,
    unique: fc.integer({ max: 5 }).map((n) => n === 0),
    index: fc.integer({ max: 3 }).map((n) => n === 0),
    column: maybe('renamed_col'),
    withDefault: bool,
    dbDefault: fc.integer({ max: 4 }).map((n) => n === 0),
    length: fc.constantFrom(10, 50),
  })
  .map(({ kind, null: isNull, unique, index, column, withDefault, dbDefault, length }) => {
    const common = {
      ...(isNull ? { null: true } : {}),
      ...(unique && kind !== 'json' ? { unique: true } : {}),
      ...(index && kind !== 'json' ? { index: true } : {}),
      ...(column.value === undefined ? {} : { column: column.value }),
    };
    const value = <V>(one: V): object => ({
      ...(withDefault ? { default: one } : {}),
      ...(dbDefault ? { dbDefault: one } : {}),
    });
    switch (kind) {
      case 'varchar':
        return field.text({ ...common, maxLength: length, ...value("it's") });
      case 'text':
        return field.text({ ...common, ...value('x') });
      case 'slug':
      case 'email':
        return field[kind]({ ...common, maxLength: length, ...value('a@b') });
      case 'bigInteger':
        return field.bigInteger({ ...common, ...value(9007199254740993n) });
      case 'integer':
      case 'smallInteger':
      case 'positiveInteger':
        return field[kind]({ ...common, ...value(7) });
      case 'float':
        return field.float({ ...common, ...value(1.5) });
      case 'decimal':
        return field.decimal({ ...common, maxDigits: length, decimalPlaces: 2, ...value('12.50') });
      case 'boolean':
        return field.boolean({ ...common, ...value(true) });
      case 'date':
        return field.date({ ...common, ...value('2026-04-30') });
      case 'time':
        return field.time({ ...common, ...value('12:30:00') });
      case 'dateTime':
        return field.dateTime({ ...common, ...value(new Date('2026-04-30T12:00:00Z')) });
      case 'duration':
        return field.duration({ ...common, ...value(1500) });
      case 'json':
        return field.json({ ...common, ...value({ a: ["it's", 1] }) });
      case 'binary':
        return field.binary({ ...common });
      case 'uuid':
        return field.uuid({ ...common, ...value('0f8fad5b-d9cb-469f-a165-70867728950e') });
      case 'ipAddress':
        return field.ipAddress({ ...common, ...value('127.0.0.1') });
      default:
        return field.array(field.text(), { ...common, ...value(['a']) });
    }
  });

const relation = (keys: readonly string[]): fc.Arbitrary<FieldState> =>
  fc
    .record({
      kind: fc.constantFrom('foreignKey', 'oneToOne', 'manyToMany'),
      to: fc.constantFrom(...keys),
      null: bool,
      constraint: fc.integer({ max: 5 }).map((n) => n > 0),
    })
    .map(({ kind, to, null: isNull, constraint }) =>
      kind === 'manyToMany'
        ? field.manyToMany(to)
        : field[kind as 'foreignKey'](to, {
            ...(isNull ? { null: true } : {}),
            ...(constraint ? {} : { constraint: false }),
          }),
    );

const primary: fc.Arbitrary<FieldState> = fc.constantFrom(
  field.bigAuto({ primaryKey: true }),
  field.bigAuto({ primaryKey: true }),
  field.bigAuto({ primaryKey: true }),
  field.auto({ primaryKey: true }),
  field.integer({ primaryKey: true }),
  field.uuid({ primaryKey: true }),
  field.text({ primaryKey: true, maxLength: 30 }),
);

const NUMBERS = new Set(['integer', 'bigInteger', 'smallInteger', 'positiveInteger', 'float']);
const INDEXABLE = new Set([
  'text',
  'slug',
  'email',
  'integer',
  'bigInteger',
  'date',
  'dateTime',
  'boolean',
  'foreignKey',
  'uuid',
]);

function model(key: string, keys: readonly string[]): fc.Arbitrary<ModelState> {
  return fc
    .record({
      pk: primary,
      pkColumn: fc.integer({ max: 6 }).map((n) => n === 0),
      fields: fc.uniqueArray(
        fc.tuple(
          fc.constantFrom(...NAMES),
          fc.oneof({ weight: 3, arbitrary: scalar }, { weight: 2, arbitrary: relation(keys) }),
        ),
        { selector: ([name]) => name, maxLength: 5 },
      ),
      table: fc.integer({ max: 5 }).map((n) => n === 0),
      together: bool,
      index: bool,
      partial: bool,
      descending: bool,
      check: bool,
      unique: bool,
      ordering: bool,
    })
    .map((given) => {
      const [app = '', name = ''] = key.split('.');
      // One column name may be taken once only.
      let taken = false;
      const fields = given.fields.map(([fieldName, one]): [string, FieldState] => {
        if (one.options['column'] === undefined || one.kind === 'manyToMany') return [fieldName, one];
        if (!taken) {
          taken = true;
          return [fieldName, one];
        }
        const { column: _, ...options } = one.options;
        return [fieldName, { kind: one.kind, options }];
      });
      const pk = given.pkColumn
        ? { kind: given.pk.kind, options: { ...given.pk.options, column: 'pk_col' } }
        : given.pk;
      const indexable = fields.filter(([, one]) => INDEXABLE.has(one.kind)).map(([fieldName]) => fieldName);
      const number = fields.find(([, one]) => NUMBERS.has(one.kind));
      const lower = `${app}_${name}`.toLowerCase();
      const options: Record<string, unknown> = {};
      if (given.table) options['table'] = `custom_${lower}`;
      if (given.ordering && fields.length > 0) options['ordering'] = ['-id'];
      if (given.together && indexable.length >= 2) options['uniqueTogether'] = [indexable.slice(0, 2)];
      const indexes: unknown[] = [];
      if (given.index && indexable.length > 0)
        indexes.push({
          kind: 'index',
          options: {
            name: `${lower}_first_idx`,
            fields: [`${given.descending ? '-' : ''}${indexable[0]}`],
            ...(given.partial && number !== undefined ? { condition: { [`${number[0]}__gt`]: 0 } } : {}),
          },
        });
      if (indexes.length > 0) options['indexes'] = indexes;
      const constraints: unknown[] = [];
      if (given.check && number !== undefined)
        constraints.push({
          kind: 'check',
          options: { name: `${lower}_check`, check: { [`${number[0]}__gte`]: 0 } },
        });
      if (given.unique && indexable.length > 0)
        constraints.push({
          kind: 'unique',
          options: {
            name: `${lower}_unique`,
            fields: [indexable.at(-1)],
            ...(given.partial && number !== undefined ? { condition: { [`${number[0]}__gt`]: 10 } } : {}),
          },
        });
      if (constraints.length > 0) options['constraints'] = constraints;
      return { app, name, fields: [['id', pk], ...fields], options };
    });
}

export const schema: fc.Arbitrary<ProjectState> = fc
  .subarray([...KEYS], { minLength: 1 })
  .chain((keys) => fc.tuple(...keys.map((key) => model(key, keys))))
  .map((models) => new ProjectState(models));

const FILLS: Readonly<Record<string, unknown>> = {
  integer: 0,
  bigInteger: 0,
  smallInteger: 0,
  positiveInteger: 0,
  float: 0,
  decimal: '0',
  boolean: false,
  date: '2000-01-01',
  time: '00:00:00',
  dateTime: { $date: '2000-01-01T00:00:00.000Z' },
  duration: 0,
  json: [],
  uuid: '00000000-0000-0000-0000-000000000000',
  ipAddress: '127.0.0.1',
  array: [],
  foreignKey: { sql: 'NULL' },
  oneToOne: { sql: 'NULL' },
  binary: { sql: "''" },
};

/** Answers every question the same way. */
export const questioner = (renames: boolean): Questioner => ({
  renamedModel: async () => renames,
  movedModel: async () => renames,
  renamedField: async () => renames,
  fill: async (_model, _name, one) => ({ value: FILLS[one.kind] ?? 'x' }),
});
