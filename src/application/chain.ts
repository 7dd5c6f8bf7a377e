import { currentContext, isCancellation } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import {
  type AnyResponse,
  BaseResponse,
  fromWebResponse,
  type GetResponse,
  type HttpRequest,
  type Middleware,
  middlewareChannel,
} from '../http/index.ts';

/** Makes a response of an error; must not throw. */
export type OnError = (request: HttpRequest, error: unknown) => AnyResponse | Promise<AnyResponse>;

/** One of ours as it is, a web-standard one converted, anything else an error that names who gave it. */
export function asResponse(given: unknown, who: () => string): AnyResponse {
  if (given instanceof BaseResponse) return given as AnyResponse;
  if (given instanceof Response) return fromWebResponse(given);
  throw fault('SBY_HTTP_NO_RESPONSE', { who: who(), got: given });
}

/** Promises of other realms and libraries count too. */
export function isThenable(value: unknown): value is Promise<AnyResponse> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/**
 * Composes the chain once. Each layer sees responses and never errors of what is inside it, as in Django; what is
 * synchronous stays so: a promise is made only where a layer makes one.
 */
export function composeChain(
  middleware: readonly Middleware[],
  inner: (request: HttpRequest) => unknown,
  who: (request: HttpRequest) => string,
  onError: OnError,
): GetResponse {
  let chain = guarded(inner, who, onError);
  for (let index = middleware.length - 1; index >= 0; index--) {
    const make = middleware[index]!;
    if (typeof make !== 'function')
      throw fault('SBY_APPLICATION_BAD_MIDDLEWARE', { position: index + 1, got: make, gave: false });
    const layer: unknown = make(chain);
    if (typeof layer !== 'function')
      throw fault('SBY_APPLICATION_BAD_MIDDLEWARE', { position: index + 1, got: layer, gave: true });
    const name = make.name || layer.name;
    const called = `Middleware ${index + 1}${name ? ` (${name})` : ''}`;
    chain = guarded(
      tracedLayer(layer as GetResponse, name || `middleware ${index + 1}`),
      () => called,
      onError,
    );
  }
  return chain;
}

function tracedLayer(layer: GetResponse, name: string): GetResponse {
  return (request) =>
    middlewareChannel.start.hasSubscribers
      ? middlewareChannel.tracePromise(async () => await layer(request), { name })
      : layer(request);
}

function guarded(
  inner: (request: HttpRequest) => unknown,
  who: (request: HttpRequest) => string,
  onError: OnError,
): GetResponse {
  const failed = (request: HttpRequest, error: unknown): AnyResponse | Promise<AnyResponse> => {
    // The request was cancelled: the client is gone, there is nobody to answer.
    const { scope } = currentContext();
    if (scope.cancelled && isCancellation(error, scope.reason)) throw error;
    return onError(request, error);
  };
  const settle = async (promise: Promise<unknown>, request: HttpRequest): Promise<AnyResponse> => {
    try {
      const value = await promise;
      return value instanceof BaseResponse ? (value as AnyResponse) : asResponse(value, () => who(request));
    } catch (error) {
      return await failed(request, error);
    }
  };
  return (request) => {
    try {
      const given = inner(request);
      if (given instanceof BaseResponse) return given as AnyResponse;
      if (given instanceof Promise) return settle(given, request);
      if (isThenable(given)) return settle(Promise.resolve(given), request);
      return asResponse(given, () => who(request));
    } catch (error) {
      return failed(request, error);
    }
  };
}
