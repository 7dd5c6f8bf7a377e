import { type CancelledError, fault } from '../errors/index.ts';
import { startTimer, stopTimer, type Timer } from './clock.ts';
import { guardFloatingPromises } from './floating.ts';
import type { Task } from './task.ts';

/** A node in the list of its scope: a sleeper, a child scope, anything that must hear of cancellation. */
export abstract class Waiter {
  // Declared, and set in the constructor: initialised class fields cost three times as much to make (measured).
  declare prev: Waiter | null;
  declare next: Waiter | null;
  declare owner: Scope | null;

  constructor() {
    this.prev = null;
    this.next = null;
    this.owner = null;
  }

  /** Called once, when the scope is cancelled; the node has been unlinked already. */
  abstract onCancel(reason: unknown): void;

  /** What is waited for, for people: "sleep 500 ms", "query SELECT …". */
  describe(): string {
    return this.constructor.name;
  }

  unlink(): void {
    const owner = this.owner;
    if (owner === null) return;
    if (this.prev !== null) this.prev.next = this.next;
    else owner.head = this.next;
    if (this.next !== null) this.next.prev = this.prev;
    this.owner = this.prev = this.next = null;
  }
}

/** How long what is left in a scope may take to clean up before it is abandoned, in ms. */
export const defaultGrace = 1000;

/**
 * The unit of cancellation and of ending. Scopes form a tree of intrusive linked lists: to join and to leave is
 * O(1) and allocates nothing, so a long-lived scope never gathers listeners (measured: adding one to an
 * AbortSignal is O(listeners)). An AbortSignal is made only when somebody asks for it.
 */
export class Scope extends Waiter {
  /** What waits directly in this scope, newest first. */
  declare head: Waiter | null;
  /** Child scopes that have not ended, newest first. A cancelled one stays here until it has cleaned up. */
  declare kids: Scope | null;
  declare cancelled: boolean;
  declare reason: unknown;
  /** Set by whoever runs work in the scope: it stays in the tree, cancelled or not, until `unlink()`. */
  declare held: boolean;
  /** Cancellation from outside stops here. */
  declare shielded: boolean;
  /** For people: "timeout 500 ms", "gather". Empty for the scope of a task. */
  declare kind: string;
  /** The task whose own scope this is. */
  declare task: Task<unknown> | null;
  declare private controller: AbortController | null;
  declare private onEmpty: (() => void) | null;

  constructor(parent: Scope | null, kind = '', shielded = false) {
    super();
    this.head = null;
    this.kids = null;
    this.cancelled = false;
    this.reason = undefined;
    this.held = false;
    this.shielded = false;
    this.kind = kind;
    this.task = null;
    this.controller = null;
    this.onEmpty = null;
    if (parent === null) return;
    this.owner = parent;
    this.next = parent.kids;
    if (parent.kids !== null) parent.kids.prev = this;
    parent.kids = this;
    if (shielded) this.shielded = true;
    else if (parent.cancelled) {
      this.cancelled = true;
      this.reason = parent.reason;
    }
  }

  /** The scope at the top: the program, the one that only shutdown cancels. */
  get program(): Scope {
    let scope: Scope = this;
    while (scope.owner !== null) scope = scope.owner;
    return scope;
  }

  /** Whether this scope is `other` or stands below it. */
  within(other: Scope): boolean {
    for (let scope: Scope | null = this; scope !== null; scope = scope.owner)
      if (scope === other) return true;
    return false;
  }

  link(waiter: Waiter): void {
    waiter.owner = this;
    waiter.next = this.head;
    if (this.head !== null) this.head.prev = waiter;
    this.head = waiter;
  }

  /** Takes the scope out of the tree: its work has ended. */
  override unlink(): void {
    const owner = this.owner;
    if (owner === null) return;
    if (this.prev !== null) (this.prev as Scope).next = this.next;
    else owner.kids = this.next as Scope | null;
    if (this.next !== null) this.next.prev = this.prev;
    this.owner = this.prev = this.next = null;
    if (owner.kids === null) owner.emptied();
  }

  private emptied(): void {
    const onEmpty = this.onEmpty;
    if (onEmpty === null) return;
    this.onEmpty = null;
    onEmpty();
  }

  override onCancel(reason: unknown): void {
    this.cancel(reason);
  }

  /**
   * Cancels everything that waits in this scope and below, except in shields. Later waits in it fail at once.
   * The deepest scope hears first, and in a scope the newest wait. True if some wait heard it.
   */
  cancel(reason: unknown = cancelled('the scope was cancelled'), throughShields = false): boolean {
    if (this.cancelled && !throughShields) return false;
    // First mark, then tell: a listener may run code, which must find the whole tree cancelled.
    const told: Scope[] = [];
    mark(this, reason, throughShields, told);
    for (let index = 0; index < told.length; index++) {
      for (let kid = told[index]?.kids ?? null; kid !== null; kid = kid.next as Scope | null)
        if (throughShields || !(kid.shielded || kid.cancelled)) mark(kid, reason, throughShields, told);
    }
    let heard = false;
    for (let index = told.length - 1; index >= 0; index--) {
      const scope = told[index] as Scope;
      for (let waiter = scope.head; waiter !== null; waiter = scope.head) {
        waiter.unlink();
        waiter.onCancel(reason);
        heard = true;
      }
      if (scope.controller !== null) {
        scope.controller.abort(scope.reason);
        heard = true;
      }
      if (!scope.held && scope.kids === null) scope.unlink();
    }
    return heard;
  }

  throwIfCancelled(): void {
    if (this.cancelled) throw this.reason;
  }

  /** Resolves when no child scope is left; calls back at once when there is none. */
  whenEmpty(callback: () => void): void {
    if (this.kids === null) callback();
    else this.onEmpty = callback;
  }

  /** Whether work in a shield somewhere below is still going on. */
  get hasShield(): boolean {
    // Not recursive: a tree may be deeper than the stack.
    const open: Scope[] = [this];
    for (let scope = open.pop(); scope !== undefined; scope = open.pop())
      for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null) {
        if (kid.shielded) return true;
        open.push(kid);
      }
    return false;
  }

  /** Hands the scope, with what still runs in it, over to the program: nobody below the top waits for it. */
  abandon(): void {
    const { program } = this;
    if (program === this || this.owner === program) return;
    this.unlink();
    this.owner = program;
    this.next = program.kids;
    if (program.kids !== null) program.kids.prev = this;
    program.kids = this;
  }

  /** For APIs that want an AbortSignal. For one call prefer `withSignal`, which leaves nothing behind. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.cancelled) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }
}

/** The scope of a timeout. */
export class DeadlineScope extends Scope {
  deadline: { readonly when: number | null } | null = null;
}

function mark(scope: Scope, reason: unknown, throughShields: boolean, told: Scope[]): void {
  if (!scope.cancelled) {
    scope.cancelled = true;
    scope.reason = reason;
  } else if (!throughShields) return;
  told.push(scope);
}

export function cancelled(why: string, options?: ErrorOptions): CancelledError {
  guardFloatingPromises();
  return fault('SBY_ASYNCIO_CANCELLED', { why }, options);
}

let onAbandoned: ((scope: Scope) => void) | null = null;
/** For debug mode: called with a scope whose work ignores its cancellation and is left behind. */
export function setAbandonedHandler(handler: ((scope: Scope) => void) | null): void {
  onAbandoned = handler;
}

export function abandoned(scope: Scope): void {
  onAbandoned?.(scope);
}

/**
 * Ends a scope whose own work is over: what is left in it is cancelled and waited for. What has not ended after
 * `grace` ms, and is in no shield, is abandoned. Null when there was nothing to wait for.
 */
export function leave(scope: Scope, why: string, grace = defaultGrace): Promise<void> | null {
  if (scope.kids === null && scope.head === null) {
    scope.unlink();
    return null;
  }
  scope.cancel(cancelled(why));
  if (scope.kids === null) {
    scope.unlink();
    return null;
  }
  return new Promise<void>((resolve) => {
    const patience = new Patience(scope, grace, () => {
      for (let kid = scope.kids; kid !== null; kid = scope.kids) {
        kid.abandon();
        abandoned(kid);
      }
    });
    scope.whenEmpty(() => {
      patience.end();
      scope.unlink();
      resolve();
    });
  });
}

/** Waits for the clean-up in a cancelled scope: `ms` without a shield, and as long as shields need. */
export class Patience {
  readonly #scope: Scope;
  readonly #onEnd: () => void;
  #timer: Timer;
  #sawShield = false;

  constructor(scope: Scope, ms: number, onEnd: () => void) {
    this.#scope = scope;
    this.#onEnd = onEnd;
    this.#timer = startTimer(look, ms, this as Patience);
  }

  look(): void {
    const shield = this.#scope.hasShield;
    if (shield || this.#sawShield) {
      // What comes after a shield has its time as well.
      this.#sawShield = shield;
      this.#timer = startTimer(look, defaultGrace, this as Patience);
    } else this.#onEnd();
  }

  end(): void {
    stopTimer(this.#timer);
  }
}

function look(patience: Patience): void {
  patience.look();
}
