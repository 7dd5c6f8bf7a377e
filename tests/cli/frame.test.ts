import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execute, loadApplication } from 'sobaya/cli';

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

test('help lists every command with its summary', async () => {
  const { code, out } = await sobaya('--help');
  assert.equal(code, 0);
  assert.match(out, /Usage: sobaya <command> \[options\]/);
  assert.match(out, /version\s+Prints the versions/);
});

test('no command at all shows the help and is a usage error', async () => {
  const { code, out } = await sobaya();
  assert.equal(code, 2);
  assert.match(out, /Commands:/);
});

test('an unknown command is named, with the nearest one', async () => {
  const { code, err } = await sobaya('versoin');
  assert.equal(code, 2);
  assert.match(err, /There is no command "versoin"/);
  assert.match(err, /Did you mean "sobaya version"/);
  assert.doesNotMatch(err, /\n\s+at /);
});

test('a command name cannot leave the folder of commands', async () => {
  for (const name of ['../main', 'commands/version', 'Version', '.', 'version.ts']) {
    const { code, err } = await sobaya(name);
    assert.equal(code, 2);
    assert.match(err, /There is no command/);
  }
});

test('an unknown option is a usage error; --traceback adds the stack', async () => {
  const unknown = await sobaya('version', '--nope');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /unknown option '--nope'/);
  const traced = await sobaya('nope', '--traceback');
  assert.match(traced.err, /\n\s+at /);
});

test('help of one command', async () => {
  for (const words of [
    ['help', 'version'],
    ['version', '--help'],
  ]) {
    const { code, out } = await sobaya(...words);
    assert.equal(code, 0);
    assert.match(out, /Usage: sobaya version/);
  }
});

test('the application: by path, by name, by factory', async () => {
  const byDefault = await loadApplication({ cwd: fixtures, spec: 'hello.ts' });
  assert.equal(byDefault.exportName, 'application');
  assert.equal(typeof byDefault.application, 'function');
  assert.equal((await loadApplication({ cwd: fixtures, spec: './hello:application' })).file, byDefault.file);
  const made = await loadApplication({ cwd: fixtures, spec: 'hello.ts:make', factory: true });
  assert.equal(made.application, byDefault.application);
});

test('the application through package.json, from a folder below it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'sobaya-cli-'));
  writeFileSync(join(root, 'app.mjs'), 'export const app = async () => {};');
  writeFileSync(join(root, 'package.json'), '{ "sobaya": { "application": "./app.mjs:app" } }');
  const loaded = await loadApplication({ cwd: root });
  assert.equal(loaded.file, join(root, 'app.mjs'));
});

test('each way not to find the application has its own message', async () => {
  const load = (spec: string | null): Promise<unknown> => loadApplication({ cwd: fixtures, spec });
  await assert.rejects(load('missing.ts:application'), {
    code: 'SBY_CLI_NO_MODULE',
    message: /There is no module .*missing\.ts \(looking for "missing\.ts:application"\)/,
  });
  await assert.rejects(load('hello.ts:aplication'), {
    code: 'SBY_CLI_NO_EXPORT',
    message: /hello\.ts has no export "aplication" \(it exports application, make, notAnApplication\)/,
  });
  await assert.rejects(load('nothing.ts'), {
    code: 'SBY_CLI_NO_EXPORT',
    message: /exports neither application nor app nor default \(it exports other\)/,
  });
  await assert.rejects(load('hello.ts:notAnApplication'), {
    code: 'SBY_CLI_NOT_AN_APPLICATION',
    message: /"notAnApplication" of hello\.ts is no application but an object/,
  });
  await assert.rejects(load('throws.ts'), {
    code: 'SBY_CLI_IMPORT_FAILED',
    message: /throws\.ts failed while it was imported: TypeError: .*\(throws\.ts:2:/,
  });
  const empty = mkdtempSync(join(tmpdir(), 'sobaya-cli-'));
  await assert.rejects(loadApplication({ cwd: empty }), { code: 'SBY_CLI_NO_APPLICATION' });
  writeFileSync(join(empty, 'package.json'), '{ "sobaya": ');
  await assert.rejects(loadApplication({ cwd: empty }), { code: 'SBY_CLI_BAD_PACKAGE_JSON' });
});
