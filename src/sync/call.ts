import { type Context, ContextVar, Waiter } from '../asyncio/index.ts';
import type { SyncCallMessage } from './channels.ts';
import type { Lane } from './lane.ts';

/** What happens in the thread when the caller is cancelled; see `syncToAsync`. */
export type OnCancel = 'abandon' | 'wait' | 'kill';

/** In whose name an async function runs that a thread asked for. */
export const askedBy: ContextVar<Call> = new ContextVar<Call>('sobaya.sync.askedBy');

/** One call into a pool, from its start to its end. */
export class Call extends Waiter {
  readonly id: number;
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly list: readonly ArrayBuffer[];
  /** Calls of the same key run in order in one thread; null: in any. */
  readonly key: object | null;
  readonly context: Context;
  readonly onCancelDo: OnCancel;
  /** The call in whose name the async function runs that made this one. */
  readonly parent: Call | null;
  /** Made where the call began, for its stack. */
  readonly here: Error;
  /** For whoever traces; null when nobody does. */
  readonly message: SyncCallMessage | null;
  readonly queuedAt = performance.now();
  startedAt = 0;
  lane: Lane | null = null;
  /** How many questions to the main loop it waits for. */
  asking = 0;
  /** Why nobody waits for it any more. */
  cancelReason: unknown = null;
  settled = false;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly #onCancelled: (call: Call, reason: unknown) => void;

  constructor(parts: {
    id: number;
    module: string;
    name: string;
    args: readonly unknown[];
    list: readonly ArrayBuffer[];
    key: object | null;
    context: Context;
    onCancel: OnCancel;
    parent: Call | null;
    here: Error;
    message: SyncCallMessage | null;
    resolve: (value: unknown) => void;
    reject: (reason: unknown) => void;
    onCancelled: (call: Call, reason: unknown) => void;
  }) {
    super();
    this.id = parts.id;
    this.module = parts.module;
    this.name = parts.name;
    this.args = parts.args;
    this.list = parts.list;
    this.key = parts.key;
    this.context = parts.context;
    this.onCancelDo = parts.onCancel;
    this.parent = parts.parent;
    this.here = parts.here;
    this.message = parts.message;
    this.resolve = parts.resolve;
    this.reject = parts.reject;
    this.#onCancelled = parts.onCancelled;
  }

  override onCancel(reason: unknown): void {
    this.#onCancelled(this, reason);
  }

  override describe(): string {
    const what = `${this.module.split('/').at(-1)} ${this.name}()`;
    if (this.lane === null) return `a thread for ${what}`;
    return this.asking > 0 ? `${this.lane.kind} ${what}, which asks back` : `${this.lane.kind} ${what}`;
  }

  /** Whether it was made on behalf of `other`. */
  descendsFrom(other: Call): boolean {
    for (let call: Call | null = this.parent; call !== null; call = call.parent)
      if (call === other) return true;
    return false;
  }
}
