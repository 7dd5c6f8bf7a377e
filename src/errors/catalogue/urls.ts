import { ImproperlyConfigured, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `urls`. */
export const urlsErrors = {
  SBY_URLS_UNKNOWN_CONVERTER: entry(ImproperlyConfigured, {
    about: 'A route names a converter that neither Sobaya nor the application knows.',
    example: { route: 'orders/<integer:id>/', name: 'integer', known: ['int', 'str'] as readonly string[] },
    parts: ({ route, name, known }: { route: string; name: string; known: readonly string[] }) => ({
      what: `There is no converter ${describe(name)}`,
      where: `route ${describe(route)}`,
      fix: `Write one of ${known.join(', ')}, or give path(…, { converters: { ${/^\w+$/.test(name) ? name : `'…'`}: … } })`,
    }),
  }),
  SBY_URLS_BAD_CONVERTER: entry(ImproperlyConfigured, {
    about: 'A converter has a regular expression that cannot stand inside a route.',
    example: { name: 'year', why: 'its regex has groups that capture; write (?:…)' },
    parts: ({ name, why }: { name: string; why: string }) => ({
      what: `The converter ${describe(name)} cannot be used: ${why}`,
      fix: 'Give a regular expression without anchors and capturing groups, that matches at least one character',
    }),
  }),
  SBY_URLS_BAD_ROUTE: entry(ImproperlyConfigured, {
    about: 'A route cannot be read.',
    example: {
      route: 'orders/<int:id/',
      why: 'a "<" is never closed',
      fix: 'Write <kind:name>, as in "orders/<int:id>/"',
    },
    parts: ({ route, why, fix }: { route: string; why: string; fix: string }) => ({
      what: `The route ${describe(route)} cannot be read: ${why}`,
      fix,
    }),
  }),
  SBY_URLS_NOT_A_VIEW: entry(ImproperlyConfigured, {
    about: 'A view is a function (request, params) => response.',
    example: { route: 'orders/', got: undefined as unknown },
    parts: ({ route, got }: { route: string; got: unknown }) => ({
      what: `The view of ${describe(route)} is ${describe(got)}`,
      fix:
        got === undefined
          ? 'Is its export missing, or do two modules import each other? Give a function (request, params) => response'
          : 'Give a function (request, params) => response; of a class view, View.asView()',
    }),
  }),
  SBY_URLS_NOT_URLS: entry(ImproperlyConfigured, {
    about: 'Urls are made with path(), rePath(), websocket() and include().',
    example: { where: 'createApp({ urls })', got: 'orders/' as unknown },
    parts: ({ where, got }: { where: string; got: unknown }) => ({
      what: `${describe(got)} is no url pattern`,
      where,
      fix: 'Give an array of path(), rePath(), websocket() and include()',
    }),
  }),
  SBY_URLS_NO_REVERSE: entry(UsageError, {
    about: 'No route has this name or view, or none of those that have it takes these parameters.',
    example: {
      target: 'order-detail',
      params: ['id'] as readonly string[],
      tried: ['orders/<int:id>/: id: it is no whole number from 0 on'] as readonly string[],
      similar: null as string | null,
    },
    parts: ({
      target,
      params,
      tried,
      similar,
    }: {
      target: string;
      params: readonly string[];
      tried: readonly string[];
      similar: string | null;
    }) => ({
      what:
        tried.length === 0
          ? `No route is named ${target}`
          : `No route of ${target} fits ${params.length === 0 ? 'no parameters' : `the parameters ${params.join(', ')}`}`,
      where: tried.length === 0 ? '' : `tried ${tried.join('; ')}`,
      fix:
        tried.length === 0
          ? similar === null
            ? 'See sobaya routes for all names'
            : `Did you mean ${describe(similar)}`
          : 'Give exactly the parameters of the route',
    }),
  }),
  SBY_URLS_NO_RESOLVER: entry(UsageError, {
    about:
      'reverse() asks the application for its routes: the one that answers the current request, or the only one of the process.',
    example: { count: 0 },
    parts: ({ count }: { count: number }) => ({
      what:
        count === 0
          ? 'reverse() was called before any application was made'
          : `reverse() was called outside a request, and there are ${count} applications`,
      fix:
        count === 0
          ? 'Call it inside views and functions, not while modules load'
          : 'Use application.resolver.reverse(), or call it inside application.run()',
    }),
  }),
};
