import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const folder = join(import.meta.dirname, '../../examples/hello_async_world');

async function runTalk(...args: string[]): Promise<{ out: string; err: string; code: number | null }> {
  const child = spawn(process.execPath, ['--conditions=sobaya:source', join(folder, 'talk.ts'), ...args]);
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('exit', resolve)),
  ]);
  return { out, err, code };
}

/** The lines that say what happened, in order, without their times. */
function events(out: string): string[] {
  return [...out.matchAll(/^ +\d+ ms {2}(\S+ ?\d?) +(.*)$/gm)].map(
    ([, lane, what]) => `${lane?.trim()} ${what}`,
  );
}

const lines = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim());

test('lesson 1: each customer begins when the one before has ordered', async () => {
  const { out, code } = await runTalk('1');
  assert.equal(code, 0);
  assert.deepEqual(
    events(out),
    lines(`customer 1 reads the menu
           customer 1 orders kake
           customer 2 reads the menu
           customer 2 orders zaru
           customer 3 reads the menu
           customer 3 orders tempura`),
  );
  assert.match(out, /Orders: kake, zaru, tempura/);
});

test('lessons 2 and 3: all begin before any ends; the results are in order', async () => {
  for (const lesson of ['tasks', 'gather']) {
    const { out, code } = await runTalk(lesson);
    assert.equal(code, 0);
    assert.deepEqual(
      events(out).filter((line) => !line.startsWith('cook')),
      lines(`customer 1 reads the menu
             customer 2 reads the menu
             customer 3 reads the menu
             customer 3 orders tempura
             customer 2 orders zaru
             customer 1 orders kake`),
      lesson,
    );
    assert.match(out, /kake, zaru, tempura/);
  }
});

test('lesson 4: a blocking call lets nothing overlap; lesson 5: the async client does', async () => {
  const blocking = events((await runTalk('4')).out);
  assert.deepEqual(
    blocking.map((line) => line.split(' ').slice(1, 3).join(' ')),
    ['1 looks', '1 found', '2 looks', '2 found', '3 looks', '3 found'],
  );
  const async = events((await runTalk('5')).out);
  assert.deepEqual(
    async.slice(0, 3).map((line) => line.split(' ').slice(1, 3).join(' ')),
    ['1 looks', '2 looks', '3 looks'],
  );
  assert.equal(async.length, 6);
});

test('lesson 6: ten searches in the time of the slowest, on a real server', async () => {
  const { out, code } = await runTalk('6');
  assert.equal(code, 0);
  const times = [...out.matchAll(/pages about \w+, after (\d+) ms/g)].map(([, ms]) => Number(ms));
  assert.equal(times.length, 10);
  const took = Number(/Ten searches at once: (\d+) ms/.exec(out)?.[1]);
  assert.ok(took < times.reduce((sum, ms) => sum + ms) / 2, `${took} ms for ${times}`);
});

test('a lesson that does not exist: the list of those that do', async () => {
  const { err, code } = await runTalk('threads');
  assert.equal(code, 1);
  assert.match(err, /There is no lesson named "threads"[\s\S]*3 {2}03_gather\.ts/);
});
