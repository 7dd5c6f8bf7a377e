import { type Meta, metaOf } from '../model/meta.ts';

export interface SignalMessage {
  readonly instance: object;
  /** Of postSave: whether the row was inserted. */
  readonly created?: boolean;
}
/** Of m2mChanged: what happens to the rows between two models. */
export interface RelationMessage {
  /** The instance whose relation changes. */
  readonly instance: object;
  readonly action: 'preAdd' | 'postAdd' | 'preRemove' | 'postRemove' | 'preClear' | 'postClear';
  /** Whether the relation was changed from the side that does not declare the field. */
  readonly reverse: boolean;
  /** The model on the far side, and the keys of its rows; null of a clear(). */
  readonly model: unknown;
  readonly keys: readonly unknown[] | null;
}
export type Receiver<M = SignalMessage> = (message: M) => void | Promise<void>;

/** Tells receivers what happens to instances. Receivers are awaited, in order, inside the same transaction. */
export class Signal<M = SignalMessage> {
  readonly #receivers = new Map<object | null, Set<Receiver<M>>>();

  /** `sender`: a model class; without it, all models. Gives a function that disconnects. */
  connect(receiver: Receiver<M>, options: { readonly sender?: unknown } = {}): () => void {
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

  async send(meta: Meta | readonly Meta[], message: M): Promise<void> {
    if (this.#receivers.size === 0) return;
    const metas = Array.isArray(meta) ? (meta as readonly Meta[]) : [meta as Meta];
    for (const [sender, set] of this.#receivers) {
      if (sender !== null && !metas.some((one) => metaOf(sender).concrete === one.concrete)) continue;
      for (const receiver of [...set]) await receiver(message);
    }
  }
}

export const preSave = new Signal();
export const postSave = new Signal();
export const preDelete = new Signal();
export const postDelete = new Signal();
/** Rows of a many-to-many relation were added or removed. `sender`: the model that declares it, or the one between. */
export const m2mChanged = new Signal<RelationMessage>();

export const signals = {
  preSave,
  postSave,
  preDelete,
  postDelete,
  anyForDelete: (meta: Meta): boolean => preDelete.has(meta) || postDelete.has(meta),
};
