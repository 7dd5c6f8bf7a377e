import type { Application, HttpScope, SendEvent } from 'sobaya/asgi';

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An application that runs `pages[path]` and answers "ok"; lifespan included. */
export function pagesApp(pages: Record<string, (scope: HttpScope) => unknown>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') {
      for (;;) {
        const event = await receive();
        if (event.type === 'lifespan.startup') await send({ type: 'lifespan.startup.complete' });
        else {
          await send({ type: 'lifespan.shutdown.complete' });
          return;
        }
      }
    }
    if (scope.type !== 'http') throw new Error(`no ${scope.type} here`);
    const page = pages[scope.path];
    await page?.(scope);
    await send({
      type: 'http.response.start',
      status: page ? 200 : 404,
      headers: [['content-type', 'text/plain']],
    });
    await send({ type: 'http.response.body', body: encode('ok'), moreBody: false });
  };
}

export function httpScope(path: string, changes: Partial<HttpScope> = {}): HttpScope {
  const [plain = '', queryString = ''] = path.split('?');
  return {
    type: 'http',
    asgi: { version: '3.0', specVersion: '2.5' },
    httpVersion: '1.1',
    method: 'GET',
    scheme: 'http',
    path: plain,
    rawPath: plain,
    queryString,
    rootPath: '',
    headers: [['host', 'localhost:8000']],
    client: ['127.0.0.1', 40000],
    server: ['127.0.0.1', 8000],
    ...changes,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Map<string, string>;
  readonly text: string;
}

/** Calls an application once, without a server. */
export async function call(app: Application, scope: HttpScope): Promise<Answer> {
  let status = 0;
  let headers = new Map<string, string>();
  const chunks: Uint8Array[] = [];
  let first = true;
  await app(
    scope,
    async () => {
      // The client stays.
      if (!first) return new Promise<never>(() => {});
      first = false;
      return { type: 'http.request', body: new Uint8Array(0), moreBody: false };
    },
    async (event: SendEvent) => {
      if (event.type === 'http.response.start') {
        status = event.status;
        headers = new Map(event.headers ?? []);
      } else if (event.type === 'http.response.body' && event.body !== undefined) chunks.push(event.body);
    },
  );
  return { status, headers, text: Buffer.concat(chunks).toString() };
}
