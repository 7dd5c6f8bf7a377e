/** A history with everything that can be broken off: several operations in one transaction, tables made anew, steps without a transaction. */
import type { Backend, Connection } from '../../src/db/backends/base.ts';
import {
  addConstraintNotValid,
  addField,
  addIndexConcurrently,
  addUniqueConcurrently,
  alterField,
  alterFieldNotValid,
  check,
  createModel,
  field,
  index,
  Migration,
  runCode,
  runSql,
  unique,
  validateConstraint,
} from '../../src/db/migrations/index.ts';

export const history: readonly Migration[] = [
  new Migration('shop', '0001_initial', {
    initial: true,
    operations: [
      createModel({
        name: 'Author',
        fields: { id: field.bigAuto({ primaryKey: true }), name: field.text() },
      }),
      createModel({
        name: 'Article',
        fields: {
          id: field.bigAuto({ primaryKey: true }),
          title: field.text({ maxLength: 20 }),
          author: field.foreignKey('shop.Author', { constraint: false, index: false }),
        },
      }),
      runSql({
        sql: [
          "INSERT INTO shop_author (name) VALUES ('A'), ('B')",
          "INSERT INTO shop_article (title, author_id) VALUES ('x', 1), ('y', 2)",
        ],
        reverseSql: ['DELETE FROM shop_article', 'DELETE FROM shop_author'],
      }),
    ],
  }),
  new Migration('shop', '0002_anew', {
    dependencies: ['shop.0001_initial'],
    operations: [
      addField({ model: 'Author', name: 'age', field: field.integer({ null: true }) }),
      alterField({ model: 'Article', name: 'title', field: field.text({ maxLength: 30, unique: true }) }),
    ],
  }),
  new Migration('shop', '0003_steps', {
    dependencies: ['shop.0002_anew'],
    atomic: false,
    operations: [
      runCode({
        atomic: false,
        async forwards({ connection }) {
          await connection.script("UPDATE shop_author SET age = 30 WHERE age IS NULL AND name = 'A'");
          await connection.script('UPDATE shop_author SET age = 40 WHERE age IS NULL');
        },
        async backwards() {},
      }),
      addConstraintNotValid({
        model: 'Author',
        constraint: check({ name: 'aged', check: { age__isnull: false } }),
      }),
      validateConstraint({ model: 'Author', name: 'aged' }),
      alterField({ model: 'Author', name: 'age', field: field.integer() }),
      addUniqueConcurrently({
        model: 'Author',
        constraint: unique({ name: 'one_age', fields: ['age', 'name'] }),
      }),
      alterFieldNotValid({
        model: 'Article',
        name: 'author',
        field: field.foreignKey('shop.Author', { index: false }),
      }),
      validateConstraint({ model: 'Article', field: 'author' }),
      addIndexConcurrently({ model: 'Author', index: index({ name: 'age_idx', fields: ['age'] }) }),
      runSql({
        atomic: false,
        sql: 'CREATE INDEX IF NOT EXISTS by_name ON shop_author (name)',
        reverseSql: 'DROP INDEX IF EXISTS by_name',
      }),
    ],
  }),
];

/** Calls `pass` each time a connection of the backend has answered. */
export function watched(backend: Backend, pass: () => Promise<void>): void {
  const counted = new Set(['begin', 'commit', 'rollback', 'script', 'query', 'execute']);
  const watch = (target: Connection): Connection =>
    new Proxy(target, {
      get(object, name) {
        const value = Reflect.get(object, name, object) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(object) as (...args: unknown[]) => unknown;
        if (!counted.has(String(name))) return method;
        return async (...args: unknown[]) => {
          const result = await method(...args);
          await pass();
          return result;
        };
      },
    });
  const connect = backend.connect.bind(backend);
  backend.connect = async (...args) => watch(await connect(...args));
}
