import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const docs = join(import.meta.dirname, '..');
/** Every page of a folder, titled by its first heading. */
const pages = (pattern) =>
  globSync(pattern, { cwd: docs })
    .filter((file) => !file.includes('node_modules') && basename(file) !== 'index.md')
    .sort()
    .map((file) => ({
      text: /^# (.+)$/m.exec(readFileSync(join(docs, file), 'utf8'))?.[1] ?? basename(file, '.md'),
      link: `/${file.replace(/\.md$/, '')}`,
    }));

export default {
  title: 'Sobaya',
  description: 'Django for TypeScript, async all the way down',
  cleanUrls: true,
  ignoreDeadLinks: true,
  // The pages are plain Markdown: `<file>` in a sentence is text, not a tag.
  markdown: { html: false },
  themeConfig: {
    search: { provider: 'local' },
    outline: 'deep',
    sidebar: [
      { text: 'Guide', items: pages('*.md') },
      { text: 'The gateway', items: pages('asgi/*.md'), collapsed: true },
      { text: 'Design', items: pages('design/*.md'), collapsed: true },
      { text: 'Errors', items: pages('errors/*.md'), collapsed: true },
    ],
  },
};
