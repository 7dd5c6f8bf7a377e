import { ClientTimeoutError, ClientTransportError, fault, isSobayaError } from '../errors/index.ts';

export interface RetryOptions {
  /** Further attempts after the first one. */
  readonly max: number;
  /** Answers worth another attempt. Default 429, 502, 503, 504. */
  readonly statuses?: readonly number[];
  /** Methods that may be repeated. Default those that RFC 9110 9.2.2 calls idempotent. */
  readonly methods?: readonly string[];
  /** Milliseconds before the second attempt; doubled each time, and drawn at random below that. Default 100. */
  readonly backoff?: number;
  /** Milliseconds waited at most, a server's Retry-After included. Default 5 s. */
  readonly maxBackoff?: number;
  /**
   * How many requests may be retries, as a share of all of this client: when the other side is down, retries
   * must not multiply its load. Default 0.2, and ten retries beyond it.
   */
  readonly budget?: number;
}

const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];
const RESERVE = 10;

/** When to try again, and whether the client can still afford to. */
export class RetryPolicy {
  readonly max: number;
  readonly #statuses: ReadonlySet<number>;
  readonly #methods: ReadonlySet<string>;
  readonly #backoff: number;
  readonly #maxBackoff: number;

  constructor(options: RetryOptions) {
    const { max, backoff = 100, maxBackoff = 5000 } = options;
    if (!Number.isInteger(max) || max < 0 || max > 100)
      throw fault('SBY_CLIENT_BAD_OPTION', {
        option: 'retries',
        got: max,
        expected: 'a whole number of further attempts, 0 to 100, or { max, … }',
      });
    this.max = max;
    this.#statuses = new Set(options.statuses ?? [429, 502, 503, 504]);
    this.#methods = new Set(options.methods ?? IDEMPOTENT);
    this.#backoff = backoff;
    this.#maxBackoff = maxBackoff;
  }

  forStatus(method: string, status: number): boolean {
    return this.#statuses.has(status) && this.#methods.has(method);
  }

  forError(method: string, error: unknown): boolean {
    if (!isSobayaError(error)) return false;
    // Nothing was sent, so any method may go again.
    if (error.code === 'SBY_CLIENT_CONNECT' || error.code === 'SBY_CLIENT_CONNECT_TIMEOUT') return true;
    return (
      (error instanceof ClientTransportError || error instanceof ClientTimeoutError) &&
      this.#methods.has(method)
    );
  }

  /** Milliseconds to wait before attempt number `attempt` (the second is 1). */
  delay(attempt: number, retryAfter: string | null): number {
    const ceiling = Math.min(this.#maxBackoff, this.#backoff * 2 ** (attempt - 1));
    // Full jitter: many clients that failed together must not come back together.
    const drawn = Math.random() * ceiling;
    if (retryAfter === null) return drawn;
    const asked = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
    return Number.isNaN(asked) ? drawn : Math.max(drawn, Math.min(asked, this.#maxBackoff));
  }
}

/** A purse: every request puts a share in, every retry takes one out. */
export class RetryBudget {
  readonly #share: number;
  #tokens = RESERVE;

  constructor(share = 0.2) {
    this.#share = share;
  }

  earn(): void {
    this.#tokens = Math.min(RESERVE * 10, this.#tokens + this.#share);
  }

  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
