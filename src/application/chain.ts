import { currentContext, isCancellation, tracePromise } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import {
  type AnyResponse,
  fromWebResponse,
  type GetResponse,
  type HttpRequest,
  isResponse,
  type Middleware,
  middlewareChannel,
} from '../http/index.ts';
import { type Processing, processingOf } from '../middleware/index.ts';

/** Makes a response of an error; must not throw. */
export type OnError = (request: HttpRequest, error: unknown) => AnyResponse | Promise<AnyResponse>;

/** One of ours as it is, a web-standard one converted, anything else an error that names who gave it. */
export function asResponse(given: unknown, who: () => string): AnyResponse {
  if (isResponse(given)) return given;
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
 * synchronous stays so: a promise is made only where a layer makes one. Neighbours made of two halves (`processing`)
 * become one layer.
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
    const own = processingOf(make);
    if (own !== undefined) {
      const steps = [new Step(own, make.name, index)];
      for (let above = index - 1; above >= 0; above--) {
        const more = typeof middleware[above] === 'function' ? processingOf(middleware[above]!) : undefined;
        if (more === undefined) break;
        steps.unshift(new Step(more, middleware[above]!.name, above));
        index = above;
      }
      chain = traceable(steps, chain, onError);
      continue;
    }
    const layer: unknown = make(chain);
    if (typeof layer !== 'function')
      throw fault('SBY_APPLICATION_BAD_MIDDLEWARE', { position: index + 1, got: layer, gave: true });
    const name = make.name || layer.name;
    const called = calledOf(index, name);
    chain = guarded(layer as GetResponse, () => called, onError, name || `middleware ${index + 1}`);
  }
  return chain;
}

function calledOf(index: number, name: string): string {
  return `Middleware ${index + 1}${name ? ` (${name})` : ''}`;
}

const middlewareStart = middlewareChannel.start;

function tracedLayer(layer: GetResponse, name: string): GetResponse {
  return (request) =>
    middlewareStart.hasSubscribers
      ? tracePromise(middlewareChannel, async () => await layer(request), { name })
      : layer(request);
}

/** What an error of a layer or view becomes. */
function failed(onError: OnError, request: HttpRequest, error: unknown): AnyResponse | Promise<AnyResponse> {
  // The request was cancelled: the client is gone, there is nobody to answer.
  const { scope } = currentContext();
  if (scope.cancelled && isCancellation(error, scope.reason)) throw error;
  return onError(request, error);
}

/**
 * A response that holds something lets go of it with its request at the latest: what is further out may put another in its
 * place, or fail, and then nobody would send it and close it.
 */
function held(request: HttpRequest, response: AnyResponse): AnyResponse {
  if (response.holds && response.heldBy !== request) {
    response.heldBy = request;
    request.onClose(() => response.close());
  }
  return response;
}

/** `name`: of a layer, for whoever listens to the channel of middleware. */
function guarded(
  inner: (request: HttpRequest) => unknown,
  who: (request: HttpRequest) => string,
  onError: OnError,
  name: string | null = null,
): GetResponse {
  return (request) => {
    try {
      let given =
        name !== null && middlewareStart.hasSubscribers
          ? tracePromise(middlewareChannel, async () => await inner(request), { name })
          : inner(request);
      if (isResponse(given)) return held(request, given);
      if (!(given instanceof Promise)) {
        if (!isThenable(given))
          return held(
            request,
            asResponse(given, () => who(request)),
          );
        given = Promise.resolve(given);
      }
      // One promise per layer, not the three of an async function that awaits: with ten layers that counts.
      return (given as Promise<unknown>).then(
        (value) => {
          if (isResponse(value)) return held(request, value);
          try {
            return held(
              request,
              asResponse(value, () => who(request)),
            );
          } catch (error) {
            return failed(onError, request, error);
          }
        },
        (error) => failed(onError, request, error),
      );
    } catch (error) {
      return failed(onError, request, error);
    }
  };
}

class Step {
  readonly in: Processing['processRequest'];
  readonly out: Processing['processResponse'];
  readonly name: string;
  readonly called: string;

  constructor({ processRequest, processResponse }: Processing, name: string, index: number) {
    this.in = processRequest;
    this.out = processResponse;
    this.name = name;
    this.called = calledOf(index, name);
  }
}

/** Layers of two halves, outermost first, as one: all ways in, what is inside, all ways out backwards. */
function processed(steps: readonly Step[], inner: GetResponse, onError: OnError): GetResponse {
  const ins: number[] = [];
  for (const [index, step] of steps.entries()) if (step.in !== undefined) ins.push(index);

  /** The way out from step `from` on, `response` being what came from inside it. */
  const out = (
    request: HttpRequest,
    response: AnyResponse,
    from: number,
  ): AnyResponse | Promise<AnyResponse> => {
    for (let index = from; index >= 0; index--) {
      const step = steps[index]!;
      if (step.out === undefined) continue;
      let given: unknown;
      try {
        given = step.out(request, response);
        if (given === response) continue;
        if (!isThenable(given)) {
          response = held(
            request,
            asResponse(given, () => step.called),
          );
          continue;
        }
      } catch (error) {
        given = failed(onError, request, error);
        if (isResponse(given)) {
          response = given;
          continue;
        }
      }
      return outLater(request, given as Promise<unknown>, step, index - 1);
    }
    return response;
  };

  const outLater = async (
    request: HttpRequest,
    given: Promise<unknown>,
    step: Step,
    from: number,
  ): Promise<AnyResponse> => {
    let response: AnyResponse;
    try {
      response = held(
        request,
        asResponse(await given, () => step.called),
      );
    } catch (error) {
      response = await failed(onError, request, error);
    }
    return await out(request, response, from);
  };

  const last = steps.length - 1;
  /** The way in from the step number `at` of those that have one. */
  const go = (request: HttpRequest, at: number): AnyResponse | Promise<AnyResponse> => {
    for (let next = at; next < ins.length; next++) {
      const index = ins[next]!;
      const step = steps[index]!;
      let answer: unknown;
      try {
        answer = step.in!(request);
        if (answer === undefined) continue;
        if (isThenable(answer)) return inLater(request, answer, step, index, next + 1);
        answer = held(
          request,
          asResponse(answer, () => step.called),
        );
      } catch (error) {
        answer = failed(onError, request, error);
        if (answer instanceof Promise)
          return answer.then((response) => out(request, response as AnyResponse, index - 1));
      }
      return out(request, answer as AnyResponse, index - 1);
    }
    const given = inner(request);
    return given instanceof Promise
      ? given.then((response) => out(request, response, last))
      : out(request, given, last);
  };

  const inLater = async (
    request: HttpRequest,
    given: Promise<unknown>,
    step: Step,
    index: number,
    next: number,
  ): Promise<AnyResponse> => {
    let answer: unknown;
    try {
      answer = await given;
      if (answer !== undefined)
        answer = held(
          request,
          asResponse(answer, () => step.called),
        );
    } catch (error) {
      answer = await failed(onError, request, error);
    }
    return await (answer === undefined ? go(request, next) : out(request, answer as AnyResponse, index - 1));
  };

  return (request) => go(request, 0);
}

/** One by one, for whoever listens to the channel of middleware. */
function traceable(steps: readonly Step[], inner: GetResponse, onError: OnError): GetResponse {
  const fast = processed(steps, inner, onError);
  const traced = steps.reduceRight<GetResponse>(
    (inside, step) => tracedLayer(processed([step], inside, onError), step.name),
    inner,
  );
  return (request) => (middlewareStart.hasSubscribers ? traced(request) : fast(request));
}
