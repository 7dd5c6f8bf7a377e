import { ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `application`. */
export const applicationErrors = {
  SBY_APPLICATION_BAD_OPTION: entry(ImproperlyConfigured, {
    about:
      'createApp() or defineApp() got an option that it does not know, or a value that the option does not take.',
    example: {
      callee: 'createApp',
      option: 'midleware',
      why: 'there is no such option',
      known: ['middleware', 'urls'] as readonly string[],
    },
    parts: ({
      callee,
      option,
      why,
      known,
    }: {
      callee: string;
      option: string;
      why: string;
      known: readonly string[];
    }) => ({
      what: `${callee}() cannot use the option ${describe(option)}: ${why}`,
      fix: known.length > 0 ? `Options are ${known.join(', ')}` : '',
    }),
  }),
  SBY_APPLICATION_DUPLICATE_APP: entry(ImproperlyConfigured, {
    about: 'Two apps of one application have the same label; tables and migrations are named by it.',
    example: { label: 'shop' },
    parts: ({ label }: { label: string }) => ({
      what: `Two apps have the label ${describe(label)}`,
      where: 'createApp({ apps })',
      fix: 'Give one of them another label in defineApp({ label })',
    }),
  }),
  SBY_APPLICATION_BAD_MIDDLEWARE: entry(ImproperlyConfigured, {
    about:
      'A middleware is a function that takes the rest of the application and gives a function for requests.',
    example: { position: 2, got: undefined as unknown, gave: false },
    parts: ({ position, got, gave }: { position: number; got: unknown; gave: boolean }) => ({
      what: `Middleware ${position} ${gave ? `gave ${describe(got)}` : `is ${describe(got)}`} instead of a function`,
      where: 'createApp({ middleware })',
      fix: 'A middleware is (getResponse) => async (request) => response; of those that come with Sobaya, call the maker: csrf(), not csrf',
    }),
  }),
  SBY_APPLICATION_NOT_STARTED: entry(OperationalError, {
    about: 'A start-up hook failed, so the application answers nothing.',
    example: { why: 'the database cannot be opened' },
    parts: ({ why }: { why: string }) => ({ what: `The application did not start: ${why}` }),
  }),
  SBY_APPLICATION_WEAK_SECRET: entry(ImproperlyConfigured, {
    about: 'The secret key signs cookies and tokens; who knows it can forge them.',
    example: { length: 8 },
    parts: ({ length }: { length: number }) => ({
      what: `The secret key has ${length} characters, which can be guessed`,
      where: 'createApp({ secretKey })',
      fix: 'Give at least 32 random characters from the environment: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
    }),
  }),
  SBY_APPLICATION_WRONG_SCOPE: entry(UsageError, {
    about: 'The server asked the application for a kind of connection that it does not know.',
    example: { type: 'tcp' },
    parts: ({ type }: { type: string }) => ({
      what: `The application was called with a scope of type ${describe(type)}`,
      fix: 'It answers http, websocket and lifespan',
    }),
  }),
};
