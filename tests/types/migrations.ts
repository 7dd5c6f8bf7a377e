/** What migration files may say, and what they may not. Checked by the compiler alone. */

import { integer, text } from 'sobaya/db';
import {
  addField,
  addIndex,
  alterModelTable,
  createModel,
  field,
  index,
  type MigrationDefinition,
  migration,
  moveModel,
  renameField,
  runCode,
  runSql,
  separateDatabaseAndState,
} from 'sobaya/db/migrations';

export const accepted: MigrationDefinition = migration({
  initial: true,
  atomic: false,
  dependencies: ['shop.0001_initial'],
  operations: [
    createModel({
      name: 'Author',
      fields: {
        id: field.bigAuto({ primaryKey: true }),
        name: field.text({ maxLength: 100, default: '' }),
        born: field.dateTime({ null: true, default: new Date(0) }),
        big: field.bigInteger({ default: 1n }),
        price: field.decimal({ maxDigits: 8, decimalPlaces: 2 }),
        tags: field.array(field.text()),
        other: field.custom('money', { currency: 'EUR' }),
      },
      options: { ordering: ['-name'], uniqueTogether: [['name', 'born']] },
    }),
    addField({ model: 'Author', name: 'x', field: field.integer(), fill: 0 }),
    addField({ model: 'Author', name: 'y', field: field.dateTime(), fill: { sql: 'CURRENT_TIMESTAMP' } }),
    addIndex({ model: 'Author', index: index({ name: 'i', fields: ['name'] }) }),
    alterModelTable({ name: 'Author', table: null }),
    moveModel({ name: 'Author', fromApp: 'people' }),
    runSql({ sql: ['SELECT 1', ['SELECT ?', [1]]], reverseSql: '' }),
    runCode({
      async forwards(apps) {
        const Author = apps.model('shop.Author', { name: text(), age: integer({ null: true }) });
        for (const author of await Author.filter({ name__startswith: 'A' })) {
          const name: string = author.name;
          const age: number | null = author.age;
          // @ts-expect-error the step did not say that it uses this field
          author.shout;
          // @ts-expect-error a number is no text
          author.name = 7;
          void [name, age];
        }
        // @ts-expect-error there is no such lookup
        await Author.filter({ name__begins: 'A' });
        await apps.connection.execute('SELECT 1');
      },
    }),
    separateDatabaseAndState({ stateOperations: [renameField({ model: 'A', from: 'a', to: 'b' })] }),
  ],
});

// @ts-expect-error a migration has operations
migration({ dependencies: [] });
// @ts-expect-error dependencies are text
migration({ dependencies: [['shop', '0001']], operations: [] });
// @ts-expect-error what is in operations is made by an operation's function
migration({ operations: [{ name: 'Author' }] });
// @ts-expect-error a model has fields
createModel({ name: 'Author' });
// @ts-expect-error a field is made by field.*
createModel({ name: 'Author', fields: { name: 'text' } });
// @ts-expect-error an automatic key is the primary key
field.bigAuto();
// @ts-expect-error a decimal has limits
field.decimal();
// @ts-expect-error lengths are numbers
field.text({ maxLength: '100' });
// @ts-expect-error the default of a big integer is a bigint
field.bigInteger({ default: 1 });
// @ts-expect-error relations name their target by label
field.foreignKey(class Author {});
// @ts-expect-error there is no such rule
field.foreignKey('shop.Author', { onDelete: 'explode' });
// @ts-expect-error a field operation names its model
addField({ name: 'x', field: field.integer() });
// @ts-expect-error a fill is a value
addField({ model: 'A', name: 'x', field: field.integer(), fill: () => 1 });
// @ts-expect-error it renames from one name to another
renameField({ model: 'A', old: 'a', new: 'b' });
// @ts-expect-error a data step is a function
runCode({ forwards: 'UPDATE' });
// @ts-expect-error there is no such vendor
runSql({ sql: 'SELECT 1', vendor: 'oracle' });
