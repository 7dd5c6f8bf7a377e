/** Hello world as a bare ASGI application, for the benchmark of the start. */
import type { Application } from '../../src/asgi/index.ts';

const body = new TextEncoder().encode('Hello, World!');

export const application: Application = async (scope, _receive, send) => {
  if (scope.type !== 'http') throw new Error('only http');
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
  await send({ type: 'http.response.body', body });
};
