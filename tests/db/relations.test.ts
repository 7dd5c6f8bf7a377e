/** Managers of relations, their signals, what is loaded with what, and what instances know of themselves. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  atomic,
  Databases,
  foreignKey,
  integer,
  Model,
  m2mChanged,
  many,
  manyToMany,
  metaOf,
  prefetchRelatedObjects,
  type QuerySet,
  type RelationMessage,
  registerModels,
  text,
  uniqueConstraint,
} from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { createTables } from './support/tables.ts';

class Club extends Model({
  name: text(),
  get members() {
    return manyToMany(Person, { through: () => Membership });
  },
}) {}
class Person extends Model(
  {
    name: text(),
    bio: text({ default: 'long' }),
    level: text({
      choices: [
        ['j', 'Junior'],
        ['s', 'Senior'],
      ],
      default: 'j',
    }),
    get friends() {
      return manyToMany(Person);
    },
    get clubs() {
      return many(Club, 'members');
    },
    get notes() {
      return many(Note, 'author');
    },
  },
  { constraints: [uniqueConstraint({ name: 'one_name_per_level', fields: ['name', 'level'] })] },
) {}
class Membership extends Model({
  get club() {
    return foreignKey(Club);
  },
  get person() {
    return foreignKey(Person);
  },
  role: text({ default: 'member' }),
}) {}
class Note extends Model({
  title: text(),
  words: integer({ default: 0 }),
  get author() {
    return foreignKey(Person);
  },
}) {}
registerModels('circle', [Club, Person, Membership, Note]);

const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
for (const [vendor, server] of [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('relations')],
] as const)
  describe(vendor, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await new Databases({ default: await server.url() }).open();
      void metaOf(Person).incoming;
      const friends = (metaOf(Person).fields.get('friends') as unknown as { through: unknown }).through;
      await createTables(databases, [Club, Person, Membership, Note, friends]);
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
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
    const people = (): Promise<Person[]> =>
      Person.bulkCreate([{ name: 'Aki' }, { name: 'Ben', level: 's' }, { name: 'Chie' }]);

    within('throughDefaults fill in the fields of the table between', async () => {
      const [aki, ben, chie] = (await people()) as [Person, Person, Person];
      const club = await Club.create({ name: 'Go' });
      await club.members.add(aki, { throughDefaults: { role: 'head' } });
      await club.members.set([aki.id, ben], { throughDefaults: { role: 'guest' } });
      assert.deepEqual(await Membership.all().orderBy('id').valuesList('person', 'role'), [
        [aki.id, 'head'],
        [ben.id, 'guest'],
      ]);
      await club.members.set([chie], { clear: true });
      assert.deepEqual(await Membership.all().valuesList('person', 'role'), [[chie.id, 'member']]);
      await assert.rejects(
        aki.notes.add({ throughDefaults: {} } as never, new Note({ title: 'x' }) as never),
        /It takes instances of circle\.Note|is not saved/,
      );
    });

    within('m2mChanged tells of each change, before and after, from both sides', async () => {
      const [aki, ben] = (await people()) as [Person, Person];
      const club = await Club.create({ name: 'Go' });
      const seen: string[] = [];
      const stop = m2mChanged.connect(
        ({ action, reverse, keys, model, instance }: RelationMessage) =>
          void seen.push(
            `${instance.constructor.name} ${action} ${reverse} ${(model as { name: string }).name} ${keys?.length ?? '-'}`,
          ),
        { sender: Club },
      );
      await club.members.add(aki, ben);
      await club.members.add(aki);
      await aki.clubs.remove(club);
      await club.members.clear();
      await aki.friends.add(ben);
      stop();
      assert.deepEqual(seen, [
        'Club preAdd false Person 2',
        'Club postAdd false Person 2',
        'Person preRemove true Club 1',
        'Person postRemove true Club 1',
        'Club preClear false Person -',
        'Club postClear false Person -',
      ]);
    });

    within('what is made through a relation belongs to its owner', async () => {
      const [aki, ben] = (await people()) as [Person, Person];
      const [note, created] = await aki.notes.getOrCreate({ title: 'a' } as never);
      assert.deepEqual([created, note.authorId], [true, aki.id]);
      assert.equal((await aki.notes.getOrCreate({ title: 'a' } as never))[1], false);
      const [other, made] = await ben.notes.updateOrCreate({ title: 'a' } as never, {
        defaults: { words: 5 },
      });
      assert.deepEqual([made, other.authorId, other.words], [true, ben.id, 5]);
      await ben.notes.bulkCreate([{ title: 'b' } as never, { title: 'c' } as never]);
      assert.equal(await ben.notes.count(), 3);
      const club = await Club.create({ name: 'Go' });
      const [dan] = await club.members.getOrCreate({ name: 'Dan' });
      assert.deepEqual(
        (await club.members).map((one) => one.id),
        [dan.id],
      );
    });

    within('symmetrical friends are friends of each other', async () => {
      const [aki, ben, chie] = (await people()) as [Person, Person, Person];
      await aki.friends.add(ben, chie);
      assert.deepEqual(
        (await ben.friends).map((one) => one.name),
        ['Aki'],
      );
      await ben.friends.remove(aki);
      assert.deepEqual(
        (await aki.friends).map((one) => one.name),
        ['Chie'],
      );
    });

    within('only() and defer() reach into relations that came along', async () => {
      const [aki] = (await people()) as [Person];
      await Note.create({ title: 'a', author: aki, words: 3 });
      const [note] = await Note.all().selectRelated('author').only('title', 'author__name');
      assert.deepEqual([note?.title, note?.author.name], ['a', 'Aki']);
      assert.throws(() => note?.words, /did not select "words"/);
      assert.throws(() => note?.author.bio, /did not select "bio"/);
      const [other] = await Note.all().selectRelated('author').defer('author__bio', 'words');
      assert.equal(other?.author.level, 'j');
      assert.throws(() => other?.author.bio, /did not select "bio"/);
      await other?.author.refresh({ fields: ['bio'] });
      assert.equal(other?.author.bio, 'long');
      await assert.rejects(
        async () => await Note.all().selectRelated('author').only('title'),
        /cannot leave "author" out with only\(\) or defer\(\) and follow it/,
      );
      await assert.rejects(async () => await Note.all().only('author__nobody' as never), {
        code: 'SBY_DB_UNKNOWN_FIELD',
      });
    });

    within('relations of instances that are there already', async () => {
      const [aki, ben] = (await people()) as [Person, Person];
      await Note.create({ title: 'a', author: aki });
      await prefetchRelatedObjects([aki, ben], 'notes', 'clubs');
      assert.deepEqual(
        [aki, ben].map((one) => (one.notes as unknown as { length: number }).length),
        [1, 0],
      );
      await assert.rejects(prefetchRelatedObjects([{}], 'notes'), /It takes instances of one model/);
      await assert.rejects(prefetchRelatedObjects([aki], 'nobody'), { code: 'SBY_DB_UNKNOWN_FIELD' });
    });

    within('instances know who they are, and how their choices read', async () => {
      const [aki, ben] = (await people()) as [Person, Person];
      assert.ok(aki.equals(await Person.get({ pk: aki.id })));
      assert.ok(!aki.equals(ben) && !aki.equals(null));
      assert.ok(!aki.equals(new Club({ id: aki.id } as never)));
      const fresh = new Person({ name: 'x' });
      assert.ok(fresh.equals(fresh) && !fresh.equals(new Person({ name: 'x' })));
      assert.deepEqual([aki.getDisplay('level'), ben.getDisplay('level')], ['Junior', 'Senior']);
      assert.throws(() => aki.getDisplay('nobody'), { code: 'SBY_DB_UNKNOWN_FIELD' });
    });

    within('fullClean() knows unique constraints', async () => {
      await people();
      await assert.rejects(
        new Person({ name: 'Aki' }).fullClean(),
        /Person with this name and level already exists/,
      );
      await new Person({ name: 'Aki', level: 's' }).fullClean();
    });

    within('a queryset goes through functions of the program', async () => {
      await people();
      const senior = (set: QuerySet<typeof Person>): QuerySet<typeof Person> => set.filter({ level: 's' });
      const named = (set: QuerySet<typeof Person>, name: string): QuerySet<typeof Person> =>
        set.filter({ name });
      assert.equal(await Person.all().use(senior).use(named, 'Ben').count(), 1);
      assert.equal(await Person.all().use(senior).use(named, 'Aki').count(), 0);
    });
  });
