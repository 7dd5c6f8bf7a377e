import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application, SendEvent } from 'sobaya/asgi';
import { RawConnection, type ServeOptions, TextLog } from 'sobaya/server';
import { http, text } from './applications.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** An application that sends these events, whatever comes. */
const sends = (...events: SendEvent[]): Application =>
  http(async (_scope, _receive, send) => {
    for (const event of events) await send(event);
  });

interface Result {
  output: string;
  connection: RawConnection;
  log: string;
}

async function run(app: Application, raw = GET, options: ServeOptions = {}): Promise<Result> {
  let log = '';
  const connection = new RawConnection(app, { log: new TextLog((line) => (log += line)), ...options });
  connection.feed(raw);
  await connection.settle();
  return { output: connection.output.replace(/date: [^\r]+\r\n/, ''), connection, log };
}

const start = (status = 200, headers: [string, string][] = []): SendEvent => ({
  type: 'http.response.start',
  status,
  headers,
});
const body = (value = '', moreBody = false): SendEvent => ({
  type: 'http.response.body',
  body: text(value),
  moreBody,
});

test('one write per response', async () => {
  const { connection } = await run(sends(start(), body('hi')));
  assert.equal(connection.writes, 1);
});

test('a body in pieces is sent in chunks', async () => {
  const { output } = await run(sends(start(), body('soba', true), body('', true), body('ya', true), body()));
  assert.equal(
    output,
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nserver: sobaya\r\n\r\n4\r\nsoba\r\n2\r\nya\r\n0\r\n\r\n',
  );
});

test('with a Content-Length pieces need no chunks', async () => {
  const { output } = await run(sends(start(200, [['Content-Length', '6']]), body('soba', true), body('ya')));
  assert.equal(output, 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\nserver: sobaya\r\n\r\nsobaya');
});

test('HTTP/1.0: no chunks, the end of the connection ends the body', async () => {
  const { output, connection } = await run(
    sends(start(), body('soba', true), body('ya')),
    'GET / HTTP/1.0\r\n\r\n',
  );
  assert.equal(output, 'HTTP/1.1 200 OK\r\nconnection: close\r\nserver: sobaya\r\n\r\nsobaya');
  assert.ok(connection.ended);
});

test('HTTP/1.0 with keep-alive stays open when the length is known', async () => {
  const raw = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const { output, connection } = await run(sends(start(), body('soba')), raw);
  assert.match(output, /\r\nconnection: keep-alive\r\n/);
  assert.equal(connection.ended, false);
});

test('HEAD: the head of a GET and no body', async () => {
  const raw = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const app of [sends(start(), body('soba')), sends(start(200, [['content-length', '4']]), body())]) {
    const { output, connection } = await run(app, raw);
    assert.equal(output, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\nserver: sobaya\r\n\r\n');
    assert.equal(connection.ended, false);
  }
  const { output } = await run(sends(start(), body('so', true), body('ba')), raw);
  assert.equal(output, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nserver: sobaya\r\n\r\n');
});

test('204, 205 and 304 carry no body and no length of the server’s own', async () => {
  for (const [status, line] of [
    [204, '204 No Content'],
    [304, '304 Not Modified'],
  ] as const) {
    const { output } = await run(sends(start(status), body('surplus')));
    assert.equal(output, `HTTP/1.1 ${line}\r\nserver: sobaya\r\n\r\n`);
  }
  // A 205 says that there is nothing, whatever the application gives it (RFC 9110 15.3.6).
  for (const headers of [[], [['content-length', '7']]] as [string, string][][]) {
    const reset = await run(sends(start(205, headers), body('surplus')));
    assert.equal(reset.output, 'HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\nserver: sobaya\r\n\r\n');
  }
  const { output } = await run(sends(start(304, [['content-length', '12']]), body()));
  assert.match(output, /content-length: 12/);
  const dropped = await run(sends(start(204, [['content-length', '0']]), body()));
  assert.doesNotMatch(dropped.output, /content-length/);
});

test('framing is the server’s: Transfer-Encoding and Connection of the application are not sent on', async () => {
  const { output } = await run(
    sends(
      start(200, [
        ['transfer-encoding', 'gzip'],
        ['connection', 'keep-alive'],
        ['keep-alive', 'timeout=9'],
        ['upgrade', 'h2c'],
      ]),
      body('x'),
    ),
  );
  assert.equal(output, 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nserver: sobaya\r\n\r\nx');
});

test('connection: close from the application closes the connection', async () => {
  const { output, connection } = await run(sends(start(200, [['connection', 'close']]), body('x')));
  assert.match(output, /\r\nconnection: close\r\n/);
  assert.ok(connection.ended);
});

test('date and server can be the application’s, or be left out', async () => {
  const own = await run(
    sends(
      start(200, [
        ['server', 'x'],
        ['date', 'y'],
      ]),
      body('x'),
    ),
  );
  assert.equal(
    own.connection.output,
    'HTTP/1.1 200 OK\r\nserver: x\r\ndate: y\r\ncontent-length: 1\r\n\r\nx',
  );
  const none = await run(sends(start(), body('x')), GET, { serverHeader: false, dateHeader: false });
  assert.equal(none.connection.output, 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
});

test('a large body is sent as it lies, in one piece with its head', async () => {
  const large = Buffer.alloc(100_000, 'x');
  const { output } = await run(sends(start(), { type: 'http.response.body', body: large }));
  assert.equal(output.length, output.indexOf('\r\n\r\n') + 4 + 100_000);
});

test('early hints go out before the head', async () => {
  const { output } = await run(
    sends({ type: 'http.response.early_hint', links: ['</a.css>; rel=preload'] }, start(), body('x')),
  );
  assert.ok(
    output.startsWith('HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n'),
  );
});

test('trailers are sent to those who accept them', async () => {
  const app = sends({ type: 'http.response.start', status: 200, headers: [], trailers: true }, body('x'), {
    type: 'http.response.trailers',
    headers: [['digest', 'abc']],
  });
  const yes = await run(app, 'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
  assert.ok(yes.output.endsWith('\r\n\r\n1\r\nx\r\n0\r\ndigest: abc\r\n\r\n'), yes.output);
  const no = await run(app);
  assert.ok(no.output.endsWith('\r\n\r\n1\r\nx\r\n0\r\n\r\n'), no.output);
  const named = await run(app, 'GET / HTTP/1.1\r\nHost: a\r\nTE: xtrailers\r\n\r\n');
  assert.ok(named.output.endsWith('\r\n\r\n1\r\nx\r\n0\r\n\r\n'), named.output);
});

test('what must be known before the body is refused in a trailer section (RFC 9110 6.5.1)', async () => {
  for (const name of [
    'content-length',
    'transfer-encoding',
    'set-cookie',
    'content-type',
    'host',
    'trailer',
  ]) {
    const app = sends({ type: 'http.response.start', status: 200, headers: [], trailers: true }, body('x'), {
      type: 'http.response.trailers',
      headers: [[name, '1']],
    });
    const { log, output, connection } = await run(app, 'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
    assert.match(log, new RegExp(`${name} may not stand in a trailer section`));
    assert.ok(
      output.endsWith('\r\n1\r\nx\r\n0\r\n') && connection.destroyed,
      'the client sees that it is incomplete',
    );
  }
});

// ---- applications that break the protocol

const broken: [why: string, app: Application, status: number, log: RegExp][] = [
  [
    'raises before the start',
    http(async () => {
      throw new Error('no soba left');
    }),
    500,
    /GET \/ failed: Error: no soba left/,
  ],
  ['raises a value that is no error', http(() => Promise.reject('soba')), 500, /GET \/ failed: soba/],
  [
    'throws at once',
    (() => {
      throw new Error('sync');
    }) as unknown as Application,
    500,
    /Error: sync/,
  ],
  ['returns without a response', http(async () => {}), 500, /returned without a response \(GET \/\)/],
  ['returns before the end', sends(start()), 500, /returned before the end of its response/],
  [
    'sends a body first',
    sends(body('x')),
    500,
    /sent http\.response\.body where the server expected http\.response\.start/,
  ],
  [
    'starts twice',
    sends(start(), start()),
    500,
    /sent http\.response\.start where the server expected http\.response\.body/,
  ],
  [
    'sends a header with a line break',
    sends(start(200, [['x', 'a\r\nset-cookie: evil']]), body()),
    500,
    /the value of x is "a\\r\\nset-cookie: evil", which holds a control character/,
  ],
  ['sends a header with a NUL', sends(start(200, [['x', 'a\0']]), body()), 500, /the value of x/],
  ['sends a header that is no latin-1', sends(start(200, [['x', 'そば']]), body()), 500, /is not latin-1/],
  [
    'sends a header name with a space',
    sends(start(200, [['x y', 'a']]), body()),
    500,
    /the header name "x y" is no token/,
  ],
  [
    'sends an empty header name',
    sends(start(200, [['', 'a']]), body()),
    500,
    /the header name "" is no token/,
  ],
  [
    'sends two lengths',
    sends(
      start(200, [
        ['content-length', '1'],
        ['content-length', '1'],
      ]),
      body('x'),
    ),
    500,
    /more than one content-length/,
  ],
  [
    'sends a length that is none',
    sends(start(200, [['content-length', '1e3']]), body('x')),
    500,
    /content-length is "1e3"/,
  ],
  ['sends a status that is none', sends(start(99), body()), 500, /status is 99/],
  ['sends an informational status', sends(start(101), body()), 500, /status is 101/],
  [
    'sends a status that is no number',
    sends(start('200' as unknown as number), body()),
    500,
    /status is 200, and must be an integer/,
  ],
  [
    'sends a string as body',
    sends(start(), { type: 'http.response.body', body: 'x' as unknown as Uint8Array }),
    500,
    /body is no Uint8Array but string/,
  ],
  [
    'sends more than announced',
    sends(start(200, [['content-length', '2']]), body('soba')),
    500,
    /announced Content-Length 2, but its body has at least 4 bytes/,
  ],
  [
    'sends less than announced',
    sends(start(200, [['content-length', '9']]), body('soba')),
    500,
    /announced Content-Length 9, but its body has 4 bytes/,
  ],
  [
    'sends an unknown event',
    sends({ type: 'http.response.nonsense' } as unknown as SendEvent),
    500,
    /bad http\.response\.nonsense/,
  ],
  ['sends nothing at all', sends(undefined as unknown as SendEvent), 500, /failed/],
];

for (const [why, app, status, log] of broken) {
  test(`an application that ${why} is answered for, once`, async () => {
    const result = await run(app);
    assert.match(result.output, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(result.output.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.doesNotMatch(result.output, /evil|soba left|TypeError|\bat \//);
    assert.match(result.log, log);
    assert.ok(result.connection.ended);
  });
}

test('what fails after the start breaks the connection off', async () => {
  const failing = http(async (_scope, _receive, send) => {
    await send(start());
    await send(body('so', true));
    throw new Error('out of soba');
  });
  for (const app of [
    failing,
    sends(start(), body('so', true)),
    sends(start(200, [['content-length', '4']]), body('so', true), body('bababa')),
  ]) {
    const { output, connection, log } = await run(app);
    assert.ok(connection.destroyed);
    assert.doesNotMatch(output, /0\r\n\r\n|500|baba/);
    assert.match(log, /failed/);
  }
});

test('events after the end are refused, and harm nothing', async () => {
  let second: unknown;
  const app = http(async (_scope, _receive, send) => {
    await send(start());
    await send(body('x'));
    try {
      await send(body('y'));
    } catch (error) {
      second = error;
    }
  });
  const { output, connection } = await run(app);
  assert.ok(output.endsWith('\r\n\r\nx'));
  assert.match(String((second as Error).message), /expected nothing more, because the response is complete/);
  connection.feed(GET);
  await connection.settle();
  assert.equal(connection.output.match(/HTTP\/1\.1 200/g)?.length, 2);
});

test('a send that nobody awaits and that fails does not end the process', async () => {
  const app = http(async (_scope, _receive, send) => {
    void send(body('x'));
    await send(start());
    await send(body('y'));
  });
  const { output } = await run(app);
  assert.ok(output.endsWith('y'));
});

test('text from the client never reaches the log with its control characters', async () => {
  const { log } = await run(sends(start()), 'GET /%0a%1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.doesNotMatch(log.split('\n')[0] ?? '', /\x1b/);
});
