/**
 * Runs the benchmark cases: `npm run bench` all of them, `npm run bench -- server gather` those whose file or name
 * contains one of the words. `--rounds N`, `--seconds S`, `--list`. Exit code 1 when a number is missed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { arch, cpus, loadavg, platform } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Case, Goal, Side } from './harness.ts';
import type { Answer, Question } from './host.ts';
import type { LoadOrder, LoadReport } from './load.ts';

type Metrics = Record<string, number>;

const { values: flags, positionals: words } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

/** A child that answers one question at a time. */
class Process {
  readonly child: ChildProcess;
  #stderr = '';

  constructor(file: string, args: string[], side?: Side) {
    this.child = fork(join(import.meta.dirname, file), args, {
      execArgv: ['--conditions=sobaya:source', ...(side?.execArgv ?? [])],
      env: { ...process.env, NODE_ENV: 'production', BENCH_SECONDS: flags.seconds ?? '', ...side?.env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.child.stderr?.on('data', (chunk) => {
      this.#stderr = (this.#stderr + String(chunk)).slice(-4000);
    });
  }

  next<T>(): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onMessage = (message: unknown): void => {
      this.child.off('exit', onExit);
      const failed = (message as { failed?: string }).failed;
      if (failed === undefined) resolve(message as T);
      else reject(new Error(failed));
    };
    const onExit = (code: number | null): void => {
      this.child.off('message', onMessage);
      reject(new Error(`the process ended with ${code}\n${this.#stderr}`));
    };
    this.child.once('message', onMessage);
    this.child.once('exit', onExit);
    return promise;
  }

  ask<T>(question: Question | LoadOrder): Promise<T> {
    const reply = this.next<T>();
    this.child.send(question);
    return reply;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    if (this.child.connected) this.child.send({ ask: 'close' }, () => {});
    await ended;
    clearTimeout(kill);
  }
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function show(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}

/** One case: its sides started once, then rounds A B A B, each side's numbers kept per round. */
async function measure(benchmark: Case): Promise<Map<string, Metrics[]>> {
  const results = new Map<string, Metrics[]>();
  const started: { side: Side; process: Process; port: number | null }[] = [];
  const client = benchmark.load === undefined ? null : new Process('load.ts', []);
  try {
    for (const side of benchmark.sides) {
      const process = new Process('host.ts', [side.module, JSON.stringify(side.options ?? null)], side);
      started.push({ side, process, port: null });
      try {
        const ready = await process.next<Extract<Answer, { ready: true }>>();
        started[started.length - 1]!.port = ready.port;
      } catch (error) {
        throw new Error(`"${side.name}" does not start: ${(error as Error).message}`);
      }
      results.set(side.name, []);
    }
    const seconds = Number(flags.seconds ?? benchmark.seconds ?? 1);
    const round = async (index: number, seconds: number, keep: boolean): Promise<void> => {
      // Every second round runs backwards, so that a drifting machine favours nobody.
      const order = index % 2 === 0 ? started : [...started].reverse();
      for (const { side, process, port } of order) {
        let metrics: Metrics;
        if (client === null || benchmark.load === undefined) {
          metrics = (await process.ask<{ metrics: Metrics }>({ ask: 'round' })).metrics;
        } else {
          if (port === null) throw new Error(`"${side.name}" serves no port, and the case has a load`);
          const { requests, connections = 16, pipeline = 1, status = 200 } = benchmark.load;
          const before = await process.ask<Extract<Answer, { cpuSeconds: number }>>({ ask: 'usage' });
          const report = await client.ask<LoadReport>({
            port,
            requests,
            connections,
            pipeline,
            status,
            seconds,
          });
          const after = await process.ask<Extract<Answer, { cpuSeconds: number }>>({ ask: 'usage' });
          const cpu = after.cpuSeconds - before.cpuSeconds;
          metrics = {
            perSecond: report.answers / report.seconds,
            perCpuSecond: report.answers / cpu,
            cpuMicros: (cpu / report.answers) * 1e6,
            p50: report.p50,
            p99: report.p99,
            mbPerSecond: report.bytes / 2 ** 20 / report.seconds,
            peakMb: after.peakMb,
            clientCpu: report.clientCpuSeconds / report.seconds,
          };
        }
        if (keep) results.get(side.name)!.push(metrics);
      }
    };
    if (benchmark.warmUp !== false) await round(0, Math.max(seconds, 1.5), false); // warm-up: compiled code, open pools
    const rounds = Number(flags.rounds ?? benchmark.rounds ?? 5);
    for (let index = 0; index < rounds; index++) await round(index, seconds, true);
    return results;
  } finally {
    await Promise.all(started.map(({ process }) => process.stop()));
    client?.child.disconnect();
  }
}

function judge(goal: Goal, results: Map<string, Metrics[]>): { value: number; reached: boolean } {
  const values = (side: string): number[] => {
    const rounds = results.get(side);
    if (rounds === undefined) throw new Error(`goal "${goal.text}" names no side: "${side}"`);
    return rounds.map((round) => round[goal.metric] ?? Number.NaN);
  };
  const of = values(goal.of);
  const over = goal.over === undefined ? null : values(goal.over);
  const value = median(over === null ? of : of.map((number, round) => number / over[round]!));
  const reached =
    !Number.isNaN(value) &&
    (goal.atLeast === undefined || value >= goal.atLeast) &&
    (goal.atMost === undefined || value <= goal.atMost);
  return { value, reached };
}

const columns = ['perSecond', 'perCpuSecond', 'cpuMicros', 'p50', 'p99'];

function report(benchmark: Case, results: Map<string, Metrics[]>): boolean {
  const all = [...results.values()].flat();
  const names = benchmark.load ? columns : [...new Set(all.flatMap((metrics) => Object.keys(metrics)))];
  const rows = [['', ...names]];
  for (const [side, rounds] of results) {
    rows.push([side, ...names.map((name) => show(median(rounds.map((round) => round[name] ?? Number.NaN))))]);
  }
  console.log(`\n### ${benchmark.name}\n\n${table(rows)}\n`);
  let good = true;
  for (const goal of benchmark.goals ?? []) {
    const { value, reached } = judge(goal, results);
    good &&= reached;
    const bounds = [
      goal.atLeast === undefined ? '' : `at least ${show(goal.atLeast)}`,
      goal.atMost === undefined ? '' : `at most ${show(goal.atMost)}`,
    ];
    const what = goal.over === undefined ? '' : ' ×';
    console.log(
      `- ${reached ? 'reached' : 'MISSED'}: ${goal.text}: ${show(value)}${what} (${bounds.filter(Boolean).join(', ')})`,
    );
  }
  if (benchmark.load !== undefined) {
    // A load client that is out of breath hides differences; then the CPU column is the one to read.
    const busiest = Math.max(...all.map((metrics) => metrics['clientCpu'] ?? 0));
    if (busiest > 0.9)
      console.log(
        `- note: the load client was busy ${Math.round(busiest * 100)} % of the time; read perCpuSecond`,
      );
  }
  return good;
}

const folder = join(import.meta.dirname, 'cases');
const cases: { file: string; benchmark: Case }[] = [];
let good = true;
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.ts')) continue;
  const named = words.length === 0 || words.some((word) => file.includes(word));
  try {
    const module = (await import(join(folder, file))) as { default: Case | readonly Case[] };
    for (const benchmark of [module.default].flat() as Case[]) {
      if (named || words.some((word) => benchmark.name.includes(word))) cases.push({ file, benchmark });
    }
  } catch (error) {
    if (!named) continue;
    console.error(`${file} cannot be loaded:`, error);
    good = false;
  }
}

if (flags.list) {
  for (const { file, benchmark } of cases) console.log(`${file.padEnd(30)} ${benchmark.name}`);
} else {
  if (cases.length === 0) {
    console.error(`no case is named by ${words.map((word) => `"${word}"`).join(', ')}; --list shows all`);
    process.exitCode = 1;
  }
  console.log(
    `Node ${process.version} on ${platform()} ${arch()}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  for (const { benchmark } of cases) {
    const reason = (await benchmark.skip?.()) ?? null;
    if (reason !== null) {
      console.log(`\n### ${benchmark.name}\n\nskipped: ${reason}`);
      continue;
    }
    try {
      good = report(benchmark, await measure(benchmark)) && good;
    } catch (error) {
      good = false;
      console.log(`\n### ${benchmark.name}\n\nfailed: ${(error as Error).message}`);
    }
  }
}
if (!good) process.exitCode = 1;
