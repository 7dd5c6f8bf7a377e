import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createApp } from 'sobaya';
import { HttpResponse } from 'sobaya/http';
import { path } from 'sobaya/urls';
import { importFile } from 'sobaya/xray';
import { call, httpScope } from './applications.ts';

function home(): HttpResponse {
  return new HttpResponse('soba');
}
const urls = [path('', home)];

describe('createApp under x-ray', () => {
  test('by default there is none, in debug mode neither', async () => {
    const app = createApp({ urls, debug: true });
    assert.equal((await call(app, httpScope('/__xray__/'))).status, 404);
  });

  test('the option mounts it; a request shows its route, view and status', async () => {
    const app = createApp({ urls, debug: true, xray: { blame: false }, allowedHosts: ['localhost'] });
    const answer = await call(app, httpScope('/'));
    assert.equal(answer.text, 'soba');
    const { text } = await call(app, httpScope('/__xray__/api/export'));
    const [request] = importFile(text);
    assert.equal(request?.status, 200);
    assert.equal(request.view, 'home');
    assert.equal(request.route, '');
    assert.ok(request.spans.some((span) => span.kind === 'view' && span.name === 'home'));
  });

  test('production with xray: true has no page without a permission', async () => {
    const app = createApp({
      urls,
      debug: false,
      xray: true,
      allowedHosts: ['localhost'],
      secretKey: 'x'.repeat(40),
    });
    assert.equal((await call(app, httpScope('/__xray__/'))).status, 404);
  });

  test('SOBAYA_DEBUG=1, as runserver sets it, mounts it in debug mode only', async () => {
    const before = process.env['SOBAYA_DEBUG'];
    process.env['SOBAYA_DEBUG'] = '1';
    try {
      const app = createApp({ urls, debug: true });
      assert.equal((await call(app, httpScope('/__xray__/'))).status, 200);
      const production = createApp({
        urls,
        debug: false,
        secretKey: 'x'.repeat(40),
        allowedHosts: ['localhost'],
      });
      assert.equal((await call(production, httpScope('/__xray__/'))).status, 404);
    } finally {
      if (before === undefined) delete process.env['SOBAYA_DEBUG'];
      else process.env['SOBAYA_DEBUG'] = before;
    }
  });
});
