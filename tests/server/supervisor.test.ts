import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readExposition } from './exposition.ts';
import { Running } from './running.ts';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-supervisor-'));

function start(t: TestContext, args: string[], env: Record<string, string> = {}): Running {
  const running = new Running(['serve', 'process-app.ts', '--port', '0', ...args], { env });
  t.after(() => running.end());
  return running;
}

/** A request on a connection of its own: status and body. */
function ask(port: number, path = '/'): Promise<[status: number, body: string]> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve([response.statusCode ?? 0, body])).on('error', reject);
      })
      .on('error', reject);
  });
}

const pidOf = async (port: number): Promise<number> => Number((await ask(port))[1]);

/** Asks until as many processes have answered. */
async function pids(port: number, count: number): Promise<number[]> {
  const seen = new Set<number>();
  while (seen.size < count) seen.add(await pidOf(port));
  return [...seen];
}

test('metrics are those of all workers, whichever is asked, and those of the dead count on', async (t) => {
  const running = start(t, ['--workers', '2', '--metrics-path', '/metrics']);
  const port = await running.port();
  const [victim] = await pids(port, 2);
  const scrape = async (): Promise<Map<string, number>> => readExposition((await ask(port, '/metrics'))[1]);
  const served = (metrics: Map<string, number>): number =>
    metrics.get('sobaya_requests_total{method="GET",status="200"}') ?? 0;
  const before = await scrape();
  assert.equal(before.get('sobaya_workers'), 2);
  for (let index = 0; index < 5; index++) await ask(port);
  const one = await scrape();
  const other = await scrape();
  assert.equal(served(one), served(before) + 5);
  assert.equal(served(other), served(one), 'the own path does not count, whoever answers');
  assert.equal([...one.keys()].filter((key) => key.startsWith('sobaya_worker_resident')).length, 2);
  process.kill(victim!, 'SIGKILL');
  await running.says(/ended with signal SIGKILL/);
  const after = await scrape();
  assert.ok(served(after) >= served(other), 'a counter never goes down');
  assert.equal(after.get('sobaya_worker_ends_total{reason="SIGKILL"}'), 1);
});

test('a worker that is stopped by a signal is found by what it does not take, and its clients go to another', async (t) => {
  const running = start(t, ['--workers', '2', '--timeout-stuck', '1']);
  const port = await running.port();
  const [frozen, other] = await pids(port, 2);
  process.kill(frozen!, 'SIGSTOP');
  // Whoever was dealt to the frozen one waits until it is killed; the others are answered meanwhile.
  const answers = await Promise.all(Array.from({ length: 8 }, () => pidOf(port)));
  assert.ok(answers.includes(other!) && !answers.includes(frozen!));
  await running.says(/has not taken a connection for \d+ s and is killed/);
  await running.says(/ended with signal SIGKILL/);
});

test('a worker that is merely busy is left alone', async (t) => {
  const running = start(t, ['--workers', '1', '--timeout-stuck', '1.5']);
  const port = await running.port();
  const pid = await pidOf(port);
  // Three seconds of work for one processor: its loop turns between the pieces.
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(port, '/busy')));
  for (const [status, body] of answers) assert.deepEqual([status, Number(body)], [200, pid]);
  assert.doesNotMatch(running.text, /blocked|killed/);
});

test('workers are replaced when they are old, and when they have grown', async (t) => {
  const old = start(t, ['--limit-max-age', '0.5']);
  const port = await old.port();
  const before = await pidOf(port);
  await old.says(/is replaced: it is \d+ s old/);
  while ((await pidOf(port)) === before);
  const grown = start(t, ['--limit-max-rss', '20']);
  await grown.says(/is replaced: its memory has grown to \d+ MiB/);
});

test('SIGHUP during SIGHUP: another round follows the first', async (t) => {
  const running = start(t, ['--workers', '1']);
  const port = await running.port();
  const before = await pidOf(port);
  // One worker without anything to watch would not be supervised.
  assert.equal(before, running.child.pid);
  await running.end();
  const two = start(t, ['--workers', '2']);
  await two.port();
  two.child.kill('SIGHUP');
  await two.says(/Restarting the workers/);
  two.child.kill('SIGHUP');
  two.child.kill('SIGHUP');
  await two.says(/All workers are new/, 2);
  assert.equal(two.text.match(/Restarting the workers/g)?.length, 2);
});

test('SIGTERM during SIGHUP stops, and says nothing of failing', async (t) => {
  const running = start(t, ['--workers', '2']);
  await running.port();
  running.child.kill('SIGHUP');
  await running.says(/Restarting the workers/);
  assert.equal(await running.stop(), 0);
  assert.doesNotMatch(running.text, /error/);
});

test('SIGTERM twice stops at once, whatever runs', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, ['--timeout-graceful', '60', ...args]);
    const port = await running.port();
    const hanging = ask(port, '/hang').catch(() => 'broken off');
    await ask(port);
    running.child.kill('SIGTERM');
    // The first is being obeyed when new connections are refused.
    await refused(port, args.length === 0);
    running.child.kill('SIGTERM');
    assert.equal(await running.exit, 0);
    assert.ok(['broken off', 503].includes((await hanging)[0] === 503 ? 503 : 'broken off'));
  }
});

/** Waits until the port takes no connections, or, with a supervisor, does not answer them. */
async function refused(port: number, closed: boolean): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const answered = await Promise.race([
      once(socket, 'data').then(
        () => true,
        () => false,
      ),
      new Promise<boolean>((resolve) => setTimeout(resolve, closed ? 2000 : 500, false)),
    ]);
    socket.destroy();
    if (!answered) return;
  }
}

test('--drain-delay: unhealthy first, serving as before; a second signal cuts it short', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, ['--drain-delay', '60', '--health-path', '/healthz', ...args]);
    const port = await running.port();
    assert.deepEqual(await ask(port, '/healthz'), [200, 'ok\n']);
    running.child.kill('SIGTERM');
    await running.says(/Stopping in 60 s; health checks fail from now on/);
    while ((await ask(port, '/healthz'))[0] !== 503);
    assert.equal((await ask(port))[0], 200);
    running.child.kill('SIGTERM');
    assert.equal(await running.exit, 0);
  }
});

test('one worker that cannot start, while the first could: all stop, with its exit code', async (t) => {
  const mark = join(folder, 'only-first');
  rmSync(mark, { force: true });
  const running = start(t, ['--workers', '3'], { ONLY_FIRST_STARTS: mark });
  assert.equal(await running.exit, 3, running.text);
  assert.match(running.text, /no buckwheat/);
  assert.match(running.text, /did not start \(exit code 3\): stopping all/);
});

test('a worker that cannot be replaced, when nobody else serves, ends it all', async (t) => {
  const mark = join(folder, 'no-second');
  rmSync(mark, { force: true });
  const running = start(t, ['--limit-max-age', '600'], { ONLY_FIRST_STARTS: mark });
  const port = await running.port();
  await ask(port, '/die').catch(() => {});
  assert.equal(await running.exit, 3, running.text);
});

test('a new copy that does not start leaves the old ones serving', async (t) => {
  const mark = join(folder, 'two-starts');
  writeFileSync(mark, '');
  rmSync(mark);
  const running = start(t, ['--limit-max-age', '600'], { ONLY_FIRST_STARTS: mark });
  const port = await running.port();
  const before = await pidOf(port);
  running.child.kill('SIGHUP');
  await running.says(/the new worker did not start: the old ones stay/);
  assert.equal(await pidOf(port), before);
  assert.equal(await running.stop(), 0);
});

test('a shutdown that fails is the exit code', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, args, { FAIL_SHUTDOWN: '1' });
    await running.port();
    assert.equal(await running.stop(), 1);
    assert.match(running.text, /failed to shut down: no water/);
  }
});

test('a stop with open WebSockets and event streams is over at once; their clients are told', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, ['--timeout-graceful', '60', ...args]);
    const port = await running.port();
    const sockets = Array.from({ length: 3 }, () => new WebSocket(`ws://127.0.0.1:${port}/`));
    await Promise.all(sockets.map((socket) => once(socket, 'message')));
    const streams = await Promise.all(
      Array.from({ length: 3 }, () => fetch(`http://127.0.0.1:${port}/events`)),
    );
    const closes = Promise.all(sockets.map((socket) => once(socket, 'close')));
    const ends = Promise.all(streams.map((stream) => stream.text()));
    running.child.kill('SIGTERM');
    for (const [event] of await closes) assert.equal((event as CloseEvent).code, 1012);
    for (const text of await ends) assert.match(text, /^\d+$/);
    assert.equal(await running.exit, 0);
    assert.doesNotMatch(running.text, /in time|error/);
  }
});

test('a client whose worker is killed is told at once, and can come again', async (t) => {
  const running = start(t, ['--workers', '2']);
  const port = await running.port();
  const all = await pids(port, 2);
  const waiting = Array.from({ length: 8 }, () => ask(port, '/hang').catch((error: Error) => error.message));
  // Each is with a worker when one more has been answered after it by both.
  await pids(port, 2);
  for (const pid of all) process.kill(pid, 'SIGKILL');
  for (const outcome of await Promise.all(waiting)) assert.match(String(outcome), /ECONNRESET|hang up/);
  assert.equal((await ask(port))[0], 200);
});

test('SIGHUP reads --env-file again', async (t) => {
  const file = join(folder, 'soba.env');
  writeFileSync(file, 'SOBA=zaru\n');
  const running = start(t, ['--workers', '2', '--env-file', file]);
  const port = await running.port();
  assert.deepEqual(await ask(port, '/env'), [200, 'zaru']);
  writeFileSync(file, 'SOBA=kake\n');
  running.child.kill('SIGHUP');
  await running.says(/All workers are new/);
  assert.deepEqual(await ask(port, '/env'), [200, 'kake']);
});

test('--log-format json and --log-level', async (t) => {
  const running = start(t, ['--workers', '2', '--log-format', 'json', '--timeout-stuck', '1']);
  const [, address] = await running.says(/Serving on http:\/\/127\.0\.0\.1:(\d+) with 2 workers/);
  await ask(Number(address), '/block').catch(() => {});
  await running.says(/ended with signal SIGKILL/);
  await running.stop();
  const lines = running.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(
    lines.some(
      ({ level, message }) => level === 'error' && /blocked for \d+ ms by GET \/block/.test(String(message)),
    ),
  );
  const quiet = start(t, ['--workers', '2', '--log-level', 'error', '--pid-file', join(folder, 'quiet.pid')]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(await quiet.stop(), await quiet.exit);
  assert.equal(quiet.text, '');
});

test('workers whose supervisor is killed stop by themselves', async (t) => {
  const running = start(t, ['--workers', '2']);
  const port = await running.port();
  await pids(port, 2);
  running.child.kill('SIGKILL');
  // Their output is the pipe of the supervisor: it ends when the last of them has ended.
  await running.exit;
  await assert.rejects(ask(port), { code: 'ECONNREFUSED' });
});

test('SIGTERM while the application is still starting ends it at once', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, args, { HANG_STARTUP: '1' });
    await running.says(/starting/);
    running.child.kill('SIGTERM');
    await running.exit;
  }
});

test('a worker under a debugger may stand still', async (t) => {
  const running = start(t, ['--workers', '1', '--timeout-stuck', '0.3'], {
    NODE_OPTIONS: '--inspect=127.0.0.1:0',
  });
  const port = await running.port();
  // Much longer than the limit: without a debugger it would be killed.
  assert.equal((await ask(port, '/stand-still'))[0], 200);
  assert.doesNotMatch(running.text, /blocked/);
});

test('SIGUSR2 writes what hangs: which request, for how long, in which worker', async (t) => {
  for (const args of [[], ['--workers', '2']]) {
    const running = start(t, ['--timeout-graceful', '0.1', ...args]);
    const port = await running.port();
    const hanging = ask(port, '/hang').catch(() => null);
    // Until the request has come to its worker, the dump does not know it.
    while (!/1 request running, 1 connection\n {2}GET \/hang: \d+ ms/.test(running.text)) {
      running.child.kill('SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await running.stop();
    await hanging;
  }
});

test('a client of a worker that has said all still gets its answer', async (t) => {
  // Peeking at the protocol keeps the socket that came from the supervisor.
  const running = start(t, ['--workers', '2', '--http2', 'prior-knowledge']);
  const port = await running.port();
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  let output = '';
  socket.setEncoding('latin1').on('data', (chunk) => (output += chunk));
  await once(socket, 'end');
  assert.match(output, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\d+$/);
});
