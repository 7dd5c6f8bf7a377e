import type { Application, HttpScope } from 'sobaya/asgi';

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** An application for HTTP alone, from a handler. */
export function http(
  handler: (
    scope: HttpScope,
    receive: Parameters<Application>[1],
    send: Parameters<Application>[2],
  ) => Promise<void>,
): Application {
  return async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error(`no ${scope.type} here`);
    await handler(scope, receive, send);
  };
}

/** Answers with the method and the path. */
export const hello: Application = http(async (scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
  await send({ type: 'http.response.body', body: text(`${scope.method} ${scope.path}`) });
});

/** Reads the whole body and answers with it, chunk counts aside. */
export const echo: Application = http(async (scope, receive, send) => {
  const parts: Uint8Array[] = [];
  for (;;) {
    const event = await receive();
    if (event.type !== 'http.request') return;
    parts.push(event.body);
    if (!event.moreBody) break;
  }
  await send({ type: 'http.response.start', status: 200, headers: [] });
  await send({
    type: 'http.response.body',
    body: Buffer.concat([text(`${scope.method} ${scope.rawPath} `), ...parts]),
  });
});
