/** The process one side runs in: starts its module, answers the runner's questions over IPC. */
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

function failed(error: unknown): void {
  answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

try {
  const { start } = (await import(module)) as { start: (options: unknown) => Promise<Served | Measured> };
  const side = await start(options);
  process.on('message', (question: Question) => {
    if (question.ask === 'usage') {
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
