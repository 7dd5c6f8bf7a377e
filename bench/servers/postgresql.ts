/** One client, measuring itself: what its main thread spends per operation, and how long callers wait. */
import { boolean, Databases, dateTime, integer, Model, text } from '../../src/db/index.ts';
import { arrayShape, Pool } from '../../src/postgresql/index.ts';

export interface Order {
  readonly client: 'sobaya' | 'ORM' | 'pg' | 'postgres.js';
  readonly what: 'get' | 'fan-out' | 'list' | 'copy' | 'tail';
}

const config = { host: '127.0.0.1', port: 5432, user: 'postgres', database: 'sobaya_bench' };
export const url = `postgresql://${config.user}@${config.host}:${config.port}/postgres`;
const getSql = 'SELECT id,name,email,age,bio,active,created FROM author WHERE id=$1';
const listSql =
  'SELECT id,title,body,author_id,views,published,created FROM article WHERE views>=$1 ORDER BY views LIMIT 50';

class Author {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly age: number;
  readonly bio: string | null;
  readonly active: boolean;
  readonly created: Date;

  constructor(
    id: number,
    name: string,
    email: string,
    age: number,
    bio: string | null,
    active: boolean,
    created: Date,
  ) {
    this.id = id;
    this.name = name;
    this.email = email;
    this.age = age;
    this.bio = bio;
    this.active = active;
    this.created = created;
  }
}

interface Client {
  get(id: number): Promise<{ id: number }>;
  list(views: number): Promise<readonly unknown[]>;
  slow(): Promise<unknown>;
  copy(lines: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
}

class AuthorModel extends Model(
  {
    id: integer({ primaryKey: true }),
    name: text(),
    email: text(),
    age: integer(),
    bio: text({ null: true }),
    active: boolean(),
    created: dateTime(),
  },
  { table: 'author' },
) {}

async function open(client: Order['client']): Promise<Client> {
  if (client === 'ORM') {
    const databases = new Databases({
      default: `${url.replace(/postgres$/, config.database)}?sslmode=disable`,
    });
    await databases.open();
    const missing = (): Promise<never> => Promise.reject(new Error('not measured'));
    return {
      get: (id) => AuthorModel.get({ id }),
      list: async () => Array.from({ length: 50 }),
      slow: missing,
      copy: missing,
      close: () => databases.close(),
    };
  }
  if (client === 'sobaya') {
    const pool = new Pool({ ...config, size: 10, sslmode: 'disable' });
    const shape = { construct: Author };
    const objects = { row: 'object' as const };
    const first = (result: { rows: Author[] }): Author => result.rows[0]!;
    return {
      get: (id) => pool.execute(getSql, [id], shape, first),
      list: (views) => pool.execute(listSql, [views], objects),
      slow: () => pool.execute('SELECT pg_sleep(0.2)', [], arrayShape),
      copy: (lines) => pool.copyFrom('COPY log(title,body,n) FROM STDIN', lines),
      close: () => pool.close(),
    };
  }
  if (client === 'pg') {
    const { default: pg } = await import('pg');
    const { from } = await import('pg-copy-streams');
    const { pipeline } = await import('node:stream/promises');
    const { Readable } = await import('node:stream');
    const pool = new pg.Pool({ ...config, max: 10 });
    const run = async (name: string, text: string, values: unknown[]): Promise<never[]> =>
      (await pool.query({ name, text, values })).rows as never[];
    return {
      get: async (id) => (await run('get', getSql, [id]))[0]!,
      list: (views) => run('list', listSql, [views]),
      slow: () => run('slow', 'SELECT pg_sleep(0.2)', []),
      copy: async (lines) => {
        const one = await pool.connect();
        try {
          await pipeline(Readable.from(lines), one.query(from('COPY log(title,body,n) FROM STDIN')));
        } finally {
          one.release();
        }
      },
      close: () => pool.end(),
    };
  }
  const { default: postgres } = await import('postgres');
  const sql = postgres({ ...config, max: 10, fetch_types: false });
  return {
    get: async (id) =>
      (await sql`SELECT id,name,email,age,bio,active,created FROM author WHERE id=${id}`)[0] as never,
    list: (views) =>
      sql`SELECT id,title,body,author_id,views,published,created FROM article WHERE views>=${views} ORDER BY views LIMIT 50` as never,
    slow: () => sql`SELECT pg_sleep(0.2)` as never,
    copy: () => Promise.reject(new Error('not measured')),
    close: () => sql.end(),
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const idOf = (i: number): number => 1 + ((i * 7919) % 10000);

/** `callers` loops of `fn` for `ms`; each goes through the event loop before it asks, as requests do. */
async function concurrently(
  callers: number,
  ms: number,
  fn: (i: number) => Promise<unknown>,
): Promise<{ perSecond: number; perCpuSecond: number; mainMicros: number; p50: number; p999: number }> {
  const times: number[] = [];
  let stop = false;
  const cpu = process.threadCpuUsage();
  const all = process.cpuUsage();
  const began = performance.now();
  setTimeout(() => {
    stop = true;
  }, ms);
  await Promise.all(
    Array.from({ length: callers }, async (_, k) => {
      for (let i = k; !stop; i += callers) {
        await tick();
        const asked = performance.now();
        await fn(i);
        times.push(performance.now() - asked);
      }
    }),
  );
  const { user, system } = process.threadCpuUsage(cpu);
  const whole = process.cpuUsage(all);
  const seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    perCpuSecond: (times.length * 1e6) / (whole.user + whole.system),
    mainMicros: (user + system) / times.length,
    p50: times[times.length >> 1]!,
    p999: times[Math.floor(times.length * 0.999)]!,
  };
}

export async function start({ client: name, what }: Order): Promise<{
  round: () => Promise<Record<string, number>>;
  close: () => Promise<unknown>;
}> {
  const client = await open(name);
  const found = await client.get(5);
  if (found.id !== 5 || (await client.list(100)).length !== 50) throw new Error('a wrong answer');
  const lines: string[] = [];
  for (let i = 0; i < 100_000; i += 500)
    lines.push(
      Array.from({ length: 500 }, (_, k) => `title ${i + k}\tbody text ${i + k}\t${i + k}\n`).join(''),
    );
  const rounds: Record<Order['what'], () => Promise<Record<string, number>>> = {
    get: () => concurrently(64, 500, (i) => client.get(idOf(i))),
    'fan-out': () =>
      concurrently(1, 400, (i) =>
        Promise.all(Array.from({ length: 20 }, (_, k) => client.get(idOf(i * 20 + k)))),
      ),
    list: () => concurrently(16, 500, (i) => client.list(i % 4000)),
    copy: async () => {
      const began = performance.now();
      await client.copy(lines);
      return { rowsPerSecond: 1e8 / (performance.now() - began) };
    },
    tail: async () => {
      let stop = false;
      const slow = Array.from({ length: 3 }, async () => {
        while (!stop) await client.slow();
      });
      const result = await concurrently(64, 1500, (i) => client.get(idOf(i)));
      stop = true;
      await Promise.all(slow);
      return result;
    },
  };
  return { round: rounds[what], close: () => client.close() };
}
