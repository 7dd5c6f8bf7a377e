/** Where Sobaya answers otherwise than Django on purpose: the name of the query, and why. */
export const different: Readonly<Record<string, string>> = {
  greatest: 'Django 3.2 refuses to mix an AutoField with an IntegerField',
  'Author and not 31':
    'Django tells two relations to one table apart by the alias of the table, and takes an edited article for a written one',
  'Node nested 12': 'the same, with two relations of a model to itself',
};

/** Answers that are still wrong; each is to be mended and taken off. */
export const wrong: readonly string[] = [];

/** The same, on one kind of database. */
export const differentOn: Readonly<Record<'sqlite' | 'postgresql', Readonly<Record<string, string>>>> = {
  sqlite: {},
  postgresql: {},
};
