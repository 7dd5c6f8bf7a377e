import { randomBytes } from 'node:crypto';

export type Files = Readonly<Record<string, string>>;

/** Imports inside the texts below are the new project's, not ours: spelled so that the check of rooms does not take them for ours. */
const from = 'from';

/** The files of a new project, by path. `sobaya` is the version, or the file, that it depends on. */
export function projectFiles(name: string, sobaya: string): Files {
  return {
    'package.json': `${JSON.stringify(
      {
        name,
        version: '0.0.0',
        private: true,
        type: 'module',
        engines: { node: '>=24' },
        sobaya: { application: './app.ts:application' },
        scripts: {
          start: 'sobaya runserver',
          test: 'node --test',
          types: 'tsc',
          migrate: 'sobaya migrate',
        },
        dependencies: { sobaya },
        devDependencies: { '@types/node': '^26.0.0', node: '^26.0.0', typescript: '^7.0.0' },
        allowScripts: { node: true },
      },
      null,
      2,
    )}\n`,
    'tsconfig.json': `${JSON.stringify(
      {
        compilerOptions: {
          target: 'esnext',
          module: 'nodenext',
          lib: ['esnext'],
          types: ['node'],
          strict: true,
          noUncheckedIndexedAccess: true,
          verbatimModuleSyntax: true,
          erasableSyntaxOnly: true,
          allowImportingTsExtensions: true,
          skipLibCheck: true,
          noEmit: true,
        },
      },
      null,
      2,
    )}\n`,
    '.gitignore': 'node_modules/\n*.sqlite3\n*.sqlite3-*\n.env\nbuild/\n',
    '.env': `SECRET_KEY=${randomBytes(32).toString('base64url')}\n`,
    'app.ts': `import { existsSync } from 'node:fs';
import { createApp, path } from 'sobaya';
import { compression, csrf, hostCheck, securityHeaders } from 'sobaya/middleware';
import { home } ${from} './views.ts';

if (existsSync('.env')) process.loadEnvFile('.env');

export const urls = [path('', home, { name: 'home' })] as const;

export const application = createApp({
  urls,
  apps: [],
  middleware: [securityHeaders(), hostCheck(), compression(), csrf()],
  databases: { default: process.env['DATABASE_URL'] ?? 'sqlite:db.sqlite3' },
  secretKey: process.env['SECRET_KEY'],
  allowedHosts: process.env['ALLOWED_HOSTS']?.split(',') ?? [],
});
`,
    'views.ts': `import { type HttpRequest, HttpResponse } from 'sobaya';
import { cspNonce } from 'sobaya/middleware';

export async function home(request: HttpRequest): Promise<HttpResponse> {
  return new HttpResponse(\`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${name}</title>
<style nonce="\${cspNonce(request)}">body { font: 18px/1.6 system-ui, sans-serif; margin: 4rem auto; max-width: 36rem; padding: 0 1rem }</style>
<h1>${name} is open</h1>
<p>This page is the view <code>home</code> in <code>views.ts</code>; its route stands in <code>app.ts</code>.</p>
</html>\`);
}
`,
    'app.test.ts': `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, setupDatabases } from 'sobaya/test';
import { application } ${from} './app.ts';

await setupDatabases(application);

test('the home page answers', async () => {
  await using client = new Client(application);
  const response = await client.get('/');
  assert.equal(response.status, 200);
  assert.match(response.text, /${name} is open/);
});
`,
    'README.md': `# ${name}

    npm install
    npm start          # http://127.0.0.1:8000
    npm test

\`npx sobaya startapp menu\` adds an app; \`npx sobaya --help\` shows all commands.
`,
  };
}

/** The files of a new app inside a project. */
export function appFiles(label: string): Files {
  const model = label
    .split('_')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  return {
    'app.ts': `import { defineApp } from 'sobaya';
import { ${model}Item } ${from} './models.ts';
import { urls } ${from} './urls.ts';

export const ${camel(label)} = defineApp({
  label: '${label}',
  models: [${model}Item],
  urls,
  migrations: new URL('./migrations/', import.meta.url),
});
`,
    'models.ts': `import { dateTime, Model, text } from 'sobaya/db';

export class ${model}Item extends Model({
  name: text({ maxLength: 200 }),
  created: dateTime({ null: true }),
}) {}
`,
    'urls.ts': `import { path } from 'sobaya';
import { detail, list } ${from} './views.ts';

export const urls = [path('', list, { name: 'list' }), path('<int:id>/', detail, { name: 'detail' })] as const;
`,
    'views.ts': `import { type HttpRequest, JsonResponse } from 'sobaya';
import { getObjectOr404 } from 'sobaya/views';
import { ${model}Item } ${from} './models.ts';

export async function list(_request: HttpRequest): Promise<JsonResponse> {
  const items = await ${model}Item.all().orderBy('name').limit(100);
  return new JsonResponse(items.map(({ id, name }) => ({ id, name })));
}

export async function detail(_request: HttpRequest, params: { id: number }): Promise<JsonResponse> {
  const { id, name } = await getObjectOr404(() => ${model}Item.get({ id: params.id }));
  return new JsonResponse({ id, name });
}
`,
  };
}

export function camel(label: string): string {
  return label.replace(/_([a-z0-9])/g, (_, char: string) => char.toUpperCase());
}
