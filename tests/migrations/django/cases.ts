/**
 * Changes of models, in a form that both sides read: `node tests/migrations/django/cases.ts` writes cases.json, of which
 * answers.py asks Django. A field is `kind:target flag …`; models are `app.Name`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CaseModel {
  readonly fields: Readonly<Record<string, string>>;
  readonly unique?: readonly (readonly string[])[];
  /** Name by fields. */
  readonly indexes?: Readonly<Record<string, readonly string[]>>;
  /** Names of unique constraints by fields. */
  readonly constraints?: Readonly<Record<string, readonly string[]>>;
  readonly ordering?: readonly string[];
  readonly table?: string;
  readonly verbose?: string;
  readonly managed?: false;
}
type Models = Readonly<Record<string, CaseModel>>;
export interface DetectorCase {
  readonly name: string;
  readonly from: Models;
  readonly to: Models;
  /** What every question about a rename is answered with. */
  readonly rename: boolean;
}

const m = (fields: Record<string, string>, rest: Omit<CaseModel, 'fields'> = {}): CaseModel => ({
  fields,
  ...rest,
});
const author = m({ name: 'text:100', age: 'int' });
const book = m({ title: 'text:50', author: 'fk:shop.Author' });
const tag = m({ word: 'text:20', rank: 'int' });
const shop = { 'shop.Author': author, 'shop.Book': book };
const withAuthor = (fields: Record<string, string>, rest: Omit<CaseModel, 'fields'> = {}): Models => ({
  'shop.Author': m({ ...author.fields, ...fields }, rest),
});
const table: readonly (readonly [name: string, from: Models, to: Models, rename?: true])[] = [
  ['first models', {}, shop],
  ['nothing', shop, shop],
  ['field added, null', { 'shop.Author': author }, withAuthor({ mail: 'text:50 null' })],
  ['field added, with a default', { 'shop.Author': author }, withAuthor({ n: 'int default' })],
  ['field added, not null', { 'shop.Author': author }, withAuthor({ n: 'int' })],
  ['field removed', withAuthor({ mail: 'text:50' }), { 'shop.Author': author }],
  ['field altered: longer', { 'shop.Author': author }, withAuthor({ name: 'text:200' })],
  ['field altered: another type', { 'shop.Author': author }, withAuthor({ age: 'text:10' })],
  ['null to not null', withAuthor({ n: 'int null' }), withAuthor({ n: 'int' })],
  ['not null to null', withAuthor({ n: 'int' }), withAuthor({ n: 'int null' })],
  ['unique', { 'shop.Author': author }, withAuthor({ name: 'text:100 unique' })],
  ['index on a field', { 'shop.Author': author }, withAuthor({ age: 'int index' })],
  ['column of a field', { 'shop.Author': author }, withAuthor({ age: 'int col=years' })],
  ['field renamed', { 'shop.Author': author }, { 'shop.Author': m({ title: 'text:100', age: 'int' }) }, true],
  [
    'field replaced, not renamed',
    { 'shop.Author': author },
    { 'shop.Author': m({ title: 'text:100', age: 'int' }) },
  ],
  [
    'field renamed and altered',
    { 'shop.Author': author },
    { 'shop.Author': m({ title: 'text:200', age: 'int' }) },
    true,
  ],
  [
    'field renamed, its column kept',
    { 'shop.Author': author },
    { 'shop.Author': m({ title: 'text:100 col=name', age: 'int' }) },
    true,
  ],
  ['model added', { 'shop.Author': author }, shop],
  ['model deleted', shop, { 'shop.Author': author }],
  ['both ends of a key deleted', shop, {}],
  ['model renamed', { 'shop.Author': author }, { 'shop.Writer': author }, true],
  [
    'model renamed, a key at it',
    shop,
    { 'shop.Writer': author, 'shop.Book': m({ ...book.fields, author: 'fk:shop.Writer' }) },
    true,
  ],
  [
    'model renamed, many-to-many at it',
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'm2m:shop.Tag' }) },
    { 'shop.Label': tag, 'shop.Book': m({ tags: 'm2m:shop.Label' }) },
    true,
  ],
  [
    'model renamed, key to itself',
    { 'shop.Node': m({ name: 'text:9', up: 'fk:shop.Node null' }) },
    { 'shop.Leaf': m({ name: 'text:9', up: 'fk:shop.Leaf null' }) },
    true,
  ],
  [
    'model renamed with a key of another app',
    { 'shop.Author': author, 'blog.Post': m({ author: 'fk:shop.Author' }) },
    { 'shop.Writer': author, 'blog.Post': m({ author: 'fk:shop.Writer' }) },
    true,
  ],
  ['model replaced, not renamed', { 'shop.Author': author }, { 'shop.Writer': author }],
  [
    'model renamed and its field',
    { 'shop.Author': author },
    { 'shop.Writer': m({ title: 'text:100', age: 'int' }) },
    true,
  ],
  [
    'key added',
    { 'shop.Author': author, 'shop.Book': m({ title: 'text:50' }) },
    { 'shop.Author': author, 'shop.Book': m({ title: 'text:50', author: 'fk:shop.Author null' }) },
  ],
  [
    'key to a new model',
    { 'shop.Book': m({ title: 'text:50' }) },
    { 'shop.Book': m({ title: 'text:50', author: 'fk:shop.Author null' }), 'shop.Author': author },
  ],
  [
    'key to another app',
    { 'shop.Author': author },
    { 'shop.Author': author, 'blog.Post': m({ author: 'fk:shop.Author' }) },
  ],
  [
    'apps that are both new, with a key',
    {},
    { 'blog.Post': m({ author: 'fk:shop.Author' }), 'shop.Author': author },
  ],
  [
    'keys in a circle, one app',
    {},
    { 'shop.A': m({ b: 'fk:shop.B' }), 'shop.B': m({ a: 'fk:shop.A null' }) },
  ],
  [
    'keys in a circle, two apps',
    {},
    { 'shop.A': m({ b: 'fk:blog.B' }), 'blog.B': m({ a: 'fk:shop.A null' }) },
  ],
  [
    'keys in a circle taken away',
    { 'shop.A': m({ b: 'fk:shop.B' }), 'shop.B': m({ a: 'fk:shop.A null' }) },
    {},
  ],
  ['key to itself', {}, { 'shop.Node': m({ up: 'fk:shop.Node null' }) }],
  [
    'key altered to another model',
    { ...shop, 'shop.Tag': tag },
    { 'shop.Author': author, 'shop.Tag': tag, 'shop.Book': m({ title: 'text:50', author: 'fk:shop.Tag' }) },
  ],
  [
    'key to one-to-one',
    shop,
    { 'shop.Author': author, 'shop.Book': m({ title: 'text:50', author: 'o2o:shop.Author' }) },
  ],
  [
    'field becomes a key',
    { 'shop.Author': author, 'shop.Book': m({ title: 'text:50', author: 'int' }) },
    shop,
  ],
  [
    'key becomes a field',
    shop,
    { 'shop.Author': author, 'shop.Book': m({ title: 'text:50', author: 'int' }) },
  ],
  ['key removed with its model', shop, { 'shop.Book': m({ title: 'text:50' }) }],
  [
    'many-to-many added',
    { 'shop.Tag': tag, 'shop.Book': m({ title: 'text:50' }) },
    { 'shop.Tag': tag, 'shop.Book': m({ title: 'text:50', tags: 'm2m:shop.Tag' }) },
  ],
  [
    'many-to-many removed',
    { 'shop.Tag': tag, 'shop.Book': m({ title: 'text:50', tags: 'm2m:shop.Tag' }) },
    { 'shop.Tag': tag, 'shop.Book': m({ title: 'text:50' }) },
  ],
  [
    'many-to-many to another model',
    { 'shop.Tag': tag, 'shop.Author': author, 'shop.Book': m({ tags: 'm2m:shop.Tag' }) },
    { 'shop.Tag': tag, 'shop.Author': author, 'shop.Book': m({ tags: 'm2m:shop.Author' }) },
  ],
  [
    'many-to-many gets a model between',
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'm2m:shop.Tag' }) },
    {
      'shop.Tag': tag,
      'shop.Book': m({ tags: 'm2m:shop.Tag through=shop.Link' }),
      'shop.Link': m({ book: 'fk:shop.Book', tag: 'fk:shop.Tag' }),
    },
  ],
  [
    'many-to-many with a model between, new',
    {},
    {
      'shop.Tag': tag,
      'shop.Book': m({ tags: 'm2m:shop.Tag through=shop.Link' }),
      'shop.Link': m({ book: 'fk:shop.Book', tag: 'fk:shop.Tag' }),
    },
  ],
  [
    'field becomes many-to-many',
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'int' }) },
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'm2m:shop.Tag' }) },
  ],
  [
    'key becomes many-to-many',
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'fk:shop.Tag' }) },
    { 'shop.Tag': tag, 'shop.Book': m({ tags: 'm2m:shop.Tag' }) },
  ],
  ['unique together added', { 'shop.Author': author }, withAuthor({}, { unique: [['name', 'age']] })],
  ['unique together removed', withAuthor({}, { unique: [['name', 'age']] }), { 'shop.Author': author }],
  [
    'unique together and a field of it removed',
    withAuthor({ n: 'int' }, { unique: [['name', 'n']] }),
    { 'shop.Author': author },
  ],
  [
    'unique together with a new field',
    { 'shop.Author': author },
    withAuthor({ n: 'int default' }, { unique: [['name', 'n']] }),
  ],
  [
    'unique together, a field of it renamed',
    withAuthor({}, { unique: [['name', 'age']] }),
    { 'shop.Author': m({ title: 'text:100', age: 'int' }, { unique: [['title', 'age']] }) },
    true,
  ],
  [
    'unique together over a key',
    { ...shop },
    { 'shop.Author': author, 'shop.Book': m(book.fields, { unique: [['title', 'author']] }) },
  ],
  ['index added', { 'shop.Author': author }, withAuthor({}, { indexes: { age_idx: ['age'] } })],
  ['index removed', withAuthor({}, { indexes: { age_idx: ['age'] } }), { 'shop.Author': author }],
  [
    'index changed',
    withAuthor({}, { indexes: { an_idx: ['age'] } }),
    withAuthor({}, { indexes: { an_idx: ['age', 'name'] } }),
  ],
  [
    'index renamed',
    withAuthor({}, { indexes: { an_idx: ['age'] } }),
    withAuthor({}, { indexes: { age_idx: ['age'] } }),
  ],
  [
    'index with a new field',
    { 'shop.Author': author },
    withAuthor({ n: 'int default' }, { indexes: { n_idx: ['n'] } }),
  ],
  [
    'index with its field removed',
    withAuthor({ n: 'int' }, { indexes: { n_idx: ['n'] } }),
    { 'shop.Author': author },
  ],
  [
    'model with an index and a constraint',
    {},
    withAuthor({}, { indexes: { age_idx: ['age'] }, constraints: { one_name: ['name'] } }),
  ],
  ['constraint added', { 'shop.Author': author }, withAuthor({}, { constraints: { one_name: ['name'] } })],
  ['constraint removed', withAuthor({}, { constraints: { one_name: ['name'] } }), { 'shop.Author': author }],
  [
    'constraint changed',
    withAuthor({}, { constraints: { one: ['name'] } }),
    withAuthor({}, { constraints: { one: ['name', 'age'] } }),
  ],
  ['ordering', { 'shop.Author': author }, withAuthor({}, { ordering: ['-age'] })],
  ['ordering taken away', withAuthor({}, { ordering: ['-age'] }), { 'shop.Author': author }],
  ['name for people', { 'shop.Author': author }, withAuthor({}, { verbose: 'writer' })],
  ['table', { 'shop.Author': author }, withAuthor({}, { table: 'people' })],
  ['table taken away', withAuthor({}, { table: 'people' }), { 'shop.Author': author }],
  ['managed no more', { 'shop.Author': author }, withAuthor({}, { managed: false })],
  ['unmanaged model', {}, withAuthor({}, { managed: false })],
  ['model moved to another app', { 'shop.Author': author }, { 'people.Author': author }],
  [
    'primary key altered',
    { 'shop.Author': m({ id: 'pk:big', name: 'text:9' }) },
    { 'shop.Author': m({ id: 'pk:int', name: 'text:9' }) },
  ],
  [
    'primary key of another field',
    { 'shop.Author': m({ code: 'text:9' }) },
    { 'shop.Author': m({ code: 'pk:text' }) },
  ],
  [
    'primary key altered, a key at it',
    { 'shop.Author': m({ id: 'pk:big', name: 'text:9' }), 'shop.Book': book },
    { 'shop.Author': m({ id: 'pk:int', name: 'text:9' }), 'shop.Book': book },
  ],
  [
    'fields of an abstract base: added to two',
    { 'shop.Author': author, 'shop.Tag': tag },
    {
      'shop.Author': m({ ...author.fields, made: 'int default' }),
      'shop.Tag': m({ ...tag.fields, made: 'int default' }),
    },
  ],
  ['order of fields', { 'shop.Author': author }, { 'shop.Author': m({ age: 'int', name: 'text:100' }) }],
  [
    'everything at once',
    shop,
    {
      'shop.Author': m({ name: 'text:120', mail: 'text:9 null' }, { ordering: ['name'] }),
      'shop.Book': m(
        { title: 'text:50', author: 'fk:shop.Author', tags: 'm2m:shop.Tag' },
        { indexes: { t_idx: ['title'] } },
      ),
      'shop.Tag': tag,
    },
  ],
];

export const cases: readonly DetectorCase[] = table.map(([name, from, to, rename]) => ({
  name,
  from,
  to,
  rename: rename === true,
}));

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'cases.json'), `${JSON.stringify(cases)}\n`);
