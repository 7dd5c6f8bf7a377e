/**
 * Tries the package as its users get it: packs, installs the tarball into an empty project, imports every
 * subpath under Node, runs the command, and type-checks a user's program against the declarations with every
 * compiler that is supported. Run by `npm run package`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const compilers = join(root, 'tests/package/compilers');
const folder = mkdtempSync(join(tmpdir(), 'sobaya-package-'));

function command(file: string, args: string[], cwd: string): string {
  const result = spawnSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.status === 0) return result.stdout;
  console.error(`${file} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}

try {
  const packed = JSON.parse(command('npm', ['pack', '--json', '--pack-destination', folder], root));
  const list: { filename: string; files: { path: string }[] }[] = Array.isArray(packed)
    ? packed
    : Object.values(packed);
  const tarball = list[0];
  if (tarball === undefined) throw new Error('npm pack printed no tarball');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  const paths = new Set(tarball.files.map((file) => file.path));
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    for (const file of typeof target === 'string' ? [target] : Object.values(target)) {
      if (!paths.has(file.replace(/^\.\//, '')))
        throw new Error(`package.json exports ${subpath} as ${file}, which is not in the package`);
    }
  }

  cpSync(join(root, 'tests/package/user'), folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ name: 'user', private: true, type: 'module' }, null, 2)}\n`,
  );
  const install = ['install', '--no-audit', '--no-fund', '--prefer-offline'];
  command('npm', [...install, join(folder, tarball.filename), '@types/node@26'], folder);

  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'));
  const names = subpaths.map((path) => `sobaya${path.slice(1)}`);
  writeFileSync(join(folder, 'imports.mjs'), names.map((name) => `await import('${name}');`).join('\n'));
  command(process.execPath, ['imports.mjs'], folder);
  command(process.execPath, ['node_modules/sobaya/bin/sobaya.js', '--help'], folder);
  command(process.execPath, ['program.ts'], folder);

  command('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--prefix', compilers], root);
  const tscs = {
    '7': join(root, 'node_modules/typescript/bin/tsc'),
    '6': join(compilers, 'node_modules/typescript-6/bin/tsc'),
    '5.9': join(compilers, 'node_modules/typescript-5/bin/tsc'),
  };
  for (const [version, tsc] of Object.entries(tscs)) {
    if (!existsSync(tsc)) throw new Error(`TypeScript ${version} is not installed at ${tsc}`);
    command(process.execPath, [tsc, '-p', 'tsconfig.json'], folder);
    console.log(`package: a user's program type-checks with TypeScript ${version}`);
  }

  // The test kit under another runner.
  const vitest = join(folder, 'vitest');
  cpSync(join(root, 'tests/package/vitest'), vitest, { recursive: true });
  command('npm', [...install, join(folder, tarball.filename)], vitest);
  command('npx', ['--no-install', 'vitest', 'run'], vitest);
  console.log('package: the test kit works under Vitest');

  // `npm create sobaya`, from packed files: what npm would do is install create-sobaya somewhere and run it.
  const [creator] = JSON.parse(
    command('npm', ['pack', '--json', '--pack-destination', folder], join(root, 'packages/create-sobaya')),
  ) as { filename: string }[];
  if (creator === undefined) throw new Error('npm pack printed no tarball of create-sobaya');
  command('npm', [...install, join(folder, creator.filename)], folder);
  command(
    join(folder, 'node_modules/.bin/create-sobaya'),
    ['noodle', '--sobaya', `file:../${tarball.filename}`],
    folder,
  );
  const noodle = join(folder, 'noodle');
  command('npm', install, noodle);
  command('npm', ['test'], noodle);
  command('npm', ['run', 'types'], noodle);
  command('npx', ['--no-install', 'sobaya', 'check'], noodle);
  console.log(
    'package: npm create sobaya makes a project that passes its test, compiles and has no findings',
  );
  console.log(`package: ${names.length} subpaths import, the command answers, ${paths.size} files`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
