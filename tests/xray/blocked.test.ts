import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { blockedChannel, createTask, debugMode, sleep } from 'sobaya/asyncio';
import { record } from 'sobaya/xray';

const big = join(tmpdir(), `xray-${process.pid}.bin`);
const table = new DatabaseSync(':memory:');
let json = '';

/** At least 150 ms, on any machine: again until the time is over. */
function longEnough(work: () => unknown): void {
  const end = performance.now() + 200;
  do work();
  while (performance.now() < end);
}

const culprits: Record<string, () => unknown> = {
  tightLoop: function tightLoop() {
    const end = performance.now() + 250;
    while (performance.now() < end);
  },
  parseJson: function parseJson() {
    longEnough(() => JSON.parse(json));
  },
  slowRegex: function slowRegex() {
    longEnough(() => /^(a+)+$/.test(`${'a'.repeat(25)}!`));
  },
  readFile: function readFile() {
    longEnough(() => readFileSync(big));
  },
  runCommand: function runCommand() {
    execSync('sleep 0.25');
  },
  derive: function derive() {
    longEnough(() => pbkdf2Sync('soba', 'salt', 150_000, 64, 'sha512'));
  },
  waitForever: function waitForever() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  },
  askSqlite: function askSqlite() {
    longEnough(() =>
      table
        .prepare(
          'with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000) select sum(i) from n',
        )
        .get(),
    );
  },
};

describe('a block of 150 ms or more is reported, with function and line', () => {
  let stop: () => Promise<void>;
  before(async () => {
    writeFileSync(big, Buffer.alloc(64 * 1024 * 1024));
    json = `[${'{"a":[1,2,3]},'.repeat(400_000)}1]`;
    stop = await debugMode({ report: () => {} });
    await sleep(200);
  });
  after(async () => {
    await stop();
    await rm(big);
  });

  for (const [name, culprit] of Object.entries(culprits))
    test(name, async () => {
      const seen = await record(async () => {
        let told = (): void => {};
        const report = new Promise<void>((resolve) => {
          told = resolve;
        });
        const listen = (): void => told();
        blockedChannel.subscribe(listen);
        try {
          await createTask(
            async () => {
              await sleep(5);
              culprit();
            },
            { name: 'cooking' },
          );
          await report;
        } finally {
          blockedChannel.unsubscribe(listen);
        }
      });
      const hint = seen.hints.find(({ rule }) => rule === 'blocked');
      assert.ok(hint, `nothing was reported: ${String(seen)}`);
      assert.match(hint.site?.file ?? '', /blocked\.test\.ts$/);
      const span = seen.request.spans.find(({ kind }) => kind === 'blocked');
      assert.equal(span?.blocked?.role, 'culprit');
      assert.match(span.blocked.task ?? '', /cooking/);
      assert.ok((span.end ?? 0) - span.start >= 150, `${(span.end ?? 0) - span.start}`);
      const text = readFileSync(hint.site?.file ?? '', 'utf8').split('\n');
      const at = (hint.site?.line ?? 0) - 1;
      const own = text.findIndex((line) => line.includes(`function ${name}()`));
      // The line is inside the function, or (in a helper it calls) the stack names it.
      assert.ok(
        (at >= own && at <= own + 8) || span.blocked.frames.some((frame) => frame.includes(name)),
        `${name}: line ${at + 1}, ${span.blocked.frames.join(' < ')}`,
      );
    });
});
