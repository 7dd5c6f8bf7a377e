/** What README tells a newcomer to do is done here, in its order, with the files and commands it shows. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { codeBlocks } from './blocks.ts';

const root = join(import.meta.dirname, '../..');
const blocks = codeBlocks(join(root, 'README.md'), 'README.md');

/** Every line of the sh blocks, without comments. */
const commands = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code }) => code.split('\n'))
  .map((line) => line.replace(/\s+#.*$/, '').trim())
  .filter(Boolean);

function shown(start: string): string {
  const found = commands.find((command) => command.startsWith(start));
  assert.ok(found, `README shows a command that begins with "${start}"; it shows:\n${commands.join('\n')}`);
  return found;
}

suite('the first ten minutes of README', () => {
  let folder: string;
  before(() => {
    // Inside the project, as README says, so that `sobaya` means this checkout.
    folder = mkdtempSync(join(root, 'tests/docs/.blocks-'));
    for (const { language, info, code } of blocks) {
      if (language !== 'ts' || !info.endsWith('.ts')) continue;
      mkdirSync(dirname(join(folder, info)), { recursive: true });
      writeFileSync(join(folder, info), code);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What `npm run sobaya -- …` of README runs, in the folder of its files. */
  function sobaya(command: string, ...more: string[]): string[] {
    const args = command.replace(/^npm run sobaya -- /, '').split(' ');
    return ['--conditions=sobaya:source', join(root, 'src/cli/main.ts'), ...args, ...more];
  }

  // A test runner that notices it runs in another one runs nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;

  function run(args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(process.execPath, args, { cwd: folder, env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout + stderr);
        else reject(new Error(`${args.join(' ')}\n${stdout}${stderr}`));
      });
    });
  }

  async function withServer(command: string, visit: (url: string) => Promise<void>): Promise<void> {
    const child: ChildProcess = spawn(process.execPath, sobaya(command, '--port', '0'), { cwd: folder });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let text = '';
        const read = (chunk: Buffer): void => {
          text += String(chunk);
          const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
          if (found !== undefined) resolve(found);
        };
        child.stderr?.on('data', read);
        child.stdout?.on('data', read);
        child.once('exit', (code) => reject(new Error(`${command} ended with ${code}\n${text}`)));
      });
      await visit(url);
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  }

  test('a page', async () => {
    const path = /127\.0\.0\.1:8000(\S*)/.exec(shown('curl http://127.0.0.1:8000/hello'))?.[1];
    await withServer(shown('npm run sobaya -- serve cafe/hello.ts'), async (url) => {
      const response = await fetch(url + path);
      assert.equal(await response.text(), `Hello, Aki! You asked for ${path}\n`);
    });
  });

  test('many things at once', async () => {
    await withServer('npm run sobaya -- serve cafe/prices.ts:application', async (url) => {
      const { answers } = (await (await fetch(`${url}/prices/`)).json()) as { answers: string[] };
      assert.deepEqual(answers, [
        'Izumo answered after 200 ms',
        'Iya answered after 50 ms',
        'Mogami answered after 120 ms',
      ]);
    });
  });

  test('something to remember, and a test', async () => {
    await run(sobaya(shown('npm run sobaya -- makemigrations')));
    assert.deepEqual(readdirSync(join(folder, 'cafe/migrations')), ['0001_initial.ts']);
    await run(sobaya(shown('npm run sobaya -- migrate')));
    await withServer(shown('npm run sobaya -- serve cafe/app.ts'), async (url) => {
      const [, form = ''] = /-d '([^']*)'/.exec(shown('curl -d')) ?? [];
      const posted = await fetch(`${url}/orders/`, {
        method: 'POST',
        body: new URLSearchParams(form),
        redirect: 'manual',
      });
      assert.equal(posted.status, 302);
      assert.deepEqual(await (await fetch(`${url}/orders/`)).json(), [
        { guest: 'Aki', dish: 'kake', price: 500 },
      ]);
    });
    assert.ok(shown('npm test -- cafe/app.test.ts'));
    const report = await run(['--conditions=sobaya:source', '--test', 'cafe/app.test.ts']);
    assert.match(report, /pass 1\b/);
  });

  test('the other commands it names are scripts of the package', async () => {
    const { scripts } = (await import('../../package.json', { with: { type: 'json' } })).default as {
      scripts: Record<string, string>;
    };
    for (const command of commands) {
      for (const [, run, plain] of command.matchAll(/npm (?:run (\w+)|(start|test))/g))
        assert.ok(scripts[run ?? plain ?? ''], command);
    }
  });
});
