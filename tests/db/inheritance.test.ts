/** Models that extend models with tables: one row in each table, one instance. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  atomic,
  Databases,
  F,
  foreignKey,
  integer,
  Model,
  many,
  manyToMany,
  metaOf,
  one,
  oneToOne,
  postDelete,
  postSave,
  registerModels,
  text,
} from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { createTables } from './support/tables.ts';

class Person extends Model({
  name: text(),
  get places() {
    return many(Place, 'owner');
  },
}) {}
class Label extends Model({ name: text() }) {}
class Place extends Model(
  {
    name: text(),
    code: text({ unique: true, null: true }),
    get owner() {
      return foreignKey(Person, { null: true });
    },
    get labels() {
      return manyToMany(Label);
    },
    get visits() {
      return many(Visit, 'place');
    },
    get restaurant() {
      return one(Restaurant, 'placePtr');
    },
  },
  { ordering: ['name'], getLatestBy: 'id' },
) {
  shout(): string {
    return this.name.toUpperCase();
  }
}
class Restaurant extends Place.extend({
  seats: integer({ default: 4 }),
  get dinners() {
    return many(Visit, 'restaurant');
  },
}) {}
class Sobaya extends Restaurant.extend({ flour: text() }) {}
class Kiosk extends Place.extend({
  get at() {
    return oneToOne(Place, { parentLink: true, primaryKey: true });
  },
}) {}
class Visit extends Model({
  get place() {
    return foreignKey(Place);
  },
  get restaurant() {
    return foreignKey(Restaurant, { null: true, onDelete: 'setNull' });
  },
}) {}
class PlainPlace extends Place {
  override shout(): string {
    return 'plain';
  }
}
registerModels('town', [Person, Label, Place, Restaurant, Sobaya, Kiosk, Visit]);

test('each table has its own columns, and migrations see a model with a key to the one above', () => {
  const meta = metaOf(Sobaya);
  assert.deepEqual(
    meta.local.map((field) => field.attname),
    ['restaurantPtrId', 'flour'],
  );
  assert.deepEqual(
    meta.columns.map((field) => field.attname),
    ['id', 'name', 'code', 'ownerId', 'placePtrId', 'seats', 'restaurantPtrId', 'flour'],
  );
  assert.deepEqual(metaOf(Restaurant).deconstruct().fields, [
    [
      'placePtr',
      {
        kind: 'oneToOne',
        options: { onDelete: 'cascade', parentLink: true, primaryKey: true, to: 'town.Place' },
      },
    ],
    ['seats', { kind: 'integer', options: { default: 4 } }],
  ]);
  assert.deepEqual(metaOf(Restaurant).options.ordering, ['name']);
  assert.equal(metaOf(PlainPlace).table, 'town_place');
});

test('what cannot be inherited is refused by name', () => {
  const refuse = (model: unknown, message: RegExp): void => {
    assert.throws(() => metaOf(model), { code: 'SBY_DB_BAD_MODEL', message });
  };
  refuse(class A extends Place.extend({ name: text() }) {}, /"name" is a field of Place already/);
  refuse(
    class A extends Place.extend({
      get link() {
        return oneToOne(Person, { parentLink: true, primaryKey: true });
      },
    }) {},
    /parentLink "link" is not the key to Place/,
  );
  refuse(
    class A extends Place.extend({ code: integer({ primaryKey: true }) }) {},
    /two primary keys|already/,
  );
});

const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
for (const [vendor, server] of [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('inheritance')],
] as const)
  describe(vendor, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await new Databases({ default: await server.url() }).open();
      void metaOf(Label).incoming;
      const through = (metaOf(Place).fields.get('labels') as unknown as { through: unknown }).through;
      await createTables(databases, [Person, Label, Place, Restaurant, Sobaya, Kiosk, Visit, through]);
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
    /** Each test's rows are rolled back. */
    const within = (name: string, fn: () => Promise<void>): void =>
      void test(name, () =>
        databases.run(async () => {
          const done = new Error('roll back');
          await assert.rejects(
            atomic(async () => {
              await fn();
              throw done;
            }),
            done,
          );
        }),
      );

    within('creating writes a row into each table; it is found in all of them', async () => {
      const owner = await Person.create({ name: 'Aki' });
      const made = await Sobaya.create({ name: 'Kanda', seats: 12, flour: 'buckwheat', owner });
      assert.ok(made instanceof Place && made instanceof Restaurant);
      assert.equal(made.pk, made.id);
      const found = await Sobaya.get({ name: 'Kanda', seats__gt: 10, owner__name: 'Aki' });
      assert.deepEqual({ ...found }, { ...made });
      assert.equal((found as unknown as Place).shout(), 'KANDA');
      assert.equal((await Place.get({ pk: made.id })).constructor, Place);
      assert.equal((await Place.get({ restaurant__seats: 12 })).id, made.id);
      assert.equal((await (await Place.get({ pk: made.id })).restaurant.load())?.seats, 12);
      assert.deepEqual(await Sobaya.all().values('name', 'seats', 'flour'), [
        { name: 'Kanda', seats: 12, flour: 'buckwheat' },
      ]);
      assert.deepEqual(
        [...(await owner.places)].map((place) => place.name),
        ['Kanda'],
      );
    });

    within('saving writes what changed, where it belongs', async () => {
      const made = await Sobaya.create({ name: 'a', flour: 'x' });
      made.name = 'b';
      assert.deepEqual(made.changed(), ['name']);
      await made.save();
      made.flour = 'y';
      made.seats = 9;
      await made.save();
      assert.deepEqual(made.changed(), []);
      const fresh = await Sobaya.get({ pk: made.pk });
      assert.deepEqual([fresh.name, fresh.seats, fresh.flour], ['b', 9, 'y']);
      await Place.filter({ pk: made.id }).update({ name: 'c' });
      await fresh.refresh();
      assert.equal(fresh.name, 'c');
      fresh.name = 'd';
      fresh.flour = 'z';
      await fresh.save({ updateFields: ['name'] });
      assert.deepEqual(await Sobaya.all().valuesList('name', 'flour'), [['d', 'y']]);
    });

    within('a row above can be extended, and an instance saved over one that is there', async () => {
      const place = await Place.create({ name: 'bare' });
      const extended = new Restaurant({ id: place.id, name: 'extended', seats: 3 } as never);
      await extended.save();
      assert.equal(await Place.count(), 1);
      assert.equal((await Restaurant.get({ pk: place.id })).name, 'extended');
      await new Restaurant({ id: place.id, name: 'again', seats: 5 } as never).save();
      assert.deepEqual(await Restaurant.all().valuesList('name', 'seats'), [['again', 5]]);
    });

    within('bulk writes go to each table', async () => {
      const made = await Sobaya.bulkCreate([
        { name: 'one', flour: 'a' },
        { name: 'two', flour: 'b', seats: 7 },
      ]);
      assert.ok(made.every((one) => one.id > 0 && one.pk === one.id));
      for (const one of made) {
        one.name += '!';
        one.flour += '!';
      }
      assert.equal(await Sobaya.all().bulkUpdate(made, ['name', 'flour', 'seats']), 2);
      assert.deepEqual(await Sobaya.all().orderBy('name').valuesList('name', 'flour', 'seats'), [
        ['one!', 'a!', 4],
        ['two!', 'b!', 7],
      ]);
      assert.equal(
        await Sobaya.filter({ seats: 7 }).update({ name: 'three', flour: 'c', seats: F('seats').add(1) }),
        1,
      );
      assert.deepEqual(await Sobaya.filter({ name: 'three' }).valuesList('flour', 'seats'), [['c', 8]]);
      await assert.rejects(
        Sobaya.bulkCreate([{ name: 'x', flour: 'y' }], { ignoreConflicts: true }),
        /has rows in two tables, and conflicts are settled in one/,
      );
    });

    within('deleting takes the rows of all tables, from above and from below', async () => {
      const made = await Sobaya.create({ name: 'a', flour: 'x' });
      const other = await Restaurant.create({ name: 'b' });
      await Visit.create({ place: made, restaurant: other });
      await Visit.create({ place: other, restaurant: made });
      const seen: string[] = [];
      const stop = postDelete.connect(({ instance }) => void seen.push(instance.constructor.name), {
        sender: Sobaya,
      });
      assert.deepEqual(await made.delete(), [
        4,
        { 'town.Visit': 1, 'town.Sobaya': 1, 'town.Restaurant': 1, 'town.Place': 1 },
      ]);
      stop();
      assert.deepEqual(seen, ['Sobaya']);
      assert.deepEqual(await Visit.all().valuesList('restaurantId', { flat: true }), [null]);
      assert.deepEqual(await Place.filter({ pk: other.id }).delete(), [
        3,
        { 'town.Visit': 1, 'town.Restaurant': 1, 'town.Place': 1 },
      ]);
      assert.equal(await Place.count(), 0);
    });

    within('an instance stands where one of the model above is asked for', async () => {
      const made = await Sobaya.create({ name: 'a', flour: 'x' });
      const visit = await Visit.create({ place: made, restaurant: made });
      assert.equal((await made.visits).length, 1);
      assert.equal((await made.dinners)[0]?.id, visit.id);
      assert.ok(await Visit.filter({ place: made, restaurant: made }).exists());
      assert.ok(await Place.all().contains(made));
      const label = await Label.create({ name: 'l' });
      await made.labels.add(label);
      assert.deepEqual(
        (await made.labels).map((one) => one.name),
        ['l'],
      );
      assert.ok(await Sobaya.filter({ labels__name: 'l' }).exists());
      const [loaded] = await Visit.all().selectRelated('restaurant').prefetchRelated('restaurant__labels');
      assert.equal(loaded?.restaurant?.name, 'a');
      await assert.rejects(Visit.create({ place: label as never }), /an instance of town\.Place or its key/);
    });

    within('uniqueness holds over the table of the field; errors are kinds of those above', async () => {
      await Place.create({ name: 'a', code: 'x' });
      await assert.rejects(new Restaurant({ name: 'b', code: 'x' }).fullClean(), /code/);
      await assert.rejects(Sobaya.get({ name: 'nobody' }), (error) => {
        assert.ok(error instanceof Sobaya.DoesNotExist && error instanceof Place.DoesNotExist);
        return true;
      });
    });

    within('signals tell of the class that is saved, once', async () => {
      const seen: string[] = [];
      const stop = postSave.connect(({ instance }) => void seen.push(instance.constructor.name));
      await Kiosk.create({ name: 'k' });
      stop();
      assert.deepEqual(seen, ['Kiosk']);
      assert.deepEqual(await Kiosk.all().values('name'), [{ name: 'k' }]);
    });
  });
