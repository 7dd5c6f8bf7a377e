/** Where Sobaya answers otherwise than Django on purpose: the name of the query, and why. */
export const different: Readonly<Record<string, string>> = {};

/** Answers that are still wrong; each is to be mended and taken off. */
export const wrong: readonly string[] = [
  'order by function',
  'annotate filtered count',
  'annotate aggregate',
  'group by year',
  'annotate exists',
  'lower upper length',
  'coalesce',
  'concat',
  'substr',
  'trunc month',
  'extract month',
  'greatest',
  'abs',
  'Author nested 1',
  'Author and not 30',
  'Author and not 31',
  'Author exclude {"age":{"$F":"articles__views"}}',
  'Author nested 38',
  'Node exclude {"name":{"$F":"parent__name"}}',
  'Node nested 12',
  'Comment exclude {"stars__lt":{"$F":"author__age"}}',
  'Comment nested 13',
];
