#!/usr/bin/env node
// Plain JavaScript that old versions can parse: its first job is to say so when Node is too old.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(`create-sobaya needs Node 24 or later, this is ${process.version}.`);
  process.exit(2);
}
const words = process.argv.slice(2);
const { execute } = await import('sobaya/cli');
process.exitCode = await execute(['startproject', ...(words.length === 0 ? ['soba'] : words)]);
