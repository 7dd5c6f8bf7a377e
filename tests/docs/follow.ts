/**
 * Carries out a page of the documentation as a reader would: writes the files it shows, types its commands, compares what they
 * print with the `text` block behind them, in which … stands for anything. What is only to be read is marked ```sh norun.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Block, codeBlocks } from './blocks.ts';

const root = join(import.meta.dirname, '../..');
const cli = ['--conditions=sobaya:source', join(root, 'src/cli/main.ts')];
// A test runner that notices it runs in another one runs nothing.
const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
const env = { ...inherited, FORCE_COLOR: '0', NO_COLOR: '1' };

export class Reader implements AsyncDisposable {
  #folder: string;
  #server: { readonly child: ChildProcess; readonly url: string } | null = null;
  #served = false;

  /** `folder` must be inside the project, so that `sobaya` means this source. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async follow(page: string): Promise<void> {
    const blocks = codeBlocks(join(root, page), page);
    for (const [index, block] of blocks.entries()) {
      if (block.language === 'sh' && block.info !== 'norun') await this.#type(block, blocks[index + 1]);
      else if (/^[\w./-]+\.\w+$/.test(block.info)) await this.#write(block.info, block.code);
    }
  }

  async #write(file: string, code: string): Promise<void> {
    const path = join(this.#folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
    // The server starts again when a file changes: here, when it is asked next.
    await this.#stop();
  }

  async #type({ code, where }: Block, next: Block | undefined): Promise<void> {
    const commands = code
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter(Boolean);
    let printed = '';
    for (const command of commands) {
      try {
        printed = await this.#carryOut(command);
      } catch (error) {
        throw new Error(`${where}: ${command}\n${(error as Error).message}`, { cause: error });
      }
    }
    if (next?.language !== 'text') return;
    const expected = next.code
      .trim()
      .split('…')
      .map((part) => RegExp.escape(part))
      .join('[^]*?');
    assert.match(
      printed.trim(),
      new RegExp(`^${expected}$`),
      `${next.where}: what "${commands.at(-1)}" prints`,
    );
  }

  async #carryOut(command: string): Promise<string> {
    const words = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
      ([, single, double, plain]) => single ?? double ?? plain ?? '',
    );
    const [first, second, ...rest] = words;
    if (first === 'cd') this.#folder = join(this.#folder, second ?? '');
    else if (first === 'npm' && second === 'install') this.#install();
    else if (command.startsWith('npm create sobaya'))
      return await this.#run([...cli, 'startproject', ...rest.slice(1), '--sobaya', 'file:.']);
    else if (command === 'npm start') this.#served = true;
    else if (command === 'npm test') return await this.#run(['--conditions=sobaya:source', '--test']);
    else if (command === 'npm run types') return await this.#types();
    else if (first === 'node') return await this.#run(['--conditions=sobaya:source', ...words.slice(1)]);
    else if (first === 'npx' && second === 'sobaya') return await this.#run([...cli, ...rest]);
    else if (first === 'curl') return await this.#curl(words.slice(1));
    else throw new Error('nobody knows how to carry this out: see tests/docs/follow.ts');
    return '';
  }

  /** Sobaya is this checkout; what else a page installs is a development dependency of it, found on the way up. */
  #install(): void {
    const modules = join(this.#folder, 'node_modules');
    mkdirSync(modules, { recursive: true });
    if (!existsSync(join(modules, 'sobaya'))) symlinkSync(root, join(modules, 'sobaya'));
  }

  #run(args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(process.execPath, args, { cwd: this.#folder, env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout + stderr);
        else reject(new Error(stdout + stderr, { cause: error }));
      });
    });
  }

  /** The project's own compiler options, and the source of Sobaya instead of a package. */
  async #types(): Promise<string> {
    const config = join(this.#folder, 'tsconfig.checkout.json');
    const own = existsSync(join(this.#folder, 'tsconfig.json'))
      ? './tsconfig.json'
      : join(root, 'tsconfig.json');
    writeFileSync(
      config,
      JSON.stringify({
        extends: own,
        compilerOptions: { customConditions: ['sobaya:source'] },
        include: ['**/*.ts'],
      }),
    );
    return await this.#run([
      join(root, 'node_modules/typescript/bin/tsc'),
      '-p',
      config,
      '--pretty',
      'false',
    ]);
  }

  async #curl(words: string[]): Promise<string> {
    let url = '';
    let method: string | undefined;
    let body: string | undefined;
    const headers: Record<string, string> = { accept: '*/*', 'user-agent': 'curl/8' };
    const rest = [...words];
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      if (word === '-X') method = rest.shift();
      else if (word === '-d') body = body === undefined ? rest.shift() : `${body}&${rest.shift()}`;
      else if (word === '-H') {
        const [name = '', value = ''] = (rest.shift() ?? '').split(/:\s*/, 2);
        headers[name.toLowerCase()] = value;
      } else if (word.startsWith('-')) throw new Error(`curl ${word} is not known to tests/docs/follow.ts`);
      else url = word;
    }
    if (body !== undefined) headers['content-type'] ??= 'application/x-www-form-urlencoded';
    const { url: base } = await this.#start();
    const response = await fetch(url.replace(/^http:\/\/127\.0\.0\.1:8000/, base), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
    return await response.text();
  }

  async #start(): Promise<{ child: ChildProcess; url: string }> {
    if (!this.#served) throw new Error('npm start was not typed yet');
    if (this.#server !== null) return this.#server;
    const args = [...cli, 'runserver', '--no-reload', '127.0.0.1:0'];
    const child = spawn(process.execPath, args, { cwd: this.#folder, env });
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      const read = (chunk: Buffer): void => {
        text += String(chunk);
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
        if (found !== undefined) resolve(found);
      };
      child.stderr.on('data', read);
      child.stdout.on('data', read);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}\n${text}`)));
    });
    this.#server = { child, url };
    return this.#server;
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGTERM');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}
