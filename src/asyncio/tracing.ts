import type { Channel, TracingChannel } from 'node:diagnostics_channel';
import { ambient, boundTransform, type Context, runInContext } from './context.ts';

type Channels<M extends object> = TracingChannel<M, object>;

/**
 * `channels.tracePromise(fn, message)`, event for event (`start`, `end`, `error`, `asyncStart`, `asyncEnd`, and what is
 * bound to `start`), at less than half of its cost: Node's makes two disposable stacks for every call. To be called only
 * when somebody listens.
 */
export function tracePromise<M extends object, T>(
  channels: Channels<M>,
  fn: () => PromiseLike<T>,
  message: M,
): Promise<T> {
  const start = channels.start as Channel<M, object>;
  const bound = (start as { _stores?: ReadonlyMap<unknown, unknown> })._stores;
  if (bound?.size === 0) {
    start.publish(message);
    return carriedOut(channels, fn, message);
  }
  const transform = bound?.size === 1 ? boundTransform(start) : undefined;
  // A storage of somebody else's, or a Node that keeps them elsewhere: then as Node does it.
  if (transform === undefined) return start.runStores(message, () => carriedOut(channels, fn, message));
  const context: Context = transform(message);
  if (context === ambient()) {
    start.publish(message);
    return carriedOut(channels, fn, message);
  }
  return runInContext(context, published, channels, fn as () => PromiseLike<unknown>, message) as Promise<T>;
}

function published(
  channels: Channels<object>,
  fn: () => PromiseLike<unknown>,
  message: object,
): Promise<unknown> {
  channels.start.publish(message);
  return carriedOut(channels, fn, message);
}

function carriedOut<M extends object, T>(
  channels: Channels<M>,
  fn: () => PromiseLike<T>,
  message: M,
): Promise<T> {
  let promise: PromiseLike<T>;
  try {
    promise = fn();
  } catch (error) {
    Object.assign(message, { error });
    channels.error.publish(message);
    channels.end.publish(message);
    throw error;
  }
  channels.end.publish(message);
  return promise.then(
    (result) => {
      (message as { result?: T }).result = result;
      channels.asyncStart.publish(message);
      channels.asyncEnd.publish(message);
      return result;
    },
    (error: unknown) => {
      (message as { error?: unknown }).error = error;
      channels.error.publish(message);
      channels.asyncStart.publish(message);
      channels.asyncEnd.publish(message);
      throw error;
    },
  ) as Promise<T>;
}
