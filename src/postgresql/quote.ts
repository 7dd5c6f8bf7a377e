import { fault } from '../errors/index.ts';

function checked(callee: string, text: unknown): string {
  if (typeof text === 'string' && !text.includes('\0')) return text;
  throw fault('SBY_POSTGRESQL_BAD_OPTION', {
    option: `The argument of ${callee}()`,
    got: text,
    expected: 'text without NUL characters',
  });
}

/** A name for SQL: `"it""s"`. */
export function quoteIdentifier(name: string): string {
  return `"${checked('quoteIdentifier', name).replaceAll('"', '""')}"`;
}

/** A text constant for SQL, where no parameter can stand: `'it''s'`. */
export function quoteLiteral(text: string): string {
  const quoted = `'${checked('quoteLiteral', text).replaceAll("'", "''")}'`;
  // A backslash means nothing in '…' unless the server is told so; E'…' means the same everywhere.
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
