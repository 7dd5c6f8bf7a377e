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

/** Plain lines on standard error, for people and for whatever collects the output of processes. */
export class TextLog implements ServerLog {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void = (line) => void process.stderr.write(line)) {
    this.#write = write;
  }

  info(message: string): void {
    this.#write(`${message}\n`);
  }

  warn(message: string): void {
    this.#write(`warning: ${message}\n`);
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
