/** The whole catalogue, one file per room. A new room's errors: add its file here. */
import { applicationErrors } from './application.ts';
import { asgiErrors } from './asgi.ts';
import { asyncioErrors } from './asyncio.ts';
import { cliErrors } from './cli.ts';
import { clientErrors } from './client.ts';
import { dbErrors } from './db.ts';
import { httpErrors } from './http.ts';
import { i18nErrors } from './i18n.ts';
import { middlewareErrors } from './middleware.ts';
import { migrationsErrors } from './migrations.ts';
import { openapiErrors } from './openapi.ts';
import { postgresqlErrors } from './postgresql.ts';
import { serverErrors } from './server.ts';
import { syncErrors } from './sync.ts';
import { templatesErrors } from './templates.ts';
import { testErrors } from './test.ts';
import { urlsErrors } from './urls.ts';
import { viewsErrors } from './views.ts';
import { xrayErrors } from './xray.ts';

/** For the documentation: the same entries, by the room they belong to. */
export const catalogueByRoom = {
  asyncio: asyncioErrors,
  sync: syncErrors,
  asgi: asgiErrors,
  server: serverErrors,
  client: clientErrors,
  http: httpErrors,
  urls: urlsErrors,
  middleware: middlewareErrors,
  i18n: i18nErrors,
  postgresql: postgresqlErrors,
  db: dbErrors,
  migrations: migrationsErrors,
  templates: templatesErrors,
  views: viewsErrors,
  openapi: openapiErrors,
  xray: xrayErrors,
  application: applicationErrors,
  test: testErrors,
  cli: cliErrors,
};

export const catalogue = {
  ...asyncioErrors,
  ...syncErrors,
  ...asgiErrors,
  ...serverErrors,
  ...clientErrors,
  ...httpErrors,
  ...urlsErrors,
  ...middlewareErrors,
  ...i18nErrors,
  ...postgresqlErrors,
  ...dbErrors,
  ...migrationsErrors,
  ...templatesErrors,
  ...viewsErrors,
  ...openapiErrors,
  ...xrayErrors,
  ...applicationErrors,
  ...testErrors,
  ...cliErrors,
};
