/** Applications of ours under Bun, where it is installed (`bun` on the path, or $BUN). */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

const bun = process.env['BUN'] ?? 'bun';
const { status } = spawnSync(bun, ['--version'], { stdio: 'ignore' });

test('a bare application and a whole one run under Bun.serve', {
  skip: status === 0 ? false : 'Bun is not installed',
}, async (t) => {
  const child = spawn(bun, ['--conditions=sobaya:source', join(import.meta.dirname, 'fixtures/bun.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  const [bare, whole] = (JSON.parse(line) as [number, number]).map((port) => `http://127.0.0.1:${port}`);
  const response = await fetch(`${bare}/caf%C3%A9?x=1`, { method: 'POST', body: 'x'.repeat(300_000) });
  assert.equal(response.status, 201);
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
  assert.equal(await response.text(), 'in pieces: POST /café?x=1 300000 zaru');
  assert.equal(await (await fetch(`${whole}/hello/soba/`)).text(), 'hello soba');
  const echo = await fetch(`${whole}/echo/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"soba":[1,2]}',
  });
  assert.deepEqual(await echo.json(), { soba: [1, 2] });
  assert.equal((await fetch(`${whole}/nothing/`)).status, 404);
});
