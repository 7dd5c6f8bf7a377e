/** Every query of the bank, asked of Sobaya, must give what Django 3.2 answered on the same kind of database. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Databases } from 'sobaya/db';
import { serverOrSkip, type TestServer } from '../support/postgres.ts';
import { aligned, expected, openBank, plain, queryset } from './bank.ts';
import { different, differentOn, wrong } from './different.ts';
import { queries } from './queries.ts';

interface Answer {
  readonly is?: unknown;
  readonly raises?: string;
  readonly fails?: string;
}
const answers = JSON.parse(readFileSync(new URL('answers.json', import.meta.url), 'utf8')) as Record<
  string,
  Partial<Record<'both' | 'sqlite' | 'postgresql', Answer>>
>;

const errors: Record<string, RegExp> = {
  FieldError: /^SBY_DB_(UNKNOWN_|BAD_)/,
  DoesNotExist: /^SBY_DB_DOES_NOT_EXIST$/,
  MultipleObjectsReturned: /^SBY_DB_MULTIPLE_OBJECTS$/,
};

const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };

for (const [vendor, server] of [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('bank')],
] as const)
  describe(`Django answers, on ${vendor}`, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await openBank(await server.url());
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });

    for (const [name, query] of Object.entries(queries)) {
      const by = answers[name] ?? {};
      const answer = (by.both ?? by[vendor]) as Answer | undefined;
      // Some Django itself cannot answer here: arrays on SQLite, what 3.2 did not have yet.
      const unasked = answer === undefined || answer.fails !== undefined;
      const skip = unasked
        ? 'Django 3.2 has no answer'
        : (different[name] ?? differentOn[vendor][name] ?? false);
      test(name, { skip, todo: wrong.includes(name) }, () =>
        databases.run(async () => {
          if (answer === undefined) return;
          if (answer.raises !== undefined) {
            await assert.rejects(
              async () => await queryset(query),
              (error: { code: string }) => (errors[answer.raises as string] as RegExp).test(error.code),
            );
            return;
          }
          const wanted = expected(answer.is);
          assert.deepEqual(aligned(plain(await queryset(query)), wanted), wanted);
        }),
      );
    }
  });
