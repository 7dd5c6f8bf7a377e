import {
  type View as FunctionView,
  type HttpRequest,
  HttpResponseNoContent,
  HttpResponseNotAllowed,
  type ViewResult,
} from '../http/index.ts';

type Handler = () => ViewResult;
const names = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'] as const;

/**
 * A class view: one method per HTTP method, a new object per request.
 * `class OrderDetail extends View<{ id: number }> { async get() { … this.params.id … } }`, then
 * `path('orders/<int:id>/', OrderDetail.asView())`.
 */
export abstract class View<P = Record<never, never>> {
  request!: HttpRequest;
  params!: P;

  get?(): ViewResult;
  head?(): ViewResult;
  post?(): ViewResult;
  put?(): ViewResult;
  patch?(): ViewResult;
  delete?(): ViewResult;
  options?(): ViewResult;
  trace?(): ViewResult;

  /** The function for `path()`. `init` sets properties of each object, as `asView({ paginateBy: 10 })`. */
  static asView<P, V extends View<P>>(
    this: new () => V & View<P>,
    init: Partial<V> = {},
  ): FunctionView<V extends View<infer Q> ? Q : P> {
    // biome-ignore lint/complexity/noThisInStatic: the class that asView was called on, a subclass
    return viewOf(this as unknown as new () => View<unknown>, init) as FunctionView<
      V extends View<infer Q> ? Q : P
    >;
  }

  /** Calls the method of the request; override it to do something before or after all of them. */
  dispatch(): ViewResult {
    const name = this.request.method.toLowerCase() as (typeof names)[number];
    const handler = this.#handler(name);
    if (handler !== undefined) return handler.call(this);
    if (name === 'options') {
      const response = new HttpResponseNoContent();
      response.headers.set('allow', this.allowedMethods.join(', '));
      return response;
    }
    return new HttpResponseNotAllowed(this.allowedMethods);
  }

  get allowedMethods(): string[] {
    const allowed = names.filter((name) => name === 'options' || this.#handler(name) !== undefined);
    return allowed.map((name) => name.toUpperCase());
  }

  #handler(name: (typeof names)[number]): Handler | undefined {
    if (!names.includes(name)) return undefined;
    return this[name] ?? (name === 'head' ? this.get : undefined);
  }
}

function viewOf(Class: new () => View<unknown>, init: object): FunctionView<unknown> {
  const view = (request: HttpRequest, params: unknown): ViewResult => {
    const object = new Class();
    Object.assign(object, init);
    object.request = request;
    object.params = params;
    return object.dispatch();
  };
  Object.defineProperty(view, 'name', { value: Class.name, configurable: true });
  return view;
}
