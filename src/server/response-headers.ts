import { TOKEN } from './http1/characters.ts';

/** What the server does with a field that the application sends. */
export const PLAIN = 0;
export const CONTENT_LENGTH = 1;
/** Framing and connection management are the server's alone. */
export const DROPPED = 2;
export const CONNECTION = 3;
export const DATE = 4;
export const SERVER = 5;

export interface KnownName {
  readonly name: string;
  /** How the field begins on the wire: `content-type: `. */
  readonly wire: string;
  readonly kind: number;
}

const known = new Map<string, KnownName>();
const kinds: Readonly<Record<string, number>> = {
  'content-length': CONTENT_LENGTH,
  'transfer-encoding': DROPPED,
  'keep-alive': DROPPED,
  'proxy-connection': DROPPED,
  upgrade: DROPPED,
  connection: CONNECTION,
  date: DATE,
  server: SERVER,
};

/** Looks up a field name; null when it is no token. */
export function knownName(name: string): KnownName | null {
  return known.get(name) ?? learn(name);
}

function learn(name: unknown): KnownName | null {
  if (typeof name !== 'string' || name === '') return null;
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    if (code > 255 || TOKEN[code] === 0) return null;
  }
  const lower = name.toLowerCase();
  const entry = { name: lower, wire: `${lower}: `, kind: kinds[lower] ?? PLAIN };
  // Names come from programs, so there are few; a program that makes them up must not fill the memory.
  if (known.size < 2000) known.set(name, entry);
  return entry;
}

/**
 * What a trailer section may not say, because it is needed before the body: framing, routing, authentication, how to
 * read the body (RFC 9110 6.5.1).
 */
const before = new Set(
  'cache-control content-encoding content-range content-type host max-forwards set-cookie te trailer www-authenticate'.split(
    ' ',
  ),
);

/** True for a field that may stand in a trailer section. */
export function trails(name: KnownName): boolean {
  return name.kind === PLAIN && !before.has(name.name);
}

const invalidValue = /[^\t\x20-\x7e\x80-\xff]/;

/** True for latin-1 text without line breaks and other controls. */
export function validValue(value: unknown): value is string {
  return typeof value === 'string' && !invalidValue.test(value);
}
