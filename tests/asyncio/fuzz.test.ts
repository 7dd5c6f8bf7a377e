import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CancelledError,
  createTask,
  currentContext,
  currentTask,
  gather,
  Lock,
  mapConcurrent,
  moveOnAfter,
  Queue,
  run,
  Semaphore,
  setNeverRetrievedHandler,
  shield,
  sleep,
  type Task,
  taskGroup,
  timeout,
  underSignal,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

/** A program as a tree. */
type Node =
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'fail' | 'return' | 'cancelSelf' }
  | { readonly kind: 'sequence' | 'gather' | 'settled' | 'group' | 'map'; readonly children: readonly Node[] }
  | { readonly kind: 'timeout' | 'move'; readonly ms: number; readonly child: Node }
  | {
      readonly kind:
        | 'shield'
        | 'task'
        | 'forget'
        | 'lock'
        | 'semaphore'
        | 'queue'
        | 'swallow'
        | 'cleanup'
        | 'signal';
      readonly child: Node;
    };

const { node } = fc.letrec<{ node: Node; leaf: Node; many: Node; timed: Node; one: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    tie('leaf'),
    tie('many'),
    tie('timed'),
    tie('one'),
  ),
  leaf: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('sleep' as const), ms: fc.integer({ min: 0, max: 40 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('fail' as const, 'return' as const, 'cancelSelf' as const),
      }),
    },
  ),
  many: fc.record({
    kind: fc.constantFrom(
      'sequence' as const,
      'gather' as const,
      'settled' as const,
      'group' as const,
      'map' as const,
    ),
    children: fc.array(tie('node') as fc.Arbitrary<Node>, { maxLength: 4 }),
  }),
  timed: fc.record({
    kind: fc.constantFrom('timeout' as const, 'move' as const),
    ms: fc.integer({ min: 0, max: 40 }),
    child: tie('node') as fc.Arbitrary<Node>,
  }),
  one: fc.record({
    kind: fc.constantFrom(
      'shield' as const,
      'task' as const,
      'forget' as const,
      'lock' as const,
      'semaphore' as const,
      'queue' as const,
      'swallow' as const,
      'cleanup' as const,
      'signal' as const,
    ),
    child: tie('node') as fc.Arbitrary<Node>,
  }),
}));

class Burnt extends Error {}

/** Runs such a tree and keeps account of what started and what ended. */
class Program {
  readonly lock = new Lock();
  readonly semaphore = new Semaphore(2);
  readonly queue = new Queue<number>(1);
  running = 0;
  started = 0;
  readonly endedBeforeChild: string[] = [];

  readonly go = (node: Node) => async (): Promise<void> => {
    this.started++;
    this.running++;
    try {
      await this.step(node);
    } finally {
      this.running--;
    }
  };

  async step(node: Node): Promise<void> {
    switch (node.kind) {
      case 'sleep':
        return sleep(node.ms);
      case 'fail':
        throw new Burnt('burnt');
      case 'return':
        return;
      case 'cancelSelf':
        currentTask()?.cancel('by itself');
        return sleep(1);
      case 'sequence':
        for (const child of node.children) await this.go(child)();
        return;
      case 'gather':
        await gather(...node.children.map(this.go));
        return;
      case 'settled':
        await gather.settled(...node.children.map(this.go));
        return;
      case 'map':
        await mapConcurrent(node.children, 2, (child) => this.go(child)());
        return;
      case 'group':
        await taskGroup((group) => {
          for (const child of node.children) group.start(this.go(child));
        });
        return;
      case 'timeout':
        return timeout(node.ms, this.go(node.child));
      case 'move':
        await moveOnAfter(node.ms, this.go(node.child));
        return;
      case 'shield':
        return shield(this.go(node.child));
      case 'task':
        await this.watched(node.child);
        return;
      case 'forget':
        void this.watched(node.child);
        return;
      case 'lock': {
        // Not reentrant: inside of a lock, another one.
        const lock = this.lock.locked ? new Lock() : this.lock;
        return lock.run(this.go(node.child));
      }
      case 'semaphore':
        if (this.semaphore.locked) return this.go(node.child)();
        return this.semaphore.run(this.go(node.child));
      case 'queue': {
        const queue = new Queue<number>(1);
        await gather(
          async () => {
            await queue.put(1);
            await queue.put(2);
          },
          async () => {
            await queue.get();
            await this.go(node.child)();
            await queue.get();
          },
        );
        return;
      }
      case 'swallow':
        await this.go(node.child)().catch(() => {});
        return;
      case 'cleanup':
        try {
          await this.go(node.child)();
        } finally {
          await shield(() => sleep(3));
        }
        return;
      case 'signal':
        return underSignal(new AbortController().signal, this.go(node.child));
    }
  }

  /** A task that checks that what it started has ended before it. */
  watched(child: Node): Task<void> {
    const before = this.running;
    const task: Task<void> = createTask(this.go(child));
    void task.ended.then(() => {
      if (task.scope.kids !== null) this.endedBeforeChild.push(task.name);
    });
    assert.ok(this.running >= before);
    return task;
  }
}

test('whatever a program does and whenever it is cancelled: all ends, nothing is left, nothing is unhandled', async () => {
  const before = setNeverRetrievedHandler((_, error) =>
    assert.ok(
      error instanceof Burnt || error instanceof AggregateError || (error as Error).name === 'TimeoutError',
      String(error),
    ),
  );
  try {
    await fc.assert(
      fc.asyncProperty(
        node as fc.Arbitrary<Node>,
        fc.option(fc.integer({ min: 0, max: 60 })),
        async (tree, cancelAt) => {
          using clock = virtualClock();
          const program = new Program();
          let error: unknown;
          await run(async () => {
            const top = createTask(program.go(tree), { name: 'top' });
            const killer =
              cancelAt === null
                ? null
                : createTask(async () => {
                    await sleep(cancelAt);
                    top.cancel('closing time');
                  });
            await top.ended;
            error = top.error;
            killer?.cancel();
            await killer?.ended;
            assert.equal(currentContext().scope.kids, null, 'a scope is left');
            assert.equal(currentContext().scope.head, null, 'a wait is left');
          });
          assert.equal(program.running, 0, 'something still runs');
          assert.deepEqual(program.endedBeforeChild, []);
          assert.equal(program.lock.locked, false, 'the lock is held');
          assert.equal(program.semaphore.value, 2, 'the semaphore is held');
          assert.equal(clock.pending, 0, 'a timer is left');
          const known =
            error === undefined ||
            error instanceof Burnt ||
            error instanceof AggregateError ||
            error instanceof CancelledError ||
            (error as Error).name === 'TimeoutError';
          assert.ok(known, String(error));
        },
      ),
      { numRuns: 1000 },
    );
  } finally {
    setNeverRetrievedHandler(before);
  }
});
