/** Where ours is not what Django 3.2 writes, and why. */
export const different: Readonly<
  Record<
    string,
    { readonly why: string; readonly ours: Readonly<Record<string, readonly (readonly string[])[]>> }
  >
> = {
  'both ends of a key deleted': {
    why: 'What refers to a model goes before it, so that no field has to be removed first',
    ours: { shop: [['DeleteModel book', 'DeleteModel author']] },
  },
  'keys in a circle, one app': {
    why: 'The same, opened at the other end',
    ours: { shop: [['CreateModel b', 'CreateModel a', 'AddField b a']] },
  },
  'many-to-many to another model': {
    why: 'Django keeps the pairs, whose numbers then name rows of the other model: pairs of nothing are not kept',
    ours: { shop: [['RemoveField book tags', 'AddField book tags']] },
  },
  'many-to-many gets a model between': {
    why: 'Django writes an AlterField that fails when it is applied ("you cannot alter to or from M2M fields")',
    ours: { shop: [['RemoveField book tags', 'CreateModel link', 'AddField book tags']] },
  },
  'many-to-many with a model between, new': {
    why: 'The circle of book, link and tag is opened at the key, not at the many-to-many field',
    ours: { shop: [['CreateModel tag', 'CreateModel link', 'CreateModel book', 'AddField link book']] },
  },
  'unique together, a field of it renamed': {
    why: 'The renamed field takes its groups along; nothing is left to alter',
    ours: { shop: [['RenameField author name title']] },
  },
  'index renamed': {
    why: 'Django learnt RenameIndex in 4.1',
    ours: { shop: [['RenameIndex author an_idx age_idx']] },
  },
  'model with an index and a constraint': {
    why: 'They stand in the options of the new model, as in Django since 5.0',
    ours: { shop: [['CreateModel author']] },
  },
  'everything at once': {
    why: 'The same operations; ours first take away, then make',
    ours: {
      shop: [
        [
          'AlterModelOptions author',
          'RemoveField author age',
          'CreateModel tag',
          'AddField author mail',
          'AddField book tags',
          'AlterField author name',
          'AddIndex book t_idx',
        ],
      ],
    },
  },
};
