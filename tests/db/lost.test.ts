import assert from 'node:assert/strict';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createTask, Event } from 'sobaya/asyncio';
import { atomic, Databases } from 'sobaya/db';
import { backends } from './support/backends.ts';
import { openShop, Tag } from './support/shop.ts';

/** Stands between client and server, and cuts the line when a message holds `fatal`: before it arrives, or its answer. */
class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  fatal: { readonly text: string; readonly when: 'before' | 'after' } | null = null;
  refusing = false;

  constructor(target: { host: string; port: number }) {
    this.#server = createServer((client) => {
      if (this.refusing) return void client.destroy();
      const server = dial(target);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      let deaf = false;
      client.on('data', (chunk) => {
        const hit = this.fatal !== null && chunk.includes(this.fatal.text);
        if (hit && this.fatal?.when === 'before') return void client.destroy();
        if (hit) deaf = true;
        server.write(chunk);
      });
      server.on('data', (chunk) => {
        if (deaf) client.destroy();
        else client.write(chunk);
      });
    });
  }
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const [[, file], [, server]] = backends('lost') as [
  ReturnType<typeof backends>[0],
  ReturnType<typeof backends>[0],
];

for (const driver of ['sobaya', 'pg'] as const)
  describe(`the connection is lost, driver ${driver}`, { skip: server.skip }, () => {
    let proxy: Line;
    let databases: Databases;
    let direct: Databases;
    before(async () => {
      const url = new URL(await server.url());
      direct = await openShop(url.href);
      proxy = new Line({ host: url.hostname, port: Number(url.port || 5432) });
      url.port = String(await proxy.listen());
      databases = await new Databases({
        default: { engine: 'postgresql', url: url.href, driver, pool: { size: 3 } },
      }).open();
    });
    after(async () => {
      await databases.close();
      await proxy.close();
      await direct.close();
      await server.drop();
    });
    const names = (prefix: string): Promise<string[]> =>
      direct.run(async () =>
        (await Tag.filter({ name__startswith: prefix }).orderBy('name')).map(({ name }) => name),
      );
    const within = (title: string, fn: () => Promise<unknown>): void =>
      void test(title, () =>
        databases.run(async () => {
          try {
            await fn();
          } finally {
            proxy.fatal = null;
          }
          // The pool heals: the next ones get new connections.
          assert.ok((await Tag.count()) > 0);
          assert.ok((await atomic(() => Tag.count())) > 0);
          assert.deepEqual(databases.get().holdings.list(), []);
        }),
      );
    const lost = { code: 'SBY_DB_LOST', name: 'OperationalError', message: /"default" was lost/ };

    within('at BEGIN', async () => {
      proxy.fatal = { text: 'BEGIN', when: 'before' };
      await assert.rejects(
        atomic(() => Tag.create({ name: 'begin' })),
        lost,
      );
      assert.deepEqual(await names('begin'), []);
    });
    within('in a statement, before it arrived', async () => {
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'statement 1' });
          proxy.fatal = { text: 'statement 2', when: 'before' };
          await Tag.create({ name: 'statement 2' });
        }),
        lost,
      );
      assert.deepEqual(await names('statement'), []);
    });
    within('in a statement, before its answer; the block may go on, and is told', async () => {
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'answer 1' });
          proxy.fatal = { text: 'answer 2', when: 'after' };
          await assert.rejects(Tag.create({ name: 'answer 2' }), lost);
          await Tag.create({ name: 'answer 3' });
        }),
        { code: 'SBY_DB_TRANSACTION_BROKEN' },
      );
      assert.deepEqual(await names('answer'), []);
    });
    within('at COMMIT, before it arrived: nothing was done', async () => {
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'commit, before' });
          proxy.fatal = { text: 'COMMIT', when: 'before' };
        }),
        lost,
      );
      assert.deepEqual(await names('commit, before'), []);
    });
    within(
      'at COMMIT, before its answer: all was done, and the error says that this is not known',
      async () => {
        await assert.rejects(
          atomic(
            async () => {
              await Tag.create({ name: 'commit, after 1' });
              await Tag.create({ name: 'commit, after 2' });
              proxy.fatal = { text: 'COMMIT', when: 'after' };
            },
            // Not run again: it may have been committed.
            { retries: 3 },
          ),
          lost,
        );
        // The server may still be at it.
        while ((await names('commit, after')).length === 1)
          await new Promise((resolve) => setImmediate(resolve));
        const left = (await names('commit, after')).length;
        assert.ok(left === 2 || left === 0);
      },
    );
    within('a statement that stands alone', async () => {
      proxy.fatal = { text: 'alone', when: 'before' };
      await assert.rejects(Tag.create({ name: 'alone' }), lost);
      proxy.fatal = null;
      assert.deepEqual(await names('alone'), []);
    });
    within('idle: nobody notices', async () => {
      await Tag.count();
      proxy.cut();
      // The loop has to hear of it.
      while ((databases.get().statistics()['connections'] as number) > 0)
        await new Promise((resolve) => setImmediate(resolve));
      assert.ok((await Tag.count()) > 0);
    });
    within('the server ends the session (pg_terminate_backend)', async () => {
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'killed' });
          const { rows } = await (await import('sobaya/db'))
            .executorFor('default')
            .execute('SELECT pg_backend_pid()');
          await direct.get().execute('SELECT pg_terminate_backend($1::int)', [rows[0]?.[0]]);
          await Tag.create({ name: 'killed too' });
        }),
        { code: 'SBY_DB_LOST' },
      );
      assert.deepEqual(await names('killed'), []);
    });
    within('the server is away for a while: those who ask meanwhile wait for it', async () => {
      proxy.refusing = true;
      proxy.cut();
      while ((databases.get().statistics()['connections'] as number) > 0)
        await new Promise((resolve) => setImmediate(resolve));
      const answers = [1, 2, 3].map(() => Tag.count());
      const back = setTimeout(() => {
        proxy.refusing = false;
      }, 60);
      for (const count of await Promise.all(answers)) assert.ok(count > 0);
      clearTimeout(back);
    });
  });

test('SQLite: the thread ends in a transaction, nothing of it is done and the next one has a new thread', async () => {
  const threads: Worker[] = [];
  const note = (worker: Worker): void => void threads.push(worker);
  process.on('worker', note);
  const databases = await openShop(await file.url());
  process.off('worker', note);
  try {
    await databases.run(async () => {
      const go = new Event();
      const block = createTask(() =>
        atomic(async () => {
          await Tag.create({ name: 'thread 1' });
          go.set();
          await Tag.create({ name: 'thread 2' });
          await Promise.all(threads.map((worker) => worker.terminate()));
          await Tag.create({ name: 'thread 3' });
        }),
      );
      const waiting = createTask(async () => {
        await go.wait();
        await Tag.create({ name: 'waited' });
      });
      await assert.rejects(async () => await block, { code: 'SBY_DB_LOST', name: 'OperationalError' });
      await waiting;
      assert.deepEqual(
        (await Tag.filter({ name__startswith: 'thread' })).length +
          (await Tag.filter({ name: 'waited' })).length,
        1,
      );
      await atomic(() => Tag.create({ name: 'goes on' }));
    });
  } finally {
    await databases.close();
    await file.drop();
  }
});
