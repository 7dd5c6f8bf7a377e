import type { FailedRequest } from '../../errors/index.ts';
import { failed } from '../faults.ts';
import { HeaderList, type HeadersInput } from '../headers.ts';
import { Inbox } from '../inbox.ts';
import type { Transport, TransportCall, TransportRequest, TransportResponse } from '../transport.ts';

/** A request as a mock sees it, kept in `requests`. */
export interface MockRequest extends FailedRequest {
  /** Path and query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  text(): string;
  json<T = unknown>(): T;
}

/** What a mock answers; one of `json`, `text`, `body`, or nothing. */
export interface MockAnswer {
  readonly status?: number;
  readonly headers?: HeadersInput;
  readonly json?: unknown;
  readonly text?: string;
  readonly body?: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export type MockHandler = (
  request: MockRequest,
  signal: AbortSignal,
) => MockAnswer | Response | Promise<MockAnswer | Response>;

/** Answers without a network, and remembers what was asked. */
export class MockTransport implements Transport {
  readonly requests: MockRequest[] = [];
  readonly #mocks: {
    readonly method: string;
    readonly path: string;
    readonly answers: (MockAnswer | MockHandler | Error)[];
  }[] = [];
  readonly #otherwise: MockHandler | null;

  /** `otherwise` answers what no `on()` does. */
  constructor(otherwise: MockHandler | null = null) {
    this.#otherwise = otherwise;
  }

  /**
   * Answers `method` on `path` (or a whole URL; without its query). Several answers are given in turn, the last one for ever;
   * an Error is thrown.
   */
  on(method: string, path: string, ...answers: (MockAnswer | MockHandler | Error)[]): this {
    this.#mocks.unshift({
      method: method.toUpperCase(),
      path,
      answers: answers.length === 0 ? [{}] : answers,
    });
    return this;
  }

  async send(request: TransportRequest, call: TransportCall): Promise<TransportResponse> {
    const { url, method } = request;
    call.listen('waiting for the answer');
    const pieces: Uint8Array[] = [];
    if (request.body instanceof Uint8Array) pieces.push(request.body);
    else if (request.body !== null) for await (const piece of request.body) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const seen: MockRequest = {
      method,
      url: url.href,
      path: url.pathname + url.search,
      query: url.searchParams,
      headers: HeaderList.trusted(request.headers),
      body,
      text: () => body.toString('utf8'),
      json: <T>() => JSON.parse(body.toString('utf8')) as T,
    };
    this.requests.push(seen);
    const whole = `${url.origin}${url.pathname}`;
    const mock = this.#mocks.find(
      (one) => one.method === method && (one.path === url.pathname || one.path === whole),
    );
    const answer =
      mock === undefined ? this.#otherwise : mock.answers.length > 1 ? mock.answers.shift() : mock.answers[0];
    if (answer === null || answer === undefined) {
      const mocks = this.#mocks.map((one) => `${one.method} ${one.path}`);
      throw failed('SBY_CLIENT_NO_MOCK', { request: call.request, mocks });
    }
    if (answer instanceof Error) throw answer;
    return toResponse(typeof answer === 'function' ? await answer(seen, call.signal) : answer, method);
  }

  async close(): Promise<void> {}
}

function toResponse(answer: MockAnswer | Response, method: string): TransportResponse {
  const headers = new HeaderList(answer.headers as HeadersInput | undefined);
  let source: Iterable<Uint8Array> | AsyncIterable<Uint8Array> = [];
  if (answer instanceof Response) {
    if (answer.body !== null) source = answer.body;
  } else if (answer.json !== undefined) {
    source = [Buffer.from(JSON.stringify(answer.json))];
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  } else if (answer.text !== undefined) {
    source = [Buffer.from(answer.text)];
    if (!headers.has('content-type')) headers.set('content-type', 'text/plain; charset=utf-8');
  } else if (answer.body !== undefined) {
    source = answer.body instanceof Uint8Array ? [answer.body] : answer.body;
  }
  let resume: (() => void) | null = null;
  let over = false;
  const inbox = new Inbox(
    () => resume?.(),
    () => {
      over = true;
      resume?.();
    },
  );
  const fill = async (): Promise<void> => {
    try {
      for await (const piece of source) {
        if (over) return;
        if (!inbox.push(piece)) await new Promise<void>((resolve) => (resume = resolve));
      }
      inbox.end();
    } catch (error) {
      inbox.fail(error);
    }
  };
  if (method === 'HEAD') inbox.end();
  else void fill();
  return {
    status: answer.status ?? 200,
    reason: '',
    httpVersion: '1.1',
    headers: headers.flat(),
    body: inbox,
  };
}
