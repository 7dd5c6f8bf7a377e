import { type Meta, metaOf } from '../model/meta.ts';

export interface SignalMessage {
  readonly instance: object;
  /** Of postSave: whether the row was inserted. */
  readonly created?: boolean;
}
export type Receiver = (message: SignalMessage) => void | Promise<void>;

/** Tells receivers what happens to instances. Receivers are awaited, in order, inside the same transaction. */
export class Signal {
  readonly #receivers = new Map<object | null, Set<Receiver>>();

  /** `sender`: a model class; without it, all models. Gives a function that disconnects. */
  connect(receiver: Receiver, options: { readonly sender?: unknown } = {}): () => void {
    const key = (options.sender as object | undefined) ?? null;
    let set = this.#receivers.get(key);
    if (set === undefined) this.#receivers.set(key, (set = new Set()));
    set.add(receiver);
    return () => void set.delete(receiver);
  }

  /** Whether anybody was ever connected: nobody pays for what nobody uses. */
  get active(): boolean {
    return this.#receivers.size > 0;
  }

  has(meta: Meta): boolean {
    if (this.#receivers.size === 0) return false;
    if ((this.#receivers.get(null)?.size ?? 0) > 0) return true;
    for (const [sender, set] of this.#receivers)
      if (sender !== null && set.size > 0 && metaOf(sender).concrete === meta.concrete) return true;
    return false;
  }

  async send(meta: Meta, message: SignalMessage): Promise<void> {
    if (this.#receivers.size === 0) return;
    for (const [sender, set] of this.#receivers) {
      if (sender !== null && metaOf(sender).concrete !== meta.concrete) continue;
      for (const receiver of [...set]) await receiver(message);
    }
  }
}

export const preSave = new Signal();
export const postSave = new Signal();
export const preDelete = new Signal();
export const postDelete = new Signal();

export const signals = {
  preSave,
  postSave,
  preDelete,
  postDelete,
  anyForDelete: (meta: Meta): boolean => preDelete.has(meta) || postDelete.has(meta),
};
