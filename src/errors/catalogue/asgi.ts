import { UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

export const asgiErrors = {
  SBY_ASGI_UNKNOWN_SCOPE: entry(UsageError, {
    about:
      'An application must refuse the kinds of connection it does not know (ASGI 3.0, "Connection Scope").',
    example: { type: 'websocket' as unknown, application: 'hello' },
    parts: ({ type, application }: { type: unknown; application: string }) => ({
      what: `${application} does not handle scopes of type ${describe(type)}`,
      fix: 'Route this kind of connection to an application that does',
    }),
  }),
};
