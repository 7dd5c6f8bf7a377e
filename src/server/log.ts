import { isCancellation } from '../asyncio/index.ts';
import { isSobayaError } from '../errors/index.ts';

/** Where the server's own lines go. Access lines are apart, see `access-log.ts`. */
export interface ServerLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** An application failed while it handled `request`. */
  failure(request: string, error: unknown): void;
}

/** The least that is written. */
export type LogLevel = 'info' | 'warning' | 'error';
const levels: readonly LogLevel[] = ['info', 'warning', 'error'];
const toStandardError = (line: string): void => void process.stderr.write(line);

/** Plain lines on standard error, for people and for whatever collects the output of processes. */
export class TextLog implements ServerLog {
  readonly #write: (line: string) => void;
  readonly #least: number;

  constructor(write: (line: string) => void = toStandardError, level: LogLevel = 'info') {
    this.#write = write;
    this.#least = levels.indexOf(level);
  }

  info(message: string): void {
    if (this.#least === 0) this.#write(`${message}\n`);
  }

  warn(message: string): void {
    if (this.#least <= 1) this.#write(`warning: ${message}\n`);
  }

  error(message: string): void {
    this.#write(`error: ${message}\n`);
  }

  failure(request: string, error: unknown): void {
    if (isCancellation(error)) {
      this.warn(`${request}: ${(error as Error).message}`);
      return;
    }
    this.error(`${request} failed: ${stackOf(error)}`);
  }
}

/** One JSON object per line on standard error, for whatever collects and searches. */
export class JsonLog implements ServerLog {
  readonly #write: (line: string) => void;
  readonly #least: number;

  constructor(write: (line: string) => void = toStandardError, level: LogLevel = 'info') {
    this.#write = write;
    this.#least = levels.indexOf(level);
  }

  #line(level: LogLevel, message: string, more: object = {}): void {
    if (levels.indexOf(level) < this.#least) return;
    const time = new Date().toISOString();
    this.#write(`${JSON.stringify({ time, level, pid: process.pid, message, ...more })}\n`);
  }

  info(message: string): void {
    this.#line('info', message);
  }

  warn(message: string): void {
    this.#line('warning', message);
  }

  error(message: string): void {
    this.#line('error', message);
  }

  failure(request: string, error: unknown): void {
    if (isCancellation(error)) this.#line('warning', (error as Error).message, { request });
    else {
      const code = isSobayaError(error) ? { code: error.code } : {};
      const message = error instanceof Error ? error.message : String(error);
      this.#line('error', message, { request, ...code, stack: stackOf(error) });
    }
  }
}

export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let text = error.stack ?? `${error.name}: ${error.message}`;
  if (isSobayaError(error)) text = `${error.code}: ${text}`;
  if (error.cause !== undefined) text += `\ncaused by ${stackOf(error.cause)}`;
  return text;
}

/** Says nothing. */
export const silentLog: ServerLog = {
  info() {},
  warn() {},
  error() {},
  failure() {},
};
