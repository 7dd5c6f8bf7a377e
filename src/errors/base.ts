/**
 * Every error Sobaya raises on purpose is a `SobayaError`: a stable code, and a message in three parts (what
 * was got, where, what to do). Classes split by who is at fault, because that decides who has to act.
 */

const BRAND = Symbol.for('sobaya.error');

/** Who has to act: the programmer, whoever deploys, the peer on the wire, the outside world, or nobody. */
export type Fault = 'usage' | 'configuration' | 'request' | 'world' | 'flow';

export interface ErrorParts {
  /** Stable identifier, `SBY_<ROOM>_<WHAT>`; the anchor in docs/errors/. */
  readonly code: string;
  /** What was got. One sentence, no full stop. */
  readonly what: string;
  /** Where: the route, field, file or option concerned. Empty when `what` already says it. */
  readonly where?: string | undefined;
  /** What to do about it. Empty when there is nothing to do. */
  readonly fix?: string | undefined;
}

export class SobayaError extends Error {
  static readonly fault: Fault = 'usage';
  readonly code: string;
  readonly what: string;
  readonly where: string;
  readonly fix: string;

  constructor(parts: ErrorParts, options?: ErrorOptions) {
    super(renderMessage(parts), options);
    this.code = parts.code;
    this.what = parts.what;
    this.where = parts.where ?? '';
    this.fix = parts.fix ?? '';
  }

  override get name(): string {
    return this.constructor.name;
  }

  get [BRAND](): true {
    return true;
  }

  get fault(): Fault {
    return (this.constructor as typeof SobayaError).fault;
  }
}

/** True for errors of ours, also when two copies of the package are loaded. */
export function isSobayaError(error: unknown): error is SobayaError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

function renderMessage({ what, where, fix }: ErrorParts): string {
  let text = where ? `${what} (${where})` : what;
  if (fix) text += `. ${fix}`;
  return text;
}

/** The program is wrong: a wrong argument, a call in the wrong state. The programmer has to act. */
export class UsageError extends SobayaError {
  static override readonly fault: Fault = 'usage';
}

/** The set-up is wrong: options, environment, files. Whoever deploys has to act. Django's name. */
export class ImproperlyConfigured extends SobayaError {
  static override readonly fault: Fault = 'configuration';
}

/** The peer sent something that cannot be accepted; `status` is the HTTP answer it gets. */
export class BadRequest extends SobayaError {
  static override readonly fault: Fault = 'request';
  readonly status: number = 400;
}

/** The outside world failed: a network, a disk, a server that is gone. Often worth trying again. */
export class OperationalError extends SobayaError {
  static override readonly fault: Fault = 'world';
}
