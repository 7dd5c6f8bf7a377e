import { UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `openapi`. */
export const openapiErrors = {
  SBY_OPENAPI_BAD_RESPONSE: entry(UsageError, {
    about: 'A handler gave something that its response schema does not allow. It was not sent.',
    example: { endpoint: 'getOrder', got: 'an object', why: 'total: expected number' },
    parts: ({ endpoint, got, why }: { endpoint: string; got: string; why: string }) => ({
      what: `The endpoint ${endpoint} gave ${got} that does not fit its response schema: ${why}`,
      fix: 'Mend what the handler returns, or the schema',
    }),
  }),
  SBY_OPENAPI_MISSING_PARAM: entry(UsageError, {
    about: 'A typed client was called without a parameter of the route.',
    example: { route: 'orders/<int:id>/', name: 'id' },
    parts: ({ route, name }: { route: string; name: string }) => ({
      what: `The parameter ${describe(name)} of ${describe(route)} is missing`,
      fix: `Give { params: { ${name} } }`,
    }),
  }),
};
