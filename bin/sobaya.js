#!/usr/bin/env node
// Plain JavaScript that old versions can parse: its first job is to say so when Node is too old.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `sobaya needs Node 24 or later, this is ${process.version}. Install a newer Node, or add the "node" package to devDependencies and run sobaya through an npm script.`,
  );
  process.exit(2);
}
await import('../dist/cli/main.js');
