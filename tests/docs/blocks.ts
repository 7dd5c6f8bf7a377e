import { readFileSync } from 'node:fs';

export interface Block {
  /** The page and the line its code begins at. */
  readonly where: string;
  readonly language: string;
  /** What stands behind the language: a file's name, or `fragment` for what is no whole module. */
  readonly info: string;
  readonly code: string;
}

/** The fenced code blocks of a Markdown file. */
export function codeBlocks(file: string, shown: string): Block[] {
  const blocks: Block[] = [];
  let open: { indent: string; language: string; info: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    const fence = /^(\s*)```(\w*)\s*(.*)$/.exec(line);
    if (open === null) {
      if (fence !== null)
        open = {
          indent: fence[1] ?? '',
          language: fence[2] ?? '',
          info: fence[3] ?? '',
          line: index + 2,
          lines: [],
        };
    } else if (line.trim() === '```') {
      const { indent, language, info, line: from, lines } = open;
      const code = lines.map((one) => (one.startsWith(indent) ? one.slice(indent.length) : one)).join('\n');
      blocks.push({ where: `${shown}:${from}`, language, info, code: `${code}\n` });
      open = null;
    } else open.lines.push(line);
  }
  return blocks;
}
