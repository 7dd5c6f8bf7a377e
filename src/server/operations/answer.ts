import type { Header, Send } from '../../asgi/index.ts';

/** A short text of the server's own. */
export async function answer(
  send: Send,
  status: number,
  text: string,
  headers: readonly Header[] = [],
): Promise<void> {
  const given = new Set(headers.map(([name]) => name));
  const own: Header[] = [
    ['content-type', 'text/plain; charset=utf-8'],
    ['cache-control', 'no-store'],
  ];
  await send({
    type: 'http.response.start',
    status,
    headers: [...own.filter(([name]) => !given.has(name)), ...headers],
  });
  await send({ type: 'http.response.body', body: Buffer.from(text) });
}
