import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { background, createTask, run, shield, sleep, sleepForever, type Task } from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program; whenever it prints "signal", it gets one. */
function program(script: string, signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=sobaya:source',
      '--input-type=module',
      '-e',
      `import * as a from 'sobaya/asyncio';${script}`,
    ],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (String(chunk).includes('signal')) child.kill(signal);
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code, got) => resolve({ code, signal: got, stdout, stderr }));
  });
}

test('run() cancels what main left behind and waits for it.', async () => {
  using clock = virtualClock();
  const seen: string[] = [];
  let stuck!: Task<unknown>;
  const result = await run(() => {
    background(async () => {
      try {
        await sleepForever();
      } finally {
        await shield(() => sleep(100));
        seen.push('background');
      }
    });
    createTask(() => sleepForever().catch((error: Error) => seen.push(error.message)));
    return 'main';
  });
  assert.equal(result, 'main');
  assert.deepEqual(seen, ['task "main" ended', 'background']);
  assert.equal(clock.now(), 100);
  // What does not listen gets the grace, what hides in a shield as well.
  await run(
    () => {
      stuck = background(() => shield(() => sleepForever()));
    },
    { grace: 300 },
  );
  assert.equal(clock.now(), 400);
  assert.equal(stuck.state, 'cancelled');
});

test('run() gives the result, throws the error, and passes the name on', async () => {
  assert.equal(await run(async () => 'soba'), 'soba');
  await assert.rejects(
    run(() => Promise.reject(new Error('burnt'))),
    { message: 'burnt' },
  );
  // @ts-expect-error not a function
  await assert.rejects(run(Promise.resolve()), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});

test('run() inside a running scope is refused.', async () => {
  await assert.rejects(
    run(() => run(() => 1)),
    { code: 'SBY_ASYNCIO_NESTED_RUN', message: /run\(\) was called inside a running scope/ },
  );
});

test('A signal cancels main, and after the clean-up the process ends as the signal would have ended it.', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const ended = await program(
      `await a.run(async () => {
         console.log('signal');
         try { await a.sleepForever(); }
         catch (error) { console.log(error.message); await a.shield(() => a.sleep(20)); console.log('cleaned'); throw error; }
       });
       console.log('never');`,
      signal,
    );
    assert.equal(ended.stdout, `signal\nthe program got ${signal}\ncleaned\n`);
    assert.equal(ended.stderr, '');
    assert.equal(ended.signal, signal);
  }
});

test('A main that handles the cancellation and returns ends the program normally.', async () => {
  const ended = await program(
    `const result = await a.run(async () => { console.log('signal'); await a.sleepForever().catch(() => {}); return 'handled'; });
     console.log(result);`,
  );
  assert.deepEqual(ended, { code: 0, signal: null, stdout: 'signal\nhandled\n', stderr: '' });
});

test('A second signal ends the process at once.', async () => {
  const ended = await program(
    `await a.run(async () => {
       console.log('signal');
       try { await a.sleepForever(); } finally { await a.shield(async () => { console.log('second signal'); await a.sleep(60_000); }); }
     });`,
  );
  assert.equal(ended.stdout, 'signal\nsecond signal\n');
  assert.equal(ended.signal, 'SIGINT');
});
