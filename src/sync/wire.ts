import { fault } from '../errors/index.ts';

/** What travels between the main thread and a thread or process of ours. */

/** A call of a function of a module. */
export interface CallMessage {
  readonly kind: 'call';
  readonly id: number;
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly vars: ReadonlyMap<string, unknown> | null;
  /** How many ms are left until the caller's deadline; null without one. */
  readonly left: number | null;
  /** How many calls the thread is in the middle of: where its cancellation flag is. */
  readonly depth: number;
}

/** The caller of a call has been cancelled. */
export interface CancelMessage {
  readonly kind: 'cancel';
  readonly id: number;
}

/** The end of a call, or the answer to a question. */
export interface OutcomeMessage {
  readonly kind: 'done';
  readonly id: number;
  readonly ok: boolean;
  readonly value: unknown;
}

/** A thread asks the main loop to run an async function, and blocks until it is answered. */
export interface AskMessage {
  readonly kind: 'ask';
  readonly id: number;
  /** The call in whose name it asks. */
  readonly call: number;
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly vars: ReadonlyMap<string, unknown> | null;
}

export interface AnswerMessage {
  readonly kind: 'answer';
  readonly id: number;
  readonly ok: boolean;
  readonly value: unknown;
}

export type ToThread = CallMessage | CancelMessage | AnswerMessage;
export type FromThread = OutcomeMessage | AskMessage;

/** Slots of the memory that a thread shares with the main one. */
export const slots = {
  /** Counts messages to the thread, which it waits on while it is blocked. */
  messages: 0,
  /** From here on: whether the call at that depth has been cancelled. */
  cancelled: 1,
  count: 64,
};

/** Memory that is handed over instead of copied. */
export class Moved {
  readonly value: unknown;
  readonly list: readonly Transferable[];
  /** Cannot be copied: one that lies deep inside of a value is an error, and does not arrive as this object. */
  readonly only = (): void => {};
  constructor(value: unknown, list: readonly Transferable[]) {
    this.value = value;
    this.list = list;
  }
}

type Transferable = ArrayBuffer | import('node:worker_threads').MessagePort;

function checkMovable(got: unknown): void {
  if (got instanceof SharedArrayBuffer)
    throw fault('SBY_SYNC_NOT_MOVABLE', { got, why: 'it is shared already, pass it as it is' });
  if (typeof got !== 'object' || got === null)
    throw fault('SBY_SYNC_NOT_MOVABLE', { got, why: 'it is no memory of its own' });
  if (got instanceof ArrayBuffer && got.detached)
    throw fault('SBY_SYNC_NOT_MOVABLE', { got, why: 'it has been handed over already' });
}

/**
 * Hands memory over to the thread, or back from it, without a copy: as an argument of a call, or as what a function
 * returns. `list` names what is inside of a larger value: `move({ pixels }, [pixels.buffer])`.
 */
export function move<T>(value: T, list?: readonly Transferable[]): T {
  const own = ArrayBuffer.isView(value) ? [value.buffer as ArrayBuffer] : [value as unknown as Transferable];
  const moved = list ?? own;
  for (const each of moved) checkMovable(each);
  return new Moved(value, moved) as unknown as T;
}

/** Takes the values out of what was marked with `move`. */
export function unwrap(values: readonly unknown[]): { plain: readonly unknown[]; list: Transferable[] } {
  const list: Transferable[] = [];
  if (!values.some((value) => value instanceof Moved)) return { plain: values, list };
  const plain = values.map((value) => {
    if (!(value instanceof Moved)) return value;
    // The same memory may be named twice: as two views of one buffer.
    for (const each of value.list) if (!list.includes(each)) list.push(each);
    return value.value;
  });
  return { plain, list };
}

/** Whether a value can be copied into a thread. */
export function cloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
