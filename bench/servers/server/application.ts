/** Says which process answers; `/work` takes about a millisecond of processor time, `/slow` 20 ms of waiting. */
import type { Application } from '../../../src/asgi/index.ts';

const pid = Buffer.from(String(process.pid));

function work(): number {
  let value = 1;
  for (let index = 0; index < 100_000; index++) value = Math.imul(value, 31) + index;
  return value;
}

export const application: Application = async (scope, _receive, send) => {
  if (scope.type !== 'http') throw new Error('only http');
  if (scope.path === '/work') work();
  if (scope.path === '/slow') await new Promise((resolve) => setTimeout(resolve, 20));
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
  await send({ type: 'http.response.body', body: pid });
};
