/** The same bytes as `bare.ts` sends, from a bare ASGI application on Sobaya's server. */
import type { Application } from '../../src/asgi/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';

const body = new TextEncoder().encode('Hello, world!');

const hello: Application = async (scope, _receive, send) => {
  if (scope.type !== 'http') throw new Error('only http');
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
  await send({ type: 'http.response.body', body });
};

export async function start(): Promise<{ port: number }> {
  const server = await serve(hello, { port: 0, log: silentLog });
  return { port: server.port };
}
