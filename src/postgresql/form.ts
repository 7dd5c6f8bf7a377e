import { hash } from 'node:crypto';
import { fault } from '../errors/index.ts';
import type { Description } from './decoder.ts';

/** A statement by its text: what all connections of a pool know about it. */
export class Form {
  readonly sql: string;
  /** Null until a server has described it, and after its result changed. */
  description: Description | null = null;
  /** What one run costs in the server, in milliseconds, as far as that can be seen from here. */
  ms = 0;
  runs = 0;
  usedAt = 0;
  #tag: string | null = null;

  constructor(sql: string) {
    this.sql = sql;
  }

  /** Tells texts apart in the names of prepared statements. */
  get tag(): string {
    this.#tag ??= hash('sha256', this.sql, 'base64url').slice(0, 16);
    return this.#tag;
  }

  /** A fall is believed at once, half of it, a rise slowly: our own event loop may have been late. */
  measured(ms: number): void {
    if (this.runs++ === 0) this.ms = ms;
    else this.ms += (ms - this.ms) * (ms < this.ms ? 0.5 : 0.1);
  }
}

/** What cannot be sent as a statement: no text, or text that would end in its middle. */
export function checkSql(sql: unknown): asserts sql is string {
  if (typeof sql !== 'string')
    throw fault('SBY_POSTGRESQL_BAD_SQL', { problem: 'it is no text', fix: 'Give SQL as a string' });
  if (sql.includes('\0'))
    throw fault('SBY_POSTGRESQL_BAD_SQL', {
      problem: 'it contains a NUL character',
      fix: 'Pass values as parameters, and remove the character',
    });
}

/** The statements that were used lately. Texts with values inside of them must not fill the memory. */
export class Forms {
  readonly #limit: number;
  readonly #bySql = new Map<string, Form>();
  #tick = 0;

  constructor(limit = 2048) {
    this.#limit = limit;
  }

  get(sql: string): Form {
    let form = this.#bySql.get(sql);
    if (form === undefined) {
      checkSql(sql);
      form = new Form(sql);
      this.#bySql.set(sql, form);
      if (this.#bySql.size > this.#limit) this.#evict();
    }
    form.usedAt = ++this.#tick;
    return form;
  }

  /** Everything has to be described anew. */
  reset(): void {
    for (const form of this.#bySql.values()) form.description = null;
  }

  /** Drops the half that was used least lately; rare, so that each use costs only a number. */
  #evict(): void {
    const uses = [...this.#bySql.values()].map((form) => form.usedAt).sort((a, b) => a - b);
    const middle = uses[uses.length >> 1] as number;
    for (const [sql, form] of this.#bySql) if (form.usedAt < middle) this.#bySql.delete(sql);
  }
}
