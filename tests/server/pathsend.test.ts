import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Server, serve, TextLog } from 'sobaya/server';
import { http } from './applications.ts';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-pathsend-'));
const file = (name: string, size: number): string => {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(size, 'soba '));
  return path;
};
let log = '';
let headers: [string, string][] = [];
let target = '';
let before: () => void = () => {};
const app = http(async (scope, _receive, send) => {
  assert.ok(scope.extensions?.['http.response.pathsend']);
  await send({ type: 'http.response.start', status: 200, headers });
  before();
  await send({ type: 'http.response.pathsend', path: target });
});
const servers: Server[] = [];
after(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true });
});
async function start(): Promise<Server> {
  const server = await serve(app, {
    port: 0,
    http2: 'prior-knowledge',
    log: new TextLog((line) => (log += line)),
  });
  servers.push(server);
  return server;
}

test('pathsend: files of all sizes, over HTTP/1.1 and HTTP/2, with their length', async () => {
  const server = await start();
  const session = http2.connect(server.url);
  for (const size of [0, 1, 65_535, 65_536, 65_537, 3_000_000]) {
    target = file(`${size}`, size);
    const response = await fetch(server.url);
    assert.equal(response.headers.get('content-length'), String(size));
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.alloc(size, 'soba '));
    const stream = session.request({ ':path': '/' });
    const pieces = (await stream.toArray()) as Buffer[];
    assert.equal(Buffer.concat(pieces).length, size);
    const head = await fetch(server.url, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(size));
  }
  session.close();
});

test('pathsend: what is no file is a 500 that says so, and nothing of it is sent', async () => {
  const server = await start();
  for (const [path, message] of [
    ['relative.txt', /the path "relative\.txt" is not absolute/],
    [join(folder, 'missing'), /ENOENT/],
    [folder, /is no file|EISDIR/],
  ] as const) {
    log = '';
    target = path;
    const response = await fetch(server.url);
    assert.deepEqual([response.status, await response.text()], [500, '500 Internal Server Error\n']);
    assert.match(log, message);
  }
});

test('pathsend: a file that changes its length does not break the framing', async () => {
  const server = await start();
  target = file('changing', 100_000);
  headers = [['content-length', '100000']];
  before = () => appendFileSync(target, 'more');
  await assert.rejects(async () => await (await fetch(server.url)).text(), 'longer than announced');
  before = () => truncateSync(target, 50_000);
  assert.equal(
    (await fetch(server.url)).status,
    500,
    'shorter than announced, which is known before anything is sent',
  );
  headers = [];
  before = () => {};
});
