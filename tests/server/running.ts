import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const fixtures: string = join(import.meta.dirname, 'fixtures');

/** A `sobaya …` process with what it has printed so far. */
export class Running {
  readonly child: ChildProcess;
  text = '';
  readonly exit: Promise<number | null>;
  readonly #waiters = new Set<() => void>();

  constructor(
    args: readonly string[],
    options: {
      cwd?: string;
      env?: Record<string, string>;
      stdio?: StdioOptions;
      uid?: number;
      gid?: number;
    } = {},
  ) {
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    this.child = spawn(process.execPath, ['--conditions=sobaya:source', main, ...args], {
      ...options,
      cwd: options.cwd ?? fixtures,
      env: { ...process.env, NODE_TEST_CONTEXT: '', ...options.env },
      stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk;
        for (const waiter of this.#waiters) waiter();
      });
    }
    this.exit = once(this.child, 'close').then(([code]) => {
      for (const waiter of this.#waiters) waiter();
      return code as number | null;
    });
  }

  /** Waits until the output holds `pattern`, `times` times. */
  async says(pattern: RegExp, times = 1): Promise<RegExpMatchArray> {
    const all = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`);
    while ((this.text.match(all)?.length ?? 0) < times) {
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`ended without saying ${pattern}:\n${this.text}`);
      await new Promise<void>((resolve) => {
        const waiter = (): void => {
          this.#waiters.delete(waiter);
          resolve();
        };
        this.#waiters.add(waiter);
      });
    }
    return this.text.match(pattern)!;
  }

  async port(): Promise<number> {
    return Number((await this.says(/ on https?:\/\/127\.0\.0\.1:(\d+)/))[1]);
  }

  /** Makes an end of it, whatever it does: for clean-up. */
  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    await this.exit;
    clearTimeout(killer);
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return await this.exit;
  }
}
