import { fault } from '../errors/index.ts';

/** One text per plural category of the language (CLDR: zero, one, two, few, many, other). */
export type PluralForms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> & { readonly other: string };

/**
 * Translations by the English message. A message with a context, for words that mean two things, is written
 * `context|message`. A plural is filed under its singular: `'{count} order': { other: '注文{count}件' }`.
 */
export type Messages = Readonly<Record<string, string | PluralForms>>;

const catalogues = new Map<string, Map<string, string | PluralForms>>();
const rules = new Map<string, Intl.PluralRules>();

/** The canonical spelling of a language tag; throws SBY_I18N_BAD_LANGUAGE for what is none. */
export function canonicalLanguage(tag: string, callee: string): string {
  try {
    return Intl.getCanonicalLocales(tag)[0] as string;
  } catch {
    throw fault('SBY_I18N_BAD_LANGUAGE', { callee, got: tag });
  }
}

/** Adds translations into `language`; what was there under the same message is replaced. */
export function addMessages(language: string, messages: Messages): void {
  const tag = canonicalLanguage(language, 'addMessages');
  const catalogue = catalogues.get(tag) ?? new Map<string, string | PluralForms>();
  for (const [message, text] of Object.entries(messages)) {
    if (typeof text !== 'string' && typeof (text as PluralForms | null)?.other !== 'string')
      throw fault('SBY_I18N_BAD_MESSAGE', { language: tag, message, got: text });
    catalogue.set(message, text);
  }
  catalogues.set(tag, catalogue);
}

/** From the most exact to the plainest: `zh-Hant-TW`, `zh-Hant`, `zh`. */
export function* fallbacks(language: string): Generator<string> {
  for (let tag = language; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) yield tag;
}

/** What the catalogues say; null when they say nothing. */
export function lookUp(language: string, message: string): string | PluralForms | null {
  for (const tag of fallbacks(language)) {
    const text = catalogues.get(tag)?.get(message);
    if (text !== undefined) return text;
  }
  return null;
}

export function pluralCategory(language: string, count: number): Intl.LDMLPluralRule {
  let rule = rules.get(language);
  if (rule === undefined) rules.set(language, (rule = new Intl.PluralRules(language)));
  return rule.select(count);
}
