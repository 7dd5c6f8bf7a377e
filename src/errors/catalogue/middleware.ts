import { ImproperlyConfigured, UsageError } from '../base.ts';
import { PermissionDenied } from '../http.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `middleware`. */
export const middlewareErrors = {
  SBY_MIDDLEWARE_MISSING: entry(UsageError, {
    about: 'A function needs a middleware that did not see the request.',
    example: { callee: 'csrfToken', middleware: 'csrf' },
    parts: ({ callee, middleware }: { callee: string; middleware: string }) => ({
      what: `${callee}() needs the middleware ${middleware}()`,
      fix: `Add it: createApp({ middleware: [${middleware}(), …] })`,
    }),
  }),
  SBY_MIDDLEWARE_BAD_OPTION: entry(ImproperlyConfigured, {
    about: 'A middleware was given an option that makes no sense.',
    example: { middleware: 'rateLimit', option: 'limit', why: 'it takes a whole number from 1 on' },
    parts: ({ middleware, option, why }: { middleware: string; option: string; why: string }) => ({
      what: `${middleware}() cannot use the option ${describe(option)}: ${why}`,
    }),
  }),
  SBY_MIDDLEWARE_CSRF: entry(PermissionDenied, {
    about:
      'A request that changes something did not prove that it comes from a page of this site. The client gets 403.',
    example: { why: 'the token is missing' },
    parts: ({ why }: { why: string }) => ({
      what: `The request was refused as cross-site: ${why}`,
      fix: 'Put csrfToken(request) into the form as csrfmiddlewaretoken, or send it as X-CSRFToken; a view for other programs is wrapped by csrfExempt()',
    }),
  }),
  SBY_MIDDLEWARE_OUTPUT_IN_USE: entry(ImproperlyConfigured, {
    about: 'collectstatic empties its output folder first, and will not empty one that it did not write.',
    example: { folder: '/srv/soba/static' },
    parts: ({ folder }: { folder: string }) => ({
      what: 'The output folder holds files that collectstatic did not write',
      where: folder,
      fix: 'Name a new or empty folder; the sources are not the output',
    }),
  }),
};
