import type { HttpRequest, Middleware } from '../http/index.ts';
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

function write(level: string, record: RequestRecord, message: string): void {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), message, ...record })}\n`);
}

export interface LoggingOptions {
  /** Default: JSON lines on standard output. */
  readonly logger?: RequestLogger;
  /** Requests that are not worth a line. */
  readonly skip?: (request: HttpRequest) => boolean;
}

/** One structured record per request. 4xx are warnings, 5xx errors. */
export function logging({ logger = jsonLines, skip }: LoggingOptions = {}): Middleware {
  return function logging(getResponse) {
    return async (request) => {
      const began = performance.now();
      const response = await getResponse(request);
      if (skip?.(request)) return response;
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
      const message = `${record.method} ${JSON.stringify(record.path).slice(1, -1)} ${status}`;
      if (status >= 500) logger.error(record, message);
      else if (status >= 400) logger.warn(record, message);
      else logger.info(record, message);
      return response;
    };
  };
}
