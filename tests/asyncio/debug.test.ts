import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { after, before, beforeEach, test } from 'node:test';
import {
  type BlockedMessage,
  background,
  Context,
  createTask,
  debugMode,
  gather,
  getRunningLoop,
  Lock,
  Queue,
  run,
  sleep,
  taskGroup,
  timeout,
} from 'sobaya/asyncio';
import * as blocking from './fixtures/blocking.ts';

const reports: string[] = [];
const blocks: BlockedMessage[] = [];
const onBlocked = (message: unknown): void => void blocks.push(message as BlockedMessage);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const real = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
let stop!: () => Promise<void>;
before(async () => {
  subscribe('sobaya:asyncio.blocked', onBlocked);
  stop = await debugMode({ report: (text) => reports.push(text) });
  await real(100);
});
after(async () => {
  unsubscribe('sobaya:asyncio.blocked', onBlocked);
  await stop();
});
beforeEach(async () => {
  // What the test before did may still be on its way.
  await real(80);
  reports.length = blocks.length = 0;
});

/**
 * Waits until a block of this task has been reported; debug mode reports when the loop runs again. A busy machine may
 * stop the whole process for a while, which looks like a block too.
 */
async function reported(task: string): Promise<BlockedMessage> {
  for (let round = 0; round < 300; round++) {
    const found = blocks.find((block) => block.path.includes(task));
    if (found !== undefined) return found;
    await real(10);
  }
  assert.fail(`no report of ${task}: ${JSON.stringify(reports)}`);
}

const cases = {
  spin: () => blocking.spin(300),
  regex: blocking.regex,
  hash: blocking.hash,
  shell: blocking.shell,
  json: blocking.json,
  wait: blocking.wait,
};
for (const [name, block] of Object.entries(cases)) {
  test(`loop blame: ${name}`, async () => {
    const start = performance.now();
    let took = 0;
    await createTask(
      async () => {
        await createTask(
          async () => {
            await sleep(30);
            await turn();
            const begin = performance.now();
            block();
            took = performance.now() - begin;
          },
          { name: `the guilty ${name}` },
        );
      },
      { name: 'GET /menu/' },
    );
    if (took < 150) return; // this machine is too quick for the case
    const message = await reported(`the guilty ${name}`);
    assert.equal(message.functionName, name);
    assert.match(message.file ?? '', /fixtures\/blocking\.ts$/);
    const line = blocking.line[name] ?? 0;
    assert.ok(Math.abs((message.line ?? 0) - line) <= 3, `line ${message.line}, expected ${line}`);
    assert.deepEqual(message.path, ['GET /menu/', `the guilty ${name}`]);
    assert.ok(message.context instanceof Context);
    assert.ok(Math.abs(message.ms - took) < 150 + took / 2, `${message.ms} ms reported, took ${took}`);
    assert.ok(message.from >= start - 100 && message.from <= start + 1000 + took);
    assert.match(
      reports.join('\n'),
      new RegExp(
        `The event loop was blocked for \\d+ ms.*\n {2}in ${name} \\(.*blocking\\.ts:\\d+:\\d+\\)\n {2}task: GET /menu/ › the guilty ${name}`,
      ),
    );
  });
}

test('the innocent is never blamed: a native call as the last act, another request next', async () => {
  for (const kind of ['immediate', 'microtask', 'promise'] as const) {
    await real(80);
    blocks.length = 0;
    const innocent = (): number => {
      let x = 0;
      for (let i = 0; i < 1e5; i++) x += i;
      return x;
    };
    const at = async (fn: () => unknown): Promise<void> => {
      if (kind === 'immediate') await turn();
      else if (kind === 'promise') await (await import('node:fs/promises')).stat('/');
      fn();
    };
    await Promise.all([
      createTask(() => at(blocking.query), { name: 'guilty' }),
      createTask(() => at(innocent), { name: 'innocent' }),
    ]);
    await real(60);
    if (blocks.length === 0) continue; // too quick a machine
    assert.ok(!blocks.some((block) => block.task === 'innocent'), JSON.stringify(reports));
    const message = await reported('guilty');
    assert.equal(message.task, 'guilty', kind);
    assert.equal(message.native, 'StatementSync.get');
    assert.equal(message.functionName, 'query');
    assert.equal(message.exact, true);
  }
});

test('who had to wait is named', async () => {
  const waiting = createTask(() => sleep(50), { name: 'another request' });
  await createTask(async () => void blocking.spin(200), { name: 'greedy' });
  await waiting;
  const message = await reported('greedy');
  assert.ok(message.delayed.includes('another request'));
  assert.ok(!message.delayed.includes('greedy'));
  assert.match(reports.join('\n'), /kept waiting: .*another request/);
});

test('a loop that is not blocked is not reported', async () => {
  // Once more where the machine itself stood still.
  for (let attempt = 0; attempt < 3; attempt++) {
    blocks.length = 0;
    for (let round = 0; round < 20; round++) {
      blocking.spin(15);
      await real(1);
    }
    await real(150);
    if (blocks.length === 0) return;
  }
  assert.fail(JSON.stringify(reports));
});

test('awaitables of ours that nobody awaited are reported when the task ends, with their place', async () => {
  const lock = new Lock();
  const queue = new Queue<number>(1);
  await createTask(
    async () => {
      void sleep(5);
      void gather(() => 1);
      void timeout(50, () => 1);
      void taskGroup(() => 1);
      void lock.acquire();
      void queue.put(1);
      await sleep(1);
      const later = sleep(0);
      await turn();
      await later;
      await gather(
        () => sleep(0),
        () => lock.locked,
      );
    },
    { name: 'forgetful' },
  );
  const forgotten = reports.filter((text) => text.includes('never awaited'));
  assert.match(
    forgotten[0] ?? '',
    /^sleep\(5\) was called in task "forgetful" but never awaited \(tests\/asyncio\/debug\.test\.ts:\d+:\d+\)$/,
  );
  assert.deepEqual(
    forgotten.map((text) => text.split(' ')[0]),
    ['sleep(5)', 'gather()', 'timeout(50)', 'taskGroup()', 'lock.acquire()', 'queue.put()'],
  );
});

test('tasks know where they were created; what outlives its scope is named with it', async () => {
  const task = createTask(() => 1, { name: 'here' });
  assert.match(task.site ?? '', /^tests\/asyncio\/debug\.test\.ts:\d+:\d+$/);
  await timeout(5, () => new Promise(() => {})).catch(() => {});
  await createTask(() => {
    createTask(() => new Promise(() => {}), { name: 'stubborn' });
  });
  const outlived = reports.filter((text) => text.startsWith('Work outlived'));
  assert.equal(outlived.length, 2, reports.join('\n'));
  assert.match(
    outlived[0] ?? '',
    /^Work outlived its scope: it was cancelled and does not end\. .*\n {2}timeout 5 ms · being cancelled/,
  );
  assert.match(
    outlived[1] ?? '',
    /\n {2}stubborn #\d+ · [\d.]+ m?s · being cancelled · tests\/asyncio\/debug\.test\.ts:\d+:\d+$/,
  );
});

test('a timer created outside of any scope is not ours and is left alone', async () => {
  let fired = false;
  await createTask(() => {
    setTimeout(() => {
      fired = true;
    }, 10);
  });
  await real(20);
  assert.equal(fired, true);
  assert.deepEqual(
    reports.filter((text) => !text.startsWith('The event loop')),
    [],
  );
});

test('run(main, { debug: true }) and SOBAYA_DEBUG=1 switch it on, for a program and not longer', async () => {
  assert.equal(getRunningLoop().debug, true);
  await run(() => assert.equal(getRunningLoop().debug, true), { debug: true });
  const script = `
    import { createTask, getRunningLoop, run, sleep } from 'sobaya/asyncio';
    await run(async () => {
      void sleep(1);
      createTask(() => Promise.reject(new Error('lost')), { name: 'waiter' });
      await sleep(50);
      const end = performance.now() + 300;
      (function knead() { while (performance.now() < end); })();
      await sleep(50);
      console.log('debug', getRunningLoop().debug);
    }, JSON.parse(process.argv[1] ?? '{}'));
    console.log('debug', getRunningLoop().debug);
  `;
  const start = (
    env: object,
    options: object,
  ): Promise<{ stdout: string; stderr: string; code: number | null }> =>
    new Promise((resolve) => {
      const child = spawn(
        process.execPath,
        ['--conditions=sobaya:source', '--input-type=module', '-e', script, JSON.stringify(options)],
        { cwd: import.meta.dirname, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const got = { stdout: '', stderr: '' };
      child.stdout.on('data', (chunk) => {
        got.stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        got.stderr += chunk;
      });
      child.on('close', (code) => resolve({ ...got, code }));
    });
  for (const [env, options] of [
    [{ SOBAYA_DEBUG: '1' }, {}],
    [{}, { debug: true }],
  ] as const) {
    const { stdout, stderr, code } = await start(env, options);
    assert.equal(stdout, 'debug true\ndebug false\n');
    assert.match(stderr, /The event loop was blocked for \d+ ms\n/);
    assert.match(stderr, /sleep\(1\) was called in task "main" but never awaited/);
    assert.match(stderr, /Task "waiter".* failed and nobody looked at its error: Error: lost/);
    assert.equal(code, 0);
  }
  const { stdout, stderr } = await start({ SOBAYA_DEBUG: '0' }, {});
  assert.equal(stdout, 'debug false\ndebug false\n');
  assert.doesNotMatch(stderr, /blocked|never awaited/);
});

test('blocks in the background are attributed as well', async () => {
  const task = background(
    async () => {
      await turn();
      blocking.spin(250);
    },
    { name: 'cleaner' },
  );
  await task;
  assert.deepEqual((await reported('cleaner')).path, ['cleaner']);
});
