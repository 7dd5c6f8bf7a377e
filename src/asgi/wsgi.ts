import { fault } from '../errors/index.ts';
import { idleLifespan } from './fetch.ts';
import type { Application, Header, HttpScope, Receive } from './types.ts';

/** What a synchronous application is called with: the names of CGI, as in PEP 3333. */
export interface WsgiEnviron {
  readonly REQUEST_METHOD: string;
  /** Where the application is mounted: the root path. */
  readonly SCRIPT_NAME: string;
  /** The path below that, percent-decoded. */
  readonly PATH_INFO: string;
  readonly QUERY_STRING: string;
  readonly CONTENT_TYPE: string;
  /** The bytes of the body, in digits. */
  readonly CONTENT_LENGTH: string;
  readonly SERVER_NAME: string;
  readonly SERVER_PORT: string;
  /** `HTTP/1.1`, `HTTP/2`. */
  readonly SERVER_PROTOCOL: string;
  readonly REMOTE_ADDR: string;
  readonly REMOTE_PORT: string;
  readonly 'wsgi.version': readonly [1, 0];
  readonly 'wsgi.url_scheme': 'http' | 'https';
  /** The body: all of it is there. */
  readonly 'wsgi.input': WsgiInput;
  readonly 'wsgi.multithread': true;
  readonly 'wsgi.multiprocess': true;
  readonly 'wsgi.run_once': false;
  /** Header fields: `HTTP_ACCEPT`. Lines of one name are joined with commas, cookies with semicolons. */
  readonly [field: `HTTP_${string}`]: string | undefined;
}

/** The body of a request for code that does not wait. */
export class WsgiInput {
  readonly #body: Uint8Array;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** At most `size` bytes, or all that are left; empty at the end. */
  read(size: number = Number.POSITIVE_INFINITY): Uint8Array {
    const from = this.#at;
    this.#at = Math.min(this.#body.length, from + Math.max(0, size));
    return this.#body.subarray(from, this.#at);
  }

  /** A line with its end; empty at the end of the body. */
  readLine(): Uint8Array {
    const end = this.#body.indexOf(10, this.#at);
    return this.read(end === -1 ? undefined : end + 1 - this.#at);
  }

  *[Symbol.iterator](): Iterator<Uint8Array> {
    for (let line = this.readLine(); line.length > 0; line = this.readLine()) yield line;
  }
}

/**
 * `status` is the code with its phrase, `200 OK`. A second call replaces the first and has to give the error that is the
 * reason; once something of the body has been sent it throws that error. What it gives back sends a piece at once.
 */
export type StartResponse = (
  status: string,
  headers: readonly Header[],
  error?: unknown,
) => (data: Uint8Array | string) => void;

/**
 * A synchronous application in the style of WSGI (PEP 3333): gives the pieces of the body, bytes or text. An iterable with a
 * `close` method has it called when the request has ended, however it did.
 */
export type WsgiApplication = (
  environ: WsgiEnviron,
  startResponse: StartResponse,
) => Iterable<Uint8Array | string>;

type Plain = Omit<WsgiEnviron, 'wsgi.input'>;

/** What goes into the thread: a request, or the wish for the next piece of its response. */
export type WsgiTurn =
  | {
      readonly id: number;
      readonly environ: Plain;
      readonly body: Uint8Array;
      /** Set to 1 when nobody wants the response any more. */
      readonly given: SharedArrayBuffer;
    }
  | { readonly id: number; readonly environ: null };

/** What comes out of it. */
export interface WsgiAnswer {
  /** With the first answer that has pieces, or is the last. */
  readonly start: { readonly status: number; readonly headers: readonly Header[] } | null;
  readonly pieces: readonly Uint8Array[];
  readonly done: boolean;
}

const encoder = new TextEncoder();

// ---- in the thread

/** A response that has begun in this thread. */
class Running {
  readonly #iterable: Iterable<Uint8Array | string> & { close?: () => void };
  readonly #iterator: Iterator<Uint8Array | string>;
  readonly given: Int32Array;
  #start: WsgiAnswer['start'] = null;
  #started = false;
  #pieces: Uint8Array[] = [];

  constructor(app: WsgiApplication, environ: WsgiEnviron, given: SharedArrayBuffer) {
    this.given = new Int32Array(given);
    this.#iterable = app(environ, (status, headers, error) => this.#startResponse(status, headers, error));
    this.#iterator = this.#iterable[Symbol.iterator]();
  }

  #startResponse(status: string, headers: readonly Header[], error: unknown): ReturnType<StartResponse> {
    if (this.#start !== null || this.#started) {
      if (error === undefined || error === null) throw outOfOrder('a second startResponse()', 'a body');
      if (this.#started) throw error;
    }
    const code = Number(/^(\d{3})(?: |$)/.exec(status)?.[1]);
    if (Number.isNaN(code))
      throw fault('SBY_ASGI_BAD_EVENT', {
        side: 'application',
        type: 'startResponse()',
        field: 'status',
        got: status,
        expected: 'text that begins with three digits, as in "200 OK"',
      });
    this.#start = {
      status: code,
      headers: headers.map(([name, value]): Header => [name.toLowerCase(), String(value)]),
    };
    return (data) => this.#add(data);
  }

  #add(data: Uint8Array | string): void {
    const piece = typeof data === 'string' ? encoder.encode(data) : data;
    if (piece.length > 0) this.#pieces.push(piece);
  }

  /** On to the next piece, or, where all is there, to the end. */
  next(): WsgiAnswer {
    const whole = Array.isArray(this.#iterable);
    let done = false;
    do {
      const step = this.#iterator.next();
      done = step.done === true;
      if (!done) this.#add(step.value as Uint8Array | string);
    } while (!done && (whole || this.#pieces.length === 0));
    if (!this.#started && this.#start === null)
      throw outOfOrder(this.#pieces.length > 0 ? 'a body' : 'the end of its response', 'startResponse()');
    const answer = { start: this.#started ? null : this.#start, pieces: this.#pieces, done };
    this.#started = true;
    this.#pieces = [];
    return answer;
  }

  close(): void {
    this.#iterator.return?.();
    this.#iterable.close?.();
  }
}

const running = new Map<number, Running>();
let sweeper: NodeJS.Timeout | null = null;

/** Closes what nobody wants any more: whoever asked is gone and cannot ask for the end either. */
function sweep(): void {
  for (const [id, one] of running) if (Atomics.load(one.given, 0) === 1) end(id, one);
  if (running.size > 0 && sweeper === null) {
    sweeper = setInterval(sweep, 500);
    sweeper.unref();
  } else if (running.size === 0 && sweeper !== null) {
    clearInterval(sweeper);
    sweeper = null;
  }
}

function end(id: number, one: Running): void {
  running.delete(id);
  one.close();
}

/**
 * For the module that runs in threads: makes of a WSGI-style application what `fromWsgi` talks to.
 *
 * ```ts
 * // legacy.ts
 * export const application = wsgi((environ, startResponse) => {
 *   startResponse('200 OK', [['content-type', 'text/plain']]);
 *   return [`hello ${environ.PATH_INFO}`];
 * });
 * ```
 */
export function wsgi(app: WsgiApplication): (turn: WsgiTurn) => WsgiAnswer {
  return (turn) => {
    sweep();
    let one = running.get(turn.id);
    if (turn.environ !== null) {
      const environ = { ...turn.environ, 'wsgi.input': new WsgiInput(turn.body) } as WsgiEnviron;
      one = new Running(app, environ, turn.given);
    }
    if (one === undefined) throw fault('SBY_ASGI_WSGI_THREAD', {});
    try {
      const answer = one.next();
      if (answer.done) end(turn.id, one);
      else if (turn.environ !== null) {
        running.set(turn.id, one);
        sweep();
      }
      return answer;
    } catch (error) {
      end(turn.id, one);
      throw error;
    }
  };
}

function outOfOrder(got: string, expected: string): Error {
  return fault('SBY_ASGI_EVENT_ORDER', { side: 'application', got, expected });
}

// ---- on the loop

let lastId = 0;

/**
 * Makes an ASGI application of a synchronous one in the style of WSGI, which runs in threads. `call` is its `wsgi(…)`
 * function, called through `syncToAsync`:
 *
 * ```ts
 * const legacy = syncToAsync<typeof import('./legacy.ts')>(import.meta.resolve('./legacy.ts'));
 * export const application = fromWsgi(legacy.application);
 * ```
 *
 * The body of a request is read whole before the application is called (the server's `limitRequestBody` bounds it). Pieces of
 * the response are sent as they are made, and only when the client has taken those before.
 */
export function fromWsgi(call: (turn: WsgiTurn) => Promise<WsgiAnswer>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') return await idleLifespan(receive, send);
    if (scope.type !== 'http')
      throw fault('SBY_ASGI_UNKNOWN_SCOPE', { type: scope.type, application: 'A WSGI application' });
    const body = await wholeBody(receive);
    if (body === null) return;
    const id = ++lastId;
    const given = new SharedArrayBuffer(4);
    try {
      let answer = await call({ id, environ: environOf(scope, body.length), body, given });
      for (;;) {
        if (answer.start !== null) await send({ type: 'http.response.start', ...answer.start });
        const { pieces, done } = answer;
        for (const [index, piece] of pieces.entries())
          await send({
            type: 'http.response.body',
            body: piece,
            moreBody: !done || index + 1 < pieces.length,
          });
        if (done && pieces.length > 0) return;
        if (done) break;
        answer = await call({ id, environ: null });
      }
      await send({ type: 'http.response.body' });
    } finally {
      // Not by a call: whoever is cancelled waits for nothing any more.
      Atomics.store(new Int32Array(given), 0, 1);
    }
  };
}

async function wholeBody(receive: Receive): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const event = await receive();
    if (event.type !== 'http.request') return null;
    pieces.push(event.body);
    if (!event.moreBody) break;
  }
  const body = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

function environOf(scope: HttpScope, length: number): Plain {
  const [serverName, serverPort] = scope.server ?? ['localhost', null];
  const environ: Record<string, unknown> = {
    REQUEST_METHOD: scope.method,
    SCRIPT_NAME: scope.rootPath,
    PATH_INFO: below(scope.path, scope.rootPath),
    QUERY_STRING: scope.queryString,
    CONTENT_TYPE: '',
    CONTENT_LENGTH: String(length),
    SERVER_NAME: serverName,
    SERVER_PORT: String(serverPort ?? ''),
    SERVER_PROTOCOL: `HTTP/${scope.httpVersion}`,
    REMOTE_ADDR: scope.client?.[0] ?? '',
    REMOTE_PORT: String(scope.client?.[1] ?? ''),
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': scope.scheme,
    'wsgi.multithread': true,
    'wsgi.multiprocess': true,
    'wsgi.run_once': false,
  };
  for (const [name, value] of scope.headers) {
    // X_Forwarded_For would arrive under the name of X-Forwarded-For, past every check of it.
    if (name.includes('_') || name === 'content-length') continue;
    const key = name === 'content-type' ? 'CONTENT_TYPE' : `HTTP_${name.toUpperCase().replaceAll('-', '_')}`;
    const before = environ[key];
    environ[key] =
      typeof before === 'string' && before !== ''
        ? `${before}${name === 'cookie' ? '; ' : ','}${value}`
        : value;
  }
  return environ as unknown as Plain;
}

/** The path without the prefix it is mounted under, where it has it. */
function below(path: string, root: string): string {
  if (root === '' || !path.startsWith(root)) return path;
  const rest = path.slice(root.length);
  return rest === '' || rest.startsWith('/') ? rest : path;
}
