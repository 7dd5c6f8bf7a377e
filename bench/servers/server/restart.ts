/** SIGHUP after SIGHUP under load, and kill -9 of a worker under load. */
import type { Measured } from '../../harness.ts';
import { Clients, Connection } from './clients.ts';
import { Served } from './served.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const CLIENTS = 200;

async function rollingRestart(): Promise<Record<string, number>> {
  const seconds = Number(process.env['BENCH_SECONDS']) || 10;
  const served = await new Served(['--workers', '2']).ready();
  const clients = new Clients(served.port, CLIENTS, ['/', '/slow', '/', '/work']);
  let restarts = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await sleep(500);
    served.child.kill('SIGHUP');
    await served.says(/All workers are new/, ++restarts);
  }
  await clients.stop();
  await served.stop();
  const [first] = clients.failures;
  if (first !== undefined) console.error(clients.failures.slice(0, 5), served.text);
  return { seconds, restarts, answers: clients.answers, failed: clients.failures.length };
}

async function killedWorker(): Promise<Record<string, number>> {
  const served = await new Served(['--workers', '2']).ready();
  const clients = new Clients(served.port, CLIENTS, ['/', '/slow']);
  await sleep(500);
  // Somebody who comes anew every few milliseconds, as a health check would.
  let lastAnswer = performance.now();
  let longestSilence = 0;
  let refused = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      const failure = await new Connection(served.port).ask('/', false);
      const now = performance.now();
      if (failure === null) {
        longestSilence = Math.max(longestSilence, now - lastAnswer);
        lastAnswer = now;
      } else if (failure === 'ECONNREFUSED') refused++;
      await sleep(5);
    }
  })();
  await sleep(1500);
  const silenceBefore = longestSilence;
  longestSilence = 0;
  const victim = [...clients.underWay.keys()].find((pid) => pid !== null)!;
  const connection = clients.underWay;
  const inWorker = connection.get(victim) ?? 0;
  const fresh = connection.get(null) ?? 0;
  process.kill(victim, 'SIGKILL');
  await served.says(/ended with signal SIGKILL/);
  await sleep(1500);
  watching = false;
  await watch;
  await clients.stop();
  await served.stop();
  const others = clients.failures.filter(({ pid }) => pid !== null && pid !== victim);
  if (others.length > 0) console.error(others.slice(0, 5));
  return {
    answers: clients.answers,
    failed: clients.failures.length,
    inWorker: inWorker + fresh,
    failedElsewhere: others.length,
    tooMany: Math.max(0, clients.failures.length - inWorker - fresh),
    refused,
    silenceBeforeMs: silenceBefore,
    longestSilenceMs: longestSilence,
  };
}

export function start(kind: 'restart' | 'kill'): Measured {
  return { round: kind === 'restart' ? rollingRestart : killedWorker };
}
