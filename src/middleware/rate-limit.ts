import { hash } from 'node:crypto';
import { fault } from '../errors/index.ts';
import {
  type AnyResponse,
  type HttpRequest,
  HttpResponse,
  type Middleware,
  RequestVar,
} from '../http/index.ts';
import { processing, stateless } from './protocol.ts';

/** Counts per key; `take` says how many tokens of how many are left, and when one comes back. */
export interface RateStore {
  /** Tries to take one; `windowMs` is the time in which `limit` come back. */
  take(key: string, limit: number, windowMs: number): Promise<RateResult> | RateResult;
}
export interface RateResult {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Until the next is allowed; 0 when it is. */
  readonly retryAfterMs: number;
}

export interface RateLimitOptions {
  /** So many requests … */
  readonly limit: number;
  /** … in so many seconds; a burst may use them at once, then they come back evenly. */
  readonly seconds: number;
  /** Who is counted. Default: the client's address (of an IPv6 address its /64, since a host has all of that). */
  readonly key?: (request: HttpRequest) => string | null;
  /** Default: memory of this process. */
  readonly store?: RateStore;
  /** Only these paths. */
  readonly paths?: RegExp;
  /** What happens to a request when the store cannot be asked. Default `allow`: a limit is no reason to be down. */
  readonly onStoreError?: 'allow' | 'refuse';
}

/** Limits how often one client may ask; 429 with Retry-After beyond (RFC 6585). */
export function rateLimit(options: RateLimitOptions): Middleware {
  const { limit, seconds, key = clientKey, store = new MemoryRateStore(), onStoreError = 'allow' } = options;
  const paths = options.paths && stateless(options.paths);
  if (!(Number.isInteger(limit) && limit > 0))
    throw fault('SBY_MIDDLEWARE_BAD_OPTION', {
      middleware: 'rateLimit',
      option: 'limit',
      why: 'it takes a whole number from 1 on',
    });
  if (!(seconds > 0))
    throw fault('SBY_MIDDLEWARE_BAD_OPTION', {
      middleware: 'rateLimit',
      option: 'seconds',
      why: 'it takes a time above zero',
    });
  const results = new RequestVar<RateResult>('rate limit');
  const limitHeader: readonly [string, string] = ['ratelimit-limit', String(limit)];
  const mark = (response: AnyResponse, result: RateResult): AnyResponse => {
    // Of several limits around one view, the innermost tells: it is the one that the view's own clients meet.
    response.headers.addMissing([limitHeader, ['ratelimit-remaining', String(result.remaining)]]);
    return response;
  };
  const decide = (request: HttpRequest, result: RateResult): AnyResponse | undefined => {
    if (result.allowed) {
      results.set(request, result);
      return undefined;
    }
    const refused = new HttpResponse('Too Many Requests\n', {
      status: 429,
      contentType: 'text/plain; charset=utf-8',
      headers: { 'retry-after': Math.max(1, Math.ceil(result.retryAfterMs / 1000)) },
    });
    return mark(refused, result);
  };
  return processing('rateLimit', {
    processRequest(request) {
      if (paths !== undefined && !paths.test(request.path)) return undefined;
      const who = key(request);
      if (who === null) return undefined;
      const result = store.take(who, limit, seconds * 1000);
      return result instanceof Promise
        ? result.then(
            (later) => decide(request, later),
            (error) => {
              complain(error);
              return onStoreError === 'allow'
                ? undefined
                : decide(request, { allowed: false, remaining: 0, retryAfterMs: 1000 });
            },
          )
        : decide(request, result);
    },
    processResponse(request, response) {
      const result = results.get(request);
      return result === undefined ? response : mark(response, result);
    },
  });
}

let complained = Number.NEGATIVE_INFINITY;

/** Once a minute: a store that is away is away for every request. */
function complain(error: unknown): void {
  if (performance.now() - complained < 60_000) return;
  complained = performance.now();
  console.error('rateLimit() cannot ask its store:', error);
}

function clientKey(request: HttpRequest): string {
  const address = request.clientAddress ?? 'unknown';
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  if (tail !== undefined) while (groups.length < 8 - tail.split(':').filter(Boolean).length) groups.push('0');
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/**
 * The generic cell rate algorithm: one number per key, the time at which its bucket will be full again. Bounded: at
 * most `maxKeys`, those that are full again go first.
 */
export class MemoryRateStore implements RateStore {
  readonly #full = new Map<string, number>();
  readonly #maxKeys: number;

  constructor(maxKeys = 100_000) {
    this.#maxKeys = maxKeys;
  }

  take(key: string, limit: number, windowMs: number): RateResult {
    const now = performance.now();
    const step = windowMs / limit;
    const full = Math.max(this.#full.get(key) ?? 0, now);
    const next = full + step;
    const wait = next - windowMs - now;
    if (wait > 0.001) return { allowed: false, remaining: 0, retryAfterMs: wait };
    this.#full.delete(key);
    this.#full.set(key, next);
    if (this.#full.size > this.#maxKeys) this.#trim(now);
    return {
      allowed: true,
      remaining: Math.max(0, Math.floor((windowMs - (next - now)) / step + 1e-9)),
      retryAfterMs: 0,
    };
  }

  #trim(now: number): void {
    for (const [key, full] of this.#full) {
      if (full <= now || this.#full.size > this.#maxKeys) this.#full.delete(key);
      else break;
    }
  }
}

/** What is needed of a Redis client: `sendCommand` of node-redis; for ioredis give `{ sendCommand: (args) => redis.call(...args) }`. */
export interface RedisLike {
  sendCommand(args: string[]): Promise<unknown>;
}

const script = `local now=redis.call('TIME') now=now[1]*1000+now[2]/1000
local full=math.max(tonumber(redis.call('GET',KEYS[1]) or '0'),now)
local step=ARGV[2]/ARGV[1] local nxt=full+step local wait=nxt-ARGV[2]-now
if wait>0.001 then return {0,0,math.ceil(wait)} end
redis.call('SET',KEYS[1],string.format('%.3f',nxt),'PX',math.ceil(nxt-now)+1)
return {1,math.floor((ARGV[2]-(nxt-now))/step+0.000001),0}`;

const scriptHash = hash('sha1', script);

/** Shared by all processes, in Redis or Valkey. */
export class RedisRateStore implements RateStore {
  readonly #redis: RedisLike;
  readonly #prefix: string;

  constructor(redis: RedisLike, prefix = 'sobaya:rate:') {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async take(key: string, limit: number, windowMs: number): Promise<RateResult> {
    const args = ['1', this.#prefix + key, String(limit), String(windowMs)];
    let answer: [number, number, number];
    try {
      answer = (await this.#redis.sendCommand(['EVALSHA', scriptHash, ...args])) as typeof answer;
    } catch (error) {
      // Redis has been restarted, or sees the script for the first time.
      if (!/NOSCRIPT/.test(String((error as Error | null)?.message))) throw error;
      answer = (await this.#redis.sendCommand(['EVAL', script, ...args])) as typeof answer;
    }
    return {
      allowed: Number(answer[0]) === 1,
      remaining: Number(answer[1]),
      retryAfterMs: Number(answer[2]),
    };
  }
}
