import { fault } from '../errors/index.ts';
import { analyse, splitTime } from './analysis/index.ts';
import { type KindName, kindNames, type StatusName, statusNames } from './kinds.ts';
import type { BlockedRecord, RequestRecord, Site, SpanRecord } from './records.ts';

/** Recordings as a file: `{ "format": "sobaya-xray", "version": 1, "requests": […] }`. */
export const FORMAT = 'sobaya-xray';
export const VERSION = 1;
/** Largest file that is read, in bytes. */
export const MAX_FILE = 64 * 1024 * 1024;
const MAX_REQUESTS = 1000;
const MAX_SPANS = 100_000;

export function exportFile(requests: readonly RequestRecord[]): string {
  return JSON.stringify({
    format: FORMAT,
    version: VERSION,
    exportedAt: new Date().toISOString(),
    // Where the program lives on the machine it was recorded on is nobody's business elsewhere.
    // The page reads these two; the terminal works them out again.
    requests: requests.map(withShortPaths).map((request) => ({
      ...request,
      hints: analyse(request),
      split: splitTime(request),
    })),
  });
}

function withShortPaths(request: RequestRecord): RequestRecord {
  const root = process.cwd();
  const short = (file: string): string => (file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file);
  return {
    ...request,
    spans: request.spans.map((span) => ({
      ...span,
      ...(span.site === undefined ? {} : { site: { ...span.site, file: short(span.site.file) } }),
      ...(span.blocked === undefined
        ? {}
        : {
            blocked: {
              ...span.blocked,
              frames: span.blocked.frames.map((frame) => frame.replaceAll(`${root}/`, '')),
            },
          }),
    })),
  };
}

/** Reads a file of ours; whatever is not exactly that is refused, field by field, and nothing is taken over unread. */
export function importFile(text: string, file = 'this file'): RequestRecord[] {
  if (text.length > MAX_FILE) throw bad(file, `it is larger than ${MAX_FILE / 1024 / 1024} MB`);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw bad(file, 'it is not JSON', cause);
  }
  const read = new Reader(file);
  const top = read.object(data, 'the file');
  if (top['format'] !== FORMAT) throw bad(file, `it has no "format": "${FORMAT}"`);
  if (top['version'] !== VERSION)
    throw bad(file, `it is of version ${JSON.stringify(top['version'])}, this program reads ${VERSION}`);
  return read
    .array(top['requests'], 'requests', MAX_REQUESTS)
    .map((one, index) => read.request(one, `requests[${index}]`));
}

function bad(file: string, problem: string, cause?: unknown): Error {
  return fault('SBY_XRAY_BAD_FILE', { file, problem }, cause === undefined ? undefined : { cause });
}

type Fields = Readonly<Record<string, unknown>>;
const states = ['running', 'done', 'failed', 'cancelled'] as const;
const requestTypes = ['http', 'websocket', 'recording'] as const;

class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  #bad(where: string, expected: string): Error {
    return bad(this.#file, `${where} is not ${expected}`);
  }

  object(value: unknown, where: string): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#bad(where, 'an object');
    return value as Fields;
  }

  array(value: unknown, where: string, most: number): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#bad(where, 'a list');
    if (value.length > most) throw this.#bad(where, `a list of at most ${most}`);
    return value;
  }

  text(value: unknown, where: string, most = 20_000): string {
    if (typeof value !== 'string') throw this.#bad(where, 'a text');
    return value.slice(0, most);
  }

  number(value: unknown, where: string): number {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#bad(where, 'a number');
    return value;
  }

  integer(value: unknown, where: string): number {
    if (!Number.isSafeInteger(value)) throw this.#bad(where, 'a whole number');
    return value as number;
  }

  one<T extends string>(value: unknown, where: string, allowed: readonly T[]): T {
    if (!allowed.includes(value as T)) throw this.#bad(where, `one of ${allowed.join(', ')}`);
    return value as T;
  }

  orNull<T>(value: unknown, read: (value: unknown) => T): T | null {
    return value === null || value === undefined ? null : read(value);
  }

  request(value: unknown, where: string): RequestRecord {
    const it = this.object(value, where);
    const text = (name: string): string => this.text(it[name], `${where}.${name}`);
    const number = (name: string): number => this.number(it[name], `${where}.${name}`);
    const textOrNull = (name: string): string | null =>
      this.orNull(it[name], (v) => this.text(v, `${where}.${name}`));
    const spans = this.array(it['spans'], `${where}.spans`, MAX_SPANS).map((span, index) =>
      this.span(span, `${where}.spans[${index}]`),
    );
    if (spans[0]?.kind !== 'request') throw this.#bad(`${where}.spans[0]`, 'the request');
    return {
      id: this.text(it['id'], `${where}.id`, 60),
      traceId: this.text(it['traceId'], `${where}.traceId`, 32),
      type: this.one(it['type'], `${where}.type`, requestTypes),
      method: text('method'),
      path: text('path'),
      query: text('query'),
      route: textOrNull('route'),
      view: textOrNull('view'),
      status: this.orNull(it['status'], (v) => this.integer(v, `${where}.status`)),
      state: this.one(it['state'], `${where}.state`, states),
      error: textOrNull('error'),
      startedAt: number('startedAt'),
      duration: Math.max(0, number('duration')),
      headAt: this.orNull(it['headAt'], (v) => this.number(v, `${where}.headAt`)),
      client: textOrNull('client'),
      bytesOut: number('bytesOut'),
      headers: this.array(it['headers'], `${where}.headers`, 200).map((pair, index) => {
        const [name, content] = this.array(pair, `${where}.headers[${index}]`, 2);
        return [
          this.text(name, `${where}.headers[${index}]`),
          this.text(content, `${where}.headers[${index}]`),
        ] as const;
      }),
      task: this.integer(it['task'], `${where}.task`),
      spans,
      spanCount: this.integer(it['spanCount'], `${where}.spanCount`),
      counts: Object.fromEntries(
        Object.entries(this.object(it['counts'], `${where}.counts`))
          .filter(([kind]) => (kindNames as readonly string[]).includes(kind))
          .map(([kind, count]) => [kind, this.integer(count, `${where}.counts.${kind}`)]),
      ) as Partial<Record<KindName, number>>,
      sites: it['sites'] === true,
      dependencies: it['dependencies'] === true,
    };
  }

  span(value: unknown, where: string): SpanRecord {
    const it = this.object(value, where);
    const start = this.number(it['start'], `${where}.start`);
    const end = this.orNull(it['end'], (v) => this.number(v, `${where}.end`));
    const optional = <K extends keyof SpanRecord>(
      name: K,
      read: (value: unknown, where: string) => SpanRecord[K],
    ): Partial<SpanRecord> => (it[name] === undefined ? {} : { [name]: read(it[name], `${where}.${name}`) });
    const text = (v: unknown, at: string): string => this.text(v, at);
    const number = (v: unknown, at: string): number => this.number(v, at);
    return {
      id: this.integer(it['id'], `${where}.id`),
      parent: this.integer(it['parent'], `${where}.parent`),
      task: this.integer(it['task'], `${where}.task`),
      kind: this.one<KindName>(it['kind'], `${where}.kind`, kindNames),
      name: this.text(it['name'], `${where}.name`),
      start,
      end: end === null ? null : Math.max(start, end),
      status: this.one<StatusName>(it['status'], `${where}.status`, statusNames),
      ...optional('error', text),
      ...optional('shape', text),
      ...optional('amount', number),
      ...optional('waited', number),
      ...optional('queued', number),
      ...optional('detail', text),
      ...optional('params', (v, at) => this.array(v, at, 64).map((param) => this.text(param, at, 500))),
      ...optional('site', (v, at) => this.site(v, at)),
      ...optional('uses', (v, at) => this.array(v, at, 1000).map((id) => this.integer(id, at))),
      ...optional('blocked', (v, at) => this.blocked(v, at)),
    };
  }

  site(value: unknown, where: string): Site {
    const it = this.object(value, where);
    return {
      file: this.text(it['file'], `${where}.file`, 1000),
      line: this.integer(it['line'], `${where}.line`),
      column: this.integer(it['column'], `${where}.column`),
      function: this.text(it['function'], `${where}.function`, 300),
    };
  }

  blocked(value: unknown, where: string): BlockedRecord {
    const it = this.object(value, where);
    const textOrNull = (name: string): string | null =>
      this.orNull(it[name], (v) => this.text(v, `${where}.${name}`, 500));
    return {
      role: this.one(it['role'], `${where}.role`, ['culprit', 'victim'] as const),
      functionName: textOrNull('functionName'),
      native: textOrNull('native'),
      exact: it['exact'] === true,
      task: textOrNull('task'),
      request: textOrNull('request'),
      requestId: textOrNull('requestId'),
      frames: this.array(it['frames'], `${where}.frames`, 100).map((frame) =>
        this.text(frame, `${where}.frames`, 500),
      ),
      ...(it['victims'] === undefined
        ? {}
        : {
            victims: this.array(it['victims'], `${where}.victims`, 200).map((one) => {
              const victim = this.object(one, `${where}.victims`);
              return {
                id: this.text(victim['id'], `${where}.victims`, 60),
                label: this.text(victim['label'], `${where}.victims`, 500),
                ms: this.number(victim['ms'], `${where}.victims`),
              };
            }),
          }),
    };
  }
}
