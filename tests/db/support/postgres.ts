import { execFileSync } from 'node:child_process';
import { Databases } from 'sobaya/db';

export interface TestServer {
  /** Why tests that need the server cannot run here; false when they can. */
  readonly skip: string | false;
  /** Makes a database of its own and gives its URL. */
  url(): Promise<string>;
  drop(): Promise<void>;
}

const base = process.env['SOBAYA_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432';

let reason: string | false | null = null;
function unreachable(): string | false {
  if (reason !== null) return reason;
  const { hostname, port } = new URL(base);
  try {
    execFileSync(
      process.execPath,
      [
        '-e',
        `require('node:net').connect(${Number(port || 5432)}, ${JSON.stringify(hostname)}).on('connect', function () { this.destroy() }).on('error', () => process.exit(1)).setTimeout(2000, () => process.exit(1))`,
      ],
      { stdio: 'ignore' },
    );
    reason = false;
  } catch {
    reason = `no PostgreSQL at ${hostname}:${port || 5432} (set SOBAYA_TEST_POSTGRES to use another one)`;
  }
  return reason;
}

/** A PostgreSQL database for one test file, or the reason why there is none. */
export function serverOrSkip(name: string): TestServer {
  const database = `sobaya_test_${name}_${process.pid}`;
  const admin = async (sql: string): Promise<void> => {
    const databases = await new Databases({ default: `${base}/postgres` }).open();
    try {
      await databases.get().script(sql);
    } finally {
      await databases.close();
    }
  };
  return {
    skip: unreachable(),
    async url() {
      await admin(`DROP DATABASE IF EXISTS ${database}`);
      await admin(`CREATE DATABASE ${database}`);
      return `${base}/${database}`;
    },
    drop: () => admin(`DROP DATABASE IF EXISTS ${database}`),
  };
}
