import type { Headers, HttpScope, WebSocketScope } from '../../asgi/index.ts';
import { reasonPhrase } from '../http1/status-line.ts';
import { badOption } from '../options.ts';

/** What a line of the access log is made from. */
export interface AccessEntry {
  readonly scope: HttpScope | WebSocketScope;
  /** `performance.now()` when it began. */
  readonly startedAt: number;
  /** 0 when there was none: the client left first. */
  readonly status: number;
  /** Bytes of the body, without its framing. */
  readonly sentLength: number;
  readonly responseHeaders: Headers | null;
}

export type AccessLine = (entry: AccessEntry) => string;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** [24/Nov/2026:04:05:06 +0000], as Apache writes it. */
function apacheTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `[${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000]`;
}

const hexadecimal = (char: string): string => char.charCodeAt(0).toString(16);

/** What a client wrote must not break out of its line or field: controls, quotes and backslashes are escaped. */
function escaped(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f"\\]/g, (char) => `\\x${hexadecimal(char).padStart(2, '0')}`);
}

/** JSON that no terminal and no line reader takes for anything else: controls beyond ASCII, line separators. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029]/g,
    (char) => `\\u${hexadecimal(char).padStart(4, '0')}`,
  );
}

function field(headers: Headers | null, name: string): string | null {
  const values = headers?.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value) ?? [];
  return values.length === 0 ? null : values.join(', ');
}

/** The name in a Basic authorization (RFC 7617); never the password. */
function userName({ scope }: AccessEntry): string {
  const credentials = /^basic +([A-Za-z0-9+/=]+)$/i.exec(field(scope.headers, 'authorization') ?? '')?.[1];
  if (credentials === undefined) return '-';
  const [name = ''] = Buffer.from(credentials, 'base64').toString('utf8').split(':', 1);
  return name === '' ? '-' : name;
}

const methodOf = ({ scope }: AccessEntry): string => (scope.type === 'http' ? scope.method : 'GET');
const pathOf = ({ scope }: AccessEntry): string => scope.rawPath ?? scope.path;
const urlOf = (entry: AccessEntry): string =>
  pathOf(entry) + (entry.scope.queryString === '' ? '' : `?${entry.scope.queryString}`);
const requestLine = (entry: AccessEntry): string =>
  `${methodOf(entry)} ${urlOf(entry)} HTTP/${entry.scope.httpVersion}`;
const statusOf = (entry: AccessEntry): number => entry.status || 499;
const milliseconds = (entry: AccessEntry): number => Math.max(0, performance.now() - entry.startedAt);

/** The atoms of Gunicorn, and those that Hypercorn adds. */
const atoms: Readonly<Record<string, (entry: AccessEntry) => string>> = {
  h: (entry) => entry.scope.client?.[0] ?? '-',
  l: () => '-',
  u: userName,
  t: () => apacheTime(new Date()),
  r: requestLine,
  m: methodOf,
  U: pathOf,
  R: pathOf,
  q: (entry) => entry.scope.queryString,
  Uq: urlOf,
  H: (entry) => `HTTP/${entry.scope.httpVersion}`,
  S: (entry) => entry.scope.scheme ?? '-',
  s: (entry) => String(statusOf(entry)),
  st: (entry) => (entry.status === 0 ? 'Client Closed Request' : reasonPhrase(entry.status)),
  b: (entry) => (entry.sentLength === 0 ? '-' : String(entry.sentLength)),
  B: (entry) => String(entry.sentLength),
  f: (entry) => field(entry.scope.headers, 'referer') ?? '-',
  a: (entry) => field(entry.scope.headers, 'user-agent') ?? '-',
  T: (entry) => String(Math.floor(milliseconds(entry) / 1000)),
  L: (entry) => (milliseconds(entry) / 1000).toFixed(6),
  M: (entry) => String(Math.round(milliseconds(entry))),
  D: (entry) => String(Math.round(milliseconds(entry) * 1000)),
  p: () => String(process.pid),
};

const formats: Readonly<Record<string, string>> = {
  common: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s',
  combined: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
};

function jsonEntry(entry: AccessEntry): string {
  const { scope } = entry;
  return jsonLine({
    time: new Date().toISOString(),
    client: scope.client?.[0] ?? null,
    method: methodOf(entry),
    scheme: scope.scheme ?? null,
    host: field(scope.headers, 'host'),
    path: pathOf(entry),
    query: scope.queryString,
    httpVersion: scope.httpVersion,
    status: statusOf(entry),
    bytes: entry.sentLength,
    ms: Number(milliseconds(entry).toFixed(3)),
    referer: field(scope.headers, 'referer'),
    userAgent: field(scope.headers, 'user-agent'),
    pid: process.pid,
  });
}

/**
 * `common`, `combined`, `json`, or a text with atoms: `%(h)s %(s)s %({x-request-id}i)s`, as Gunicorn spells them;
 * `{name}i` is a field of the request, `{name}o` of the response, `{NAME}e` an environment variable.
 */
export function accessLine(format: string): AccessLine {
  if (format === 'json') return jsonEntry;
  const text = formats[format] ?? format;
  if (!text.includes('%('))
    throw badOption('accessLog', format, 'common, combined, json, or a format with atoms such as %(h)s');
  const parts = text.split(/%\(([^)]+)\)s/);
  const writers = parts.map((part, index): AccessLine => {
    if (index % 2 === 0) return () => part;
    const [, name = '', kind] = /^\{([^}]+)\}([ioe])$/.exec(part) ?? [];
    if (kind === 'i') return (entry) => escaped(field(entry.scope.headers, name.toLowerCase()) ?? '-');
    if (kind === 'o') return (entry) => escaped(field(entry.responseHeaders, name.toLowerCase()) ?? '-');
    if (kind === 'e') return () => escaped(process.env[name] ?? '-');
    const atom = atoms[part];
    if (atom === undefined)
      throw badOption(
        'accessLog',
        part,
        `one of the atoms ${Object.keys(atoms).join(', ')}, {field}i, {field}o or {VARIABLE}e`,
      );
    return (entry) => escaped(atom(entry));
  });
  return (entry) => writers.map((write) => write(entry)).join('');
}

let pending = '';
let listening = false;

/** Writes a line to standard output, together with the others of this turn. */
export function writeAccessLine(line: string): void {
  if (pending === '') setImmediate(flush);
  pending += `${line}\n`;
  if (listening) return;
  listening = true;
  // Whoever read the log is gone: serving goes on.
  process.stdout.on('error', () => {});
  process.on('exit', flush);
}

function flush(): void {
  const lines = pending;
  pending = '';
  if (lines !== '') process.stdout.write(lines);
}
