/** Messages in the reader's language: catalogues, plural forms, negotiation. English is the language of the source. */
import { addMessages } from './catalogue.ts';
import { ja } from './locale/ja.ts';

addMessages('ja', ja);

export { addMessages, type Messages, type PluralForms } from './catalogue.ts';
export { type LocaleOptions, locale, setLanguage } from './middleware.ts';
export { bestLanguage } from './negotiate.ts';
export {
  formatDate,
  formatNumber,
  getLanguage,
  gettext,
  gettextLazy,
  interpolate,
  LazyMessage,
  type MessageValue,
  type MessageValues,
  ngettext,
  pgettext,
  pluralText,
  withLanguage,
} from './translate.ts';
