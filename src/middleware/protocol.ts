import type { AnyResponse, GetResponse, HttpRequest, Middleware } from '../http/index.ts';

/** Goes on with a response when it is there: at once where nothing is awaited, so that a layer costs no promise. */
export function andThen(
  given: AnyResponse | Promise<AnyResponse>,
  fn: (response: AnyResponse) => AnyResponse | Promise<AnyResponse>,
): AnyResponse | Promise<AnyResponse> {
  return given instanceof Promise ? given.then(fn) : fn(given);
}

/** An expression that keeps no state from one request to the next. */
export function stateless(expression: RegExp): RegExp {
  return /[gy]/.test(expression.flags)
    ? new RegExp(expression.source, expression.flags.replace(/[gy]/g, ''))
    : expression;
}

type Maybe = AnyResponse | undefined | void;

/** The two halves of a middleware that keeps nothing between them but what it puts on the request. */
export interface Processing {
  /** On the way in. A response ends that way: what is further inside does not run, nor this middleware's other half. */
  readonly processRequest?: (request: HttpRequest) => Maybe | Promise<Maybe>;
  /** On the way out, with the response of what is inside: gives that one, or another. */
  readonly processResponse?: (
    request: HttpRequest,
    response: AnyResponse,
  ) => AnyResponse | Promise<AnyResponse>;
}

const halves = new WeakMap<Middleware, Processing>();

/**
 * A middleware of two halves, `processing('served', { processResponse: (request, response) => … })`: the same protocol,
 * but neighbours of this kind are called in one loop, without a promise and a closure for each.
 */
export function processing(name: string, { processRequest, processResponse }: Processing): Middleware {
  const middleware: Middleware = (getResponse) => {
    const inside = (request: HttpRequest): AnyResponse | Promise<AnyResponse> =>
      processResponse === undefined
        ? getResponse(request)
        : andThen(getResponse(request), (response) => processResponse(request, response));
    const layer: GetResponse = (request) => {
      const answer = processRequest?.(request);
      if (answer instanceof Promise) return answer.then((response) => response ?? inside(request));
      return answer ?? inside(request);
    };
    return layer;
  };
  Object.defineProperty(middleware, 'name', { value: name });
  halves.set(middleware, Object.freeze({ processRequest, processResponse }) as Processing);
  return middleware;
}

/** For builders: the halves of what `processing` made; undefined for any other middleware. */
export function processingOf(middleware: Middleware): Processing | undefined {
  return halves.get(middleware);
}
