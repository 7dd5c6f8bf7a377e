import { UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

export const i18nErrors = {
  SBY_I18N_BAD_LANGUAGE: entry(UsageError, {
    about: 'Languages are named by BCP 47 tags: "en", "ja", "pt-BR".',
    example: { callee: 'withLanguage', got: 'japanese!' as unknown },
    parts: (d: { callee: string; got: unknown }) => ({
      what: `${describe(d.got)} is no language`,
      where: d.callee,
      fix: 'Give a tag such as "en", "ja" or "pt-BR"',
    }),
  }),
  SBY_I18N_BAD_MESSAGE: entry(UsageError, {
    about: 'A catalogue maps messages to text, or to one text per plural category with at least `other`.',
    example: { language: 'ja', message: '{count} order', got: 3 as unknown },
    parts: (d: { language: string; message: string; got: unknown }) => ({
      what: `The translation of ${describe(d.message)} is ${describe(d.got)}`,
      where: `messages for ${d.language}`,
      fix: 'Give text, or { other: "…", one: "…" } by plural category',
    }),
  }),
};
