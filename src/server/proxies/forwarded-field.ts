/** What one proxy wrote about the request that it received (RFC 7239 4): its parameters, names in lower case. */
export type ForwardedElement = ReadonlyMap<string, string>;

const isToken = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  "!#$%&'*+-.^_`|~".includes(String.fromCharCode(code));

/**
 * One `Forwarded` field by the grammar of RFC 7239 4, in one pass; null when it does not follow it. A field that is
 * broken says nothing at all: a client may have begun a quoted string in order to swallow what a proxy adds.
 */
export function parseForwarded(field: string): ForwardedElement[] | null {
  const elements: ForwardedElement[] = [];
  let at = 0;
  const space = (): void => {
    while (field[at] === ' ' || field[at] === '\t') at++;
  };
  const token = (): string => {
    const start = at;
    while (at < field.length && isToken(field.charCodeAt(at))) at++;
    return field.slice(start, at);
  };
  /** The text of a quoted string (RFC 9110 5.6.4), or null. */
  const quoted = (): string | null => {
    let text = '';
    for (at++; at < field.length; at++) {
      const char = field[at]!;
      if (char === '"') {
        at++;
        return text;
      }
      if (char === '\\') {
        if (++at === field.length) return null;
        text += field[at];
      } else text += char;
    }
    return null;
  };
  while (at <= field.length) {
    space();
    const element = new Map<string, string>();
    // A list may have empty elements, an element empty pairs.
    while (at < field.length && field[at] !== ',') {
      if (field[at] !== ';') {
        const name = token().toLowerCase();
        if (name === '' || field[at] !== '=' || element.has(name)) return null;
        at++;
        const value = field[at] === '"' ? quoted() : token();
        if (value === null || (value === '' && field[at - 1] !== '"')) return null;
        element.set(name, value);
      }
      space();
      if (at === field.length || field[at] === ',') break;
      if (field[at] !== ';') return null;
      at++;
      space();
    }
    if (element.size > 0) elements.push(element);
    at++;
  }
  return elements;
}
