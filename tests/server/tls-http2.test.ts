import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Application, HttpScope } from 'sobaya/asgi';
import { Event, sleep } from 'sobaya/asyncio';
import { type ServeOptions, type Server, serve, silentLog, TextLog } from 'sobaya/server';
import WebSocket from 'ws';
import { echo, hello, http, text } from './applications.ts';
import { certificate, folder, hasOpenssl } from './certificates.ts';

const servers: Server[] = [];
after(async () => {
  for (const server of servers) {
    server.closeNow();
    await server.close();
  }
});

async function start(app: Application, options: ServeOptions = {}): Promise<Server> {
  const server = await serve(app, { port: 0, log: silentLog, ...options });
  servers.push(server);
  return server;
}

interface Answer {
  status: number;
  headers: http2.IncomingHttpHeaders;
  body: string;
  trailers: http2.IncomingHttpHeaders;
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const answer: Answer = { status: 0, headers: {}, body: '', trailers: {} };
  stream.on('response', (got) => {
    answer.headers = got;
    answer.status = Number(got[':status']);
  });
  stream.on('trailers', (got) => {
    answer.trailers = got;
  });
  stream.setEncoding('utf8').on('data', (chunk: string) => (answer.body += chunk));
  await once(stream, 'close');
  return answer;
}

describe('HTTP/2 by prior knowledge', () => {
  const cleartext = (app: Application, options: ServeOptions = {}): Promise<Server> =>
    start(app, { http2: 'prior-knowledge', ...options });

  test('requests side by side on one connection; HTTP/1.1 on the same port', async (t) => {
    const server = await cleartext(echo);
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ask(session, { ':method': 'POST', ':path': `/${index}?q` }, 'x'.repeat(index * 1000)),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      assert.equal(answer.status, 200);
      assert.equal(answer.body, `POST /${index} ${'x'.repeat(index * 1000)}`);
      assert.equal(answer.headers['server'], 'sobaya');
    }
    assert.equal(await (await fetch(`${server.url}/one`)).text(), 'GET /one ');
  });

  test('the scope: host first, cookies joined, version 2', async (t) => {
    let seen: HttpScope | null = null;
    const server = await cleartext(
      http(async (scope, receive, send) => {
        seen = scope;
        await hello(scope, receive, send);
      }),
    );
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    await ask(session, { ':path': '/caf%C3%A9?x', cookie: ['a=1', 'b=2'], 'x-a': 'b' });
    const scope = seen as HttpScope | null;
    assert.equal(scope?.httpVersion, '2');
    assert.equal(scope?.path, '/café');
    assert.deepEqual(scope?.headers[0], ['host', `127.0.0.1:${server.port}`]);
    assert.ok(scope?.headers.some(([name, value]) => name === 'cookie' && value === 'a=1; b=2'));
  });

  test('HEAD, 204, early hints, trailers, two cookies, fields of the connection dropped', async (t) => {
    const server = await cleartext(
      http(async (scope, _receive, send) => {
        if (scope.path === '/204') {
          await send({ type: 'http.response.start', status: 204 });
          await send({ type: 'http.response.body' });
          return;
        }
        await send({ type: 'http.response.early_hint', links: ['</a.css>; rel=preload'] });
        await send({
          type: 'http.response.start',
          status: 200,
          headers: [
            ['set-cookie', 'a'],
            ['set-cookie', 'b'],
            ['connection', 'close'],
            ['transfer-encoding', 'chunked'],
          ],
          trailers: true,
        });
        await send({ type: 'http.response.body', body: text('soba') });
        await send({ type: 'http.response.trailers', headers: [['digest', 'abc']] });
      }),
    );
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    const answer = await ask(session, { ':path': '/', te: 'trailers' });
    assert.equal(answer.body, 'soba');
    assert.deepEqual(answer.headers['set-cookie'], ['a', 'b']);
    assert.equal(answer.headers['connection'], undefined);
    assert.equal(answer.trailers['digest'], 'abc');
    const head = await ask(session, { ':method': 'HEAD', ':path': '/' });
    assert.deepEqual([head.status, head.body], [200, '']);
    const none = await ask(session, { ':path': '/204' });
    assert.deepEqual([none.status, none.headers['content-length']], [204, undefined]);
  });

  test('failures, refusals and limits', async (t) => {
    const app = http(async (scope, receive, send) => {
      if (scope.path === '/fail') throw new Error('no soba');
      if (scope.path === '/bad')
        await send({ type: 'http.response.start', status: 200, headers: [['x', 'a\r\nb']] });
      await echo(scope, receive, send);
    });
    const server = await cleartext(app, { limitRequestBody: 1000 });
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    assert.equal((await ask(session, { ':path': '/fail' })).status, 500);
    assert.equal((await ask(session, { ':path': '/bad' })).status, 500);
    assert.equal((await ask(session, { ':path': '/%zz' })).status, 400);
    assert.equal(
      (await ask(session, { ':path': '/', ':authority': 'a.example', host: 'b.example' })).status,
      400,
    );
    assert.equal(
      (await ask(session, { ':method': 'POST', ':path': '/', 'content-length': '2000' }, 'x'.repeat(2000)))
        .status,
      413,
    );
    assert.equal((await ask(session, { ':method': 'POST', ':path': '/' }, 'x'.repeat(2000))).status, 413);
    assert.equal((await ask(session, { ':path': '/ok' })).status, 200);
  });

  test('a stream that the client resets ends the scope of its request', async (t) => {
    const started = new Event();
    const ended = new Event();
    const server = await cleartext(
      http(async () => {
        started.set();
        try {
          await sleep(60_000);
        } finally {
          ended.set();
        }
      }),
    );
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await started.wait();
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await ended.wait();
  });

  test('rapid reset ends the connection', async () => {
    let log = '';
    const server = await cleartext(
      http(async () => void (await sleep(60_000))),
      { log: new TextLog((line) => (log += line)) },
    );
    const session = http2.connect(server.url);
    session.on('error', () => {});
    const closed = new Promise<void>((resolve) => session.once('close', () => resolve()));
    await once(session, 'connect');
    // Batches, each when the one before has gone out, until the server has had enough.
    for (let batch = 0; batch < 40 && !session.destroyed && !session.closed; batch++) {
      for (let index = 0; index < 50; index++) {
        const stream = session.request({ ':path': '/' });
        stream.on('error', () => {});
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await closed;
    assert.equal(await (await fetch(await start(hello).then((other) => other.url))).text(), 'GET /');
    assert.match(log, /resets streams faster/);
  });

  test('a slow reader holds up its stream, and no other', async (t) => {
    let sent = 0;
    const server = await cleartext(
      http(async (scope, receive, send) => {
        if (scope.path !== '/large') return await hello(scope, receive, send);
        await send({ type: 'http.response.start', status: 200 });
        for (; sent < 200; sent++)
          await send({ type: 'http.response.body', body: Buffer.alloc(100_000), moreBody: true });
        await send({ type: 'http.response.body' });
      }),
    );
    const session = http2.connect(server.url);
    t.after(() => session.destroy());
    const stream = session.request({ ':path': '/large' });
    await once(stream, 'response');
    for (let index = 0; index < 10; index++) assert.equal((await ask(session, { ':path': '/' })).status, 200);
    assert.ok(sent < 20, `${sent} pieces were taken while nobody read`);
    let size = 0;
    stream.on('data', (chunk: Buffer) => (size += chunk.length));
    await once(stream, 'end');
    assert.equal(size, 20_000_000);
  });

  test('stopping lets streams finish', async () => {
    const gate = new Event();
    const running = new Event();
    const server = await cleartext(
      http(async (scope, receive, send) => {
        running.set();
        await gate.wait();
        await hello(scope, receive, send);
      }),
    );
    const session = http2.connect(server.url);
    const answer = ask(session, { ':path': '/' });
    await running.wait();
    const stopped = server.close();
    gate.set();
    assert.equal((await answer).status, 200);
    await stopped;
  });
});

describe('TLS', { skip: hasOpenssl() ? false : 'openssl is not installed' }, () => {
  if (!hasOpenssl()) return;
  const first = certificate('first');
  const second = certificate('second');
  certificate('authority');
  const client = certificate('customer', 'authority');
  const tls = { certfile: first.cert, keyfile: first.key };

  function get(server: Server, options: https.RequestOptions = {}): Promise<{ body: string; name: string }> {
    return new Promise((resolve, reject) => {
      const request = https.get(
        { host: '127.0.0.1', port: server.port, rejectUnauthorized: false, agent: false, ...options },
        (response) => {
          const name = (response.socket as import('node:tls').TLSSocket).getPeerCertificate().subject
            .CN as string;
          let body = '';
          response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
          response.on('end', () => resolve({ body, name }));
        },
      );
      request.on('error', reject);
    });
  }

  test('HTTP/1.1, HTTP/2 by ALPN and WebSocket on one port', async (t) => {
    const app: Application = async (scope, receive, send) => {
      if (scope.type === 'websocket') {
        await receive();
        await send({ type: 'websocket.accept' });
        await send({ type: 'websocket.send', text: scope.scheme });
        await receive();
        return;
      }
      if (scope.type !== 'http') throw new Error('no lifespan');
      await send({ type: 'http.response.start', status: 200 });
      await send({
        type: 'http.response.body',
        body: text(
          `${scope.httpVersion} ${scope.scheme} ${scope.extensions?.tls?.tlsVersion?.toString(16)} ${scope.extensions?.tls?.cipherSuite?.toString(16)}`,
        ),
      });
    };
    const server = await start(app, tls);
    assert.equal(server.url, `https://127.0.0.1:${server.port}`);
    assert.match((await get(server)).body, /^1\.1 https 304 130\d$/);
    const session = http2.connect(server.url, { rejectUnauthorized: false });
    t.after(() => session.destroy());
    assert.match((await ask(session, { ':path': '/' })).body, /^2 https 304 130\d$/);
    const socket = new WebSocket(`wss://127.0.0.1:${server.port}/`, { rejectUnauthorized: false });
    const [message] = await once(socket, 'message');
    assert.equal(String(message), 'wss');
    socket.close();
    const off = await start(app, { ...tls, http2: 'off' });
    assert.match(
      (await get(off, { ALPNProtocols: ['h2', 'http/1.1'] } as https.RequestOptions)).body,
      /^1\.1/,
    );
  });

  test('a large body both ways', async () => {
    const server = await start(echo, tls);
    const body = await new Promise<string>((resolve, reject) => {
      const request = https.request(
        { host: '127.0.0.1', port: server.port, method: 'POST', rejectUnauthorized: false, agent: false },
        (response) => {
          let got = '';
          response.setEncoding('latin1').on('data', (chunk) => (got += chunk));
          response.on('end', () => resolve(got));
        },
      );
      request.on('error', reject);
      request.end(Buffer.alloc(3_000_000, 'x'));
    });
    assert.equal(body.length, 3_000_007);
  });

  test('client certificates: required, and told to the application', async () => {
    const app = http(async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 });
      const known = scope.extensions?.tls;
      await send({
        type: 'http.response.body',
        body: text(`${known?.clientCertName} ${known?.clientCertChain.length} ${known?.clientCertError}`),
      });
    });
    const server = await start(app, { ...tls, caCerts: join(folder, 'authority.pem'), certReqs: 'required' });
    const shown = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
    assert.equal((await get(server, shown)).body, 'CN=customer,O=Soba 2 null');
    await assert.rejects(get(server));
    await assert.rejects(get(server, { cert: readFileSync(second.cert), key: readFileSync(second.key) }));
  });

  test('certificates are read again without a restart', async () => {
    const certfile = join(folder, 'live.pem');
    const keyfile = join(folder, 'live.key');
    const use = ({ cert, key }: { cert: string; key: string }): void => {
      copyFileSync(cert, certfile);
      copyFileSync(key, keyfile);
    };
    use(first);
    const server = await start(hello, { certfile, keyfile });
    assert.equal((await get(server)).name, 'first');
    copyFileSync(second.cert, certfile);
    assert.throws(() => server.reloadCertificates(), {
      message: /the key does not belong to the certificate/,
    });
    assert.equal((await get(server)).name, 'first');
    use(second);
    server.reloadCertificates();
    assert.equal((await get(server)).name, 'second');
  });

  test('what is wrong with the files is said by name', async () => {
    await assert.rejects(start(hello, { certfile: first.cert, keyfile: second.key }), {
      code: 'SBY_SERVER_BAD_TLS',
      message: /the key does not belong to the certificate \(keyfile .*second\.key\)/,
    });
    await assert.rejects(start(hello, { certfile: join(folder, 'missing.pem') }), {
      message: /ENOENT.*missing\.pem/,
    });
    await assert.rejects(start(hello, { certfile: join(import.meta.dirname, 'certificates.ts') }), {
      code: 'SBY_SERVER_BAD_TLS',
    });
    await assert.rejects(start(hello, { keyfile: first.key }), {
      message: /The option keyfile .*certfile as well/,
    });
    await assert.rejects(start(hello, { ...tls, certReqs: 'required' }), {
      message: /The option certReqs .*caCerts as well/,
    });
  });

  test('plain HTTP on a TLS port is dropped, and the server lives', async () => {
    const server = await start(hello, tls);
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/`));
    assert.equal((await get(server)).body, 'GET /');
  });
});
