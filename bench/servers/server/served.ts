import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

/** `sobaya serve` of application.ts, as anybody starts it. */
export class Served {
  readonly child: ChildProcess;
  port = 0;
  text = '';
  #waiting: (() => void)[] = [];

  constructor(args: readonly string[]) {
    const application = join(import.meta.dirname, 'application.ts');
    this.child = spawn(
      process.execPath,
      ['--conditions=sobaya:source', 'src/cli/main.ts', 'serve', application, '--port', '0', ...args],
      { cwd: resolve(import.meta.dirname, '../../..'), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Waits until the server has said it so many times. */
  async says(pattern: RegExp, times = 1): Promise<RegExpMatchArray> {
    const all = new RegExp(pattern, 'g');
    while ((this.text.match(all)?.length ?? 0) < times) {
      if (this.child.exitCode !== null) throw new Error(`the server ended:\n${this.text}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
    return this.text.match(pattern)!;
  }

  async ready(): Promise<this> {
    this.port = Number((await this.says(/ on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    return this;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }
}
