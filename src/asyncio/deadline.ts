import { fault } from '../errors/index.ts';
import { inScope } from './block.ts';
import { checkTime, notAFunction } from './checks.ts';
import { now, startTimer, stopTimer, type Timer } from './clock.ts';
import { currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { reportUnseen } from './never-retrieved.ts';
import { abandoned, cancelled, DeadlineScope, defaultGrace, Patience, type Scope } from './scope.ts';
import { isCancellation } from './task.ts';
import { cancelledBy } from './under-signal.ts';

/** What a block under a deadline gets: it can look at its deadline and move it. */
export class Deadline {
  readonly scope: Scope;
  #when: number | null = null;
  #expired = false;
  #over = false;
  #timer: Timer | undefined;
  #patience: Patience | null = null;
  readonly #giveUp: () => void;

  /** For builders. Everybody else: `timeout`, `timeoutAt`, `moveOnAfter`. */
  constructor(scope: DeadlineScope, when: number | null, giveUp: () => void) {
    this.scope = scope;
    this.#giveUp = giveUp;
    scope.deadline = this;
    this.#set(when);
  }

  /** The deadline on the loop's clock (`getRunningLoop().time()`), null when there is none. */
  get when(): number | null {
    return this.#when;
  }

  /** Whether the deadline passed and the block was cancelled for it. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Moves the deadline to `ms` from now, or takes it away with null. */
  reschedule(ms: number | null): void {
    if (ms !== null) checkTime('reschedule', ms);
    this.#move(ms === null ? null : now() + ms);
  }

  /** Moves the deadline to a time on the loop's clock. */
  rescheduleAt(when: number | null): void {
    checkMoment('rescheduleAt', when);
    this.#move(when);
  }

  #move(when: number | null): void {
    if (this.#over || this.#expired) throw fault('SBY_ASYNCIO_DEADLINE_OVER', { expired: this.#expired });
    stopTimer(this.#timer);
    this.#set(when);
  }

  #set(when: number | null): void {
    this.#when = when;
    this.#timer = when === null ? undefined : startTimer(expire, Math.max(0, when - now()), this);
  }

  /** The time has come: cancels the block, and gives it up later if it does not listen. */
  expire(): void {
    if (this.scope.cancelled || this.#over) return;
    stopTimer(this.#timer);
    this.#expired = true;
    const heard = this.scope.cancel(cancelled(`the ${this.scope.kind} passed`));
    // A block that heard of it may clean up; one that sits in a foreign promise gets one turn.
    this.#patience = new Patience(this.scope, heard ? defaultGrace : 0, this.#giveUp);
  }

  end(): void {
    this.#over = true;
    stopTimer(this.#timer);
    this.#patience?.end();
  }
}

function expire(deadline: Deadline): void {
  deadline.expire();
}

export interface DeadlineOptions {
  /** Cancels the block when it aborts, before the deadline. */
  readonly signal?: AbortSignal | undefined;
}

export type DeadlineBlock<T> = (deadline: Deadline) => T | PromiseLike<T>;

type OnExpired = (cause: unknown, ms: number, name: string) => Error;

const timedOut: OnExpired = (cause, ms, name) =>
  fault('SBY_ASYNCIO_TIMEOUT', { ms, name: name || undefined }, { cause });

/** `onExpired` null: an expired block gives undefined. */
function under<T>(
  kind: string,
  when: number | null,
  block: DeadlineBlock<T>,
  onExpired: OnExpired | null,
  { signal }: DeadlineOptions,
): Promise<Awaited<T>> {
  if (signal !== undefined)
    return cancelledBy(signal, 'timeout', () => under(kind, when, block, onExpired, {})) as Promise<
      Awaited<T>
    >;
  const scope = new DeadlineScope(currentContext().scope, kind);
  const start = now();
  return new Promise<Awaited<T>>((resolve, reject) => {
    let leftBehind = false;
    const deadline = new Deadline(scope, when, () => {
      scope.abandon();
      abandoned(scope);
      fail(scope.reason);
      leftBehind = true;
    });
    const fail = (error: unknown): void => {
      deadline.end();
      // Nobody waits for it any more, so nobody else can get this.
      if (leftBehind) {
        if (!isCancellation(error, scope.reason)) reportUnseen({ name: kind, site: null }, error);
      } else if (!deadline.expired || !isCancellation(error, scope.reason)) reject(error);
      else if (onExpired === null) resolve(undefined as Awaited<T>);
      else reject(onExpired(error, Math.max(0, Math.round((deadline.when ?? start) - start)), block.name));
    };
    inScope(scope, () => block(deadline)).then((value) => {
      deadline.end();
      resolve(value);
    }, fail);
    // A deadline in the past: the block has started, its first wait fails.
    if (when !== null && when < start) deadline.expire();
  });
}

/**
 * Runs `block` with a deadline `ms` from now (null: none yet). When it passes, the block's waits fail with a
 * CancelledError, and here a TimeoutError is thrown. A block that listens is waited for while it cleans up, at most
 * a second or as long as its shields need; one that sits in a foreign promise is left behind: timeout never hangs.
 */
export function timeout<T>(
  ms: number | null,
  block: DeadlineBlock<T>,
  options: DeadlineOptions = {},
): Promise<Awaited<T>> {
  const promise = startTimeout(ms, block, options);
  return hooks.watch === null ? promise : hooks.watch(promise, `timeout(${ms})`);
}

async function startTimeout<T>(
  ms: number | null,
  block: DeadlineBlock<T>,
  options: DeadlineOptions,
): Promise<Awaited<T>> {
  if (ms !== null) checkTime('timeout', ms);
  if (typeof block !== 'function') throw notAFunction('timeout', 2, block);
  return under(
    ms === null ? 'timeout' : `timeout ${ms} ms`,
    ms === null ? null : now() + ms,
    block,
    timedOut,
    options,
  );
}

/** `timeout` with a deadline on the loop's clock, `getRunningLoop().time()`. */
export async function timeoutAt<T>(
  when: number | null,
  block: DeadlineBlock<T>,
  options: DeadlineOptions = {},
): Promise<Awaited<T>> {
  checkMoment('timeoutAt', when);
  if (typeof block !== 'function') throw notAFunction('timeoutAt', 2, block);
  return under('timeout', when, block, timedOut, options);
}

/** As `timeout`, but gives undefined instead of throwing when the deadline passes. */
export async function moveOnAfter<T>(
  ms: number | null,
  block: DeadlineBlock<T>,
  options: DeadlineOptions = {},
): Promise<Awaited<T> | undefined> {
  if (ms !== null) checkTime('moveOnAfter', ms);
  if (typeof block !== 'function') throw notAFunction('moveOnAfter', 2, block);
  return under(`moveOnAfter ${ms} ms`, ms === null ? null : now() + ms, block, null, options);
}

/** As `moveOnAfter`, with a deadline on the loop's clock. */
export async function moveOnAt<T>(
  when: number | null,
  block: DeadlineBlock<T>,
  options: DeadlineOptions = {},
): Promise<Awaited<T> | undefined> {
  checkMoment('moveOnAt', when);
  if (typeof block !== 'function') throw notAFunction('moveOnAt', 2, block);
  return under('moveOnAt', when, block, null, options);
}

function checkMoment(callee: string, when: unknown): void {
  if (when !== null && (typeof when !== 'number' || !Number.isFinite(when)))
    throw fault('SBY_ASYNCIO_BAD_TIME', { callee, got: when });
}

/** The earliest deadline around us, on the loop's clock; null when there is none. */
export function currentDeadline(): number | null {
  let earliest: number | null = null;
  for (let scope: Scope | null = currentContext().scope; scope !== null; scope = scope.owner) {
    const when = scope instanceof DeadlineScope ? (scope.deadline?.when ?? null) : null;
    if (when !== null && (earliest === null || when < earliest)) earliest = when;
    if (scope.shielded) break;
  }
  return earliest;
}
