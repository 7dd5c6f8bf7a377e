/** Character classes of RFC 9110 5.6.2 (token), 5.5 (field-value) and of request targets, as lookup tables. */

function table(matches: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (matches(code) ? 1 : 0));
}

const tokenPunctuation = new Set("!#$%&'*+-.^_`|~");

/** token: what methods and field names are made of. */
export const TOKEN: Uint8Array = table((code) => {
  const char = String.fromCharCode(code);
  return /[0-9A-Za-z]/.test(char) || tokenPunctuation.has(char);
});

/** field-vchar, SP and HTAB: what field values are made of. No CR, LF, NUL, other controls or DEL. */
export const FIELD_VALUE: Uint8Array = table((code) => code === 9 || (code >= 0x20 && code !== 0x7f));

/**
 * What a request target may hold. RFC 3986 allows less, but browsers send `|`, `{`, `}`, `^`, `[`, `]`, `\` and
 * the backtick raw in queries. No controls, no bytes above ASCII, and no `#`: a fragment is never sent.
 */
export const TARGET: Uint8Array = table((code) => code > 0x20 && code < 0x7f && code !== 0x23);

/** Value of a hexadecimal digit; 255 for anything else. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /[0-9a-fA-F]/.test(char) ? Number.parseInt(char, 16) : 255;
});

/** What is inside quotes, but for the quote and the backslash (RFC 9110 5.6.4, qdtext). */
export const QUOTED_TEXT: Uint8Array = table(
  (code) => code === 9 || (code >= 0x20 && code !== 0x22 && code !== 0x5c && code !== 0x7f),
);
