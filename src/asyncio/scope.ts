import { type CancelledError, fault } from '../errors/index.ts';

/** A node in the list of its scope: a sleeper, a child scope, anything that must hear of cancellation. */
export abstract class Waiter {
  prev: Waiter | null = null;
  next: Waiter | null = null;
  owner: Scope | null = null;

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

/**
 * The unit of cancellation. Scopes form a tree of intrusive linked lists: to join and to leave is O(1) and
 * allocates nothing, so a long-lived scope never gathers listeners (measured: adding one to an AbortSignal is
 * O(listeners)). An AbortSignal is made only when somebody asks for it.
 */
export class Scope extends Waiter {
  head: Waiter | null = null;
  cancelled = false;
  reason: unknown = undefined;
  #controller: AbortController | null = null;

  constructor(parent: Scope | null) {
    super();
    if (parent === null) return;
    if (parent.cancelled) this.cancel(parent.reason);
    else parent.link(this);
  }

  link(waiter: Waiter): void {
    waiter.owner = this;
    waiter.next = this.head;
    if (this.head !== null) this.head.prev = waiter;
    this.head = waiter;
  }

  override onCancel(reason: unknown): void {
    this.cancel(reason);
  }

  /** Cancels everything that waits in this scope and below. Later waits in it fail at once. */
  cancel(reason: unknown = cancelled('the scope was cancelled')): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.reason = reason;
    this.unlink();
    for (let waiter = this.head; waiter !== null; waiter = this.head) {
      waiter.unlink();
      waiter.onCancel(reason);
    }
    this.#controller?.abort(reason);
  }

  throwIfCancelled(): void {
    if (this.cancelled) throw this.reason;
  }

  /** For APIs that want an AbortSignal. For one call prefer `withSignal`, which leaves nothing behind. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancelled) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }
}

export function cancelled(why: string, options?: ErrorOptions): CancelledError {
  return fault('SBY_ASYNCIO_CANCELLED', { why }, options);
}
