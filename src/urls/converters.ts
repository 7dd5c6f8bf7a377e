import { fault } from '../errors/index.ts';
import type { ConverterTypes, LocalConverters } from './types.ts';

/** Between the text of a path and a value. */
export interface Converter<T> {
  /** A regular expression without anchors and groups that capture; what does not fit is another route. */
  readonly regex: string;
  /** The value; `undefined` says that this text does not match after all. */
  toValue(text: string): T | undefined;
  /** The text for a link, not yet percent-encoded; throws for a value that cannot stand there. */
  toUrl(value: T): string;
}

/** For writing converters: infers the type from `toValue`. */
export function converter<T>(definition: {
  readonly regex: string;
  toValue(text: string): T | undefined;
  toUrl(value: NoInfer<T>): string;
}): Converter<T> {
  return definition;
}

const text = (regex: string): Converter<string> => ({
  regex,
  toValue: (value) => value,
  toUrl: (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') throw new TypeError('it is no text');
    return String(value);
  },
});

const int: Converter<number> = {
  regex: '[0-9]+',
  toValue: (digits) => {
    const value = Number(digits);
    // Past 2^53 two paths would be one value.
    return Number.isSafeInteger(value) ? value : undefined;
  },
  toUrl: (value) => {
    // Keys of large tables are bigints, and what comes from a form or a template is text.
    const given = value as number | bigint | string;
    const digits = typeof given === 'string' && /^[0-9]+$/.test(given);
    if (
      !digits &&
      !(Number.isSafeInteger(given) && (given as number) >= 0) &&
      !(typeof given === 'bigint' && given >= 0n)
    )
      throw new TypeError('it is no whole number from 0 on');
    return String(value);
  },
};

const converters = new Map<string, Converter<unknown>>([
  ['int', int as Converter<unknown>],
  ['str', text('[^/]+') as Converter<unknown>],
  ['slug', text('[-a-zA-Z0-9_]+') as Converter<unknown>],
  ['uuid', text('[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}') as Converter<unknown>],
  ['path', text('[^\\n]+') as Converter<unknown>],
]);

/** Makes a converter known to all routes. Its type is declared in `ConverterTypes`. */
export function registerConverter<K extends string>(
  name: K,
  definition: Converter<K extends keyof ConverterTypes ? ConverterTypes[K] : unknown>,
): void {
  checkConverter(name, definition as Converter<unknown>);
  converters.set(name, definition as Converter<unknown>);
}

export function findConverter(
  name: string,
  local: LocalConverters | undefined,
  route: string,
): Converter<unknown> {
  const own = local !== undefined && Object.hasOwn(local, name) ? local[name] : undefined;
  const found = (own as Converter<unknown> | undefined) ?? converters.get(name);
  if (found === undefined) {
    const names = [...converters.keys(), ...Object.keys(local ?? {})];
    throw fault('SBY_URLS_UNKNOWN_CONVERTER', { route, name, known: names });
  }
  if (own !== undefined) checkConverter(name, found);
  return found;
}

function checkConverter(name: string, definition: Converter<unknown>): void {
  const bad = (why: string): Error => fault('SBY_URLS_BAD_CONVERTER', { name, why });
  if (!/^[A-Za-z_][\w-]*$/.test(name)) throw bad('its name is no identifier');
  let groups: number;
  try {
    groups = new RegExp(`${definition.regex}|`, 's').exec('')!.length - 1;
  } catch (cause) {
    throw bad(`its regex cannot be read: ${(cause as Error).message}`);
  }
  if (groups > 0) throw bad('its regex has groups that capture; write (?:…)');
  if (new RegExp(`^(?:${definition.regex})$`, 's').test('')) throw bad('its regex matches empty text');
  if (/^\^|\$$/.test(definition.regex)) throw bad('its regex has an anchor, ^ or $');
}
