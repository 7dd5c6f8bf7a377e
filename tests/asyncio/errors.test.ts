import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, test } from 'node:test';
import {
  background,
  CancelledError,
  createTask,
  gather,
  type NeverRetrievedHandler,
  setNeverRetrievedHandler,
  shield,
  sleep,
  sleepForever,
  type Task,
  taskGroup,
  timeout,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

const reported: string[] = [];
let before: NeverRetrievedHandler;
beforeEach(() => {
  reported.length = 0;
  before = setNeverRetrievedHandler((task, error) =>
    reported.push(`${task.name}: ${(error as Error).message}`),
  );
});
afterEach(() => {
  setNeverRetrievedHandler(before);
});
const turns = async (count = 4): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const burn = (ms: number, message: string) =>
  async function burn(): Promise<never> {
    await sleep(ms);
    throw new Error(message);
  };
/** Fails together with everybody who waits for the same gate. */
const burnAt = (gate: Promise<void>, message: string) =>
  async function burn(): Promise<never> {
    await gate;
    throw new Error(message);
  };
const messages = (error: unknown): unknown[] => {
  assert.ok(error instanceof AggregateError, String(error));
  return error.errors.map((each: Error) => (each instanceof AggregateError ? messages(each) : each.message));
};

test('gather throws the first real failure itself and cancels the others.', async () => {
  using clock = virtualClock();
  class Burnt extends Error {}
  const seen: string[] = [];
  await assert.rejects(
    gather(
      async () => {
        await sleep(5);
        throw new Burnt('first');
      },
      async () => {
        await sleep(10_000).catch((error: Error) => seen.push(error.message));
      },
      burn(50, 'never'),
    ),
    (error) => error instanceof Burnt,
  );
  assert.equal(clock.now(), 5);
  assert.deepEqual(seen, ['gather: "anonymous" failed']);
  await turns();
  assert.deepEqual(reported, []);
});

test('gather of nothing, of values, of mixed tasks and functions', async () => {
  assert.deepEqual(await gather(), []);
  const [a, b, c] = await gather(
    () => 1,
    createTask(async () => 'two'),
    async () => true,
  );
  assert.deepEqual([a, b, c], [1, 'two', true]);
  // @ts-expect-error null is no function
  const refused = gather(() => 1, null);
  await assert.rejects(refused, { message: /gather\(\) takes functions, but argument 2 is null/ });
});

test('A further failure in a gather is reported, not lost.', async () => {
  using _clock = virtualClock();
  const gate = sleep(5);
  await assert.rejects(gather(burnAt(gate, 'first'), burnAt(gate, 'second')), { message: 'first' });
  await turns();
  assert.deepEqual(reported, ['burn: second']);
  // A clean-up that fails is real, the cancellation that led to it is not.
  await assert.rejects(
    gather(
      () => sleepForever(),
      () =>
        sleepForever().catch(() => {
          throw new Error('sink');
        }),
      burn(1, 'third'),
    ),
    { message: 'third' },
  );
  assert.deepEqual(reported, ['burn: second', 'anonymous: sink']);
});

test('gather.settled gives errors as values, and is cancelled like anything else.', async () => {
  using _clock = virtualClock();
  const settled = await gather.settled(
    () => 1,
    burn(5, 'burnt'),
    async () => 'three',
  );
  assert.deepEqual(
    settled.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message)),
    [1, 'burnt', 'three'],
  );
  const task = createTask(() => gather.settled(() => sleepForever(), burn(5, 'burnt')));
  task.cancel('closing time');
  await assert.rejects(async () => task, { message: 'closing time' });
  await turns();
  assert.deepEqual(reported, []);
});

test('A gather whose child is cancelled by itself throws that CancelledError.', async () => {
  const victim = createTask(() => sleepForever(), { name: 'victim' });
  const all = createTask(() => gather(victim, () => sleepForever()));
  victim.cancel();
  await assert.rejects(
    async () => all,
    (error) => error instanceof CancelledError && /victim/.test(error.message),
  );
});

test('cancelling a gather cancels its children', async () => {
  const seen: string[] = [];
  const child = async (): Promise<void> => {
    await sleepForever().catch((error: Error) => {
      seen.push(error.message);
      throw error;
    });
  };
  const task = createTask(() => gather(child, child));
  task.cancel('closing time');
  await assert.rejects(async () => task, { message: 'closing time' });
  assert.deepEqual(seen, ['closing time', 'closing time']);
});

test('A task group throws an AggregateError of all real failures, always.', async () => {
  await assert.rejects(
    taskGroup((group) => {
      group.start(burn(1, 'only one'));
    }),
    (error: Error) => {
      assert.deepEqual(messages(error), ['only one']);
      assert.equal(error.message, '1 task of the group failed: only one');
      return true;
    },
  );
});

test("Errors of the same turn all arrive in the group's error.", async () => {
  using _clock = virtualClock();
  let block = '';
  await assert.rejects(
    taskGroup(async (group) => {
      const gate = sleep(5);
      group.start(burnAt(gate, 'one'));
      group.start(burnAt(gate, 'two'));
      group.start(() => sleepForever());
      await sleepForever().catch((error: Error) => {
        block = error.name;
        throw error;
      });
    }),
    (error) => {
      assert.deepEqual(messages(error), ['one', 'two']);
      return true;
    },
  );
  assert.equal(block, 'AbortError');
});

test("An error of the block is in the group's error too, and its tasks are cancelled.", async () => {
  let child!: Task<unknown>;
  await assert.rejects(
    taskGroup((group) => {
      child = group.start(() => sleepForever());
      throw new Error('block');
    }),
    (error) => {
      assert.deepEqual(messages(error), ['block']);
      return true;
    },
  );
  assert.equal(child.state, 'cancelled');
});

test('A CancelledError of the block itself passes as it is, and its tasks are cancelled.', async () => {
  const other = createTask(() => sleepForever(), { name: 'other' });
  other.cancel();
  let child!: Task<unknown>;
  await assert.rejects(
    taskGroup(async (group) => {
      child = group.start(() => sleepForever());
      await other;
    }),
    (error) => error instanceof CancelledError && /"other"/.test(error.message),
  );
  assert.equal(child.state, 'cancelled');
});

test('A child that is cancelled by itself does not disturb its group.', async () => {
  using _clock = virtualClock();
  const result = await taskGroup(async (group) => {
    const victim = group.start(() => sleepForever());
    const other = group.start(async () => {
      await sleep(10);
      return 'fine';
    });
    victim.cancel();
    return await other;
  });
  assert.equal(result, 'fine');
});

test('When the group was cancelled from outside, a failed clean-up wins over the cancellation.', async () => {
  const clean = createTask(() => taskGroup((group) => group.start(() => sleepForever())));
  clean.cancel('closing time');
  await assert.rejects(async () => clean, { name: 'AbortError', message: 'closing time' });
  const unclean = createTask(() =>
    taskGroup((group) => {
      group.start(() =>
        sleepForever().catch(() => {
          throw new Error('sink');
        }),
      );
    }),
  );
  unclean.cancel();
  await assert.rejects(
    async () => unclean,
    (error) => {
      assert.deepEqual(messages(error), ['sink']);
      return true;
    },
  );
  assert.equal(unclean.state, 'failed');
});

test('Groups nest, and so do their errors.', async () => {
  await assert.rejects(
    taskGroup((outer) => {
      const gate = Promise.resolve();
      outer.start(() =>
        taskGroup((inner) => {
          inner.start(burnAt(gate, 'inner'));
          inner.start(burnAt(gate, 'inner too'));
        }),
      );
      outer.start(burnAt(gate, 'outer'));
    }),
    (error) => {
      assert.deepEqual(messages(error), ['outer', ['inner', 'inner too']]);
      return true;
    },
  );
});

test('startUntilReady waits until the task says so', async () => {
  using _clock = virtualClock();
  const seen: string[] = [];
  await taskGroup(async (group) => {
    const port = await group.startUntilReady<number>(async (ready) => {
      await sleep(10);
      ready(8000);
      await sleep(10);
      seen.push('still there');
    });
    seen.push(`port ${port}`);
  });
  assert.deepEqual(seen, ['port 8000', 'still there']);
  await taskGroup(async (group) => {
    await assert.rejects(
      group.startUntilReady(() => {}, { name: 'server' }),
      { code: 'SBY_ASYNCIO_NEVER_READY', message: /Task "server" ended without calling ready\(\)/ },
    );
  });
  await assert.rejects(
    taskGroup(async (group) => {
      await group.startUntilReady(() => Promise.reject(new Error('port in use')));
    }),
    /port in use/,
  );
});

test('a group that is cancelled by hand', async () => {
  const seen: string[] = [];
  const result = await taskGroup((group) => {
    group.start(() => sleepForever().catch((error: Error) => void seen.push(error.message)));
    group.cancel('enough');
    return 'first answer';
  });
  assert.equal(result, 'first answer');
  assert.deepEqual(seen, ['enough']);
});

test('A task that fails before anybody awaits it is no unhandled rejection.', async () => {
  await createTask(async () => {
    const task = createTask(() => Promise.reject(new Error('early')));
    await turns();
    await assert.rejects(async () => task, { message: 'early' });
  });
  await turns();
  assert.deepEqual(reported, []);
});

test('An error that nobody looked at is reported when the parent ends.', async () => {
  await createTask(async () => {
    createTask(() => Promise.reject(new Error('lost')), { name: 'waiter' });
    await turns();
    assert.deepEqual(reported, []);
  });
  await turns();
  assert.deepEqual(reported, ['waiter: lost']);
});

test('at the latest it is reported when the process ends, and does not make it fail', () => {
  const script = `
    import { createTask, run } from 'sobaya/asyncio';
    const kept = createTask(() => Promise.reject(new Error('lost')), { name: 'waiter' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('alive');
    globalThis.kept = kept;
  `;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--conditions=sobaya:source', '--input-type=module', '-e', script],
    { encoding: 'utf8', cwd: import.meta.dirname },
  );
  assert.equal(stdout, 'alive\n');
  assert.match(stderr, /^Task "waiter" failed and nobody looked at its error: Error: lost\n/);
  assert.equal(status, 0);
});

test('or when the task is collected', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  (() => {
    createTask(() => Promise.reject(new Error('lost')), { name: 'waiter' });
  })();
  for (let round = 0; round < 50 && reported.length === 0; round++) {
    await turns();
    collect();
  }
  assert.deepEqual(reported, ['waiter: lost']);
});

test('A background task that fails is reported at once.', async () => {
  const task = background(() => Promise.reject(new Error('lost')), { name: 'cleaner' });
  await task.ended;
  await turns();
  assert.deepEqual(reported, ['cleaner: lost']);
});

test('Looking at the error in any way means that it is not reported.', async () => {
  await createTask(async () => {
    const fail = (): Promise<never> => Promise.reject(new Error('seen'));
    const [a, b, c, d, e] = [1, 2, 3, 4, 5].map(() => createTask(fail)) as [
      Task<never>,
      Task<never>,
      Task<never>,
      Task<never>,
      Task<never>,
    ];
    await turns();
    await assert.rejects(async () => a);
    assert.equal((b.error as Error).message, 'seen');
    assert.throws(() => c.result(), { message: 'seen' });
    await assert.rejects(gather(d), { message: 'seen' });
    await e.catch(() => {});
    const running = createTask(() => sleep(1), { name: 'running' });
    assert.throws(() => running.result(), {
      code: 'SBY_ASYNCIO_NOT_DONE',
      message: /Task "running" is still running/,
    });
    assert.equal(running.error, undefined);
    await running.finally(() => {});
    assert.equal(running.result(), undefined);
  });
  await turns();
  assert.deepEqual(reported, []);
});

test('errors of what a shield or a leftover did are not lost either', async () => {
  using _clock = virtualClock();
  await createTask(() => {
    createTask(
      async () => {
        try {
          await sleepForever();
        } finally {
          await shield(burn(5, 'roll-back failed'));
        }
      },
      { name: 'transaction' },
    );
  });
  await turns();
  assert.deepEqual(reported, ['transaction: roll-back failed']);
});

test('what a block does wrong after timeout has given it up is reported', async () => {
  using _clock = virtualClock();
  let fail!: (error: Error) => void;
  const stuck = new Promise<never>((_, reject) => {
    fail = reject;
  });
  await assert.rejects(
    timeout(5, () => stuck),
    { name: 'TimeoutError' },
  );
  fail(new Error('much later'));
  await turns();
  assert.deepEqual(reported, ['timeout 5 ms: much later']);
});
