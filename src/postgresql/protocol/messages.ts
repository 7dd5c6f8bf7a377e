import type { ServerFields } from '../../errors/index.ts';
import { type Bytes, cstring, int16, int32 } from './bytes.ts';

/** Types of messages, as the character codes that stand on the wire. */
export const code = {
  authentication: 82, // R
  backendKeyData: 75, // K
  bindComplete: 50, // 2
  closeComplete: 51, // 3
  commandComplete: 67, // C
  copyBothResponse: 87, // W
  copyData: 100, // d
  copyDone: 99, // c
  copyInResponse: 71, // G
  copyOutResponse: 72, // H
  dataRow: 68, // D
  emptyQueryResponse: 73, // I
  errorResponse: 69, // E
  negotiateProtocolVersion: 118, // v
  noData: 110, // n
  noticeResponse: 78, // N
  notificationResponse: 65, // A
  parameterDescription: 116, // t
  parameterStatus: 83, // S
  parseComplete: 49, // 1
  portalSuspended: 115, // s
  readyForQuery: 90, // Z
  rowDescription: 84, // T
} as const;

/** A column of a result. */
export interface Field {
  readonly name: string;
  /** OID of the type. */
  readonly oid: number;
  /** OID of the table the column belongs to, 0 for expressions; and its number there. */
  readonly table: number;
  readonly column: number;
  readonly modifier: number;
}

const severities: Record<string, keyof ServerFields> = {
  V: 'severity',
  C: 'sqlState',
  M: 'message',
  D: 'detail',
  H: 'hint',
  P: 'position',
  p: 'internalPosition',
  q: 'internalQuery',
  W: 'context',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'dataType',
  n: 'constraint',
  F: 'file',
  L: 'line',
  R: 'routine',
};
const noFields: ServerFields = {
  severity: '',
  sqlState: '',
  message: '',
  detail: '',
  hint: '',
  position: 0,
  internalPosition: 0,
  internalQuery: '',
  context: '',
  schema: '',
  table: '',
  column: '',
  dataType: '',
  constraint: '',
  file: '',
  line: 0,
  routine: '',
};
const numbers = new Set(['position', 'internalPosition', 'line']);

/** Body of an ErrorResponse or NoticeResponse. Fields that are not known are ignored, as the protocol asks for. */
export function serverFields(bytes: Bytes, start: number, end: number): ServerFields {
  const fields: Record<string, string | number> = { ...noFields };
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const key = String.fromCharCode(bytes[at] as number);
    const { text, next } = cstring(bytes, at + 1, end);
    const name = severities[key];
    if (name !== undefined) fields[name] = numbers.has(name) ? Number(text) || 0 : text;
    // Before 9.6 there is only the translated severity.
    else if (key === 'S' && fields['severity'] === '') fields['severity'] = text;
    at = next;
  }
  return fields as unknown as ServerFields;
}

export function rowDescription(
  bytes: Bytes,
  start: number,
  end: number,
): { fields: Field[]; formats: number[] } {
  const fields: Field[] = [];
  const formats: number[] = [];
  let at = start + 2;
  for (let left = int16(bytes, start); left > 0; left--) {
    const { text, next } = cstring(bytes, at, end);
    if (next + 18 > end) throw new RangeError('a row description that is too short');
    fields.push({
      name: text,
      table: int32(bytes, next) >>> 0,
      column: int16(bytes, next + 4),
      oid: int32(bytes, next + 6) >>> 0,
      modifier: int32(bytes, next + 12),
    });
    formats.push(int16(bytes, next + 16));
    at = next + 18;
  }
  return { fields, formats };
}

export function parameterDescription(bytes: Bytes, start: number, end: number): number[] {
  const count = bytes.readUInt16BE(start);
  if (start + 2 + count * 4 > end) throw new RangeError('a parameter description that is too short');
  return Array.from({ length: count }, (_, i) => int32(bytes, start + 2 + i * 4) >>> 0);
}

/** The number of rows at the end of a command tag such as "INSERT 0 5"; -1 when there is none. */
export function tagCount(bytes: Bytes, start: number, end: number): number {
  let value = 0;
  let unit = 1;
  let at = end - 2;
  for (; at >= start; at--) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) break;
    value += digit * unit;
    unit *= 10;
  }
  return unit === 1 || bytes[at] !== 32 ? -1 : value;
}

/** The words of a command tag: "INSERT", "CREATE TABLE". */
export function tagCommand(bytes: Bytes, start: number, end: number): string {
  return bytes.latin1Slice(start, end - 1).replace(/[ 0-9]+$/, '');
}
