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
  // What leads out of the site is on GitHub, beside these pages.
  ignoreDeadLinks: [/^(?:\.\.\/)+(?:README|CONTRIBUTING|CHANGELOG|bench|examples|src|tests)/],
  markdown: {
    // The pages are plain Markdown: `<file>` in a sentence is text, not a tag, and {{ }} is not Vue's.
    html: false,
    config(md) {
      const plain = (text) => md.utils.escapeHtml(text).replaceAll('{{', '&#123;&#123;');
      md.renderer.rules.text = (tokens, index) => plain(tokens[index].content);
      md.renderer.rules.code_inline = (tokens, index) => `<code>${plain(tokens[index].content)}</code>`;
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: 'deep',
    sidebar: [
      { text: 'Tutorial', items: pages('tutorial/*.md') },
      { text: 'Guide', items: pages('*.md') },
      { text: 'The gateway', items: pages('asgi/*.md'), collapsed: true },
      { text: 'Design', items: pages('design/*.md'), collapsed: true },
      { text: 'Errors', items: pages('errors/*.md'), collapsed: true },
    ],
  },
};
