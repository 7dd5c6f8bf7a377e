import assert from 'node:assert/strict';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Connection, Pool, PostgresqlError } from 'sobaya/postgresql';
import { Framer } from '../../src/postgresql/protocol/framer.ts';
import { options, skip } from './database.ts';

const url = new URL(String(options.url));
const target = { host: url.hostname, port: Number(url.port || 5432) };

async function listening(server: Server, t: { after(fn: () => unknown): void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as { port: number }).port;
}

/** A server that answers each connection as `serve` says. */
async function fake(t: { after(fn: () => unknown): void }, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listening(
    createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      serve(socket);
    }),
    t,
  );
}

type Outcome = unknown;

/** One conversation with everything in it: describing, rows, errors, a transaction, a cursor, COPY both ways. */
async function converse(port: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const note = async (promise: Promise<unknown>): Promise<void> => {
    outcomes.push(
      await promise.then(
        (value) => value,
        (error) => {
          if (!(error instanceof PostgresqlError)) throw error;
          return error.sqlState || error.code;
        },
      ),
    );
  };
  const c = await Connection.connect({
    host: '127.0.0.1',
    port,
    user: url.username,
    database: options.database,
    sslmode: 'disable',
    connectTimeout: 5000,
  });
  try {
    await note(c.query("SELECT 1 AS a, 'é' AS b, NULL AS c, ARRAY[1,2] AS d").then((one) => one.rows));
    await note(c.query('SELECT 1 / $1::int AS x', [0]).then((one) => one.rows));
    await Promise.all([
      note(c.query('SELECT g FROM generate_series(1, 20) g').then((one) => one.rows.length)),
      note(c.query('SELEC').then((one) => one.rows)),
    ]);
    await note(c.script('SELECT 1; SELECT 2').then((all) => all.map((one) => one.rows)));
    await note(
      c.transaction(async (tx) => {
        const rows: unknown[] = [];
        for await (const row of tx.cursor('SELECT g FROM generate_series(1, 5) g', [], { batch: 2 }))
          rows.push(row);
        return rows;
      }),
    );
    await note(c.query('CREATE TEMP TABLE IF NOT EXISTS conv (a int)').then((one) => one.command));
    await note(c.copyFrom('COPY conv FROM STDIN', '1\n2\n'));
    const copied: string[] = [];
    await note(
      (async () => {
        for await (const chunk of c.copyTo('COPY conv TO STDOUT')) copied.push(chunk.toString());
        return copied;
      })(),
    );
  } finally {
    c.destroy();
  }
  return outcomes;
}

/** What the server sends in that conversation, cut where it waited for us. */
async function record(t: {
  after(fn: () => unknown): void;
}): Promise<{ answers: Buffer[]; outcomes: Outcome[] }> {
  const answers: Buffer[] = [];
  let pieces: Buffer[] = [];
  const port = await fake(t, (socket) => {
    const server = dial(target);
    socket.on('data', (chunk) => {
      if (pieces.length > 0) answers.push(Buffer.concat(pieces));
      pieces = [];
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      pieces.push(chunk);
      socket.write(chunk);
    });
    server.on('error', () => {});
    socket.on('close', () => server.destroy());
  });
  const outcomes = await converse(port);
  if (pieces.length > 0) answers.push(Buffer.concat(pieces));
  return { answers, outcomes };
}

describe('the stream of bytes', () => {
  test('cut into messages in the same way, wherever it was split', () => {
    const message = fc.tuple(fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (messages, cuts) => {
          const stream = Buffer.concat(
            messages.map(([type, body]) => {
              const head = Buffer.alloc(5);
              head[0] = type;
              head.writeInt32BE(body.length + 4, 1);
              return Buffer.concat([head, body]);
            }),
          );
          const seen: [number, Uint8Array][] = [];
          const framer = new Framer(
            (type, bytes, start, end) => seen.push([type, new Uint8Array(bytes.subarray(start, end))]),
            (problem) => assert.fail(problem),
          );
          let at = 0;
          for (let i = 0; at < stream.length; i++) {
            const next = Math.min(
              stream.length,
              at + (cuts.length > 0 ? cuts[i % cuts.length]! : stream.length),
            );
            framer.push(Buffer.from(stream.subarray(at, next)));
            at = next;
          }
          assert.deepEqual(
            seen,
            messages.map(([type, body]) => [type, new Uint8Array(body)]),
          );
          assert.equal(framer.pending, 0);
        },
      ),
    );
  });

  test('garbage ends in a report, never in an exception or in memory that was only announced', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 30 }), (chunks) => {
        let reports = 0;
        const framer = new Framer(
          () => {},
          () => reports++,
        );
        for (const chunk of chunks) framer.push(Buffer.from(chunk));
        assert.ok(reports <= 1);
        assert.ok(framer.pending <= chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      }),
    );
  });
});

describe('a recorded conversation', { skip }, () => {
  test('comes out the same whatever pieces it arrives in, and fails cleanly cut at any byte', async (t) => {
    const { answers, outcomes } = await record(t);
    assert.deepEqual(outcomes.slice(0, 3), [[{ a: 1, b: 'é', c: null, d: [1, 2] }], '22012', 20]);
    assert.deepEqual(outcomes.slice(-2), [2, ['1\n', '2\n']]);
    const total = answers.reduce((sum, one) => sum + one.length, 0);
    // Sends the recorded answers, one for each thing that the client says, until `limit` bytes are out.
    let limit = total;
    let pieces = total;
    const port = await fake(t, (socket) => {
      let next = 0;
      let left = limit;
      const most = pieces;
      const write = async (answer: Buffer): Promise<void> => {
        for (let at = 0; at < answer.length && left > 0; ) {
          const size = Math.min(most, answer.length - at, left);
          socket.write(answer.subarray(at, at + size));
          at += size;
          left -= size;
          if (most < 100) await new Promise((resolve) => setImmediate(resolve));
        }
        if (left <= 0 && limit < total) socket.destroy();
      };
      let writing = Promise.resolve();
      socket.setNoDelay(true);
      if (left <= 0) socket.destroy();
      socket.on('data', () => {
        const answer = answers[next++];
        if (answer !== undefined) writing = writing.then(() => write(answer));
      });
    });
    for (pieces of [1, 2, 3, 7, 50])
      assert.deepEqual(await converse(port), outcomes, `in pieces of ${pieces}`);
    pieces = total;
    for (limit = 0; limit < total; limit += limit < 700 ? 1 : 7) {
      const got = await converse(port).catch((error) => {
        assert.ok(error instanceof PostgresqlError, `cut at ${limit}: ${error}`);
        return [];
      });
      // What was answered before the cut is right; nothing after it is made up.
      for (const [i, one] of got.entries())
        if (typeof one !== 'string' || !one.startsWith('SBY_'))
          assert.deepEqual(one, outcomes[i], `cut at ${limit}`);
    }
  });
});

describe('servers that are none', () => {
  const refusals: [string, (socket: Socket) => void, RegExp][] = [
    [
      'that speak HTTP',
      (s) => void s.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /broke the protocol: a message of type "H" with length 1414811695/,
    ],
    ['that say nothing', () => {}, /within 150 ms; it was waiting for the answer to the start-up message/],
    ['that hang up', (s) => void s.end(), /lost: the server closed the connection/],
    [
      'that begin a session unasked',
      (s) => void s.write(Buffer.from([90, 0, 0, 0, 5, 73])),
      /the session began without an authentication/,
    ],
    [
      'that ask for Kerberos',
      (s) => void s.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 2])),
      /Kerberos V5, which is not supported/,
    ],
    [
      'that announce a gigabyte',
      (s) => void s.write(Buffer.from([82, 0x3f, 0, 0, 0])),
      /a message of type "R" with length 1056964608/,
    ],
    [
      'that send a negative length',
      (s) => void s.write(Buffer.from([82, 255, 0, 0, 0, 0])),
      /with length -16777216/,
    ],
    [
      'that send rows unasked',
      (s) => void s.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 0, 122, 0, 0, 0, 4])),
      /an unknown message of type "z"/,
    ],
    [
      'that skip SCRAM',
      (s) => {
        s.write(Buffer.from('R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0', 'latin1'));
        s.once('data', () => s.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 0])));
      },
      /the server let us in without proving that it knows the password/,
    ],
  ];
  for (const [name, serve, expected] of refusals) {
    test(name, async (t) => {
      const port = await fake(t, (socket) => {
        socket.once('data', () => serve(socket));
      });
      await assert.rejects(
        Connection.connect({
          host: '127.0.0.1',
          port,
          user: 'x',
          password: 'y',
          sslmode: 'disable',
          connectTimeout: 150,
        }),
        (error: Error) => {
          assert.ok(error instanceof PostgresqlError, String(error));
          assert.match(error.message, expected);
          return true;
        },
      );
    });
  }

  test('that put text in front of TLS', async (t) => {
    const port = await fake(t, (socket) => {
      socket.once('data', () => socket.write('SSELECT'));
    });
    await assert.rejects(Connection.connect({ host: '127.0.0.1', port, user: 'x', sslmode: 'require' }), {
      code: 'SBY_POSTGRESQL_PROTOCOL',
      message: /unencrypted data behind the answer to the request for TLS/,
    });
  });

  test('that have no TLS, where it is required', async (t) => {
    const port = await fake(t, (socket) => {
      socket.once('data', () => socket.write('N'));
    });
    await assert.rejects(Connection.connect({ host: '127.0.0.1', port, user: 'x', sslmode: 'require' }), {
      message: `No secure connection: the server does not support TLS (127.0.0.1:${port}). Give the authority as sslrootcert (or tls: { ca }), or choose another sslmode`,
    });
  });

  test('that are starting up, for a pool: everybody waiting is told', async (t) => {
    const port = await fake(t, (socket) => {
      socket.once('data', () => {
        const body = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
        const head = Buffer.from([69, 0, 0, 0, body.length + 4]);
        socket.end(Buffer.concat([head, body]));
      });
    });
    const pool = new Pool({ host: '127.0.0.1', port, user: 'x', sslmode: 'disable' });
    t.after(() => pool.close());
    const settled = await Promise.allSettled([pool.query('SELECT 1'), pool.transaction(() => 1)]);
    assert.deepEqual(
      settled.map((one) => one.status === 'rejected' && [one.reason.sqlState, one.reason.retryable]),
      [
        ['57P03', true],
        ['57P03', true],
      ],
    );
  });
});
