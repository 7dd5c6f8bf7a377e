/** Throughput of work that a processor is needed for, with so many workers. */
import type { Measured } from '../../harness.ts';
import { get } from '../../harness.ts';
import { load } from '../../load.ts';
import { Served } from './served.ts';

export async function start(workers: number): Promise<Measured> {
  const served = await new Served(['--workers', String(workers), '--metrics-path', '/metrics']).ready();
  const cpuSeconds = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${served.port}/metrics`)).text();
    return [...text.matchAll(/^sobaya_worker_cpu_seconds_total\{[^}]*\} (\S+)$/gm)].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  };
  return {
    round: async () => {
      const before = await cpuSeconds();
      const report = await load({
        port: served.port,
        requests: [get('/work')],
        connections: 16,
        pipeline: 1,
        status: 200,
        seconds: 2,
      });
      if (report.failed !== undefined) throw new Error(report.failed);
      return {
        perSecond: report.answers / report.seconds,
        perCpuSecond: report.answers / ((await cpuSeconds()) - before),
        p50: report.p50,
        p99: report.p99,
      };
    },
    close: () => served.stop(),
  };
}
