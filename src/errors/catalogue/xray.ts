import { BadRequest, ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `xray`. */
export const xrayErrors = {
  SBY_XRAY_BAD_OPTION: entry(UsageError, {
    about: 'An option of xray() or record() has a value that cannot work.',
    example: { option: 'sample', got: 7 as unknown, expected: 'a share between 0 and 1' },
    parts: ({ option, got, expected }: { option: string; got: unknown; expected: string }) => ({
      what: `The option "${option}" is ${describe(got)}`,
      where: 'xray',
      fix: `Give ${expected}`,
    }),
  }),
  SBY_XRAY_BAD_FILE: entry(BadRequest, {
    about:
      'A file given to `sobaya xray` or to the page was not written by x-ray, was changed since, or is too big.',
    example: { file: 'notes.json', problem: 'it has no "format"' },
    parts: ({ file, problem }: { file: string; problem: string }) => ({
      what: `${file} is no x-ray recording: ${problem}`,
      fix: 'Export one from the page /__xray__/ or with `sobaya xray --export FILE`',
    }),
  }),
  SBY_XRAY_UNREACHABLE: entry(OperationalError, {
    about: '`sobaya xray` reads from a running application in debug mode, through its x-ray page.',
    example: { url: 'http://127.0.0.1:8000', why: 'no answer (ECONNREFUSED)' },
    parts: ({ url, why }: { url: string; why: string }) => ({
      what: `The x-ray of ${url} cannot be read: ${why}`,
      fix: 'Start the application with `sobaya runserver` (or wrap it in xray()), and give its address with --url',
    }),
  }),
  SBY_XRAY_NO_TELEMETRY: entry(ImproperlyConfigured, {
    about:
      'xray({ openTelemetry: true }) hands its spans to the OpenTelemetry API, which the program brings along.',
    example: {},
    parts: (_: object) => ({
      what: 'The package @opentelemetry/api cannot be loaded',
      where: 'xray, openTelemetry',
      fix: 'npm install @opentelemetry/api, with an SDK set up before the application starts; or leave the option out',
    }),
  }),
};
