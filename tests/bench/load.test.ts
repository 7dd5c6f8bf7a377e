import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerEnd } from '../../bench/load.ts';

const plain = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const chunked =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na;x=y\r\n0123456789\r\n0\r\n\r\n';

test('the load client finds the end of an answer with Content-Length, behind others too', () => {
  const bytes = Buffer.from(plain + plain);
  assert.equal(answerEnd(bytes, 0, 200), plain.length);
  assert.equal(answerEnd(bytes, plain.length, 200), plain.length * 2);
});

test('the load client finds the end of a chunked answer', () => {
  assert.equal(answerEnd(Buffer.from(chunked + plain), 0, 200), chunked.length);
});

test('an answer cut anywhere is not counted', () => {
  for (const text of [plain, chunked]) {
    for (let cut = 0; cut < text.length; cut++)
      assert.equal(answerEnd(Buffer.from(text.slice(0, cut)), 0, 200), -1, `cut at ${cut}`);
  }
});

test('an answer with another status stops the run and shows the answer', () => {
  assert.throws(
    () => answerEnd(Buffer.from('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n'), 0, 200),
    /expected status 200, got: HTTP\/1\.1 500 Oops/,
  );
});
