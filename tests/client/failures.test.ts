import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { createTask, gather, taskGroup, timeout } from 'sobaya/asyncio';
import {
  AsyncClient,
  ClientProtocolError,
  ClientTimeoutError,
  ClientTransportError,
  isClientError,
} from 'sobaya/client';
import { startUpstream } from './upstream.ts';

async function rawServer(answer: string): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  };
}

test('nothing listens: a transport error with method, URL and what to do', async () => {
  await using client = new AsyncClient();
  await assert.rejects(client.get('http://cook:salt@127.0.0.1:1/menu'), (error) => {
    assert.ok(error instanceof ClientTransportError && isClientError(error));
    assert.equal(error.code, 'SBY_CLIENT_CONNECT');
    assert.equal(
      error.message,
      'No connection could be made: connect ECONNREFUSED 127.0.0.1:1 (GET http://127.0.0.1:1/menu). Nothing listens there: start the other side, or check host and port',
    );
    assert.deepEqual(error.request, { method: 'GET', url: 'http://127.0.0.1:1/menu' });
    return true;
  });
});

test('a host that does not exist', async () => {
  await using client = new AsyncClient();
  await assert.rejects(client.get('http://no-such-host.invalid/'), {
    code: 'SBY_CLIENT_CONNECT',
    message: /The host name cannot be resolved/,
  });
});

test('a connection closed before the answer, and in the middle of a body', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  await assert.rejects(client.get('/hang-up'), (error) => {
    assert.ok(error instanceof ClientTransportError);
    assert.match(
      error.message,
      /^The connection broke while waiting for the answer: .*\(GET http.*\/hang-up\)/,
    );
    return true;
  });
  await assert.rejects(client.get('/cut'), {
    code: 'SBY_CLIENT_BROKEN',
    message: /^The connection broke while reading the body/,
  });
});

test('what is no HTTP is a protocol error', async () => {
  for (const bytes of [
    'SSH-2.0-OpenSSH_9\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n',
  ]) {
    await using server = await rawServer(bytes);
    await using client = new AsyncClient();
    await assert.rejects(client.get(server.url), (error) => {
      assert.ok(error instanceof ClientProtocolError, String(error));
      assert.match(error.message, /^The answer is not HTTP: /);
      return true;
    });
  }
});

test('timeouts name what was being done: silence before the head, silence in the body, the total', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, timeout: { read: 40 } });
  await assert.rejects(client.get('/never'), (error) => {
    assert.ok(error instanceof ClientTimeoutError && error.name === 'TimeoutError');
    assert.match(
      error.message,
      /^Nothing was heard for 40 ms while waiting for the answer \(GET http:\/\/127.0.0.1:\d+\/never\). Give a longer/,
    );
    return true;
  });
  await assert.rejects(client.get('/head-only'), {
    message: /^Nothing was heard for 40 ms while reading the body/,
  });
  await assert.rejects(client.get('/never', { timeout: 25 }), {
    code: 'SBY_CLIENT_TOTAL_TIMEOUT',
    message: /^Not done within 25 ms, still waiting for the answer/,
  });
});

test('the total counts waiting for a free connection too', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, connectionsPerHost: 1 });
  const first = createTask(() => client.get('/never'));
  await assert.rejects(client.get('/echo', { timeout: 30 }), {
    message: /still connecting or waiting for a free connection/,
  });
  first.cancel();
  await first.ended;
  assert.equal((await client.get('/echo')).status, 200);
});

test('timeouts that are no times are refused', async () => {
  for (const bad of [-1, 0, Number.NaN, 2 ** 31])
    assert.throws(() => new AsyncClient({ timeout: bad }), { code: 'SBY_CLIENT_BAD_OPTION' });
});

test('a cancelled task lets go of its connection at once', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, timeout: null });
  const started = Promise.withResolvers<void>();
  upstream.server.once('request', () => started.resolve());
  const task = createTask(() => client.get('/never'));
  await started.promise;
  task.cancel('nobody is hungry');
  await assert.rejects(async () => await task, { name: 'AbortError', message: 'nobody is hungry' });
  await upstream.closed();
});

test('timeout() and a failing sibling cancel requests under way; queued ones never go out', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, connectionsPerHost: 1, timeout: null });
  await assert.rejects(
    timeout(30, () =>
      gather(
        () => client.get('/never'),
        () => client.get('/echo?queued'),
      ),
    ),
    { name: 'TimeoutError' },
  );
  await upstream.closed();
  await assert.rejects(
    taskGroup(async (group) => {
      group.start(() => client.get('/never'));
      group.start(() => client.get('/echo?queued'));
      throw new Error('burnt');
    }),
    /burnt/,
  );
  assert.equal((await client.get('/echo?after')).status, 200);
  assert.ok(!upstream.seen.includes('GET /echo?queued'));
});

test('a request in a cancelled scope does not start', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const gate = Promise.withResolvers<void>();
  const task = createTask(async () => {
    await gate.promise;
    await client.get('/echo');
  });
  task.cancel('too late');
  gate.resolve();
  await task.ended;
  assert.equal(task.state, 'cancelled');
  assert.deepEqual(upstream.seen, []);
});

test('an AbortSignal cancels as well, and keeps no listener afterwards', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const controller = new AbortController();
  const pending = client.get('/never', { signal: controller.signal });
  upstream.server.once('request', () => controller.abort(new Error('enough')));
  await assert.rejects(pending, /enough/);
  await assert.rejects(client.get('/echo', { signal: AbortSignal.abort(new Error('before')) }), /before/);
});

test('an error in the body that is sent reaches the caller as it is', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const body = (async function* () {
    yield 'one';
    throw new RangeError('out of noodles');
  })();
  await assert.rejects(client.post('/echo', { body }), { name: 'RangeError', message: 'out of noodles' });
});

test('nothing stays behind in the scope after a call', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  await createTask(async () => {
    const { currentContext } = await import('sobaya/asyncio');
    const { scope } = currentContext();
    await client.get('/echo');
    assert.equal(scope.head, null);
    await assert.rejects(client.get('/hang-up'));
    assert.equal(scope.head, null);
    const stream = await client.stream('GET', '/echo');
    assert.notEqual(scope.head, null);
    await stream.read();
    assert.equal(scope.head, null);
  });
});

test('a response hook that throws lets go of the connection; an error hook that throws hides nothing', async () => {
  await using upstream = await startUpstream({
    '/endless': (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        response.once('drain', more);
      };
      more();
    },
    '/short': (_request, response) => response.end('short'),
  });
  await using client = new AsyncClient({
    connectionsPerHost: 1,
    hooks: {
      response: (head) => {
        if (head.url.pathname === '/endless') throw new Error('from the hook');
      },
    },
  });
  await assert.rejects(client.get(`${upstream.url}/endless`), /from the hook/);
  assert.equal((await client.get(`${upstream.url}/short`)).text(), 'short');

  await using other = new AsyncClient({
    hooks: {
      error: () => {
        throw new Error('an error hook of a test');
      },
    },
  });
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  await assert.rejects(other.get('http://127.0.0.1:1/'), { code: 'SBY_CLIENT_CONNECT' });
  assert.match((await warned).message, /an error hook of a test/);
});

test('headers about the connection are refused by name, as a mistake of the caller, not of the network', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ retries: 3 });
  for (const [name, value] of [
    ['transfer-encoding', 'chunked'],
    ['expect', '100-continue'],
    ['upgrade', 'websocket'],
    ['keep-alive', 'timeout=5'],
  ] as const)
    await assert.rejects(client.get(upstream.url, { headers: { [name]: value } }), {
      code: 'SBY_CLIENT_BAD_OPTION',
      what: `The option "headers.${name}" is "${value}"`,
    });
});

test('user and password with a bare "%" are sent as they stand', async () => {
  await using upstream = await startUpstream({
    '/who': (request, response) => response.end(request.headers.authorization),
  });
  await using client = new AsyncClient();
  const url = `${upstream.url.replace('//', '//coo%k:100%25%F0%9F%8D%9C%@')}/who`;
  const [, encoded = ''] = (await client.get(url)).text().split(' ');
  assert.equal(Buffer.from(encoded, 'base64').toString(), 'coo%k:100%🍜%');
});

test('a proxy: requests go through its tunnel, its refusal is the error', async () => {
  const seen: string[] = [];
  await using upstream = await startUpstream({ '/x': (_request, response) => response.end('through') });
  const proxy = createHttpServer();
  proxy.on('connect', (request, socket) => {
    seen.push(`${request.url} ${request.headers['proxy-authorization']}`);
    socket.on('error', () => {});
    if (request.url === 'denied.invalid:80') {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect(Number(new URL(upstream.url).port), '127.0.0.1');
    onward.on('error', () => {});
    socket.on('close', () => onward.destroy());
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    onward.pipe(socket).pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  try {
    await using client = new AsyncClient({ proxy: `http://cook:s%40lt@127.0.0.1:${port}` });
    assert.equal((await client.get('http://soba.invalid/x')).text(), 'through');
    await assert.rejects(client.get('http://denied.invalid/x'), /407/);
    const authorization = `Basic ${Buffer.from('cook:s@lt').toString('base64')}`;
    assert.deepEqual(seen, [`soba.invalid:80 ${authorization}`, `denied.invalid:80 ${authorization}`]);
  } finally {
    proxy.close();
  }
  for (const bad of ['nonsense', 'proxy:3128', 'socks5://proxy:1080'])
    assert.throws(() => new AsyncClient({ proxy: bad }), { code: 'SBY_CLIENT_BAD_OPTION' });
});
