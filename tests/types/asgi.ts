/** What the types of the gateway and the server accept and refuse. Compiled, never run. */
import { type Application, fromFetch, fromWsgi, type SendEvent, toFetch, wsgi } from 'sobaya/asgi';
import { type ServeOptions, serve } from 'sobaya/server';
import { syncToAsync } from 'sobaya/sync';

// ---- accepted

export const hello: Application = async (scope, receive, send) => {
  if (scope.type === 'websocket') {
    const first = await receive();
    if (first.type === 'websocket.connect')
      await send({ type: 'websocket.accept', subprotocol: scope.subprotocols[0] ?? null });
    return;
  }
  if (scope.type === 'lifespan') return;
  scope.method satisfies string;
  scope.client satisfies readonly [string, number] | null;
  scope.extensions?.tls?.clientCertName satisfies string | null | undefined;
  const event = await receive();
  if (event.type === 'http.request') event.body satisfies Uint8Array;
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
  await send({ type: 'http.response.push', path: '/style.css', headers: [] });
  await send({ type: 'http.response.body', body: new Uint8Array(1), moreBody: true });
  await send({ type: 'http.response.pathsend', path: '/srv/file' });
};
toFetch(hello) satisfies (request: Request) => Promise<Response>;
fromFetch((request) => new Response(request.url)) satisfies Application;
void serve(hello, { port: 0, wsPerMessageDeflate: true });

export const legacy = wsgi((environ, startResponse) => {
  environ.REQUEST_METHOD satisfies string;
  environ.HTTP_HOST satisfies string | undefined;
  environ['wsgi.input'].read(10) satisfies Uint8Array;
  const write = startResponse('200 OK', [['content-type', 'text/plain']]);
  write('text or bytes');
  return ['so', new Uint8Array(1)];
});
const threads = syncToAsync<typeof import('./asgi.ts')>(import.meta.resolve('./asgi.ts'));
fromWsgi(threads.legacy) satisfies Application;

// ---- refused

const send = async (_event: SendEvent): Promise<void> => {};
// @ts-expect-error: there is no such event.
await send({ type: 'http.response.end' });
// @ts-expect-error: a status is a number.
await send({ type: 'http.response.start', status: '200' });
// @ts-expect-error: a field has a name and a value.
await send({ type: 'http.response.start', status: 200, headers: [['content-type']] });
// @ts-expect-error: values are text.
await send({ type: 'http.response.start', status: 200, headers: [['content-length', 5]] });
// @ts-expect-error: bodies are bytes.
await send({ type: 'http.response.body', body: 'text' });
// @ts-expect-error: keys are in camelCase.
await send({ type: 'http.response.body', more_body: true });
// @ts-expect-error: a push has a path.
await send({ type: 'http.response.push', headers: [] });
// @ts-expect-error: an application is async.
export const sync: Application = () => {};
// @ts-expect-error: what was not narrowed has no method.
export const unnarrowed: Application = async (scope) => void scope.method;
export const readonly: Application = async (scope) => {
  // @ts-expect-error: headers are shared, nobody changes them.
  if (scope.type === 'http') scope.headers.push(['x', 'y']);
};
// @ts-expect-error: a handler of fetch gives a Response.
fromFetch(() => 'text');
// @ts-expect-error: the body is an iterable of pieces.
wsgi(() => 5);
// @ts-expect-error: a function of this thread blocks the loop; it has to come from syncToAsync.
fromWsgi(legacy);
// @ts-expect-error: an option that does not exist.
void serve(hello, { ports: 80 });
export const options: ServeOptions = {
  // @ts-expect-error: one of the modes.
  http2: 'always',
};
