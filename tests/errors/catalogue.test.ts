import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, type ErrorCode, fault, isSobayaError } from 'sobaya/errors';

for (const code of Object.keys(catalogue) as ErrorCode[]) {
  test(`${code} renders its example in whole sentences`, () => {
    const entry = catalogue[code];
    const error = fault(code, entry.example as never);
    assert.ok(isSobayaError(error));
    assert.equal(error.code, code);
    assert.match(code, /^SBY_[A-Z0-9]+(_[A-Z0-9]+)+$/);
    assert.ok(!/\[object|NaN/.test(error.message), error.message);
    assert.ok(entry.about.length > 20, 'about explains the case');
    assert.ok(!error.what.endsWith('.') && !error.fix.endsWith('.'), 'parts carry no full stop of their own');
  });
}

test('a fault begins its stack where it was noticed', () => {
  const error = fault('SBY_ASYNCIO_BAD_TIME', { callee: 'sleep', got: -1 });
  assert.equal(
    error.message,
    'sleep() takes a time in milliseconds, got -1. Give a finite number that is zero or more',
  );
  assert.match(error.stack?.split('\n')[1] ?? '', /catalogue\.test\.ts/);
});
