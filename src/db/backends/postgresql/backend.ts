import { fault } from '../../../errors/index.ts';
import type { Deconstructed } from '../../typing/fields.ts';
import type { Answer, Backend, Connection } from '../base.ts';
import { postgresDialect, postgresFeatures } from './dialect.ts';
import { columnType } from './types.ts';

export interface PostgresOptions {
  readonly engine: 'postgresql';
  readonly url: string;
}

export class PostgresBackend implements Backend {
  readonly vendor = 'postgresql' as const;
  readonly alias: string;
  readonly features = postgresFeatures;
  readonly dialect = postgresDialect;
  readonly target: string;

  constructor(alias: string, options: PostgresOptions) {
    this.alias = alias;
    this.target = options.url.replace(/\/\/[^@/]*@/, '//…@');
  }
  #missing(): never {
    throw fault('SBY_DB_UNSUPPORTED', { what: 'This connection', engine: 'postgresql', fix: '' });
  }
  async open(): Promise<void> {
    this.#missing();
  }
  async close(): Promise<void> {}
  execute<T = Answer>(): Promise<T> {
    this.#missing();
  }
  query(): Promise<Answer> {
    this.#missing();
  }
  script(): Promise<void> {
    this.#missing();
  }
  connect(): Promise<Connection> {
    this.#missing();
  }
  columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string {
    return columnType(field, related);
  }
  quote(name: string): string {
    return postgresDialect.quote(name);
  }
  statistics(): Record<string, number> {
    return {};
  }
}
