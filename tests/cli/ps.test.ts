import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  checkpoint,
  createTask,
  gather,
  inspectProcesses,
  openInspection,
  sleepForever,
  type Task,
  type TreeNode,
} from 'sobaya/asyncio';
import { execute } from 'sobaya/cli';

const runtime = mkdtempSync(join(tmpdir(), 'sobaya-ps-'));
const folder = join(runtime, 'sobaya');
let child: ChildProcess;
before(async () => {
  process.env['XDG_RUNTIME_DIR'] = runtime;
  const script = `
    import { createTask, gather, Lock, openInspection, sleep, sleepForever, timeout, until } from 'sobaya/asyncio';
    await openInspection({ name: 'restaurant.ts' });
    const stove = new Lock('stove');
    createTask(async () => {
      using held = await stove.acquire();
      await timeout(60_000, () => sleep(50_000));
    }, { name: 'GET /orders/\\u001b[2J1' });
    createTask(() => gather(
      async function query() { await until(new Promise(() => {}), 'query SELECT * FROM soba'); },
      async function cook() { await stove.acquire(); },
    ), { name: 'GET /menu/' });
    console.log('ready');
    await sleepForever();
  `;
  child = spawn(process.execPath, ['--conditions=sobaya:source', '--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    env: process.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
});
after(() => {
  child.kill('SIGKILL');
});

async function sobaya(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await execute(argv, {
    cwd: import.meta.dirname,
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  return { code, out, err };
}

test('sobaya ps lists tasks with age, state and what each waits for', async () => {
  const { code, out, err } = await sobaya('ps');
  assert.equal(err, '');
  assert.equal(code, 0);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/\s{2,}/g, ' | '));
  assert.equal(lines[0], 'PID | TASK | AGE | STATE | NAME | WAITS FOR');
  const rest = lines.slice(1).map((line) => line.split(' | ').slice(3).join(' | '));
  assert.deepEqual(rest, [
    'running | GET /orders/ [2J1 | sleep 50000 ms',
    'running | GET /menu/ | task query #3, task cook #4',
    'running | query | query SELECT * FROM soba',
    'running | cook | lock "stove", held by task "GET /orders/ [2J1"',
  ]);
});

test('sobaya pstree draws the tree', async () => {
  const { out } = await sobaya('pstree', String(child.pid));
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/ #\d+ · [\d.]+ m?s/g, ''));
  assert.deepEqual(lines, [
    `${child.pid} restaurant.ts`,
    '  program · waits for sleep for ever',
    '  ├─ GET /orders/ [2J1',
    '  │  └─ timeout 60000 ms · waits for sleep 50000 ms',
    '  └─ GET /menu/',
    '     └─ gather',
    '        ├─ query · waits for query SELECT * FROM soba',
    '        └─ cook · waits for lock "stove", held by task "GET /orders/ [2J1"',
  ]);
});

test('--json gives it all', async () => {
  const { out } = await sobaya('pstree', '--json');
  const [report] = JSON.parse(out) as { pid: number; name: string; tree: TreeNode[] }[];
  assert.equal(report?.pid, child.pid);
  assert.equal(report?.name, 'restaurant.ts');
  assert.equal(report?.tree[0]?.children.length, 2);
  assert.equal((JSON.parse((await sobaya('ps', '--json')).out) as unknown[]).length, 1);
});

test('a process that is not there, or that is no number', async () => {
  const { code, err } = await sobaya('ps', '999999');
  assert.equal(code, 2);
  assert.match(err, /Process 999999 cannot be looked at\n {2}Start one with sobaya serve/);
  assert.match((await sobaya('pstree', 'x')).err, /It must be the number of a process/);
});

test('the socket is private, takes nothing, and is gone with the process', async () => {
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const path = join(folder, `${child.pid}.sock`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const socket = connect(path);
  socket.write('x'.repeat(100_000)).valueOf();
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  assert.equal((JSON.parse(text.split('\n')[0] ?? '') as { pid: number }).pid, child.pid);
  const own = await openInspection({ name: 'test' });
  assert.ok(readdirSync(folder).includes(`${process.pid}.sock`));
  await own.close();
  assert.ok(!readdirSync(folder).includes(`${process.pid}.sock`));
});

test('a socket that nobody listens on any more is cleared away', async () => {
  const stale = join(folder, '4194300.sock');
  writeFileSync(stale, '');
  const { out } = await sobaya('ps');
  assert.match(out, /GET \/menu\//);
  assert.ok(!readdirSync(folder).includes('4194300.sock'));
});

test('a process that does not answer is named', { timeout: 20_000 }, async () => {
  const path = join(folder, '4194301.sock');
  const mute = createServer(() => {});
  await new Promise<void>((resolve) => mute.listen(path, resolve));
  const { err, out } = await sobaya('ps');
  assert.match(err, /Process 4194301: it does not answer within 3000 ms, its event loop may be blocked/);
  assert.match(out, /GET \/menu\//);
  mute.close();
});

test('a folder that others can enter is closed or refused', async () => {
  const other = mkdtempSync(join(tmpdir(), 'sobaya-ps-'));
  mkdirSync(join(other, 'sobaya'));
  chmodSync(join(other, 'sobaya'), 0o777);
  process.env['XDG_RUNTIME_DIR'] = other;
  await using _inspection = await openInspection();
  assert.equal(statSync(join(other, 'sobaya')).mode & 0o777, 0o700);
  const file = mkdtempSync(join(tmpdir(), 'sobaya-ps-'));
  writeFileSync(join(file, 'sobaya'), '');
  process.env['XDG_RUNTIME_DIR'] = file;
  await assert.rejects(openInspection(), {
    code: 'SBY_ASYNCIO_INSPECTION_FOLDER',
    message: /sobaya is no folder of this user alone, so this process cannot be looked at with sobaya ps/,
  });
  process.env['XDG_RUNTIME_DIR'] = runtime;
});

test('tasks that wait for each other are named', async () => {
  let second!: Task<void>;
  const first = createTask(
    async () => {
      await checkpoint();
      await second;
    },
    { name: 'hen' },
  );
  second = createTask(async () => first, { name: 'egg' });
  await checkpoint();
  await checkpoint();
  await using _own = await openInspection({ name: 'circle' });
  const { out } = await sobaya('ps', String(process.pid));
  assert.match(
    out,
    /2 tasks wait for each other, for ever unless .*\n {2}hen #\d+ waits for task "egg"\n {2}egg #\d+ waits for task "hen"/,
  );
  first.cancel();
  second.cancel();
});

test('very many tasks are told in slices, up to a number, and a stranger who does not read keeps nobody', async () => {
  const many = createTask(
    () => gather(...Array.from({ length: 30_000 }, (_, index) => () => sleepForever().then(() => index))),
    { name: 'many' },
  );
  const own = await openInspection({ name: 'crowd' });
  const idle = connect(own.path);
  idle.on('error', () => {});
  idle.pause();
  await new Promise((resolve) => idle.once('connect', resolve));
  let turns = 0;
  let looking = true;
  const count = (): void => {
    turns++;
    if (looking) setImmediate(count);
  };
  count();
  const [found] = await inspectProcesses(process.pid);
  looking = false;
  const report = found?.report;
  assert.ok(report);
  assert.equal(report.deadlocks, null);
  const shown = JSON.stringify(report.tree).split('"kind":"task"').length - 1;
  assert.ok(shown > 15_000 && shown <= 20_000, `${shown} tasks`);
  assert.equal(report.elided, 30_001 - shown);
  assert.ok(turns > 10, `the loop turned ${turns} times meanwhile`);
  const { out } = await sobaya('ps', String(process.pid));
  assert.match(out, /more tasks are not shown$/m);
  await own.close();
  many.cancel();
  await many.ended;
});

test('a tree that is deeper than the stack', async () => {
  const deeper = async (depth: number): Promise<void> => {
    // A turn, or this would be recursion.
    if (depth % 100 === 0) await checkpoint();
    await (depth === 0 ? sleepForever() : createTask(() => deeper(depth - 1), { name: `depth ${depth}` }));
  };
  const top: Task<void> = createTask(() => deeper(20_000), { name: 'top' });
  for (let turn = 0; turn < 300; turn++) await checkpoint();
  await using _own = await openInspection({ name: 'deep' });
  const { out, code } = await sobaya('pstree', String(process.pid));
  assert.equal(code, 0);
  assert.match(out, /depth 19950 #/);
  assert.match(out, /19,\d+ more tasks are not shown/);
  assert.equal((await sobaya('ps', '--json', String(process.pid))).code, 0);
  top.cancel();
  await top.ended;
  assert.equal(top.state, 'cancelled');
});
