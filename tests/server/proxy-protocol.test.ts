import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import { after, test } from 'node:test';
import * as tls from 'node:tls';
import fc from 'fast-check';
import { type ServeOptions, type Server, serve, TextLog } from 'sobaya/server';
import { crc32c } from '../../src/server/proxies/crc32c.ts';
import { type ProxyProtocolVersions, parseProxyHeader } from '../../src/server/proxies/proxy-protocol.ts';
import { http, text } from './applications.ts';
import { certificate, hasOpenssl } from './certificates.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

function v2(command: number, family: number, ...rest: Buffer[]): Buffer {
  const block = Buffer.concat(rest);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(block.length);
  return Buffer.concat([SIGNATURE, Buffer.from([0x20 | command, family]), length, block]);
}

function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

const four = Buffer.from([203, 0, 113, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]);
const six = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000100000000000000000001', 'hex'),
  Buffer.from([0xdc, 0x04, 0x01, 0xbb]),
]);
const ssl = tlv(0x20, Buffer.from([1, 0, 0, 0, 0]));

function withChecksum(header: Buffer): Buffer {
  const at = header.indexOf(Buffer.from([0x03, 0, 4]), 16) + 3;
  header.writeUInt32BE(crc32c(header), at);
  return header;
}

test('crc32c: the check value of the Castagnoli polynomial', () =>
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283));

const good: [why: string, header: string | Buffer, client: unknown, server: unknown, encrypted?: boolean][] =
  [
    [
      'TCP4',
      'PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n',
      ['203.0.113.7', 56324],
      ['198.51.100.1', 443],
    ],
    ['TCP6', 'PROXY TCP6 2001:db8::7 ::1 1 65535\r\n', ['2001:db8::7', 1], ['::1', 65535]],
    ['UNKNOWN', 'PROXY UNKNOWN\r\n', null, null],
    ['UNKNOWN with more', 'PROXY UNKNOWN ffff::1 what ever 1 2\r\n', null, null],
    ['v2 of IPv4', v2(1, 0x11, four), ['203.0.113.7', 56324], ['198.51.100.1', 443]],
    ['v2 of IPv6', v2(1, 0x21, six), ['2001:db8::7', 56324], ['2001:db8:1::1', 443]],
    ['v2 LOCAL', v2(0, 0), null, null],
    ['v2 LOCAL with a block to skip', v2(0, 0x11, Buffer.from('whatever')), null, null],
    ['v2 unspecified', v2(1, 0, Buffer.alloc(0)), null, null],
    ['v2 of a unix socket', v2(1, 0x31, Buffer.alloc(216)), null, null],
    [
      'v2 with TLS',
      v2(1, 0x11, four, tlv(0x02, Buffer.from('shop.example')), ssl),
      ['203.0.113.7', 56324],
      ['198.51.100.1', 443],
      true,
    ],
    [
      'v2 with its checksum',
      withChecksum(v2(1, 0x11, four, tlv(0x03, Buffer.alloc(4)), tlv(0x04, Buffer.alloc(9)))),
      ['203.0.113.7', 56324],
      ['198.51.100.1', 443],
    ],
  ];
for (const [why, given, client, server, encrypted = false] of good) {
  test(`PROXY protocol: ${why}`, () => {
    const header = Buffer.from(given as string, 'latin1');
    const expected = client === null ? null : { client, server, encrypted };
    const read = parseProxyHeader(Buffer.concat([header, Buffer.from('GET /')]), 'auto');
    assert.deepEqual(read, { length: header.length, connection: expected });
    // Cut anywhere, it waits for the rest.
    for (let end = 0; end < header.length; end++)
      assert.equal(parseProxyHeader(header.subarray(0, end), 'auto'), null, `cut at ${end}`);
  });
}

const bad: [why: string, header: string | Buffer, message: RegExp, versions?: ProxyProtocolVersions][] = [
  ['an ordinary request', 'GET / HTTP/1.1\r\n', /does not begin with one$/],
  ['lower case', 'proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n', /does not begin/],
  ['v1 where v2 is wanted', 'PROXY UNKNOWN\r\n', /does not begin with one of v2/, 'v2'],
  ['v2 where v1 is wanted', v2(0, 0), /does not begin with one of v1/, 'v1'],
  ['no CRLF in 107 bytes', `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`, /longer than 107/],
  ['LF alone', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\nX\r\n', /grammar/],
  ['two spaces', 'PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n', /grammar/],
  ['a leading zero', 'PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n', /grammar/],
  ['UNKNOWNED', 'PROXY UNKNOWNED\r\n', /grammar/],
  ['UDP4', 'PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n', /grammar/],
  ['IPv6 in TCP4', 'PROXY TCP4 ::1 ::1 1 2\r\n', /addresses are none of TCP4/],
  ['IPv4 in TCP6', 'PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n', /addresses are none of TCP6/],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', /addresses/],
  ['256', 'PROXY TCP4 256.1.1.1 2.2.2.2 1 2\r\n', /addresses/],
  ['a port out of range', 'PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n', /ports/],
  ['version 3', Buffer.concat([SIGNATURE, Buffer.from([0x31, 0x11, 0, 0])]), /version is 3/],
  ['an unknown command', v2(2, 0x11, four), /command is 2/],
  ['an unknown family', v2(1, 0x41, four), /family/],
  ['an unknown transport', v2(1, 0x13, four), /family/],
  ['datagrams', v2(1, 0x12, four), /datagrams/],
  ['shorter than its addresses', v2(1, 0x11, four.subarray(0, 11)), /shorter/],
  ['a vector without its length', v2(1, 0x11, four, Buffer.from([2])), /cut off/],
  ['a vector longer than the header', v2(1, 0x11, four, Buffer.from([2, 0, 9, 1])), /cut off/],
  ['a TLS vector of two bytes', v2(1, 0x11, four, tlv(0x20, Buffer.alloc(2))), /TLS vector/],
  ['a wrong checksum', v2(1, 0x11, four, tlv(0x03, Buffer.alloc(4))), /checksum is wrong/],
  ['a checksum of three bytes', v2(1, 0x11, four, tlv(0x03, Buffer.alloc(3))), /no checksum/],
];
for (const [why, given, message, versions = 'auto'] of bad) {
  test(`PROXY protocol, refused: ${why}`, () =>
    assert.throws(() => parseProxyHeader(Buffer.from(given as string, 'latin1'), versions), { message }));
}

test('PROXY protocol: any bytes are a header, need more, or are refused', () => {
  const start = fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 '),
    Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0, 12])]),
    Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x21, 0, 60])]),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (head, tail) => {
      const bytes = Buffer.concat([head, tail]);
      try {
        const read = parseProxyHeader(bytes, 'auto');
        if (read !== null) assert.ok(read.length <= bytes.length);
      } catch (error) {
        assert.equal((error as Error).constructor, Error);
      }
    }),
  );
});

// ---- over sockets

const servers: Server[] = [];
after(async () => {
  for (const server of servers) server.closeNow();
  await Promise.all(servers.map((server) => server.close()));
});

const who = http(async (scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200, headers: [['connection', 'close']] });
  await send({
    type: 'http.response.body',
    body: text(`${scope.client?.join(' ')} at ${scope.server?.join(' ')} by ${scope.scheme}`),
  });
});

async function start(options: ServeOptions): Promise<{ server: Server; log: () => string }> {
  let log = '';
  const server = await serve(who, {
    port: 0,
    log: new TextLog((line) => (log += line)),
    proxyAllowIps: '127.0.0.0/8',
    ...options,
  });
  servers.push(server);
  return { server, log: () => log };
}

async function answer(socket: net.Socket): Promise<string> {
  let output = '';
  socket.setEncoding('latin1').on('data', (chunk) => (output += chunk));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  return output.slice(output.indexOf('\r\n\r\n') + 4);
}

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const line = 'PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n';

test('PROXY protocol: the scope has the addresses of the header, in one packet or byte by byte', async () => {
  const { server } = await start({ proxyProtocol: 'auto' });
  const all = net.connect(server.port, '127.0.0.1');
  all.write(line + request);
  assert.equal(await answer(all), '203.0.113.7 56324 at 198.51.100.1 443 by http');
  const slow = net.connect({ port: server.port, host: '127.0.0.1', noDelay: true });
  const answered = answer(slow);
  for (const byte of Buffer.concat([v2(1, 0x21, six, ssl), Buffer.from(request)])) {
    slow.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  assert.equal(await answered, '2001:db8::7 56324 at 2001:db8:1::1 443 by https');
  const local = net.connect(server.port, '127.0.0.1');
  local.write(Buffer.concat([v2(0, 0), Buffer.from(request)]));
  assert.match(await answer(local), /^127\.0\.0\.1 \d+ at 127\.0\.0\.1 \d+ by http$/);
});

test('PROXY protocol: who is not listed must not send it, who is must', async () => {
  const { server, log } = await start({ proxyProtocol: 'auto', proxyAllowIps: '10.0.0.0/8' });
  const direct = net.connect(server.port, '127.0.0.1');
  direct.write(request);
  assert.match(await answer(direct), /^127\.0\.0\.1 /);
  const spoofing = net.connect(server.port, '127.0.0.1');
  spoofing.write(line + request);
  assert.equal(await answer(spoofing), '400 Bad Request\n');
  assert.match(log(), /The request was refused with 400/);
  const strict = await start({ proxyProtocol: 'v2' });
  for (const bytes of [request, line + request]) {
    const plain = net.connect(strict.server.port, '127.0.0.1');
    plain.write(bytes);
    assert.equal(await answer(plain), '');
  }
  assert.match(
    strict.log(),
    /127\.0\.0\.1: no usable header of the PROXY protocol: it does not begin with one of v2/,
  );
});

test('PROXY protocol: a header that does not come, or not whole', async () => {
  const { server, log } = await start({ proxyProtocol: 'auto', timeoutHeader: 60 });
  const silent = net.connect(server.port, '127.0.0.1');
  assert.equal(await answer(silent), '');
  const cut = net.connect(server.port, '127.0.0.1');
  cut.end('PROXY TCP4 1.');
  assert.equal(await answer(cut), '');
  assert.match(log(), /it did not come in time[\s\S]*ended before it was complete/);
});

test('PROXY protocol: a stop does not wait for one who says nothing', async () => {
  const { server } = await start({ proxyProtocol: 'auto' });
  const silent = net.connect(server.port, '127.0.0.1');
  await once(silent, 'connect');
  const closed = answer(silent);
  await server.close();
  assert.equal(await closed, '');
});

test('PROXY protocol: with forwarded fields, the next hop is judged by the address in the header', async () => {
  const { server } = await start({ proxyProtocol: 'v1', forwardedAllowIps: '203.0.113.7' });
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write(`${line}GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.55\r\n\r\n`);
  assert.match(await answer(socket), /^192\.0\.2\.55 0 at/);
  const other = net.connect(server.port, '127.0.0.1');
  other.write(
    `${line.replace('113.7', '113.8')}GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n`,
  );
  assert.match(await answer(other), /^203\.0\.113\.8 56324 at/);
});

test('PROXY protocol: options that contradict each other', async () => {
  await assert.rejects(serve(who, { port: 0, proxyProtocol: 'v1' }), {
    message: /The option proxyProtocol is "v1"\. Give proxyAllowIps as well/,
  });
  await assert.rejects(serve(who, { port: 0, proxyProtocol: 'v3' as 'v2', proxyAllowIps: '*' }), {
    message: /The option proxyProtocol is "v3"/,
  });
  await assert.rejects(serve(who, { port: 0, proxyProtocol: 'v1', proxyAllowIps: 'lb.example' }), {
    message: /The option proxyAllowIps is "lb\.example"/,
  });
});

test('PROXY protocol: before TLS, with HTTP/1.1 and HTTP/2', {
  skip: hasOpenssl() ? false : 'openssl is missing',
}, async () => {
  const { cert, key } = certificate('proxied');
  const { server } = await start({ proxyProtocol: 'auto', certfile: cert, keyfile: key });
  const raw = net.connect(server.port, '127.0.0.1');
  raw.write(line);
  const secure = tls.connect({ socket: raw, ca: readFileSync(cert), servername: 'localhost' });
  secure.write(request);
  assert.equal(await answer(secure), '203.0.113.7 56324 at 198.51.100.1 443 by https');

  // Header and ClientHello in one packet: what is read too far belongs to the handshake.
  const joined = net.connect(server.port, '127.0.0.1');
  const { Duplex } = await import('node:stream');
  let first = true;
  const glue = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      joined.write(first ? Buffer.concat([v2(1, 0x11, four), chunk]) : chunk, () => done());
      first = false;
    },
    final(done) {
      joined.end(() => done());
    },
  });
  joined.on('data', (chunk) => glue.push(chunk)).on('end', () => glue.push(null));
  const glued = tls.connect({ socket: glue, ca: readFileSync(cert), servername: 'localhost' });
  glued.write(request);
  assert.equal(await answer(glued), '203.0.113.7 56324 at 198.51.100.1 443 by https');

  const http2 = await import('node:http2');
  const under = net.connect(server.port, '127.0.0.1');
  under.write(line);
  const session = http2.connect('https://localhost', {
    createConnection: () =>
      tls.connect({ socket: under, ca: readFileSync(cert), servername: 'localhost', ALPNProtocols: ['h2'] }),
  });
  const stream = session.request({ ':path': '/' });
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk) => (body += chunk));
  await once(stream, 'end');
  assert.equal(body, '203.0.113.7 56324 at 198.51.100.1 443 by https');
  session.close();
});

test('PROXY protocol: before HTTP/2 by prior knowledge, and HTTP/1.1 on the same port', async () => {
  const { server } = await start({ proxyProtocol: 'auto', http2: 'prior-knowledge' });
  const http2 = await import('node:http2');
  const under = net.connect(server.port, '127.0.0.1');
  under.write(line);
  const session = http2.connect('http://localhost', { createConnection: () => under });
  const stream = session.request({ ':path': '/' });
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk) => (body += chunk));
  await once(stream, 'end');
  assert.equal(body, '203.0.113.7 56324 at 198.51.100.1 443 by http');
  session.close();
  const plain = net.connect(server.port, '127.0.0.1');
  plain.write(line + request);
  assert.equal(await answer(plain), '203.0.113.7 56324 at 198.51.100.1 443 by http');
});
