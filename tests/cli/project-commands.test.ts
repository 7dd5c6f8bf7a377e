import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { execute } from 'sobaya/cli';

const fixtures = join(import.meta.dirname, 'fixtures');

async function sobaya(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await execute(argv, {
    cwd: fixtures,
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  });
  return { code, out, err };
}

test('routes lists, filters and resolves', async () => {
  const all = await sobaya('routes', '--app', 'soba.ts');
  assert.equal(all.code, 0);
  assert.equal(
    all.out,
    '/                       home        view\n/shop/orders/<int:id>/  shop:order  orderDetail\n',
  );
  const one = await sobaya('routes', '--app', 'soba.ts', '/shop/orders/3/');
  assert.equal(one.out, '/shop/orders/3/ → /shop/orders/<int:id>/  shop:order  {"id":3}\n');
  assert.deepEqual(JSON.parse((await sobaya('routes', '--app', 'soba.ts', 'order', '--json')).out), [
    {
      route: '/shop/orders/<int:id>/',
      kind: 'http',
      name: 'shop:order',
      view: 'orderDetail',
      params: { id: 'int' },
    },
  ]);
  const nowhere = await sobaya('routes', '--app', 'soba.ts', '/nope/');
  assert.equal(nowhere.code, 1);
  assert.equal(nowhere.err, 'No route matches /nope/\n');
});

test('routes needs an application that createApp made', async () => {
  const { code, err } = await sobaya('routes', '--app', 'hello.ts');
  assert.equal(code, 2);
  assert.match(err, /sobaya routes needs an application made by createApp\(\)/);
});

test('check finds shadowed, duplicate, ambiguous and dangerous routes, with advice', async () => {
  const good = await sobaya('check', '--app', 'soba.ts');
  assert.equal(good.code, 0);
  assert.equal(good.out, 'No findings.\n');
  const { code, out } = await sobaya('check', '--app', 'soba.ts:careless', '--fail-level', 'warning');
  assert.equal(code, 1);
  assert.match(
    out,
    /urls\.W002: The route "menu\/" \(any\) is shadowed: \/menu\/ goes to "<slug:any>\/" \(any\), which comes first\.\n {2}Put "menu\/" \(any\) before/,
  );
  assert.match(out, /urls\.W001: The route "<slug:other>\/" \(any\) is there twice/);
  assert.match(out, /urls\.W005: The route "<slug:a>-<slug:b>-<slug:c>\/"/);
  assert.match(out, /urls\.W006: The regular expression/);
});

test('check --deploy says what a public server still lacks', async () => {
  const { code, out } = await sobaya('check', '--app', 'soba.ts', '--deploy');
  assert.equal(code, 1);
  for (const id of ['security.E001', 'security.W002', 'security.W004', 'security.W006', 'security.W008'])
    assert.ok(out.includes(id), `${id} in ${out}`);
});

test('runserver serves; a bad address is named', async () => {
  assert.match((await sobaya('runserver', 'localhost')).err, /"localhost" is no address to listen on/);
  const child = spawn(
    process.execPath,
    [
      '--conditions=sobaya:source',
      join(import.meta.dirname, '../../src/cli/main.ts'),
      'runserver',
      '0',
      '--no-reload',
      '--app',
      'soba.ts',
    ],
    { cwd: fixtures, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    let err = '';
    let url: string | undefined;
    for await (const chunk of child.stderr) {
      err += String(chunk);
      url = /http:\/\/127\.0\.0\.1:\d+/.exec(err)?.[0];
      if (url !== undefined) break;
    }
    assert.ok(url, err);
    const response = await fetch(`${url}/shop/orders/3/`);
    assert.equal(await response.text(), 'order');
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

test('commands of the project’s own apps', async () => {
  assert.deepEqual(await sobaya('greet', 'Aki', '--app', 'soba.ts'), {
    code: 0,
    out: 'hello Aki\n',
    err: '',
  });
  assert.equal((await sobaya('greet', 'nobody', '--loud', '--app=soba.ts')).code, 3);
  assert.match((await sobaya('greet', '--help', '--app', 'soba.ts')).out, /Greets somebody/);
  assert.match((await sobaya('greet', '--app', 'soba.ts')).err, /missing required argument 'name'/);
  assert.match((await sobaya('grete', '--app', 'soba.ts')).err, /There is no command "grete"/);
});

test('completion for bash completes commands and options', async () => {
  const { code, out } = await sobaya('completion', 'bash');
  assert.equal(code, 0);
  const complete = (line: string): string => {
    const words = line.split(' ');
    const script = `${out}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _sobaya; printf '%s ' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim();
  };
  assert.equal(complete('sobaya runs'), 'runserver');
  assert.equal(complete('sobaya check --dep'), '--deploy');
  assert.match((await sobaya('completion', 'fish')).out, /-a routes -d 'Lists the routes/);
  assert.match((await sobaya('completion', 'zsh')).out, /^#compdef sobaya/);
  assert.equal((await sobaya('completion', 'tcsh')).code, 2);
});
