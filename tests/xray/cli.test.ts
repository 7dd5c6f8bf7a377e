import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Server, serve, silentLog } from 'sobaya/server';
import { importFile, xray } from 'sobaya/xray';
import type { CommandContext } from '../../src/cli/command.ts';
import { command } from '../../src/cli/commands/xray.ts';
import { pagesApp } from './applications.ts';
import { api, database, view } from './programs.ts';

const defaults = { limit: '20', width: '110' };

describe('sobaya xray', () => {
  let server: Server;
  let folder: string;
  const app = xray(
    pagesApp({
      '/orders/': () =>
        view('orders', async () => {
          await database.query('select * from user', [], [], 30);
          await api('/weather', 40);
        }),
      '/quick/': () => {},
    }),
    { debug: true, blame: false },
  );

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'xray-cli-'));
    server = await serve(app, { port: 0, log: silentLog });
    for (const path of ['/orders/', '/quick/']) await (await fetch(`${server.url}${path}`)).text();
  });
  after(async () => {
    await server.close();
    await app.stop();
    await rm(folder, { recursive: true });
  });

  async function run(
    args: string[],
    options: object = {},
  ): Promise<{ code: number; out: string; err: string }> {
    const out: string[] = [];
    const err: string[] = [];
    const context = {
      print: (text: string) => void out.push(text),
      warn: (text: string) => void err.push(text),
    } as unknown as CommandContext;
    const code =
      (await command.run(context, { ...defaults, url: server.url, ...options } as never, args)) ?? 0;
    return { code, out: out.join('\n'), err: err.join('\n') };
  }

  test('lists what was recorded, newest first, with hints', async () => {
    const { out } = await run([]);
    assert.match(out, /200 .*GET \/quick\/\n.*200 .*GET \/orders\/ 1q 1→\n\s+[●○] 2 waits in a row/);
  });

  test('draws one request: by part of its path, the last, the slowest', async () => {
    assert.match((await run(['orders'])).out, /select \* from user.*│.*━.*│/);
    assert.match((await run(['last'])).out, /^GET \/quick\/ 200 in/);
    assert.match((await run(['slowest'])).out, /^GET \/orders\/ 200 in/);
  });

  test('exports a file, and draws it again without a server', async () => {
    const file = join(folder, 'a.json');
    const { err } = await run(['orders'], { export: file });
    assert.match(err, /^Saved 1 request in /);
    assert.equal(importFile(await readFile(file, 'utf8'))[0]?.path, '/orders/');
    assert.match((await run([file], { url: 'http://127.0.0.1:1' })).out, /GET \/orders\/ 200/);
  });

  test('says what is wrong, and what to do', async () => {
    assert.deepEqual((await run(['nothing-like-it'])).code, 1);
    await assert.rejects(() => run([], { url: 'http://127.0.0.1:1' }), {
      code: 'SBY_XRAY_UNREACHABLE',
      message:
        /^The x-ray of http:\/\/127\.0\.0\.1:1 cannot be read: no answer \(.+\)\. Start the application with `sobaya runserver`/,
    });
    await assert.rejects(() => run([join(folder, 'missing.json')]), { code: 'SBY_XRAY_BAD_FILE' });
  });
});
