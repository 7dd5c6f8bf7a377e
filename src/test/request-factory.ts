import { defaultSettings, HttpRequest, type RequestSettings } from '../http/index.ts';
import { requestScope, type TestRequestOptions } from './client.ts';
import { encodePayload } from './payload.ts';

/** Makes requests for calling a view directly, without routes and middleware. */
export class RequestFactory {
  readonly #settings: RequestSettings;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(settings: Partial<RequestSettings> = {}, headers: Readonly<Record<string, string>> = {}) {
    this.#settings = { ...defaultSettings, ...settings };
    this.#headers = headers;
  }

  get(path: string, options?: TestRequestOptions): HttpRequest {
    return this.request('GET', path, options);
  }
  post(path: string, options?: TestRequestOptions): HttpRequest {
    return this.request('POST', path, options);
  }
  put(path: string, options?: TestRequestOptions): HttpRequest {
    return this.request('PUT', path, options);
  }
  patch(path: string, options?: TestRequestOptions): HttpRequest {
    return this.request('PATCH', path, options);
  }
  delete(path: string, options?: TestRequestOptions): HttpRequest {
    return this.request('DELETE', path, options);
  }

  request(method: string, path: string, options: TestRequestOptions = {}): HttpRequest {
    const { body, type, length } = encodePayload(options);
    const scope = requestScope(method, path, {
      secure: options.secure,
      query: options.query,
      rootPath: options.rootPath,
      headers: [
        ...(type === null ? [] : [['content-type', type] as const]),
        ...(length === null ? [] : [['content-length', String(length)] as const]),
        ...Object.entries({ ...this.#headers, ...options.headers }),
      ],
    });
    const parts = body instanceof Uint8Array ? [body] : body;
    const source = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
    return new HttpRequest(
      scope,
      async () => {
        const next = await source.next();
        return {
          type: 'http.request',
          body: next.done ? new Uint8Array() : next.value,
          moreBody: !next.done,
        };
      },
      this.#settings,
    );
  }
}
