/** What an application loads before its first request: no module that only some requests need. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { STATUS_CODES as ofNode } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { STATUS_CODES } from '../../src/asgi/status/index.ts';

const root = join(import.meta.dirname, '../..');

test('the reason phrases are those of node:http', () => {
  assert.deepEqual({ ...STATUS_CODES }, { ...ofNode });
});

test('an application that has a client and answers loads neither undici nor the fetch of Node', () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const { connect } = await import('node:net');
    const { text } = await import('node:stream/consumers');
    const { createApp, path, HttpResponse } = await import('sobaya');
    const { AsyncClient } = await import('sobaya/client');
    const { neverCache } = await import('sobaya/http');
    const { serve, silentLog } = await import('sobaya/server');
    const client = new AsyncClient();
    const application = createApp({ urls: [path('', neverCache(() => new HttpResponse('soba')))] });
    const server = await serve(application, { port: 0, log: silentLog });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.end('GET / HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n');
    const answer = await text(socket);
    if (!answer.endsWith('soba')) throw new Error(answer);
    await server.close();
    await client.close();
    const internal = process.moduleLoadList.filter((name) => name.includes('internal/deps/undici/'));
    console.log(JSON.stringify([...loaded.filter((url) => url.includes('/undici/')), ...internal]));
  `;
  const output = execFileSync(
    process.execPath,
    ['--conditions=sobaya:source', '--input-type=module', '-e', program],
    { cwd: root, encoding: 'utf8' },
  );
  assert.deepEqual(JSON.parse(output), []);
});
