import { enableCompileCache } from 'node:module';

// Before anything else is imported: with Node's cache of compiled (and type-stripped) modules a start takes about a
// third of the time. NODE_DISABLE_COMPILE_CACHE=1 turns it off.
enableCompileCache();
const { execute } = await import('./command-line.ts');

// Not process.exit(): output to a pipe may still be on its way. A worker's channel to its supervisor, though, would
// keep a process that has nothing to do.
process.exitCode = await execute(process.argv.slice(2));
if (process.connected) process.exit();
