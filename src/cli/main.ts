import { execute } from './command-line.ts';

// Not process.exit(): output to a pipe may still be on its way.
process.exitCode = await execute(process.argv.slice(2));
