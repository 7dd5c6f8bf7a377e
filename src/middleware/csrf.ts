import { randomBytes, timingSafeEqual } from 'node:crypto';
import { fault } from '../errors/index.ts';
import {
  type AnyResponse,
  type CookieOptions,
  type HttpRequest,
  type Middleware,
  RequestVar,
  type View,
} from '../http/index.ts';
import { processing } from './protocol.ts';

export interface CsrfOptions {
  /** Default `csrftoken`. */
  readonly cookie?: string;
  readonly cookieOptions?: CookieOptions;
  /** The form field. Default `csrfmiddlewaretoken`. */
  readonly field?: string;
  /** For scripts. Default `x-csrftoken`. */
  readonly header?: string;
  /** Other sites that may send forms: `https://admin.example`, `https://*.example`. */
  readonly trustedOrigins?: readonly string[];
}

const size = 32;
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** On the function itself, so that decorators around it keep it, as they keep all that a view is known by. */
const exempt: unique symbol = Symbol.for('sobaya.csrf.exempt') as never;

/** A view that takes requests of other sites: a webhook that proves itself in another way. */
export function csrfExempt<V extends View<never>>(view: V): V {
  Object.defineProperty(view, exempt, { value: true, configurable: true });
  return view;
}

/** What is known of one request's secret; its cookie is read when somebody asks for it. */
class State {
  readonly #request: HttpRequest;
  readonly #cookie: string;
  #secret: Buffer | null | undefined = undefined;
  /** The secret goes out with the response. */
  used = false;

  constructor(request: HttpRequest, cookie: string) {
    this.#request = request;
    this.#cookie = cookie;
  }

  /** The browser's; null when it has none. */
  get secret(): Buffer | null {
    if (this.#secret !== undefined) return this.#secret;
    const known = this.#request.cookies.get(this.#cookie);
    return (this.#secret =
      known !== undefined && /^[\w-]{43}$/.test(known) ? Buffer.from(known, 'base64url') : null);
  }
  set secret(secret: Buffer) {
    this.#secret = secret;
  }
}
const states: RequestVar<State> = new RequestVar<State>('csrf');

/**
 * The token for forms of this response (`<input type="hidden" name="csrfmiddlewaretoken" value="…">`) and scripts.
 * Another text each time, so that compression cannot give it away (BREACH).
 */
export function csrfToken(request: HttpRequest): string {
  const state = states.get(request);
  if (state === undefined) throw fault('SBY_MIDDLEWARE_MISSING', { callee: 'csrfToken', middleware: 'csrf' });
  state.used = true;
  state.secret ??= randomBytes(size);
  return mask(state.secret);
}

/** A new secret, as at login: tokens made before do not count any more. */
export function rotateCsrfToken(request: HttpRequest): void {
  const state = states.get(request);
  if (state === undefined)
    throw fault('SBY_MIDDLEWARE_MISSING', { callee: 'rotateCsrfToken', middleware: 'csrf' });
  state.secret = randomBytes(size);
  state.used = true;
}

function mask(secret: Buffer): string {
  const pad = randomBytes(size);
  const token = Buffer.allocUnsafe(size * 2);
  pad.copy(token);
  for (let index = 0; index < size; index++) token[size + index] = pad[index]! ^ secret[index]!;
  return token.toString('base64url');
}

function unmask(text: string): Buffer | null {
  if (!/^[\w-]{86}$/.test(text)) return null;
  const token = Buffer.from(text, 'base64url');
  if (token.length !== size * 2) return null;
  const secret = Buffer.allocUnsafe(size);
  for (let index = 0; index < size; index++) secret[index] = token[index]! ^ token[size + index]!;
  return secret;
}

/**
 * Refuses requests that another site made the browser send: unsafe methods need the origin of this site and a token
 * that only its pages know. Views wrapped by `csrfExempt` are left alone.
 */
export function csrf(options: CsrfOptions = {}): Middleware {
  const {
    cookie = 'csrftoken',
    field = 'csrfmiddlewaretoken',
    header = 'x-csrftoken',
    trustedOrigins = [],
  } = options;
  for (const origin of trustedOrigins)
    if (!/^https?:\/\/(?:\*\.)?[^/*?#@\s]+$/i.test(origin))
      throw fault('SBY_MIDDLEWARE_BAD_OPTION', {
        middleware: 'csrf',
        option: 'trustedOrigins',
        why: `${JSON.stringify(origin)} is no origin; write "https://admin.example" or "https://*.example"`,
      });
  const refuse = (why: string): never => {
    throw fault('SBY_MIDDLEWARE_CSRF', { why });
  };

  const checkOrigin = (request: HttpRequest): void => {
    const origin = request.header('origin');
    if (origin !== null) {
      if (!isOwnOrigin(origin, request, trustedOrigins))
        refuse(`the Origin ${JSON.stringify(origin.slice(0, 100))} is another site`);
      return;
    }
    const site = request.header('sec-fetch-site');
    if (site !== null && site !== 'same-origin' && site !== 'none')
      refuse(`the browser says that the request is ${JSON.stringify(site.slice(0, 20))}`);
    // Without Origin, over HTTPS, only the Referer tells a page of this site from one injected over http.
    if (!request.isSecure) return;
    const referer = request.header('referer');
    if (referer === null) {
      if (site === null) refuse('neither Origin nor Referer is given');
      return;
    }
    if (!URL.canParse(referer) || !isOwnOrigin(new URL(referer).origin, request, trustedOrigins))
      refuse('the Referer is another site');
  };

  const check = async (request: HttpRequest, state: State): Promise<void> => {
    checkOrigin(request);
    const { secret } = state;
    if (secret === null) return refuse('the cookie is missing');
    let given = request.header(header);
    if (given === null) {
      const type = request.contentType;
      if (type === 'application/x-www-form-urlencoded' || type === 'multipart/form-data')
        given = (await request.form()).get(field);
    }
    const found = given === null ? null : unmask(given);
    if (found === null) return refuse(given === null ? 'the token is missing' : 'the token is none');
    if (!timingSafeEqual(found, secret)) refuse('the token is not the one of this browser');
  };

  const finish = (request: HttpRequest, state: State, response: AnyResponse): AnyResponse => {
    response.headers.addToList('vary', 'Cookie');
    response.setCookie(cookie, state.secret!.toString('base64url'), {
      maxAge: 31_449_600,
      sameSite: 'lax',
      secure: request.isSecure,
      ...options.cookieOptions,
    });
    return response;
  };

  return processing('csrf', {
    processRequest(request) {
      const state = new State(request, cookie);
      states.set(request, state);
      if (safeMethods.has(request.method)) return;
      // The test client's, which cannot come from a peer: extensions are the server's.
      if (request.scope.extensions?.['sobaya.test']?.enforceCsrfChecks === false) return;
      const view = request.match?.view as { [exempt]?: true } | undefined;
      if (view?.[exempt]) return;
      return check(request, state);
    },
    processResponse(request, response) {
      const state = states.get(request);
      return state?.used ? finish(request, state, response) : response;
    },
  });
}

function isOwnOrigin(origin: string, request: HttpRequest, trusted: readonly string[]): boolean {
  if (origin === `${request.scheme}://${request.host}`) return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return trusted.some((pattern) => {
    const [scheme, host] = pattern.split('://');
    if (`${scheme}:` !== url.protocol || host === undefined) return false;
    return host.startsWith('*.') ? url.host.endsWith(host.slice(1)) : url.host === host;
  });
}
