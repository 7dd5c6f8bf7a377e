/** What compiles with `sobaya/postgresql`, and what does not. */
import { type Codec, Connection, Pool, type Result, type Transaction } from 'sobaya/postgresql';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<T extends true>(): T | undefined {
  return undefined;
}

declare const pool: Pool;
declare const connection: Connection;

export async function accepted(): Promise<void> {
  const untyped = await pool.query('SELECT 1');
  is<Equal<typeof untyped, Result<Record<string, unknown>>>>();
  const typed = await connection.query<{ id: number }>('SELECT 1 AS id', [1, 'x', null]);
  is<Equal<typeof typed.rows, { id: number }[]>>();
  const made = await pool.execute('SELECT 1', [], { row: (id: number) => ({ id }) });
  is<Equal<typeof made, { id: number }[]>>();
  class Author {
    readonly id: number;
    constructor(id: number) {
      this.id = id;
    }
  }
  const authors = await pool.execute('SELECT 1', [], { construct: Author });
  is<Equal<typeof authors, Author[]>>();
  const count = await pool.execute('SELECT 1', [], { row: 'array' }, (result) => result.count);
  is<Equal<typeof count, number>>();
  const value = await pool.transaction(async (tx) => {
    is<Equal<typeof tx, Transaction>>();
    return 'x' as const;
  });
  is<Equal<typeof value, 'x'>>();
  for await (const row of pool.cursor<{ id: number }>('SELECT 1 AS id'))
    is<Equal<typeof row, { id: number }>>();
  const codec: Codec<bigint> = { decode: BigInt, encode: String };
  new Pool({ types: { int8: codec, money: codec, timestamptz: 'iso' } });
}

export async function refused(): Promise<void> {
  // @ts-expect-error: SQL is text
  await pool.query(5);
  // @ts-expect-error: parameters are a list
  await pool.query('SELECT $1', 5);
  // @ts-expect-error: rows are unknown until their type is given
  (await pool.query('SELECT 1 AS id')).rows[0]!.id.toFixed();
  // @ts-expect-error: a transaction takes a function
  await pool.transaction(Promise.resolve());
  // @ts-expect-error: there is no such isolation level
  await pool.transaction(async () => {}, { isolation: 'chaos' });
  // @ts-expect-error: there is no such mode
  new Pool({ types: { int8: 'float' } });
  // @ts-expect-error: there is no such option
  new Pool({ sice: 5 });
  // @ts-expect-error: a codec needs both directions
  const half: Codec<number> = { decode: Number };
  // @ts-expect-error: COPY takes text or bytes
  await pool.copyFrom('COPY t FROM STDIN', [1]);
  // @ts-expect-error: a connection is made by connect()
  new Connection();
  return void half;
}
