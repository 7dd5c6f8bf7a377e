import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpScope } from 'sobaya/asgi';
import { RawConnection } from 'sobaya/server';
import { echo, hello, http, text } from './applications.ts';

async function answer(raw: string, app = echo): Promise<string> {
  const connection = new RawConnection(app);
  connection.feed(raw);
  await connection.settle();
  return connection.output;
}

const status = (output: string): number => Number(output.slice(9, 12));

test('a request and its answer, byte by byte', async () => {
  const output = await answer('GET /a%20b?q=1 HTTP/1.1\r\nHost: example.org\r\n\r\n', hello);
  assert.match(
    output,
    /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain\r\ncontent-length: 8\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nserver: sobaya\r\n\r\nGET \/a b$/,
  );
});

test('the scope of a request', async () => {
  let seen: HttpScope | null = null;
  const app = http(async (scope, _receive, send) => {
    seen = scope;
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body' });
  });
  await answer(
    'PUT /caf%C3%A9/%2F?a=%20&b HTTP/1.1\r\nHost: Example.org:8080\r\nX-Two: 1\r\nx-two:\t2 \t\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n\r\n',
    app,
  );
  const scope = seen as HttpScope | null;
  assert.ok(scope);
  assert.deepEqual(
    { ...scope, extensions: undefined },
    {
      type: 'http',
      asgi: { version: '3.0', specVersion: '2.5' },
      httpVersion: '1.1',
      method: 'PUT',
      scheme: 'http',
      path: '/café//',
      rawPath: '/caf%C3%A9/%2F',
      queryString: 'a=%20&b',
      rootPath: '',
      headers: [
        ['host', 'Example.org:8080'],
        ['x-two', '1'],
        ['x-two', '2'],
        ['x-empty', ''],
        ['x-latin', 'café'],
      ],
      client: ['192.0.2.1', 50000],
      server: ['192.0.2.2', 80],
      state: {},
      extensions: undefined,
    },
  );
});

const accepted: [why: string, raw: string, body: string][] = [
  ['one empty line before the request line', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / '],
  ['absolute form', 'GET http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /x '],
  ['absolute form without a path', 'GET http://b.example HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / '],
  ['absolute form with a query only', 'GET http://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / '],
  ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS * '],
  ['what browsers leave raw in a query', 'GET /?a={b}|c^`[\\] HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / '],
  ['any token as a method', 'M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n', 'M-SEARCH /x '],
  ['an IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n', 'GET / '],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 'GET / '],
  ['Content-Length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd', 'POST / abcd'],
  [
    'Content-Length with leading zeros',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 004\r\n\r\nabcd',
    'POST / abcd',
  ],
  [
    'chunks',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
    'POST / abc0123456789',
  ],
  [
    'Chunked in any case',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n',
    'POST / a',
  ],
  [
    'chunk extensions',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a;b=c;d="e\\"f;" ; g = h\r\na\r\n0;x\r\n\r\n',
    'POST / a',
  ],
  [
    'a trailer section, which is dropped',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nDigest: x\r\n\r\n',
    'POST / a',
  ],
  [
    'a request line of 8,000 octets',
    `GET /${'x'.repeat(7985)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /${'x'.repeat(7985)} `,
  ],
  ['100 fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(100)}\r\n`, 'GET / '],
  ['a value of 7 kB', `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${'x'.repeat(7168)}\r\n\r\n`, 'GET / '],
];

for (const [why, raw, body] of accepted) {
  test(`accepted: ${why}`, async () => {
    const output = await answer(raw);
    assert.equal(status(output), 200, output);
    assert.equal(output.slice(output.indexOf('\r\n\r\n') + 4), body);
  });
}

test('the authority of an absolute target replaces Host', async () => {
  const app = http(async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body', body: text(JSON.stringify(scope.headers)) });
  });
  const output = await answer('GET http://b.example:81/ HTTP/1.1\r\nX: 1\r\nHost: a\r\n\r\n', app);
  assert.ok(output.endsWith('[["x","1"],["host","b.example:81"]]'));
});

const H = 'GET / HTTP/1.1\r\nHost: a\r\n';
const P = 'POST / HTTP/1.1\r\nHost: a\r\n';
const T = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const refused: [status: number, why: string, raw: string][] = [
  [400, 'no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a method with a control character', 'G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  [400, 'two empty lines before the request', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'an LF before the request', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [501, 'a method in lower case', 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [501, 'a very long method', `${'X'.repeat(40)} / HTTP/1.1\r\nHost: a\r\n\r\n`],
  [501, 'CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'],
  [400, 'HTTP/0.9', 'GET /\r\n'],
  [400, 'no version', 'GET / \r\nHost: a\r\n\r\n'],
  [400, 'two spaces before the target', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'two spaces before the version', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a tab instead of a space', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n'],
  [400, 'a lower-case protocol name', 'GET / http/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a version of two digits', 'GET / HTTP/1.10\r\nHost: a\r\n\r\n'],
  [505, 'HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  [505, 'HTTP/0.9 by name', 'GET / HTTP/0.9\r\nHost: a\r\n\r\n'],
  [400, 'a fragment in the target', 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a byte above ASCII in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a broken percent-encoding in the path', 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'a target that is no path', 'GET index.html HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'the asterisk with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'an authority with GET', 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'an absolute target of another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'user information in the target', 'GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'an absolute target without a host', 'GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n'],
  [400, 'lines that end with LF', 'GET / HTTP/1.1\nHost: a\n\n'],
  [400, 'a field line that ends with LF', 'GET / HTTP/1.1\r\nHost: a\n\r\n'],
  [400, 'a CR in a value', `${H}X: a\rb\r\n\r\n`],
  [400, 'a NUL in a value', `${H}X: a\0b\r\n\r\n`],
  [400, 'a DEL in a value', `${H}X: a\x7fb\r\n\r\n`],
  [400, 'a folded line', `${H}X: a\r\n b\r\n\r\n`],
  [400, 'white space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
  [400, 'a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
  [400, 'a field without a colon', `${H}nonsense\r\n\r\n`],
  [400, 'a field without a name', `${H}: x\r\n\r\n`],
  [400, 'a name with a byte above ASCII', `${H}X\xe9: x\r\n\r\n`],
  [400, 'a CR without LF at the end', `${H}\rX`],
  [400, 'no Host', 'GET / HTTP/1.1\r\n\r\n'],
  [400, 'two Hosts', `${H}Host: a\r\n\r\n`],
  [400, 'an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
  [400, 'a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  [400, 'a Host with user information', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
  [400, 'a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  [400, 'a Host with a port that is no number', 'GET / HTTP/1.1\r\nHost: a:b\r\n\r\n'],
  [
    400,
    'Content-Length and Transfer-Encoding',
    `${P}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [400, 'two equal Content-Lengths', `${P}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
  [400, 'two Content-Lengths', `${P}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`],
  [400, 'a Content-Length list', `${P}Content-Length: 3, 3\r\n\r\nabc`],
  [400, 'a signed Content-Length', `${P}Content-Length: +3\r\n\r\nabc`],
  [400, 'a negative Content-Length', `${P}Content-Length: -3\r\n\r\nabc`],
  [400, 'a hexadecimal Content-Length', `${P}Content-Length: 0x3\r\n\r\nabc`],
  [400, 'an empty Content-Length', `${P}Content-Length:\r\n\r\nabc`],
  [413, 'a Content-Length beyond numbers', `${P}Content-Length: 99999999999999999999\r\n\r\nabc`],
  [400, 'Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  [
    400,
    'two Transfer-Encodings',
    `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [400, 'chunked twice', `${P}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  [400, 'identity', `${P}Transfer-Encoding: identity\r\n\r\n`],
  [400, 'chunked, then another coding', `${P}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
  [400, 'an empty Transfer-Encoding', `${P}Transfer-Encoding:\r\n\r\n`],
  [400, 'a Transfer-Encoding in quotes', `${P}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  [400, 'a vertical tab before chunked', `${P}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  [501, 'gzip, chunked', `${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  [400, 'an unknown coding, which nobody knows the end of', `${P}Transfer-Encoding: soba\r\n\r\n`],
  [417, 'an unknown expectation', `${P}Expect: tea\r\nContent-Length: 1\r\n\r\na`],
  [414, 'a request line too long', `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  [431, 'a field too long', `${H}X: ${'x'.repeat(17000)}\r\n\r\n`],
  [431, 'too many fields', `${H}${'X: y\r\n'.repeat(200)}\r\n`],
  [431, 'a head too long', `${H}${`X: ${'y'.repeat(1000)}\r\n`.repeat(70)}\r\n`],
  [413, 'a body over the limit', `${P}Content-Length: 200000000\r\n\r\n`],
  [400, 'a chunk without a size', `${T}\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk size with a sign', `${T}+3\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk size with 0x', `${T}0x3\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk size with a space', `${T}3 \r\nabc\r\n0\r\n\r\n`],
  [400, 'a space before a chunk size', `${T} 3\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk size that ends with LF', `${T}3\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk size that ends with CR', `${T}3\rabc\r\n0\r\n\r\n`],
  [413, 'a chunk size beyond numbers', `${T}fffffffffffffffff\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk longer than its size', `${T}3\r\nabcd\r\n0\r\n\r\n`],
  [400, 'a chunk shorter than its size', `${T}5\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk that ends with LF', `${T}3\r\nabc\n0\r\n\r\n`],
  [400, 'a chunk extension without a name', `${T}3;\r\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk extension with a LF', `${T}3;a\nabc\r\n0\r\n\r\n`],
  [400, 'a chunk extension with an open quote', `${T}3;a="b\r\nabc\r\n0\r\n\r\n`],
  [400, 'too many chunk extensions', `${T}3;${'a'.repeat(20000)}\r\nabc\r\n0\r\n\r\n`],
  [400, 'a Content-Length in the trailer', `${T}1\r\na\r\n0\r\nContent-Length: 3\r\n\r\n`],
  [400, 'a broken trailer', `${T}1\r\na\r\n0\r\nX : y\r\n\r\n`],
];

for (const [expected, why, raw] of refused) {
  test(`refused with ${expected}: ${why}`, async () => {
    const connection = new RawConnection(echo);
    connection.feed(raw);
    await connection.settle();
    assert.equal(status(connection.output), expected, connection.output);
    assert.match(connection.output, /\r\nconnection: close\r\n/);
    assert.ok(connection.ended, 'the connection is closed');
    // Whatever follows is not read as a request.
    connection.feed('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
    await connection.settle();
    assert.equal(connection.output.match(/HTTP\/1\.1 /g)?.length, 1);
  });
}

test('an application never sees a refused head', async () => {
  let called = 0;
  const app = http(async () => {
    called++;
  });
  for (const [expected, , raw] of refused) {
    if (raw.includes('Transfer-Encoding: chunked\r\n\r\n') && expected !== 501) continue;
    await answer(raw, app);
  }
  assert.equal(called, 0);
});
