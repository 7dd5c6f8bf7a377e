/** The shop on a database of its own, migrated and filled: for the tests of this folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MigrationExecutor, MigrationLoader } from 'sobaya/db/migrations';

export async function openShop(): Promise<{
  application: typeof import('../../examples/soba_shop/app.ts')['application'];
  remove: () => void;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'soba-shop-'));
  process.env['DATABASE_URL'] = `sqlite:${join(folder, 'db.sqlite3')}`;
  const { application } = await import('../../examples/soba_shop/app.ts');
  const { seed } = await import('../../examples/soba_shop/seed.ts');
  await application.run(async () => {
    const loader = await MigrationLoader.load(application.apps);
    if (application.databases !== null) await new MigrationExecutor(application.databases, loader).migrate();
    await seed();
    await seed(); // a second time changes nothing
  });
  return { application, remove: () => rmSync(folder, { recursive: true }) };
}

/** The hidden token of a page's form. */
export function csrfOf(html: string): string {
  return /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(html)?.[1] ?? '';
}
