/** A project in a folder of its own, and the command line run on it. */
import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class TestProject {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'sobaya-project-'));
    mkdirSync(join(this.folder, 'node_modules'));
    symlinkSync(resolve(import.meta.dirname, '../..'), join(this.folder, 'node_modules/sobaya'));
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  }

  /** Replaces the application: one app `shop` with these models, as source. */
  models(source: string, names: readonly string[]): this {
    return this.app(`import { defineApp, createApp } from 'sobaya';
import * as db from 'sobaya/db';
const { Model, text, integer, boolean, dateTime, foreignKey, manyToMany, oneToOne, many, decimal, json, uuid, date, slug } = db;
${source}
const shop = defineApp({ label: 'shop', models: [${names.join(', ')}], migrations: new URL('./shop/migrations/', import.meta.url) });
export const application = createApp({ apps: [shop], databases: { default: 'sqlite:${join(this.folder, 'db.sqlite3')}' } });
`);
  }

  app(source: string): this {
    writeFileSync(join(this.folder, 'app.ts'), source);
    return this;
  }

  /** `sobaya …` in a process of its own, without a terminal. */
  run(...argv: string[]): Promise<Outcome> {
    return this.runWith(argv);
  }

  runWith(argv: readonly string[], input = ''): Promise<Outcome> {
    const main = resolve(import.meta.dirname, '../../src/cli/main.ts');
    const args = ['--conditions=sobaya:source', main, ...argv, '--app', './app.ts'];
    return new Promise((done, reject) => {
      const child = execFile(process.execPath, args, { cwd: this.folder }, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        done({ code, out, err });
      });
      child.on('error', reject);
      child.stdin?.end(input);
    });
  }

  files(app = 'shop'): string[] {
    return readdirSync(join(this.folder, app, 'migrations')).sort();
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** The database, from outside. */
  sql(sql: string): unknown[][] {
    const database = new DatabaseSync(join(this.folder, 'db.sqlite3'));
    try {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement.all() as unknown as unknown[][];
    } finally {
      database.close();
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
