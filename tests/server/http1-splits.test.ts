import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RawConnection, TextLog } from 'sobaya/server';
import { echo } from './applications.ts';

/** Feeds the pieces and gives what a peer sees, without what depends on the time. */
async function outcome(pieces: Buffer[]): Promise<string> {
  let log = '';
  const connection = new RawConnection(echo, {
    log: new TextLog((line) => (log += line)),
    limitRequestLine: 60,
    limitRequestField: 50,
    limitRequestFields: 6,
    limitRequestHead: 200,
    limitRequestBody: 100,
  });
  for (const piece of pieces) {
    connection.feed(piece);
    await connection.settle();
  }
  // Whether "100 Continue" is superfluous does depend on what has come in already (RFC 9110 10.1.1).
  const output = connection.output.replaceAll(/date: [^\r]+\r\n|HTTP\/1\.1 100 Continue\r\n\r\n/g, '');
  return `${output}|${connection.ended}|${connection.destroyed}|${log}`;
}

function cut(raw: Buffer, at: number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (raw.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...places, raw.length]) {
    if (place > from) pieces.push(raw.subarray(from, place));
    from = place;
  }
  return pieces;
}

const token = fc.stringMatching(/^[A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^[ -~\t]{0,60}$/);
const field = fc.oneof(
  fc.tuple(token, value).map(([name, text]) => `${name}: ${text}`),
  fc.constantFrom(
    'Host: a',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Expect: 100-continue',
    'X : y',
    ' folded',
    'X: a\rb',
    'X: \0',
  ),
);
const line = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r');
const body = fc.constantFrom(
  '',
  'hello',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n',
  'FF\r\nabc',
  '3\r\nabcd\r\n0\r\n\r\n',
  'hello, more than was said',
);
const request = fc
  .tuple(
    fc.constantFrom('', '\r\n', '\n'),
    fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'get', 'G T'),
    fc.constantFrom('/', '/a?b=c', '*', 'http://x/y', '/%', `/${'x'.repeat(50)}`),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'http/1.1'),
    fc.boolean(),
    fc.array(fc.tuple(field, line), { maxLength: 7 }),
    body,
  )
  .map(
    ([before, method, target, version, host, fields, content]) =>
      `${before}${method} ${target} ${version}\r\n${host ? 'Host: a\r\n' : ''}${fields.map(([text, end]) => text + end).join('')}\r\n${content}`,
  );

test('the outcome does not depend on how the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (requests, places) => {
        const raw = Buffer.from(requests.join(''), 'latin1');
        assert.equal(await outcome(cut(raw, places)), await outcome([raw]));
      },
    ),
    { numRuns: 400 },
  );
});

test('byte by byte is the same as all at once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 2 }), async (requests) => {
      const raw = Buffer.from(requests.join(''), 'latin1');
      assert.equal(await outcome([...raw].map((byte) => Buffer.from([byte]))), await outcome([raw]));
    }),
    { numRuns: 60 },
  );
});

test('garbage is answered or awaited, never thrown over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 5 }),
      async (pieces) => {
        await outcome(pieces.map((piece) => Buffer.from(piece)));
      },
    ),
    { numRuns: 300 },
  );
});
