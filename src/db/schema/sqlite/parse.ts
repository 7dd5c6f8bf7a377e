/** The little of CREATE TABLE that SQLite's pragmas do not tell: checks and generated expressions. */

/** The comma-separated definitions between the outer parentheses. */
export function definitionsOf(sql: string): string[] {
  return split(sql).definitions;
}

/** What follows the definitions: STRICT, WITHOUT ROWID. */
export function tailOf(sql: string): string {
  const { end } = split(sql);
  return end < 0 ? '' : sql.slice(end + 1);
}

function split(sql: string): { readonly definitions: string[]; readonly end: number } {
  const open = sql.indexOf('(');
  if (open < 0) return { definitions: [], end: -1 };
  const definitions: string[] = [];
  let start = open + 1;
  let depth = 0;
  let end = -1;
  for (let i = open + 1; i < sql.length; i++) {
    const char = sql[i] as string;
    if (char === "'" || char === '"' || char === '`' || char === '[') {
      i = endOfQuoted(sql, i);
    } else if (char === '(') depth++;
    else if (char === ')') {
      if (depth === 0) {
        definitions.push(sql.slice(start, i).trim());
        end = i;
        break;
      }
      depth--;
    } else if (char === ',' && depth === 0) {
      definitions.push(sql.slice(start, i).trim());
      start = i + 1;
    }
  }
  return { definitions: definitions.filter((text) => text !== ''), end };
}

/** Index of the closing quote; a doubled one stands for itself. */
function endOfQuoted(sql: string, at: number): number {
  const close = sql[at] === '[' ? ']' : (sql[at] as string);
  for (let i = at + 1; i < sql.length; i++)
    if (sql[i] === close) {
      if (close !== ']' && sql[i + 1] === close) i++;
      else return i;
    }
  return sql.length;
}

/** The CHECK constraints of one definition. */
export function checksIn(definition: string): { name: string; sql: string }[] {
  const checks: { name: string; sql: string }[] = [];
  for (let i = 0; i < definition.length; i++) {
    const char = definition[i] as string;
    if (char === "'" || char === '"' || char === '`' || char === '[') {
      i = endOfQuoted(definition, i);
      continue;
    }
    const rest = definition.slice(i);
    const match = /^check\s*\(/i.exec(rest);
    if (match === null || (i > 0 && /\w/.test(definition[i - 1] as string))) continue;
    const open = i + match[0].length - 1;
    let depth = 0;
    let end = open;
    for (; end < definition.length; end++) {
      const inner = definition[end] as string;
      if (inner === "'" || inner === '"') end = endOfQuoted(definition, end);
      else if (inner === '(') depth++;
      else if (inner === ')' && --depth === 0) break;
    }
    const name = /constraint\s+(?:"((?:[^"]|"")*)"|(\w+))\s*$/i.exec(definition.slice(0, i));
    checks.push({
      name: (name?.[1] ?? name?.[2] ?? '').replaceAll('""', '"'),
      sql: definition.slice(open + 1, end),
    });
    i = end;
  }
  return checks;
}
