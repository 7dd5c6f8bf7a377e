import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import * as net from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { RawConnection } from 'sobaya/server';
import { echo } from './applications.ts';

/**
 * The same bytes to our parser and to llhttp (by way of `node:http`). Wherever we accept, llhttp must read the
 * same requests with the same bodies: a disagreement there would be a way to smuggle. Refusing more is our right.
 */
const reference = createServer((request, response) => {
  let body = '';
  request.setEncoding('latin1').on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    const answer = Buffer.from(`${request.method} ${request.url?.split('?')[0]} ${body}`, 'latin1');
    response.setHeader('content-length', answer.length).end(answer);
  });
});
before(async () => {
  reference.listen(0, '127.0.0.1');
  await once(reference, 'listening');
});
after(() => {
  reference.closeAllConnections();
  reference.close();
});

async function ofNode(raw: Buffer): Promise<string[]> {
  const socket = net.connect({
    port: (reference.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  let output = '';
  socket.setEncoding('latin1').on('data', (chunk) => (output += chunk));
  socket.on('error', () => {});
  socket.end(raw);
  await once(socket, 'close');
  return answers(output);
}

async function ofOurs(raw: Buffer): Promise<string[]> {
  const connection = new RawConnection(echo);
  connection.feed(raw);
  for (let turn = 0; turn < 3; turn++) await connection.settle();
  connection.eof();
  await connection.settle();
  return answers(connection.output);
}

/** The bodies of the 200 answers, in order, up to the first that is none. */
function answers(output: string): string[] {
  const found: string[] = [];
  for (let rest = output; rest.startsWith('HTTP/1.1 '); ) {
    const end = rest.indexOf('\r\n\r\n') + 4;
    const head = rest.slice(0, end).toLowerCase();
    if (!head.startsWith('http/1.1 200')) {
      if (!head.startsWith('http/1.1 100')) break;
      rest = rest.slice(end);
      continue;
    }
    const chunked = head.includes('transfer-encoding: chunked');
    if (chunked) break;
    const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
    found.push(rest.slice(end, end + length));
    rest = rest.slice(end + length);
  }
  return found;
}

const eol = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n');
const field = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('X: y', 'Accept: */*', 'X-A:b', 'X-B:\tc ') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'Content-Length: 5',
      'Content-Length: 0',
      'Content-Length: 05',
      'Content-Length: +5',
      'Content-Length: 5, 5',
      'Content-Length: 5 ',
      'Content-Length:5',
      'Content-Length: 0x5',
      'Content-Length : 5',
      'content-length: 7',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: Chunked',
      'Transfer-Encoding: gzip, chunked',
      'Transfer-Encoding: chunked, chunked',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding:\x0bchunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding: identity',
      ' folded',
      'X: a\0b',
      'Host: b',
      'X\x01: y',
      'Connection: close',
      'Expect: 100-continue',
      'Upgrade: h2c',
    ),
  },
);
const body = fc.constantFrom(
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '5\nhello\n0\n\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '005\r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  '5;\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\n',
  '5\r\nhello\r\n00\r\n\r\n',
  '5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
);
const request = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    fc.constantFrom('/', '/a?b', '/%41', '/a%2Fb', '//x', '/a/../b'),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
    fc.array(fc.tuple(field, eol), { maxLength: 4 }),
    body,
  )
  .map(
    ([method, target, version, fields, content]) =>
      `${method} ${target} ${version}\r\nHost: a\r\n${fields.map(([text, end]) => text + end).join('')}\r\n${content}`,
  );

test('wherever we accept a request, llhttp reads the same one', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (requests) => {
      const raw = Buffer.from(requests.join(''), 'latin1');
      const ours = await ofOurs(raw);
      const theirs = await ofNode(raw);
      accepted += ours.length;
      // llhttp may stop earlier; as far as both go, they must have read the same.
      const both = Math.min(ours.length, theirs.length);
      assert.deepEqual(ours.slice(0, both), theirs.slice(0, both));
    }),
    { numRuns: 400 },
  );
  assert.ok(accepted > 100);
});

const disagreements: [why: string, raw: string, ours: boolean, theirs: boolean][] = [
  ['an unknown method', 'SOBA / HTTP/1.1\r\nHost: a\r\n\r\n', true, false],
  ['a fragment in the target', 'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['a broken percent-encoding', 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', false, true],
  ['a higher minor version', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', true, false],
  ['a port that is none', 'GET / HTTP/1.1\r\nHost: a:b\r\n\r\n', false, true],
  ['two empty lines first', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['a LF first', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['user information in the target', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  ['the asterisk with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', false, true],
  [
    'white space before a chunk extension',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 ;a\r\nx\r\n0\r\n\r\n',
    true,
    false,
  ],
  [
    'chunked in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    false,
    true,
  ],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', false, true],
  [
    'a coding before chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    false,
    true,
  ],
];
for (const [why, raw, ours, theirs] of disagreements) {
  test(`a disagreement with llhttp, on purpose: ${why}`, async () => {
    const bytes = Buffer.from(raw, 'latin1');
    assert.equal((await ofOurs(bytes)).length === 1, ours, 'ours');
    assert.equal((await ofNode(bytes)).length === 1, theirs, 'llhttp');
  });
}
