/** What a span is. The numbers stand in the recorder's typed arrays, the names in records, files and on the page. */
export const kindNames = [
  'request',
  'middleware',
  'view',
  'template',
  'query',
  'transaction',
  'client',
  'sleep',
  'wait',
  'thread',
  'task',
  'span',
  'blocked',
  'other',
] as const;

export type KindName = (typeof kindNames)[number];

export const Kind = Object.fromEntries(kindNames.map((name, index) => [name, index])) as {
  readonly [K in KindName]: number;
};

/** Kinds during which nobody works: the answer comes from elsewhere. */
export const waitingKinds: ReadonlySet<KindName> = new Set(['query', 'client', 'sleep', 'wait', 'thread']);

export const statusNames = ['open', 'ok', 'error', 'cancelled'] as const;
export type StatusName = (typeof statusNames)[number];
export const OPEN = 0;
export const OK = 1;
export const ERROR = 2;
export const CANCELLED = 3;

/** The detail of a bar whose inside is drawn on a timeline of its own. */
export const OWN_TIMELINE = 'drawn by itself';
