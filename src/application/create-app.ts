import type {
  Application,
  Scope as AsgiScope,
  HttpScope,
  Receive,
  Send,
  WebSocketScope,
} from '../asgi/index.ts';
import { Context, type ContextVar, currentContext, Task } from '../asyncio/index.ts';
import { ambient as ambientDatabases, Databases } from '../db/index.ts';
import { fault } from '../errors/index.ts';
import type { HttpRequest, RequestSettings } from '../http/index.ts';
import { currentUrlconf, Resolver, registerResolver, type Urlconf } from '../urls/index.ts';
import { currentTemplates } from '../views/index.ts';
import type { App } from './define-app.ts';
import type { ErrorResponder } from './error-responses.ts';
import { createHandler } from './handler.ts';
import { Life, serveLifespan } from './lifespan.ts';
import { type AppOptions, checkAppOptions, settingsFrom } from './options.ts';
import { recorded } from './recorded.ts';
import { serveWebSocket } from './websocket.ts';

/** The application: called by servers, and the one place that knows its configuration. */
export interface SobayaApplication extends Application {
  readonly apps: readonly App[];
  readonly databases: Databases;
  readonly resolver: Resolver;
  readonly settings: RequestSettings;
  readonly debug: boolean;
  readonly options: AppOptions;
  /**
   * What is ambient in each of its requests. A server that starts a request's task with these, and cancels it when
   * the client leaves, spares the application to enter them itself.
   */
  readonly contextVars: ReadonlyMap<ContextVar<unknown>, unknown>;
  /** For scripts, commands and tests: opens the databases, runs `fn` with them ambient, closes them. */
  run<T>(fn: () => T | PromiseLike<T>): Promise<Awaited<T>>;
}

/** Makes an application; everything that can be wrong in its options is said here and now. */
export function createApp(options: AppOptions = {}): SobayaApplication {
  checkAppOptions(options);
  const settings = settingsFrom(options);
  const resolver = new Resolver(options.urls ?? []);
  const apps = Object.freeze([...(options.apps ?? [])]);
  const databases = databasesFrom(options.databases);
  const errors: ErrorResponder = {
    debug: settings.debug,
    leaves: resolver.leaves,
    views: options.errorViews ?? {},
    report: options.onError ?? printError,
  };
  const handler = createHandler({
    resolver,
    middleware: options.middleware ?? [],
    settings,
    errors,
    trailingSlash: options.trailingSlash ?? 'append',
  });
  const sockets = { resolver, settings, report: errors.report };
  const life = new Life({ databases, apps, hook: options.lifespan });
  const urlconf: Urlconf = { resolver, prefix: '' };
  const contextVars: ReadonlyMap<ContextVar<unknown>, unknown> = new Map<ContextVar<unknown>, unknown>([
    [currentUrlconf as ContextVar<unknown>, urlconf],
    ...(options.templates === undefined
      ? []
      : [[currentTemplates as ContextVar<unknown>, options.templates] as const]),
    [ambientDatabases as ContextVar<unknown>, { databases, transactions: new Map() }],
  ]);

  const application = (scope: AsgiScope, receive: Receive, send: Send): Promise<void> => {
    switch (scope.type) {
      case 'http':
        if (currentContext().vars === contextVars && scope.rootPath === '')
          return handler(scope, receive, send);
        return inOwnTask(scope, () => handler(scope, receive, send), contextVars);
      case 'lifespan':
        return serveLifespan(life, scope, receive, send);
      case 'websocket':
        return inOwnTask(scope, () => serveWebSocket(sockets, scope, receive, send), contextVars);
      default:
        return Promise.reject(
          fault('SBY_APPLICATION_WRONG_SCOPE', { type: String((scope as { type: unknown }).type) }),
        );
    }
  };
  registerResolver(resolver);
  return Object.assign(recorded(application, options.xray, settings.debug), {
    apps,
    databases,
    resolver,
    settings,
    debug: settings.debug,
    options,
    contextVars,
    async run<T>(fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
      await life.start();
      try {
        const context = currentContext();
        const inner = new Context(
          context.scope,
          context.task,
          merge(context.vars, contextVars),
          context.trace,
          context.span,
        );
        const task = new Task<Awaited<T>>(fn as () => PromiseLike<Awaited<T>>, inner, fn.name || 'run', null);
        return await task;
      } finally {
        await life.stop();
      }
    },
  });
}

type Vars = ReadonlyMap<ContextVar<unknown>, unknown>;

function merge(outer: Vars | null, own: Vars): Vars {
  if (outer === null || outer === own) return own;
  const merged = new Map([...outer, ...own]);
  // A test that wraps itself in a transaction wants its requests inside it.
  const variable = ambientDatabases as ContextVar<unknown>;
  const before = outer.get(variable) as { databases: Databases } | null | undefined;
  if (before && before.databases === (own.get(variable) as { databases: Databases }).databases)
    merged.set(variable, before);
  return merged;
}

/**
 * For callers that give a request no task of its own: tests, other servers, applications that mount this one. The
 * request becomes a task, with its leaving client as the end of it.
 */
async function inOwnTask(
  scope: HttpScope | WebSocketScope,
  serve: () => Promise<void>,
  own: Vars,
): Promise<void> {
  const outer = currentContext();
  let vars = merge(outer.vars, own);
  if (scope.rootPath !== '') {
    const { resolver } = own.get(currentUrlconf as ContextVar<unknown>) as Urlconf;
    vars = new Map(vars).set(currentUrlconf as ContextVar<unknown>, { resolver, prefix: scope.rootPath });
  }
  const context = new Context(outer.scope, outer.task, vars, outer.trace, outer.span);
  const name = `${scope.type === 'http' ? scope.method : 'WebSocket'} ${scope.path}`;
  await new Task<void>(serve, context, name, null);
}

function databasesFrom(given: AppOptions['databases']): Databases {
  return given instanceof Databases ? given : new Databases(given ?? {});
}

function printError(error: unknown, request: HttpRequest): void {
  console.error(`${request.method} ${request.path} failed:`, error);
}
