import { ContextVar } from '../asyncio/index.ts';
import { canonicalLanguage, lookUp, type PluralForms, pluralCategory } from './catalogue.ts';

export type MessageValue = string | number | bigint | Date | { toString(): string };
export type MessageValues = Readonly<Record<string, MessageValue>>;

const language = new ContextVar<string>('language', 'en');
const numbers = new Map<string, Intl.NumberFormat>();

/** The language that messages are given in here and now. Default `en`. */
export function getLanguage(): string {
  return language.get() ?? 'en';
}

/** Runs `fn`, and all it starts, in a language. */
export function withLanguage<T>(tag: string, fn: () => T): T {
  return language.run(canonicalLanguage(tag, 'withLanguage'), fn);
}

export function formatNumber(value: number | bigint, options?: Intl.NumberFormatOptions): string {
  const tag = getLanguage();
  if (options !== undefined) return new Intl.NumberFormat(tag, options).format(value);
  let format = numbers.get(tag);
  if (format === undefined) numbers.set(tag, (format = new Intl.NumberFormat(tag)));
  return format.format(value);
}

export function formatDate(
  value: Date | number,
  options: Intl.DateTimeFormatOptions = { dateStyle: 'medium' },
): string {
  return new Intl.DateTimeFormat(getLanguage(), options).format(value);
}

/** Puts values where `{name}` stands; numbers as the language writes them. `{name}` without a value stays. */
export function interpolate(
  text: string,
  values: MessageValues | undefined,
  encode: (value: string) => string = (value) => value,
): string {
  if (values === undefined || !text.includes('{')) return text;
  return text.replace(/\{([A-Za-z_]\w*)\}/g, (whole, name: string) => {
    if (!Object.hasOwn(values, name)) return whole;
    const value = values[name] as MessageValue;
    if (typeof value === 'number' || typeof value === 'bigint') return encode(formatNumber(value));
    return encode(value instanceof Date ? formatDate(value) : String(value));
  });
}

function plain(found: string | PluralForms | null, message: string): string {
  return found === null ? message : typeof found === 'string' ? found : found.other;
}

/** The message in the current language, with values in place: `gettext('Hello, {name}', { name })`. */
export function gettext(message: string, values?: MessageValues): string {
  return interpolate(plain(lookUp(getLanguage(), message), message), values);
}

/** As gettext, for a word that means several things: `pgettext('month', 'May')`. Filed as `month|May`. */
export function pgettext(context: string, message: string, values?: MessageValues): string {
  return interpolate(plain(lookUp(getLanguage(), `${context}|${message}`), message), values);
}

/** The text for a number of things, before values are put in. */
export function pluralText(singular: string, plural: string, count: number): string {
  const tag = getLanguage();
  const found = lookUp(tag, singular);
  if (found === null) return pluralCategory('en', count) === 'one' ? singular : plural;
  return typeof found === 'string' ? found : (found[pluralCategory(tag, count)] ?? found.other);
}

/** A message for a number of things: `ngettext('{count} order', '{count} orders', n)`. `{count}` is the number. */
export function ngettext(singular: string, plural: string, count: number, values?: MessageValues): string {
  return interpolate(pluralText(singular, plural, count), { count, ...values });
}

/** A message that is translated when it is shown, in the language of then: for labels made at start. */
export class LazyMessage {
  readonly message: string;
  readonly values: MessageValues | undefined;

  constructor(message: string, values?: MessageValues) {
    this.message = message;
    this.values = values;
  }

  toString(): string {
    return gettext(this.message, this.values);
  }

  toJSON(): string {
    return this.toString();
  }
}

export function gettextLazy(message: string, values?: MessageValues): LazyMessage {
  return new LazyMessage(message, values);
}
