import type { Exchange } from '../exchange.ts';
import { badOption } from '../options.ts';

export type AccessLine = (exchange: Exchange) => string;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** [24/Nov/2026:04:05:06 +0000], as Apache writes it. */
function apacheTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `[${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000]`;
}

/** What a client wrote must not break out of its line: controls, quotes and backslashes are escaped. */
function escaped(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f"\\]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

const header = (exchange: Exchange, name: string): string =>
  exchange.scope.headers.find((field) => field[0] === name)?.[1] ?? '-';
const requestLine = ({ scope }: Exchange): string =>
  `${scope.method} ${scope.rawPath}${scope.queryString === '' ? '' : `?${scope.queryString}`} HTTP/${scope.httpVersion}`;
const milliseconds = (exchange: Exchange): number => Math.max(0, performance.now() - exchange.startedAt);

const atoms: Readonly<Record<string, (exchange: Exchange) => string>> = {
  h: (exchange) => exchange.scope.client?.[0] ?? '-',
  l: () => '-',
  u: () => '-',
  t: () => apacheTime(new Date()),
  r: requestLine,
  m: (exchange) => exchange.scope.method,
  U: (exchange) => exchange.scope.rawPath,
  q: (exchange) => exchange.scope.queryString,
  H: (exchange) => `HTTP/${exchange.scope.httpVersion}`,
  s: (exchange) => String(exchange.status),
  b: (exchange) => (exchange.sentLength === 0 ? '-' : String(exchange.sentLength)),
  B: (exchange) => String(exchange.sentLength),
  f: (exchange) => header(exchange, 'referer'),
  a: (exchange) => header(exchange, 'user-agent'),
  L: (exchange) => (milliseconds(exchange) / 1000).toFixed(6),
  M: (exchange) => String(Math.round(milliseconds(exchange))),
  D: (exchange) => String(Math.round(milliseconds(exchange) * 1000)),
  p: () => String(process.pid),
};

const formats: Readonly<Record<string, string>> = {
  common: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s',
  combined: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
};

/** `common`, `combined`, `json`, or a text with atoms: `%(h)s %(s)s %({x-request-id}i)s`, as Gunicorn spells them. */
export function accessLine(format: string): AccessLine {
  if (format === 'json') {
    return (exchange) =>
      JSON.stringify({
        time: new Date().toISOString(),
        client: exchange.scope.client?.[0] ?? null,
        method: exchange.scope.method,
        path: exchange.scope.rawPath,
        query: exchange.scope.queryString,
        httpVersion: exchange.scope.httpVersion,
        status: exchange.status,
        bytes: exchange.sentLength,
        ms: Number(milliseconds(exchange).toFixed(3)),
        userAgent: exchange.scope.headers.find(([name]) => name === 'user-agent')?.[1] ?? null,
      });
  }
  const parts = (formats[format] ?? format).split(/%\(([^)]+)\)s/);
  const writers = parts.map((part, index): ((exchange: Exchange) => string) => {
    if (index % 2 === 0) return () => part;
    const field = /^\{([^}]+)\}i$/.exec(part)?.[1]?.toLowerCase();
    if (field !== undefined) return (exchange) => escaped(header(exchange, field));
    const atom = atoms[part];
    if (atom === undefined)
      throw badOption('accessLog', part, `one of the atoms ${Object.keys(atoms).join(', ')} or {header}i`);
    return (exchange) => escaped(atom(exchange));
  });
  return (exchange) => writers.map((write) => write(exchange)).join('');
}
