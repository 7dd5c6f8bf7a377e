import { type HttpRequest, type Middleware, RequestVar } from '../http/index.ts';
import { processing } from './protocol.ts';
import { requestIdOf } from './request-id.ts';

/** One line of the log, as plain data. */
export interface RequestRecord {
  readonly method: string;
  /** Without the query, which may hold secrets. */
  readonly path: string;
  readonly route: string | null;
  readonly status: number;
  /** Until the response was made; ms. */
  readonly duration: number;
  readonly client: string | null;
  readonly requestId: string;
}

/** What is needed of a logger; pino's shape. */
export interface RequestLogger {
  info(record: RequestRecord, message: string): void;
  warn(record: RequestRecord, message: string): void;
  error(record: RequestRecord, message: string): void;
}

const jsonLines: RequestLogger = {
  info: (record, message) => write('info', record, message),
  warn: (record, message) => write('warn', record, message),
  error: (record, message) => write('error', record, message),
};

let lines = '';
let atExit = false;

/** Lines of one turn of the loop are written at once: writing to a file or a terminal waits for the system. */
function write(level: string, record: RequestRecord, message: string): void {
  if (lines === '') setImmediate(flush);
  if (!atExit) process.on('exit', flush);
  atExit = true;
  lines += `${escapeControls(JSON.stringify({ level, time: Date.now(), message, ...record }))}\n`;
  if (lines.length > 65_536) flush();
}

/** What JSON leaves as it is, and a terminal or a reader of logs takes for an order or the end of a line. */
function escapeControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function flush(): void {
  const text = lines;
  lines = '';
  if (text !== '') process.stdout.write(text);
}

const begun: RequestVar<number> = new RequestVar<number>('logging began');

export interface LoggingOptions {
  /** Default: JSON lines on standard output. */
  readonly logger?: RequestLogger;
  /** Requests that are not worth a line. */
  readonly skip?: (request: HttpRequest) => boolean;
}

/** One structured record per request. 4xx are warnings, 5xx errors. */
export function logging({ logger = jsonLines, skip }: LoggingOptions = {}): Middleware {
  return processing('logging', {
    processRequest(request) {
      begun.set(request, performance.now());
    },
    processResponse(request, response) {
      if (skip?.(request)) return response;
      const began = begun.get(request) ?? performance.now();
      const { status } = response;
      const record: RequestRecord = {
        method: request.method,
        path: request.path,
        route: request.match?.route ?? null,
        status,
        duration: Math.round((performance.now() - began) * 1000) / 1000,
        client: request.clientAddress,
        requestId: requestIdOf(request),
      };
      const message = `${record.method} ${escapeControls(JSON.stringify(record.path).slice(1, -1))} ${status}`;
      if (status >= 500) logger.error(record, message);
      else if (status >= 400) logger.warn(record, message);
      else logger.info(record, message);
      return response;
    },
  });
}
