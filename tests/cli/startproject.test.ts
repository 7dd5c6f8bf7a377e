import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { execute } from 'sobaya/cli';

const root = resolve(import.meta.dirname, '../..');
const cwd = mkdtempSync(join(tmpdir(), 'sobaya-test-'));
after(() => rmSync(cwd, { recursive: true, force: true }));

async function sobaya(
  folder: string,
  ...argv: string[]
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = {
    cwd: folder,
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  };
  return { code: await execute(argv, terminal), out, err };
}

test('startproject makes a project that compiles, checks, serves and passes its own test', async () => {
  const { code, out } = await sobaya(cwd, 'startproject', 'soba', '--sobaya', '^0.1.0');
  assert.equal(code, 0);
  assert.match(out, /cd soba && npm install && npm start/);
  const project = join(cwd, 'soba');
  assert.match(readFileSync(join(project, '.env'), 'utf8'), /^SECRET_KEY=[\w-]{43}\n$/);
  mkdirSync(join(project, 'node_modules', '@types'), { recursive: true });
  symlinkSync(root, join(project, 'node_modules', 'sobaya'));
  symlinkSync(join(root, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'));

  // A second app, wired in as startapp says.
  const app = await sobaya(project, 'startapp', 'day_menu');
  assert.equal(app.code, 0);
  assert.match(app.out, /include\('day_menu\/', dayMenu\.urls/);
  const main = readFileSync(join(project, 'app.ts'), 'utf8');
  writeFileSync(
    join(project, 'app.ts'),
    main
      .replace(
        "import { createApp, path } from 'sobaya';",
        "import { createApp, include, path } from 'sobaya';\nimport { dayMenu } from './day_menu/app.ts';",
      )
      .replace(
        "path('', home, { name: 'home' })",
        "path('', home, { name: 'home' }), include('day_menu/', dayMenu.urls, { namespace: 'day_menu' })",
      )
      .replace('apps: []', 'apps: [dayMenu]'),
  );
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, args, {
      cwd: project,
      encoding: 'utf8',
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
  run(join(root, 'node_modules/typescript/bin/tsc'), '--customConditions', 'sobaya:source');
  assert.match(run('--conditions=sobaya:source', '--test', 'app.test.ts'), /pass 1/);
  assert.equal((await sobaya(project, 'check')).out, 'No findings.\n');
  assert.match((await sobaya(project, 'routes')).out, /\/day_menu\/<int:id>\/ +day_menu:detail +detail/);
});

test('nothing is overwritten, names are checked', async () => {
  const again = await sobaya(cwd, 'startproject', 'soba');
  assert.equal(again.code, 2);
  assert.match(again.err, /The folder is not empty, and nothing was written/);
  assert.match((await sobaya(cwd, 'startproject', 'So ba')).err, /"so ba" cannot be the name of a project/);
  assert.match((await sobaya(cwd, 'startapp', 'Menu-1')).err, /"Menu-1" cannot be the name of an app/);
  assert.ok(!existsSync(join(cwd, 'Menu-1')));
});

test('collectstatic: hashed names, addresses rewritten, compressed, served for a year', async () => {
  const source = join(cwd, 'static');
  mkdirSync(join(source, 'img'), { recursive: true });
  mkdirSync(join(source, 'css'));
  writeFileSync(join(source, 'img', 'bowl.svg'), `<svg>${' '.repeat(2000)}</svg>`);
  writeFileSync(
    join(source, 'css', 'app.css'),
    '@import "base.css"; body{background:url("../img/bowl.svg?v=1#x")} a{b:url(data:x)} c{d:url(/x.png)}',
  );
  writeFileSync(join(source, 'css', 'base.css'), 'p{}');
  writeFileSync(join(source, '.secret'), 'x');
  const { code, out } = await sobaya(cwd, 'collectstatic', 'static', '--output', 'build');
  assert.equal(code, 0);
  assert.match(out, /3 files, 2 compressed, 1 with addresses rewritten/);
  const { files } = JSON.parse(readFileSync(join(cwd, 'build', 'manifest.json'), 'utf8')) as {
    files: Record<string, string>;
  };
  assert.deepEqual(Object.keys(files).sort(), ['css/app.css', 'css/base.css', 'img/bowl.svg']);
  const css = readFileSync(join(cwd, 'build', files['css/app.css']!), 'utf8');
  assert.equal(
    css,
    `@import "${files['css/base.css']!.slice(4)}"; body{background:url("../${files['img/bowl.svg']}?v=1#x")} a{b:url(data:x)} c{d:url(/x.png)}`,
  );

  const { createApp } = await import('sobaya');
  const { staticFiles, staticUrls } = await import('sobaya/middleware');
  const { Client } = await import('sobaya/test');
  const url = staticUrls(join(cwd, 'build'));
  const client = new Client(
    createApp({ debug: false, middleware: [staticFiles({ root: join(cwd, 'build') })] }),
  );
  const served = await client.get(url('img/bowl.svg'), { headers: { 'accept-encoding': 'gzip, br' } });
  assert.equal(served.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  assert.equal(served.headers.get('content-encoding'), 'br');
  assert.equal(served.headers.get('content-type'), 'image/svg+xml');
  assert.throws(() => url('nope.css'), { message: /was not collected/ });
  const again = await sobaya(cwd, 'collectstatic', 'static', '--output', 'static');
  assert.match(again.err, /The output folder holds files that collectstatic did not write/);
  assert.ok(existsSync(join(source, 'css', 'app.css')));
});
