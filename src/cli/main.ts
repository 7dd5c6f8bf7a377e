import { execute } from './command-line.ts';

// Not process.exit(): output to a pipe may still be on its way. A worker's channel to its supervisor, though, would
// keep a process that has nothing to do.
process.exitCode = await execute(process.argv.slice(2));
if (process.connected) process.exit();
