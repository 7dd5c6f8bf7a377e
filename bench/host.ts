/** The process one side runs in: starts its module, answers the runner's questions over IPC. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Measured, Served } from './harness.ts';

export type Question = { ask: 'round' } | { ask: 'usage' } | { ask: 'close' };
export type Answer =
  | { ready: true; port: number | null; ms: number }
  | { metrics: Record<string, number> }
  | { cpuSeconds: number; rssMb: number; peakMb: number }
  | { failed: string };

const [module, options] = [process.argv[2] ?? '', JSON.parse(process.argv[3] ?? 'null') as unknown];

function answer(message: Answer): void {
  process.send?.(message);
}

/** CPU time and memory of another program and its children, as Linux tells them. */
function usageOf(id: number): { cpuSeconds: number; rssMb: number; peakMb: number } {
  const total = { cpuSeconds: 0, rssMb: 0, peakMb: 0 };
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    let stat: string;
    let status: string;
    try {
      stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      status = readFileSync(`/proc/${entry}/status`, 'latin1');
    } catch {
      continue;
    }
    // The name, in brackets, can hold anything: what follows it is counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(entry) !== id && Number(fields[1]) !== id) continue;
    // In ticks, of which Linux has 100 a second.
    total.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / 100;
    total.rssMb += Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    total.peakMb += Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }
  return total;
}

function failed(error: unknown): void {
  answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

try {
  const { start } = (await import(module)) as { start: (options: unknown) => Promise<Served | Measured> };
  const side = await start(options);
  process.on('message', (question: Question) => {
    if (question.ask === 'usage' && 'port' in side && side.process !== undefined) {
      answer(usageOf(side.process));
    } else if (question.ask === 'usage') {
      const { user, system } = process.cpuUsage();
      answer({
        cpuSeconds: (user + system) / 1e6,
        rssMb: process.memoryUsage.rss() / 2 ** 20,
        // Kilobytes on every system Node runs on.
        peakMb: process.resourceUsage().maxRSS / 1024,
      });
    } else if (question.ask === 'round' && 'round' in side) {
      Promise.resolve(side.round()).then((metrics) => answer({ metrics }), failed);
    } else if (question.ask === 'close') {
      void Promise.resolve(side.close?.()).finally(() => process.exit(0));
    }
  });
  answer({ ready: true, port: 'port' in side ? side.port : null, ms: performance.now() });
} catch (error) {
  failed(error);
}
process.on('disconnect', () => process.exit(0));
