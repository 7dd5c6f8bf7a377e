/** Migrates a database and kills itself at the given point. Started by killed.test.ts. */
import { Databases } from '../../src/db/index.ts';
import { MigrationExecutor, MigrationLoader } from '../../src/db/migrations/index.ts';
import { history, watched } from './killed-history.ts';

const [url = '', point = ''] = process.argv.slice(2);
const at = Number(point);
let passed = 0;
const databases = await new Databases({ default: url }).open();
watched(databases.get(), async () => {
  if (passed++ === at) process.kill(process.pid, 'SIGKILL');
});
await new MigrationExecutor(databases, MigrationLoader.of(history)).migrate();
await databases.close();
