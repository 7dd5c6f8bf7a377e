import type { Client } from 'pg';
import { currentContext, runInContext, shield, sleep, Waiter } from '../../../asyncio/index.ts';
import { fault, isSobayaError } from '../../../errors/index.ts';
import type { Answer, Backend, Connection, Row, StatementShape } from '../base.ts';
import type { Holding } from '../holdings.ts';
import { PostgresBase, PostgresTransaction } from './common.ts';
import { postgresError, type ServerError } from './failures.ts';
import { Member, type Pg, Request } from './member.ts';

/** Statements on one connection at a time, when they stand alone. */
const DEPTH = 8;
const PROVING_RUNS = 3;
const SLOW_MS = 5;

class Turn extends Waiter {
  readonly go: (member: Member, waited: number) => void;
  readonly reject: (reason: unknown) => void;
  readonly exclusive: boolean;
  readonly since = performance.now();
  timer: NodeJS.Timeout | undefined;
  drop: (turn: Turn) => void = () => {};
  constructor(exclusive: boolean, go: Turn['go'], reject: (reason: unknown) => void) {
    super();
    this.exclusive = exclusive;
    this.go = go;
    this.reject = reject;
  }
  override onCancel(reason: unknown): void {
    clearTimeout(this.timer);
    this.drop(this);
    this.reject(reason);
  }
  override describe(): string {
    return 'a database connection';
  }
}

export class PostgresBackend extends PostgresBase implements Backend {
  #pg: Pg | null = null;
  readonly #members: Member[] = [];
  #connecting = 0;
  readonly #turns: Turn[] = [];
  readonly #held = new Map<Member, Holding>();
  #listener: { client: Client; channels: Map<string, Set<(payload: string) => void>> } | null = null;

  get #size(): number {
    return this.options.pool?.size ?? 10;
  }

  async open(): Promise<void> {
    if (this.state === 'open') return;
    try {
      const loaded = (await import('pg')) as unknown as { default?: Pg } & Pg;
      this.#pg = loaded.default ?? loaded;
    } catch (error) {
      throw fault('SBY_DB_MISSING_PEER', { engine: 'postgresql', packageName: 'pg' }, { cause: error });
    }
    this.state = 'open';
    try {
      this.#members.push(await this.#connect());
    } catch (error) {
      this.state = 'new';
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'closed';
    for (const turn of this.#turns.splice(0)) {
      clearTimeout(turn.timer);
      turn.unlink();
      turn.reject(fault('SBY_DB_CLOSED', { alias: this.alias }));
    }
    await Promise.all([
      ...this.#members.splice(0).map((member) => member.client.end().catch(() => {})),
      this.#listener?.client.end().catch(() => {}),
    ]);
    this.#listener = null;
  }

  #wrap(error: ServerError, sql: string): Error {
    if (isSobayaError(error)) return error;
    return postgresError(error, sql, this.alias, this.options.statementTimeout ?? 0);
  }

  #client(pipeline: boolean): Client {
    const { url, statementTimeout, applicationName } = this.options;
    const settings = ['-c timezone=UTC', '-c intervalstyle=postgres', '-c datestyle=ISO'];
    if (statementTimeout !== undefined) settings.push(`-c statement_timeout=${Math.trunc(statementTimeout)}`);
    return new (this.#pg as Pg).Client({
      connectionString: url,
      pipeline,
      application_name: applicationName ?? 'sobaya',
      options: settings.join(' '),
    });
  }

  async #connect(): Promise<Member> {
    const client = this.#client(true);
    const member: Member = new Member(
      this.#pg as Pg,
      client,
      (error, sql) => this.#wrap(error, sql),
      this.#idle,
      () => ({ host: client.host, port: client.port }),
    );
    client.on('error', (error) => this.#lost(member, error));
    client.on('end', () => this.#lost(member, new Error('the server closed the connection')));
    try {
      await client.connect();
    } catch (error) {
      await client.end().catch(() => {});
      throw fault(
        'SBY_DB_CANNOT_OPEN',
        {
          alias: this.alias,
          target: this.target,
          reason: (error as Error).message || (error as ServerError).code || 'no answer',
        },
        { cause: error },
      );
    }
    return member;
  }

  #lost(member: Member, error: Error): void {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
    this.#let(member);
    member.fail(error);
    if (this.#turns.length > 0) this.#grow();
  }

  /** One more connection, if the pool allows; tried again with growing pauses while somebody waits. */
  #grow(): void {
    if (this.state !== 'open' || this.#members.length + this.#connecting >= this.#size) return;
    this.#connecting++;
    void shield(async () => {
      for (let pause = 50; ; pause = Math.min(pause * 2, 2000)) {
        try {
          const member = await this.#connect();
          if (this.state !== 'open') {
            await member.client.end();
            return;
          }
          this.#members.push(member);
          this.#idle(member);
          return;
        } catch (error) {
          // Those who wait learn why once nothing is left that could serve them.
          if (this.#members.length === 0 && pause >= 400) {
            for (const turn of this.#turns.splice(0)) {
              clearTimeout(turn.timer);
              turn.unlink();
              turn.reject(error);
            }
          }
          if (this.#turns.length === 0 || this.state !== 'open') return;
          await sleep(pause);
        }
      }
    }).finally(() => {
      this.#connecting--;
    });
  }

  readonly #idle = (member: Member): void => {
    if (this.#turns.length === 0 || member.exclusive || member.lost || member.stopping) return;
    for (let i = 0; i < this.#turns.length; ) {
      const turn = this.#turns[i] as Turn;
      if (turn.exclusive && member.load > 0) {
        i++;
        continue;
      }
      this.#turns.splice(i, 1);
      clearTimeout(turn.timer);
      turn.unlink();
      turn.go(member, performance.now() - turn.since);
      if (turn.exclusive) return;
      if (member.load >= DEPTH) return;
    }
  };

  /** A connection for one statement: the least loaded; those known to be slow stay on a few of them. */
  #pick(shape: StatementShape | undefined): Member | null {
    const slow = shape === undefined || (shape.runs >= PROVING_RUNS && shape.mean > SLOW_MS);
    const count = this.#members.length;
    const reserved = count > 3 ? Math.ceil(count * 0.3) : 0;
    let best: Member | null = null;
    const from = slow || reserved === 0 ? 0 : reserved;
    const to = slow && reserved > 0 ? reserved : count;
    for (let i = from; i < to; i++) {
      const member = this.#members[i] as Member;
      if (member.exclusive || member.stopping || member.load >= DEPTH) continue;
      if (best === null || member.load < best.load) best = member;
      if (best.load === 0) return best;
    }
    if (best === null && (from > 0 || to < count))
      for (const member of this.#members)
        if (
          !member.exclusive &&
          !member.stopping &&
          member.load < DEPTH &&
          (best === null || member.load < best.load)
        )
          best = member;
    if (best === null || best.load > 0) this.#grow();
    return best;
  }

  #wait(exclusive: boolean, go: Turn['go'], reject: (reason: unknown) => void): void {
    if (this.state !== 'open') {
      reject(fault('SBY_DB_CLOSED', { alias: this.alias }));
      return;
    }
    if (this.#turns.length >= (this.options.pool?.queue ?? 1000)) {
      reject(fault('SBY_DB_POOL_FULL', { alias: this.alias, waiting: this.#turns.length }));
      return;
    }
    const turn = new Turn(exclusive, go, reject);
    turn.drop = (gone) => {
      const at = this.#turns.indexOf(gone);
      if (at >= 0) this.#turns.splice(at, 1);
    };
    const limit = this.options.pool?.timeout ?? 5000;
    turn.timer = setTimeout(() => {
      turn.drop(turn);
      turn.unlink();
      const holders = String(this.holdings);
      reject(fault('SBY_DB_POOL_TIMEOUT', { alias: this.alias, waited: limit, size: this.#size, holders }));
    }, limit);
    currentContext().scope.link(turn);
    this.#turns.push(turn);
    this.#grow();
  }

  #submit<T>(
    sql: string,
    params: readonly unknown[],
    shape: StatementShape | undefined,
    map: ((answer: Answer) => T) | undefined,
  ): Promise<T> {
    const { scope } = currentContext();
    return new Promise<T>((resolve, reject) => {
      if (scope.cancelled) return reject(scope.reason);
      if (this.state !== 'open') return reject(fault('SBY_DB_CLOSED', { alias: this.alias }));
      const request = new Request(
        sql,
        shape,
        map,
        this.options.prepare !== false,
        resolve as (value: never) => void,
        reject,
      );
      const go = (member: Member, waited: number): void => {
        request.waited = waited;
        scope.link(request);
        member.send(request, params);
      };
      const member = this.#pick(shape);
      if (member !== null) go(member, 0);
      else this.#wait(false, go, reject);
    });
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    return this.#submit(sql, params, shape, map);
  }
  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return this.#submit<Answer>(sql, params, undefined, undefined);
  }

  connect(): Promise<Connection> {
    const here = currentContext();
    const { scope } = here;
    return new Promise((resolve, reject) => {
      if (scope.cancelled) return reject(scope.reason);
      const take = (member: Member, waited: number): void => {
        member.exclusive = true;
        this.#held.set(
          member,
          runInContext(here, () => this.holdings.take()),
        );
        resolve(new PostgresConnection(member, waited, this.#release, this.options.prepare !== false));
      };
      for (const member of this.#members)
        if (!member.exclusive && member.load === 0 && !member.stopping) return take(member, 0);
      this.#wait(true, take, reject);
    });
  }

  readonly #release = (member: Member): void => {
    member.exclusive = false;
    this.#let(member);
    this.#idle(member);
  };
  #let(member: Member): void {
    const holding = this.#held.get(member);
    if (holding !== undefined) this.holdings.release(holding);
    this.#held.delete(member);
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    const connection = (await this.connect()) as PostgresConnection;
    try {
      await connection.begin({ readOnly: true });
      yield* connection.stream(sql, params, chunk);
      await connection.commit();
    } finally {
      connection.release();
    }
  }

  /** Calls `fn` for every NOTIFY on a channel, over a connection of its own that is renewed when lost. Gives a function that stops it. */
  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    if (this.#listener === null)
      this.#listener = { client: await this.#listening(new Map()), channels: new Map() };
    const { client, channels } = this.#listener;
    let set = channels.get(channel);
    if (set === undefined) {
      channels.set(channel, (set = new Set()));
      await client.query(`LISTEN ${this.quote(channel)}`);
    }
    set.add(fn);
    return async () => {
      set.delete(fn);
      if (set.size > 0 || this.#listener === null) return;
      channels.delete(channel);
      await this.#listener.client.query(`UNLISTEN ${this.quote(channel)}`);
    };
  }

  async #listening(known: ReadonlyMap<string, unknown>): Promise<Client> {
    const client = this.#client(false);
    client.on('notification', ({ channel, payload }) => {
      for (const fn of this.#listener?.channels.get(channel) ?? []) fn(payload ?? '');
    });
    client.on('error', () => {});
    client.on('end', () => {
      if (this.state === 'open' && this.#listener?.client === client) void this.#renew();
    });
    await client.connect();
    for (const channel of known.keys()) await client.query(`LISTEN ${this.quote(channel)}`);
    return client;
  }
  async #renew(): Promise<void> {
    for (
      let pause = 50;
      this.state === 'open' && this.#listener !== null;
      pause = Math.min(pause * 2, 5000)
    ) {
      try {
        const client = await this.#listening(this.#listener.channels);
        this.#listener = { client, channels: this.#listener.channels };
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pause).unref());
      }
    }
  }

  statistics(): Record<string, number> {
    return {
      connections: this.#members.length,
      connecting: this.#connecting,
      exclusive: this.#members.filter((member) => member.exclusive).length,
      running: this.#members.reduce((sum, member) => sum + member.load, 0),
      waiting: this.#turns.length,
    };
  }
}

/** A connection lent to one transaction. */
class PostgresConnection extends PostgresTransaction {
  readonly #member: Member;
  readonly #give: (member: Member) => void;
  readonly #prepare: boolean;
  #cursors = 0;

  constructor(member: Member, waited: number, give: (member: Member) => void, prepare: boolean) {
    super(waited);
    this.#member = member;
    this.#give = give;
    this.#prepare = prepare;
  }

  #send<T>(
    sql: string,
    params: readonly unknown[],
    shape: StatementShape | undefined,
    map: ((answer: Answer) => T) | undefined,
    shielded = false,
  ): Promise<T> {
    const { scope } = currentContext();
    return new Promise<T>((resolve, reject) => {
      if (!shielded && scope.cancelled) return reject(scope.reason);
      const request = new Request(sql, shape, map, this.#prepare, resolve as (value: never) => void, reject);
      if (!shielded) scope.link(request);
      this.#member.send(request, params);
    });
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    return this.#send(sql, params, shape, map);
  }
  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return this.#send<Answer>(sql, params, undefined, undefined);
  }
  async script(sql: string): Promise<void> {
    await this.#send(sql, [], undefined, undefined);
  }
  async control(sql: string): Promise<string> {
    return (await this.#send<Answer & { command: string }>(sql, [], undefined, undefined, true)).command;
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    const name = `sobaya_${++this.#cursors}`;
    await this.#send(`DECLARE ${name} NO SCROLL CURSOR FOR ${sql}`, params, undefined, undefined);
    try {
      for (;;) {
        const { rows } = await this.#send<Answer>(
          `FETCH FORWARD ${chunk} FROM ${name}`,
          [],
          undefined,
          undefined,
        );
        if (rows.length > 0) yield rows;
        if (rows.length < chunk) return;
      }
    } finally {
      await this.control(`CLOSE ${name}`).catch(() => {});
    }
  }

  protected giveBack(): void {
    const give = (): void => this.#give(this.#member);
    if (this.open && !this.#member.lost) void this.rollback().then(give, give);
    else give();
  }
}
