import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { fault } from '../errors/index.ts';

/** Derived keys by secret and salt: deriving costs more than signing. */
const derived = new Map<string, Buffer>();

function keyFor(secret: string, salt: string): Buffer {
  const id = `${salt}\0${secret}`;
  let key = derived.get(id);
  if (key === undefined) {
    key = Buffer.from(hkdfSync('sha256', secret, salt, 'sobaya.signing', 32));
    if (derived.size > 1000) derived.clear();
    derived.set(id, key);
  }
  return key;
}

function mac(text: string, secret: string, salt: string): Buffer {
  return createHmac('sha256', keyFor(secret, salt)).update(text).digest();
}

export interface UnsignOptions {
  /** Older signatures are refused; seconds. */
  readonly maxAge?: number;
  /** What is signed, for messages. */
  readonly what?: string;
}

/**
 * Signs text with the time and HMAC-SHA256: readable by everybody, changed by nobody. The salt keeps values of
 * different purposes apart: give each purpose its own.
 */
export class Signer {
  readonly #keys: readonly string[];
  readonly #salt: string;

  /** The first key signs, all verify: put a new key in front to change it. */
  constructor(keys: readonly string[], salt: string) {
    if (keys.length === 0) throw fault('SBY_HTTP_NO_SECRET', {});
    this.#keys = keys;
    this.#salt = salt;
  }

  sign(value: string): string {
    const stamp = Math.floor(Date.now() / 1000).toString(36);
    const text = `${Buffer.from(value).toString('base64url')}.${stamp}`;
    return `${text}.${mac(text, this.#keys[0]!, this.#salt).toString('base64url')}`;
  }

  /** The value; throws SBY_HTTP_BAD_SIGNATURE when it was changed or is too old. */
  unsign(signed: string, { maxAge, what = 'value' }: UnsignOptions = {}): string {
    const at = signed.lastIndexOf('.');
    const text = signed.slice(0, Math.max(at, 0));
    const given = Buffer.from(signed.slice(at + 1), 'base64url');
    const good = this.#keys.some((key) => {
      const expected = mac(text, key, this.#salt);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    // Base64 decodes leniently; only the canonical spelling is what was signed.
    if (!good || given.toString('base64url') !== signed.slice(at + 1))
      throw fault('SBY_HTTP_BAD_SIGNATURE', { what, why: 'the signature does not match' });
    const [body = '', stamp = ''] = text.split('.');
    const age = Date.now() / 1000 - Number.parseInt(stamp, 36);
    if (maxAge !== undefined && !(age <= maxAge))
      throw fault('SBY_HTTP_BAD_SIGNATURE', { what, why: `it is older than ${maxAge} s` });
    return Buffer.from(body, 'base64url').toString();
  }
}
