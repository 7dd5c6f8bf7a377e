import type { Deconstructed } from '../../typing/fields.ts';

const fixed: Record<string, string> = {
  smallAuto: 'integer',
  auto: 'integer',
  bigAuto: 'integer',
  smallInteger: 'smallint',
  integer: 'integer',
  bigInteger: 'bigint',
  positiveSmallInteger: 'smallint unsigned',
  positiveInteger: 'integer unsigned',
  positiveBigInteger: 'bigint unsigned',
  float: 'real',
  // Text: a NUMERIC column would turn it into a double and lose digits.
  decimal: 'text',
  boolean: 'bool',
  date: 'date',
  time: 'time',
  dateTime: 'datetime',
  duration: 'bigint',
  json: 'text',
  array: 'text',
  binary: 'blob',
  uuid: 'char(36)',
  ipAddress: 'char(39)',
};

/** The declared type of a column. SQLite takes its affinity from it; the rest is for people and tools. */
export function columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string {
  const { kind, options } = field;
  if (kind === 'foreignKey' || kind === 'oneToOne') {
    const target = related?.(String(options['to']));
    return target === undefined ? 'integer' : columnType(target, related);
  }
  const type = fixed[kind];
  if (type !== undefined) return type;
  return typeof options['maxLength'] === 'number' ? `varchar(${options['maxLength']})` : 'text';
}
