/**
 * Opens the shop: brings the database up to date, fills it if it is empty, serves it.
 *
 *     npm start
 *     npm start -- --port 8001
 */
import { parseArgs } from 'node:util';
import { MigrationExecutor, MigrationLoader } from 'sobaya/db/migrations';
import { isSobayaError } from 'sobaya/errors';
import { serve } from 'sobaya/server';
import { application } from './app.ts';
import { seed } from './seed.ts';

async function migrate(): Promise<void> {
  const { apps, databases } = application;
  if (databases === null) return;
  const loader = await MigrationLoader.load(apps);
  await new MigrationExecutor(databases, loader).migrate({
    onEvent: (event) => {
      if (event.type === 'done') console.log(`  migrated: ${event.step.migration.key}`);
    },
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string' }, host: { type: 'string' } } });
  await application.run(async () => {
    await migrate();
    await seed();
  });
  const server = await serve(application, {
    port: Number(values.port ?? process.env['PORT'] ?? 8000),
    host: values.host ?? '127.0.0.1',
  });
  console.log(`\n  The soba shop is open: ${server.url}`);
  if (application.debug) console.log(`  What its requests did:  ${server.url}/__xray__/`);
  console.log('  Ctrl-C closes it.\n');
  const close = (): void => void server.close();
  process.once('SIGINT', close).once('SIGTERM', close);
  await server.closed;
}

try {
  await main();
} catch (error) {
  // What people can mend themselves needs no stack: the message says what to do.
  console.error(isSobayaError(error) ? `\n  ${error.message}\n` : error);
  process.exitCode = 1;
}
